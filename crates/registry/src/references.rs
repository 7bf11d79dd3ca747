//! What a schema refers to, and what that refers to: all of it, each after what it needs itself, within bounds.

use std::collections::HashSet;
use std::time::Instant;

use crate::client::{Client, Failure, Reference, Registered};

const REFERENCES_MAX: usize = 100;
const DEPTH_MAX: usize = 16;
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where it failed, and how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) reference: Reference,
    pub(crate) failure: Failure,
}

/// The path and the text of each.
#[derive(Debug, Default)]
pub(crate) struct Referred {
    pub(crate) texts: Vec<(String, String)>,
    pub(crate) bytes: usize,
    seen: HashSet<Reference>,
}

impl Referred {
    pub(crate) fn of(schema: &Registered, client: &Client, until: Instant) -> Result<Self, Missing> {
        let mut all = Self::default();
        all.add(&schema.references, 0, &mut |reference| client.version(reference, until))?;
        Ok(all)
    }

    fn add(
        &mut self,
        references: &[Reference],
        depth: usize,
        get: &mut impl FnMut(&Reference) -> Result<Registered, Failure>,
    ) -> Result<(), Missing> {
        for reference in references {
            // One that comes again is there already; one that refers to itself is not asked for twice.
            if !self.seen.insert(reference.clone()) {
                continue;
            }
            let missing = |failure| Missing { reference: reference.clone(), failure };
            if self.seen.len() > REFERENCES_MAX || depth >= DEPTH_MAX {
                let why =
                    format!("there are more than {REFERENCES_MAX} references, or deeper than {DEPTH_MAX}");
                return Err(missing(Failure::Unusable(why)));
            }
            let found = get(reference).map_err(missing)?;
            self.bytes += found.schema.len();
            if self.bytes > BYTES_MAX {
                let why = format!("all references are larger than {} MiB", BYTES_MAX / (1024 * 1024));
                return Err(missing(Failure::Unusable(why)));
            }
            self.add(&found.references, depth + 1, get)?;
            self.texts.push((reference.name.clone(), found.schema));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(name: &str) -> Reference {
        Reference { name: name.to_owned(), subject: name.to_owned(), version: 1 }
    }

    fn registered(refers: &[&str]) -> Registered {
        let references = refers.iter().map(|name| reference(name)).collect();
        Registered { schema: "x".repeat(10), kind: None, references }
    }

    fn names(get: impl FnMut(&Reference) -> Result<Registered, Failure>) -> Result<Vec<String>, Missing> {
        let (mut all, mut get) = (Referred::default(), get);
        all.add(&[reference("a"), reference("b")], 0, &mut get)?;
        Ok(all.texts.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn each_comes_once_after_what_it_needs() {
        let found = names(|one| {
            Ok(match one.name.as_str() {
                "a" => registered(&["c", "b"]),
                "b" => registered(&["c"]),
                // A circle.
                _ => registered(&["a"]),
            })
        });
        assert_eq!(found.unwrap(), ["c", "b", "a"]);
    }

    #[test]
    fn endless_references_end() {
        let mut asked = 0;
        let deep = names(|one| {
            asked += 1;
            Ok(registered(&[&format!("{}x", one.name)]))
        });
        assert!(matches!(deep.unwrap_err().failure, Failure::Unusable(_)));
        let many: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let wide = names(|_| {
            asked += 1;
            Ok(registered(&many))
        });
        assert!(matches!(wide.unwrap_err().failure, Failure::Unusable(_)));
        assert!(asked < 200, "{asked}");
        let missing = names(|one| if one.name == "b" { Err(Failure::NotFound) } else { Ok(registered(&[])) });
        assert_eq!(missing.unwrap_err().reference, reference("b"));
    }
}
