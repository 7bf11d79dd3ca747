//! A bulk operation as forms and links write it.

use super::{BulkAction, BulkQuery, BulkRequest, BulkTarget, STOP_AFTER_DEFAULT};
use crate::error::PortError;
use crate::hold::HoldBy;
use crate::ids::CommandId;
use crate::names::GroupId;
use crate::offsets::{OffsetScope, OffsetTo, TopicScope};

/// What the page of a bulk operation is asked for. Fields: `group` as often as wanted, `action`, `minutes` (of a pause),
/// `to`, `time`, `topics` and `allTopics` (of offsets), or `undo`; `stopAfter` as it was typed before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkFields {
    pub groups: Vec<GroupId>,
    pub action: Option<BulkAction>,
    pub minutes: String,
    pub to: String,
    pub time: String,
    pub topics: String,
    pub all_topics: bool,
    pub undo: Option<CommandId>,
    pub stop_after: String,
}

impl BulkFields {
    pub fn parse(query: &str) -> Result<Self, PortError> {
        let mut fields = Self::default();
        for (name, value) in form_urlencoded::parse(query.trim_start_matches('?').as_bytes()) {
            match &*name {
                "group" => fields.groups.push(value.into_owned().into()),
                _ if value.is_empty() => {}
                "action" => fields.action = Some(action(&value)?),
                "minutes" => fields.minutes = value.trim().to_owned(),
                "to" => fields.to = value.trim().to_owned(),
                "time" => fields.time = value.trim().to_owned(),
                "topics" => fields.topics = value.trim().to_owned(),
                "allTopics" => fields.all_topics = value == "true",
                "undo" => fields.undo = Some(id("undo", &value)?),
                "stopAfter" => fields.stop_after = value.trim().to_owned(),
                _ => {}
            }
        }
        Ok(fields)
    }

    /// `None`: it is not said yet what is to be done.
    pub fn query(&self) -> Result<Option<BulkQuery>, PortError> {
        if let Some(id) = self.undo {
            return Ok(Some(BulkQuery::Undo(id)));
        }
        let groups = self.groups.clone();
        Ok(match self.action {
            None => None,
            Some(BulkAction::Pause) => Some(BulkQuery::Pause { groups, for_seconds: self.for_seconds()? }),
            Some(BulkAction::Resume) => Some(BulkQuery::Resume { groups }),
            Some(BulkAction::SetOffsets) => {
                let to: OffsetTo = if self.to == "time" { &self.time } else { &self.to }.parse()?;
                let scope = OffsetScope::of(topics(&self.topics)?, self.all_topics)?;
                Some(BulkQuery::SetOffsets { groups, to, scope })
            }
        })
    }

    fn for_seconds(&self) -> Result<Option<u32>, PortError> {
        if self.minutes.is_empty() {
            return Ok(None);
        }
        let seconds = self.minutes.parse().ok().and_then(|minutes: u32| minutes.checked_mul(60));
        seconds
            .map(Some)
            .ok_or_else(|| PortError::invalid("minutes", "a whole number of minutes, at most 30 days"))
    }
}

/// Topics, or some partitions of them, by spaces: `orders:0,2 payments`. Topics alone may be separated by commas.
fn topics(text: &str) -> Result<Vec<TopicScope>, PortError> {
    let mut topics = Vec::new();
    let mut goes_on = false;
    for word in text.split_whitespace() {
        if goes_on && word.chars().all(|one| one.is_ascii_digit() || one == ',') {
            let problem = "write the partitions of a topic without spaces, such as orders:0,2";
            return Err(PortError::invalid("topics", problem));
        }
        let has_partitions = word.contains(':');
        goes_on = has_partitions && word.ends_with(',');
        match has_partitions {
            true => topics.push(word.trim_end_matches(',').parse()?),
            false => {
                for topic in word.split(',').filter(|one| !one.is_empty()) {
                    topics.push(topic.parse()?);
                }
            }
        }
    }
    Ok(topics)
}

