//! The fields of the form that raises a topic's retention.

use super::{RetentionQuery, RetentionRequest};
use crate::error::PortError;
use crate::ids::CommandId;
use crate::names::GroupId;
use crate::time::Timestamp;

/// As they were typed: `length` (seconds, `until` or empty: by the pauses), `until`, `group`, `margin` (seconds), `bytes`;
/// with `request`, what a preview showed, as JSON, it is to be sent under `id` with `reason`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetentionForm {
    pub length: String,
    pub until: String,
    pub group: String,
    pub margin: String,
    pub bytes: String,
    pub id: Option<CommandId>,
    pub reason: String,
    pub request: String,
}

/// The length that is given as a time.
pub const UNTIL: &str = "until";

impl RetentionForm {
    pub fn parse(fields: &str) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(fields.trim_start_matches('?').as_bytes()) {
            let value = value.into_owned();
            match &*name {
                "length" => form.length = value,
                "until" => form.until = value,
                "group" => form.group = value,
                "margin" => form.margin = value,
                "bytes" => form.bytes = value.trim().to_owned(),
                "id" => form.id = value.parse().ok(),
                "reason" => form.reason = value.trim().to_owned(),
                "request" => form.request = value,
                _ => {}
            }
        }
        form
    }

    pub fn group(&self) -> Option<GroupId> {
        (!self.group.is_empty()).then(|| GroupId::from(self.group.as_str()))
    }

    pub fn query(&self) -> Result<RetentionQuery, PortError> {
        let number = |field: &str, text: &str| {
            let problem = || PortError::invalid(field, "a whole number of seconds");
            text.trim().parse::<u32>().map_err(|_| problem())
        };
        let until = || {
            let problem = || PortError::invalid("until", "a time in UTC, such as 2026-11-21T14:00");
            Timestamp::parse_given(self.until.trim()).ok_or_else(problem)
        };
        let bytes = || {
            let digits: String = self.bytes.chars().filter(|one| !matches!(one, ',' | ' ')).collect();
            digits.parse().map_err(|_| PortError::invalid("bytes", "a number of bytes, or -1 for no limit"))
        };
        let has_length = !self.length.is_empty() && self.length != UNTIL;
        let query = RetentionQuery {
            for_seconds: has_length.then(|| number("forSeconds", &self.length)).transpose()?,
            until: (self.length == UNTIL).then(until).transpose()?,
            group: self.group(),
            margin_seconds: (!self.margin.is_empty())
                .then(|| number("marginSeconds", &self.margin))
                .transpose()?,
            bytes: (!self.bytes.is_empty()).then(bytes).transpose()?,
        };
        query.check()?;
        Ok(query)
    }

    /// What a preview showed, with the reason.
    pub fn request(&self) -> Result<RetentionRequest, PortError> {
        let parsed = serde_json::from_str(&self.request);
        let request: RetentionRequest =
            parsed.map_err(|error| PortError::invalid("request", error.to_string()))?;
        Ok(RetentionRequest { reason: self.reason.clone(), ..request })
    }

    /// Of the form with its preview, as an address has them.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("length", self.length.as_str()),
            ("until", &self.until),
            ("group", &self.group),
            ("margin", &self.margin),
            ("bytes", &self.bytes),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_wrong_ones_named() {
        let form = RetentionForm::parse("?length=3600&group=a%20b&margin=60&bytes=1%2C000");
        let query = form.query().unwrap();
        assert_eq!((query.for_seconds, query.until, query.bytes), (Some(3600), None, Some(1_000)));
        assert_eq!((query.group, query.margin_seconds), (Some("a b".into()), Some(60)));
        let back = form_urlencoded::Serializer::new(String::new()).extend_pairs(form.fields()).finish();
        assert_eq!(RetentionForm::parse(&back), form);
        assert_eq!(RetentionForm::parse("").query(), Ok(RetentionQuery::default()));
        for (fields, field) in [
            ("length=x", "forSeconds"),
            ("length=until&until=soon", "until"),
            ("margin=-1", "marginSeconds"),
            ("bytes=1k", "bytes"),
            ("bytes=-2", "bytes"),
        ] {
            let refused = RetentionForm::parse(fields).query();
            assert!(
                matches!(&refused, Err(PortError::Invalid { field: found, .. }) if found == field),
                "{fields}: {refused:?}"
            );
        }
        assert!(RetentionForm::parse("request=%7B").request().is_err());
    }
}
