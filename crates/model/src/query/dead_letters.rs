//! Which dead letters of a topic are asked for.

use super::{FIND_MAX, unknown_field};
use crate::error::PortError;

/// An absent condition matches all; an empty one those that say nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLettersQuery {
    pub original: Option<String>,
    /// As groups have it: numbers are `#`.
    pub error: Option<String>,
}

impl DeadLettersQuery {
    pub fn parse(query: &str) -> Result<Self, PortError> {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let (field, place) = match &*name {
                "original" => ("original", &mut parsed.original),
                "error" => ("error", &mut parsed.error),
                other => return Err(unknown_field(other)),
            };
            if value.len() > FIND_MAX {
                return Err(PortError::invalid(field, format!("at most {FIND_MAX} bytes")));
            }
            *place = Some(value.into_owned());
        }
        Ok(parsed)
    }

    pub fn to_query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("original", &self.original), ("error", &self.error)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }

    /// Whether a dead letter of this original topic and this error, as groups have it, is asked for.
    pub fn matches(&self, original: Option<&str>, error: Option<&str>) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| wanted == found.unwrap_or_default())
        };
        is(&self.original, original) && is(&self.error, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_comes_back() {
        for text in ["", "original=orders", "original=&error=no+card+%23", "error=a%26b"] {
            assert_eq!(DeadLettersQuery::parse(text).unwrap().to_query(), text);
        }
        assert!(DeadLettersQuery::parse("orginal=x").is_err());
        assert!(DeadLettersQuery::parse(&format!("error={}", "x".repeat(1_001))).is_err());
    }

    #[test]
    fn empty_condition_matches_what_is_not_said() {
        let query = |text| DeadLettersQuery::parse(text).unwrap();
        for (text, original, error, want) in [
            ("", Some("a"), None, true),
            ("original=a", Some("a"), Some("e"), true),
            ("original=a", None, None, false),
            ("original=", None, None, true),
            ("original=", Some("a"), None, false),
            ("original=a&error=e", Some("a"), Some("f"), false),
        ] {
            assert_eq!(query(text).matches(original, error), want, "{text}");
        }
    }
}