/// What the form below a preview sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkForm {
    pub id: CommandId,
    pub request: BulkRequest,
    /// Of which partitions the preview was asked for, so that a new one can be of the same.
    pub topics: String,
    pub all_topics: bool,
}

impl BulkForm {
    /// Fields: `id`, `action`, `undoes`, `stopAfter`, `skips`, `reason`, `topics`, `allTopics`, and for each group `group` with `seen`,
    /// `forSeconds`, `by`, `target` and `offsets` behind it.
    pub fn parse(body: &str) -> Result<Self, PortError> {
        let (mut own, mut kind, mut undoes, mut skips) = (None, None, None, None);
        let (mut stop_after, mut reason) = (STOP_AFTER_DEFAULT, String::new());
        let (mut topics, mut all_topics) = (String::new(), false);
        let mut groups: Vec<BulkTarget> = vec![];
        for (name, value) in form_urlencoded::parse(body.as_bytes()) {
            let whole = |field: &str| PortError::invalid(field, "a whole number");
            match &*name {
                "group" => groups.push(BulkTarget::new(value.into_owned().into())),
                "reason" => reason = value.trim().to_owned(),
                _ if value.is_empty() => {}
                "id" => own = Some(id("id", &value)?),
                "action" => kind = Some(action(&value)?),
                "undoes" => undoes = Some(id("undoes", &value)?),
                "skips" => {
                    let digits = |one: &char| !matches!(one, ',' | ' ' | '\u{a0}' | '\u{202f}');
                    let digits: String = value.chars().filter(digits).collect();
                    skips = Some(digits.parse().map_err(|_| whole("skips"))?);
                }
                "stopAfter" => stop_after = value.trim().parse().map_err(|_| whole("stopAfter"))?,
                "topics" => topics = value.into_owned(),
                "allTopics" => all_topics = value == "true",
                of_group => {
                    let target = groups.last_mut();
                    let target =
                        target.ok_or_else(|| PortError::invalid(of_group, "no group is before it"))?;
                    match of_group {
                        "seen" => target.seen = Some(id("seen", &value)?),
                        "forSeconds" => {
                            target.for_seconds = Some(value.parse().map_err(|_| whole("forSeconds"))?);
                        }
                        "by" => {
                            let by = HoldBy::from_word(&value);
                            target.by = Some(by.ok_or_else(|| PortError::invalid("by", "pause or stop"))?);
                        }
                        "target" => target.to = Some(value.into_owned()),
                        "offsets" => {
                            let moves = value.parse::<crate::offsets::OffsetMoves>();
                            let moves =
                                moves.map_err(|error| PortError::invalid("offsets", error.to_string()))?;
                            target.offsets = Some(moves);
                        }
                        other => return Err(PortError::invalid(other, "there is no such field")),
                    }
                }
            }
        }
        let action = kind.ok_or_else(|| PortError::invalid("action", "it is missing"))?;
        Ok(Self {
            id: own.ok_or_else(|| PortError::invalid("id", "it is missing"))?,
            request: BulkRequest { action, groups, stop_after, undoes, skips, reason },
            topics,
            all_topics,
        })
    }
}

impl BulkRequest {
    /// The fields that a form carries along.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("action", self.action.kind().word().to_owned())];
        fields.extend(self.undoes.map(|id| ("undoes", id.to_string())));
        for one in &self.groups {
            fields.push(("group", one.group.to_string()));
            fields.extend(one.seen.map(|id| ("seen", id.to_string())));
            fields.extend(one.for_seconds.map(|seconds| ("forSeconds", seconds.to_string())));
            fields.extend(one.by.map(|by| ("by", by.word().to_owned())));
            fields.extend(one.to.clone().map(|to| ("target", to)));
            fields.extend(one.offsets.as_ref().map(|moves| ("offsets", moves.to_string())));
        }
        fields
    }
}

fn id(field: &str, value: &str) -> Result<CommandId, PortError> {
    value.trim().parse().map_err(|_| PortError::invalid(field, "a UUID"))
}

