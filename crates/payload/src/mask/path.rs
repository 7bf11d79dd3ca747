//! Where in JSON a masked value is: `customer.email`, `items.*.card`, `$.token`.

use std::fmt;
use std::str::FromStr;

/// Names from the outermost object inwards; `*` is any one name. Lists take no step of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskPath(Vec<Option<String>>);

impl MaskPath {
    pub(super) fn matches<'a>(&self, names: impl ExactSizeIterator<Item = &'a str>) -> bool {
        let same = |(want, name): (&Option<String>, &str)| want.as_deref().is_none_or(|want| want == name);
        names.len() == self.0.len() && self.0.iter().zip(names).all(same)
    }
}

impl FromStr for MaskPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let steps = text.strip_prefix("$.").unwrap_or(text);
        let step = |step: &str| {
            let name = step.strip_suffix("[*]").unwrap_or(step);
            match name {
                "" => Err(format!(
                    "{text:?} is no path: write names with points between, such as customer.email"
                )),
                "*" => Ok(None),
                _ if name.contains(['[', ']', '"', '\'']) => Err(format!(
                    "{text:?} is no path: lists need no step, and names are written without quotes"
                )),
                _ => Ok(Some(name.to_owned())),
            }
        };
        steps.split('.').map(step).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for MaskPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<&str> = self.0.iter().map(|step| step.as_deref().unwrap_or("*")).collect();
        f.write_str(&steps.join("."))
    }
}
