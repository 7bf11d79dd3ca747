//! Names of topics by a pattern: `{environment}.{domain}.{scope}.{topic}.{version}`.

use std::collections::BTreeMap;

/// What of a pattern, or of a topic, is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NamingError {
    /// A brace without its other one, or nothing between them.
    #[error("the pattern {pattern:?} has a brace too many, or an empty field")]
    Pattern {
        /// As it was given.
        pattern: String,
    },
    /// Neither the naming nor the topic sets it.
    #[error("the pattern names {{{field}}}, and nothing sets it")]
    Unset {
        /// Its name in the pattern.
        field: String,
    },
    /// Kafka takes letters, digits, `.`, `_` and `-`, 249 of them at most.
    #[error("{name:?} is no name of a topic")]
    Name {
        /// What the pattern gave.
        name: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(String),
}

/// A pattern, and what is the same for all topics of a service.
///
/// ```
/// use flowdeck_agent::producer::{TopicFields, TopicNaming, environment};
///
/// let naming = TopicNaming::new("{environment}.{domain}.{scope}.{topic}.{version}")?
///     .set("environment", environment("Development"))
///     .set("domain", "sales");
/// let topic = TopicFields::new("customer").plural().set("scope", "public").set("version", "v1");
/// assert_eq!(naming.name(&topic)?, "dev.sales.public.customers.v1");
/// # Ok::<(), flowdeck_agent::producer::NamingError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicNaming {
    parts: Vec<Part>,
    fields: BTreeMap<String, String>,
}

impl TopicNaming {
    /// Fields are in braces; all else is as it is.
    ///
    /// # Errors
    /// Where braces do not match.
    pub fn new(pattern: &str) -> Result<Self, NamingError> {
        let wrong = || NamingError::Pattern { pattern: pattern.to_owned() };
        let (mut parts, mut rest) = (vec![], pattern);
        while let Some((text, after)) = rest.split_once('{') {
            let (field, after) = after.split_once('}').ok_or_else(wrong)?;
            if field.is_empty() || field.contains('{') || text.contains('}') {
                return Err(wrong());
            }
            parts.extend([Part::Text(text.to_owned()), Part::Field(field.to_owned())]);
            rest = after;
        }
        if rest.contains('}') {
            return Err(wrong());
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts, fields: BTreeMap::new() })
    }

    /// `{prefix}-{topic}`.
    pub fn prefixed(prefix: impl Into<String>) -> Self {
        let parts = vec![Part::Field("prefix".into()), Part::Text("-".into()), Part::Field("topic".into())];
        Self { parts, fields: BTreeMap::new() }.set("prefix", prefix)
    }

    /// `{topic}`, behind the prefix and what separates them, where there is a prefix.
    pub(crate) fn joined(prefix: Option<&str>, separator: &str) -> Self {
        let before = prefix.filter(|prefix| !prefix.is_empty());
        let mut parts: Vec<Part> =
            before.map(|prefix| Part::Text(format!("{prefix}{separator}"))).into_iter().collect();
        parts.push(Part::Field("topic".into()));
        Self { parts, fields: BTreeMap::new() }
    }

    /// Sets a field for all topics; a topic may set it otherwise.
    #[must_use]
    pub fn set(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.insert(field.into(), value.into());
        self
    }

    /// The topic's name.
    ///
    /// # Errors
    /// Where a field is not set, or Kafka would not take the name.
    pub fn name(&self, topic: &TopicFields) -> Result<String, NamingError> {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Field(field) => {
                    let value = topic.fields.get(field).or_else(|| self.fields.get(field));
                    name.push_str(value.ok_or_else(|| NamingError::Unset { field: field.clone() })?);
                }
            }
        }
        match name.parse::<flowdeck_model::TopicName>() {
            Ok(_) => Ok(name),
            Err(_) => Err(NamingError::Name { name }),
        }
    }
}

/// What a pattern takes of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFields {
    fields: BTreeMap<String, String>,
}

impl TopicFields {
    /// The field `topic`.
    pub fn new(topic: impl Into<String>) -> Self {
        Self { fields: BTreeMap::from([("topic".to_owned(), topic.into())]) }
    }

    /// Sets another field of the pattern.
    #[must_use]
    pub fn set(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.insert(field.into(), value.into());
        self
    }

    /// The last word of the field `topic` in the plural: `order-payments`.
    #[must_use]
    pub fn plural(mut self) -> Self {
        if let Some(topic) = self.fields.get_mut("topic") {
            *topic = plural(topic);
        }
        self
    }
}

/// As English usually forms it; name the topic as it is where it does not.
fn plural(word: &str) -> String {
    let before_y = word.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match before_y {
        Some(stem) => format!("{stem}ies"),
        None if ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end)) => format!("{word}es"),
        None => format!("{word}s"),
    }
}

/// .NET's names of environments in short: `Development` is `dev`, `Production` is `prod`, `Test` is `test`; any other one
/// is written in lower case.
pub fn environment(name: &str) -> String {
    let short = match name.to_ascii_lowercase().as_str() {
        "development" => "dev",
        "production" => "prod",
        other => return other.to_owned(),
    };
    short.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_of_the_designs() {
        let momentum = TopicNaming::new("{environment}.{domain}.{scope}.{topic}.{version}").unwrap();
        let momentum = momentum.set("environment", environment("Production")).set("version", "v1");
        let updates = TopicFields::new("customer-updates").set("domain", "sales").set("scope", "internal");
        assert_eq!(momentum.name(&updates).unwrap(), "prod.sales.internal.customer-updates.v1");
        let payment = TopicFields::new("order-payment").plural().set("version", "v2");
        let payment = payment.set("domain", "ecommerce").set("scope", "public");
        assert_eq!(momentum.name(&payment).unwrap(), "prod.ecommerce.public.order-payments.v2");

        let custom =
            TopicNaming::new("{service}.{domain}.{event-type}").unwrap().set("service", "customservice");
        let created = TopicFields::new("-").set("domain", "item").set("event-type", "created");
        assert_eq!(custom.name(&created).unwrap(), "customservice.item.created");

        let novatune = TopicNaming::prefixed("dev");
        assert_eq!(novatune.name(&TopicFields::new("track-deletions")).unwrap(), "dev-track-deletions");
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        for pattern in ["{", "}", "{}", "a{b", "a}b", "{a{b}}"] {
            assert!(TopicNaming::new(pattern).is_err(), "{pattern}");
        }
        let naming = TopicNaming::new("{domain}.{topic}").unwrap();
        let unset = naming.name(&TopicFields::new("t"));
        assert_eq!(unset, Err(NamingError::Unset { field: "domain".into() }));
        let spaced = naming.set("domain", "a b").name(&TopicFields::new("t"));
        assert_eq!(spaced, Err(NamingError::Name { name: "a b.t".into() }));
    }

    #[test]
    fn plurals() {
        for (one, many) in [
            ("payment", "payments"),
            ("category", "categories"),
            ("box", "boxes"),
            ("day", "days"),
            ("batch", "batches"),
        ] {
            assert_eq!(plural(one), many);
        }
    }
}