fn action(value: &str) -> Result<BulkAction, PortError> {
    BulkAction::from_word(value).ok_or_else(|| PortError::invalid("action", "pause, resume or setOffsets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6fa459ea-ee8a-4ca4-894e-db77e160355e";

    #[test]
    fn form_says_the_same_as_its_request() {
        let body = format!(
            "id={ID}&action=setOffsets&undoes={ID}&group=a+b&seen={ID}&target=undo%3Ax&offsets=t+0*7*9&group=&forSeconds=60&by=stop&stopAfter=2&skips=1%2C002&reason=+r+"
        );
        let form = BulkForm::parse(&body).unwrap();
        let BulkForm { id, request, .. } = &form;
        assert_eq!((request.stop_after, request.skips, request.reason.as_str()), (2, Some(1_002), "r"));
        assert_eq!(request.groups[0].group.as_str(), "a b");
        assert_eq!((request.groups[1].group.as_str(), request.groups[1].for_seconds), ("", Some(60)));
        assert_eq!((request.groups[0].by, request.groups[1].by), (None, Some(HoldBy::Stop)));
        let mut again = form_urlencoded::Serializer::new(String::new());
        again.extend_pairs(request.fields());
        let again = format!("{}&id={id}&stopAfter=2&skips=1002&reason=r", again.finish());
        assert_eq!(BulkForm::parse(&again).unwrap(), form);
    }

    #[test]
    fn field_that_is_wrong_is_named() {
        for (body, field) in [
            ("", "action"),
            ("action=stop", "action"),
            ("action=pause", "id"),
            ("id=1", "id"),
            ("seen=x", "seen"),
            ("group=a&seen=x", "seen"),
            ("group=a&offsets=x", "offsets"),
            ("group=a&by=force", "by"),
            ("group=a&colour=red", "colour"),
            ("stopAfter=few", "stopAfter"),
        ] {
            let refused = BulkForm::parse(body);
            assert!(
                matches!(&refused, Err(PortError::Invalid { field: found, .. }) if found == field),
                "{body}: {refused:?}"
            );
        }
    }

    #[test]
    fn topics_are_read_as_the_field_says() {
        for (text, want) in [
            ("orders:0,2", &["orders:0,2"][..]),
            (" orders:2,0  payments ", &["orders:0,2", "payments"]),
            ("orders:0,2, payments:1", &["orders:0,2", "payments:1"]),
            ("orders,payments, 2", &["orders", "payments", "2"]),
            ("orders:0 2", &["orders:0", "2"]),
            ("", &[]),
        ] {
            let found: Vec<String> = topics(text).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(found, want, "{text}");
        }
        for text in ["orders:0, 2", "orders:0,payments", "orders,payments:0", "orders:"] {
            assert!(topics(text).is_err(), "{text}");
        }
    }

    #[test]
    fn page_is_asked_for_a_preview() {
        let query = |text: &str| BulkFields::parse(text).and_then(|fields| fields.query());
        assert_eq!(query("?group=a&group=b"), Ok(None));
        let groups = || vec![GroupId::from("a")];
        assert_eq!(
            query("group=a&action=pause&minutes=2&to="),
            Ok(Some(BulkQuery::Pause { groups: groups(), for_seconds: Some(120) }))
        );
        assert_eq!(
            query("group=a&action=setOffsets&to=earliest&allTopics=true&minutes=x"),
            Ok(Some(BulkQuery::SetOffsets {
                groups: groups(),
                to: OffsetTo::Earliest,
                scope: OffsetScope::AllTopics
            }))
        );
        assert!(query("group=a&action=setOffsets&to=earliest").is_err(), "no topic is chosen by itself");
        assert!(query("group=a&action=pause&minutes=x").is_err());
        assert_eq!(query(&format!("undo={ID}")), Ok(Some(BulkQuery::Undo(ID.parse().unwrap()))));
    }
}
