//! Which part of a group's history is asked for: the last 15 minutes up to 7 days, or from one time to another.

use std::time::Duration;

use crate::error::PortError;
use crate::names::{Partition, TopicName};
use crate::time::Timestamp;

/// The last so long, up to now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Range {
    #[default]
    Minutes15,
    Hour,
    Hours6,
    Day,
    Week,
}

impl Range {
    pub const ALL: [Self; 5] = [Self::Minutes15, Self::Hour, Self::Hours6, Self::Day, Self::Week];

    pub fn key(self) -> &'static str {
        match self {
            Self::Minutes15 => "15m",
            Self::Hour => "1h",
            Self::Hours6 => "6h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Minutes15 => "15 min",
            Self::Hour => "1 h",
            Self::Hours6 => "6 h",
            Self::Day => "24 h",
            Self::Week => "7 d",
        }
    }

    pub fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minutes15 => 15 * 60,
            Self::Hour => 3_600,
            Self::Hours6 => 6 * 3_600,
            Self::Day => 24 * 3_600,
            Self::Week => 7 * 24 * 3_600,
        })
    }

    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.key() == key)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    Last(Range),
    /// `from` is before `to`.
    Between {
        from: Timestamp,
        to: Timestamp,
    },
}

impl Default for Window {
    fn default() -> Self {
        Self::Last(Range::default())
    }
}

impl Window {
    /// `None`: they are not in this order.
    pub fn between(from: Timestamp, to: Timestamp) -> Option<Self> {
        (from < to).then_some(Self::Between { from, to })
    }

    pub fn bounds(self, now: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            Self::Last(range) => (now.minus(range.length()), now),
            Self::Between { from, to } => (from, to),
        }
    }

    /// As parameters of a URL; the default has none.
    pub fn fields(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Last(range) if range == Range::default() => vec![],
            Self::Last(range) => vec![("range", range.key().to_owned())],
            Self::Between { from, to } => vec![("from", from.to_string()), ("to", to.to_string())],
        }
    }

    /// From the values of `range`, `from` and `to`.
    pub fn from_fields(range: &str, from: &str, to: &str) -> Result<Self, PortError> {
        if from.is_empty() && to.is_empty() {
            if range.is_empty() {
                return Ok(Self::default());
            }
            let known: Vec<&str> = Range::ALL.iter().map(|range| range.key()).collect();
            let range = Range::parse(range)
                .ok_or_else(|| PortError::invalid("range", format!("one of {}", known.join(", "))))?;
            return Ok(Self::Last(range));
        }
        if !range.is_empty() {
            return Err(PortError::invalid("range", "not together with from and to"));
        }
        let time = |field, text: &str| {
            Timestamp::parse_given(text)
                .ok_or_else(|| PortError::invalid(field, "a time such as 2026-11-21T14:08:57Z"))
        };
        Self::between(time("from", from)?, time("to", to)?)
            .ok_or_else(|| PortError::invalid("to", "a time after from"))
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    pub window: Window,
    /// Of this partition alone; else of the whole group.
    pub partition: Option<(TopicName, Partition)>,
}

impl HistoryQuery {
    /// Names that are not known are refused when `strict` (the API), and left alone otherwise.
    pub fn parse(query: &str, strict: bool) -> Result<Self, PortError> {
        let (mut range, mut from, mut to) = (String::new(), String::new(), String::new());
        let (mut topic, mut partition) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "range" => range = value.into_owned(),
                "from" => from = value.into_owned(),
                "to" => to = value.into_owned(),
                "topic" => topic = Some(super::topic_name(&value)?),
                "partition" => partition = Some(super::partition_number(&value)?),
                _ if strict => return Err(super::unknown_field(&name)),
                _ => {}
            }
        }
        let partition = match (topic, partition) {
            (None, None) => None,
            (Some(topic), Some(partition)) => Some((topic, partition)),
            (None, Some(_)) => return Err(PortError::invalid("topic", "needed with partition")),
            (Some(_), None) => return Err(PortError::invalid("partition", "needed with topic")),
        };
        Ok(Self { window: Window::from_fields(&range, &from, &to)?, partition })
    }

    pub fn to_query(&self) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.window.fields() {
            out.append_pair(name, &value);
        }
        if let Some((topic, partition)) = &self.partition {
            out.append_pair("topic", topic.as_str()).append_pair("partition", &partition.to_string());
        }
        out.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_history_has_one_query() {
        for query in [
            "",
            "range=7d",
            "from=2026-11-21T14%3A00%3A00.000Z&to=2026-11-21T14%3A08%3A57.123Z",
            "range=1h&topic=orders&partition=3",
        ] {
            assert_eq!(HistoryQuery::parse(query, true).unwrap().to_query(), query);
        }
        assert_eq!(HistoryQuery::parse("range=15m", true).unwrap().to_query(), "");
        assert_eq!(HistoryQuery::parse("colour=red", false), Ok(HistoryQuery::default()));
    }

    #[test]
    fn what_does_not_parse_names_its_field() {
        for (query, want) in [
            ("range=2h", "range"),
            ("from=noon&to=2026-11-21", "from"),
            ("from=2026-11-21", "to"),
            ("from=2026-11-21&to=2026-11-21", "to"),
            ("from=2026-11-21&to=2026-11-20", "to"),
            ("range=1h&from=2026-11-20&to=2026-11-21", "range"),
            ("topic=a", "partition"),
            ("partition=1", "topic"),
            ("topic=a&partition=-1", "partition"),
            ("topic=a/b&partition=1", "topic"),
            ("colour=red", "colour"),
        ] {
            let Err(PortError::Invalid { field, .. }) = HistoryQuery::parse(query, true) else {
                panic!("{query}")
            };
            assert_eq!(field, want, "{query}");
        }
    }

    #[test]
    fn the_last_hour_ends_now() {
        let now: Timestamp = "2026-11-21T14:00:00Z".parse().unwrap();
        let (from, to) = Window::Last(Range::Hour).bounds(now);
        assert_eq!((from.to_string(), to), ("2026-11-21T13:00:00.000Z".to_owned(), now));
    }
}
