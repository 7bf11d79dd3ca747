//! A re-drive as forms and links write it.

use super::{RATE_DEFAULT, RecordPlace, RedriveRecords, RedriveRequest, RedriveTarget};
use crate::error::PortError;
use crate::ids::CommandId;
use crate::names::{GroupId, TopicName};

/// A request, and the id under which a form sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedriveForm {
    pub id: Option<CommandId>,
    pub request: RedriveRequest,
}

impl RedriveForm {
    /// Fields: `id`, `topic` (or that of the path), `record` and `end` (as often as wanted), `original`, `error`, `to`
    /// (`original`, `originalFor` with `group`, `topic` with `target`), `rate`, `otherGroups`, `reason`.
    pub fn parse(body: &str, topic: Option<&TopicName>) -> Result<Self, PortError> {
        let (mut id, mut from, mut rate) = (None, topic.cloned(), RATE_DEFAULT);
        let (mut selected, mut ends) = (vec![], vec![]);
        let (mut original, mut error) = (None, None);
        let (mut to, mut group, mut target) = (String::new(), String::new(), String::new());
        let (mut reason, mut other_groups) = (String::new(), false);
        for (name, value) in form_urlencoded::parse(body.as_bytes()) {
            match &*name {
                "id" => id = Some(value.parse().map_err(|_| PortError::invalid("id", "a UUID"))?),
                "topic" if topic.is_none() => from = Some(parse_topic("topic", &value)?),
                "record" => selected.push(value.parse::<RecordPlace>()?),
                "end" => ends.push(value.parse::<RecordPlace>()?),
                "original" => original = Some(value.into_owned()),
                "error" => error = Some(value.into_owned()),
                "to" => to = value.into_owned(),
                "group" => group = value.into_owned(),
                "target" => target = value.into_owned(),
                "rate" => {
                    let number = value.trim().parse();
                    rate = number
                        .map_err(|_| PortError::invalid("rate", "a whole number of records a second"))?;
                }
                "otherGroups" => other_groups = value == "true",
                "reason" => reason = value.trim().to_owned(),
                other => return Err(PortError::invalid(other, "there is no such field")),
            }
        }
        let to = match to.as_str() {
            "" | "original" => RedriveTarget::Original,
            "originalFor" if !group.is_empty() => RedriveTarget::OriginalFor(GroupId::from(group)),
            "originalFor" => {
                return Err(PortError::invalid("group", "name the group that the copies are for"));
            }
            "topic" => RedriveTarget::Topic(parse_topic("target", target.trim())?),
            _ => return Err(PortError::invalid("to", "original, originalFor or topic")),
        };
        let records = match selected.is_empty() {
            true => RedriveRecords::Matching { original, error, ends },
            false => RedriveRecords::Selected(selected),
        };
        let topic = from.ok_or_else(|| PortError::invalid("topic", "it is missing"))?;
        Ok(Self { id, request: RedriveRequest { topic, records, to, rate, other_groups, reason } })
    }
}

fn parse_topic(field: &str, value: &str) -> Result<TopicName, PortError> {
    value.parse().map_err(|error: crate::names::NameError| PortError::invalid(field, error.to_string()))
}

impl RedriveRequest {
    /// The fields that say which records, as a form has them.
    pub fn record_fields(&self) -> Vec<(&'static str, String)> {
        match &self.records {
            RedriveRecords::Selected(places) => {
                places.iter().map(|place| ("record", place.to_string())).collect()
            }
            RedriveRecords::Matching { original, error, ends } => {
                let text = |name, text: &Option<String>| text.clone().map(|text| (name, text));
                let ends = ends.iter().map(|end| ("end", end.to_string()));
                text("original", original).into_iter().chain(text("error", error)).chain(ends).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_says_the_same_as_its_request() {
        for (body, fields) in [
            ("topic=a.dlq&record=0%4041&record=1%402&reason=r", "record=0@41,record=1@2"),
            (
                "topic=a.dlq&original=a&error=&end=0%407&to=topic&target=a.retry&rate=5",
                "original=a,error=,end=0@7",
            ),
            ("topic=a.dlq&to=originalFor&group=billing&otherGroups=true", ""),
        ] {
            let form = RedriveForm::parse(body, None).unwrap();
            let said: Vec<_> =
                form.request.record_fields().iter().map(|(name, value)| format!("{name}={value}")).collect();
            assert_eq!(said.join(","), fields, "{body}");
        }
        let form = RedriveForm::parse(
            "to=originalFor&group=billing&otherGroups=true",
            Some(&"a.dlq".parse().unwrap()),
        );
        let request = form.unwrap().request;
        assert_eq!((request.to, request.rate), (RedriveTarget::OriginalFor("billing".into()), RATE_DEFAULT));
        assert!(request.other_groups && request.topic.as_str() == "a.dlq");
    }

    #[test]
    fn field_that_is_wrong_is_named() {
        for (body, field) in [
            ("", "topic"),
            ("topic=a/b", "topic"),
            ("topic=a&record=1", "record"),
            ("topic=a&to=originalFor", "group"),
            ("topic=a&to=topic", "target"),
            ("topic=a&to=elsewhere", "to"),
            ("topic=a&rate=fast", "rate"),
            ("topic=a&id=1", "id"),
            ("topic=a&ends=1", "ends"),
        ] {
            let refused = RedriveForm::parse(body, None);
            assert!(
                matches!(&refused, Err(PortError::Invalid { field: found, .. }) if found == field),
                "{body}: {refused:?}"
            );
        }
    }
}
