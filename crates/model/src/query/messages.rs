//! Which records of a topic are asked for.

use std::fmt;
use std::str::FromStr;

use super::{number, unknown_field};
use crate::error::PortError;
use crate::names::Partition;
use crate::time::Timestamp;

/// Where a read of records starts, and so in which direction it goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum From {
    /// The last records of all partitions.
    #[default]
    Latest,
    /// Each partition's log start.
    Earliest,
    /// This offset, in each partition.
    Offset(i64),
    /// The first record of each partition at or after this time.
    Time(Timestamp),
    /// The last records before these offsets.
    Before(Positions),
    /// These offsets on.
    Offsets(Positions),
}

/// An offset for each partition that is read, in the order of partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positions(Vec<i64>);

/// The longest text of positions: with the rest of an address it stays below the 8 KiB that proxies take.
pub const POSITIONS_MAX: usize = 6_000;

impl Positions {
    /// `None`: there are none, or too many for an address.
    pub fn new(offsets: Vec<i64>) -> Option<Self> {
        let positions = Self(offsets);
        let length = positions.to_string().len();
        (length > 0 && length <= POSITIONS_MAX).then_some(positions)
    }

    pub fn offsets(&self) -> &[i64] {
        &self.0
    }
}

/// `12.40.7`
impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, offset) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            fmt::Display::fmt(offset, f)?;
        }
        Ok(())
    }
}

impl FromStr for Positions {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        if text.len() > POSITIONS_MAX {
            return Err(PortError::invalid("from", format!("at most {POSITIONS_MAX} characters")));
        }
        text.split('.').map(|offset| number("from", offset, 0, i64::MAX)).collect::<Result<_, _>>().map(Self)
    }
}

impl From {
    /// Whether the last records are read, newest first unless another order is asked for.
    pub fn is_backwards(&self) -> bool {
        matches!(self, Self::Latest | Self::Before(_))
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Earliest => f.write_str("earliest"),
            Self::Offset(offset) => write!(f, "offset:{offset}"),
            Self::Time(time) => write!(f, "time:{time}"),
            Self::Before(positions) => write!(f, "before:{positions}"),
            Self::Offsets(positions) => write!(f, "offsets:{positions}"),
        }
    }
}

/// In which order records are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    OldestFirst,
    NewestFirst,
}

impl Order {
    fn key(self) -> &'static str {
        match self {
            Self::OldestFirst => "asc",
            Self::NewestFirst => "desc",
        }
    }
}

/// Whether records of open and aborted transactions are read, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    #[default]
    ReadUncommitted,
    ReadCommitted,
}

impl Isolation {
    /// Kafka's word for it.
    pub fn key(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "read_uncommitted",
            Self::ReadCommitted => "read_committed",
        }
    }
}

pub const MESSAGES_DEFAULT: u32 = 50;
pub const MESSAGES_MAX: u32 = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagesQuery {
    /// `None`: all partitions.
    pub partition: Option<Partition>,
    pub from: From,
    /// `None`: newest first where it is read backwards, else oldest first.
    pub order: Option<Order>,
    pub limit: u32,
    pub isolation: Isolation,
    /// Values up to `PAYLOAD_FULL` bytes instead of `PAYLOAD_LIST`: for one record.
    pub full: bool,
    /// `None`: as configured, else detected.
    pub key_decoder: Option<DecoderName>,
    pub value_decoder: Option<DecoderName>,
    /// Only records that match all of it; then limits are of what is found.
    pub find: Find,
    /// Records of earlier scans of the same search.
    pub seen: u64,
    /// Without masks; needs a permission.
    pub unmasked: bool,
}

/// What is looked for; an empty text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Find {
    /// In the key, the value or a header's value, whatever the case.
    pub text: String,
    /// In the key.
    pub key: String,
    /// `name`, or `name:text` for a text in its value.
    pub header: String,
    /// `$.a.b[0] == 5`
    pub path: String,
    /// An expression of the Common Expression Language over the record.
    pub cel: String,
    /// Records before this time only.
    pub until: Option<Timestamp>,
}

pub const FIND_MAX: usize = 1_000;

impl Find {
    pub fn is_none(&self) -> bool {
        self.fields().iter().all(|(_, text)| text.is_empty())
    }

    fn fields(&self) -> [(&'static str, &str); 5] {
        [
            ("text", &self.text),
            ("key", &self.key),
            ("header", &self.header),
            ("path", &self.path),
            ("cel", &self.cel),
        ]
    }

    /// `None`: no field of a search.
    fn set(&mut self, name: &str, value: &str) -> Option<Result<(), PortError>> {
        let (field, place) = match name {
            "text" => ("text", &mut self.text),
            "key" => ("key", &mut self.key),
            "header" => ("header", &mut self.header),
            "path" => ("path", &mut self.path),
            "cel" => ("cel", &mut self.cel),
            _ => return None,
        };
        if value.len() > FIND_MAX {
            return Some(Err(PortError::invalid(field, format!("at most {FIND_MAX} bytes"))));
        }
        value.clone_into(place);
        Some(Ok(()))
    }
}

/// The name of a decoder as a reader gives it; whether there is one is known on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecoderName(String);

pub const DECODER_NAME_MAX: usize = 200;

impl DecoderName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `None` for the empty text.
    fn parse(field: &'static str, text: &str) -> Result<Option<Self>, PortError> {
        if text.len() > DECODER_NAME_MAX {
            return Err(PortError::invalid(field, format!("at most {DECODER_NAME_MAX} bytes")));
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }
}

impl Default for MessagesQuery {
    fn default() -> Self {
        Self {
            partition: None,
            from: From::Latest,
            order: None,
            limit: MESSAGES_DEFAULT,
            isolation: Isolation::default(),
            full: false,
            key_decoder: None,
            value_decoder: None,
            find: Find::default(),
            seen: 0,
            unmasked: false,
        }
    }
}

impl MessagesQuery {
    pub fn parse(query: &str, strict: bool) -> Result<Self, PortError> {
        let mut parsed = Self::default();
        let mut start = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "partition" if value.is_empty() => {}
                "partition" => {
                    let partition = number("partition", &value, 0, i32::MAX)?;
                    parsed.partition = Partition::new(partition);
                }
                "from" => start = Some(value),
                "order" => parsed.order = order(&value)?,
                "limit" => parsed.limit = number("limit", &value, 1, MESSAGES_MAX)?,
                "isolation" => parsed.isolation = isolation(&value)?,
                "full" => match &*value {
                    "true" => parsed.full = true,
                    "false" | "" => parsed.full = false,
                    _ => return Err(PortError::invalid("full", "true or false")),
                },
                "keyDecoder" => parsed.key_decoder = DecoderName::parse("keyDecoder", &value)?,
                "valueDecoder" => parsed.value_decoder = DecoderName::parse("valueDecoder", &value)?,
                "until" => parsed.find.until = until(value.trim())?,
                "seen" => parsed.seen = number("seen", &value, 0, u64::MAX)?,
                "unmasked" => match &*value {
                    "true" => parsed.unmasked = true,
                    "false" | "" => parsed.unmasked = false,
                    _ => return Err(PortError::invalid("unmasked", "true or false")),
                },
                name => match parsed.find.set(name, &value) {
                    Some(set) => set?,
                    None if strict => return Err(unknown_field(name)),
                    None => {}
                },
            }
        }
        if let Some(start) = start {
            parsed.from = from(start.trim(), parsed.partition)?;
        }
        Ok(parsed)
    }

    pub fn order(&self) -> Order {
        self.order.unwrap_or(if self.from.is_backwards() { Order::NewestFirst } else { Order::OldestFirst })
    }

    /// The same list, read on from elsewhere: its order stays.
    pub fn turned(&self, from: From) -> Self {
        let order = self.order();
        let turned = Self { from, order: None, ..self.clone() };
        Self { order: (turned.order() != order).then_some(order), ..turned }
    }

    pub fn to_query(&self) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        if let Some(partition) = self.partition {
            out.append_pair("partition", &partition.to_string());
        }
        if self.from != From::Latest {
            out.append_pair("from", &self.from.to_string());
        }
        if let Some(order) = self.order {
            out.append_pair("order", order.key());
        }
        if self.limit != MESSAGES_DEFAULT {
            out.append_pair("limit", &self.limit.to_string());
        }
        if self.isolation != Isolation::default() {
            out.append_pair("isolation", self.isolation.key());
        }
        if self.full {
            out.append_pair("full", "true");
        }
        for (name, decoder) in [("keyDecoder", &self.key_decoder), ("valueDecoder", &self.value_decoder)] {
            if let Some(decoder) = decoder {
                out.append_pair(name, decoder.as_str());
            }
        }
        for (name, text) in self.find.fields().into_iter().filter(|(_, text)| !text.is_empty()) {
            out.append_pair(name, text);
        }
        if let Some(until) = self.find.until {
            out.append_pair("until", &until.to_string());
        }
        if self.seen > 0 {
            out.append_pair("seen", &self.seen.to_string());
        }
        if self.unmasked {
            out.append_pair("unmasked", "true");
        }
        out.finish()
    }
}

fn until(value: &str) -> Result<Option<Timestamp>, PortError> {
    match value.strip_prefix("time:").unwrap_or(value) {
        "" => Ok(None),
        time => match Timestamp::parse_given(time) {
            Some(time) => Ok(Some(time)),
            None => Err(PortError::invalid("until", "a time such as 2026-11-21T14:08:57Z")),
        },
    }
}

fn order(value: &str) -> Result<Option<Order>, PortError> {
    match value {
        "" => Ok(None),
        "asc" => Ok(Some(Order::OldestFirst)),
        "desc" => Ok(Some(Order::NewestFirst)),
        _ => Err(PortError::invalid("order", "asc (oldest first) or desc (newest first)")),
    }
}

fn isolation(value: &str) -> Result<Isolation, PortError> {
    match value {
        "" | "read_uncommitted" => Ok(Isolation::ReadUncommitted),
        "read_committed" => Ok(Isolation::ReadCommitted),
        _ => Err(PortError::invalid("isolation", "read_uncommitted or read_committed")),
    }
}

/// People type a start by hand, so what they are likely to mean is taken: a time as it is written, and a number
/// where there is one partition in which it can be an offset.
fn from(value: &str, partition: Option<Partition>) -> Result<From, PortError> {
    let invalid = |problem: &str| Err(PortError::invalid("from", problem));
    let offset = |digits: &str| number("from", digits.trim(), 0, i64::MAX).map(From::Offset);
    match value {
        "" | "latest" => return Ok(From::Latest),
        "earliest" => return Ok(From::Earliest),
        _ => {}
    }
    if let Some(digits) = value.strip_prefix("offset:") {
        return offset(digits);
    }
    if let Some(positions) = value.strip_prefix("before:") {
        return Ok(From::Before(positions.parse()?));
    }
    if let Some(positions) = value.strip_prefix("offsets:") {
        return Ok(From::Offsets(positions.parse()?));
    }
    if let Some(time) = value.strip_prefix("time:") {
        return match Timestamp::parse_given(time.trim()) {
            Some(time) => Ok(From::Time(time)),
            None => invalid(
                "a time is written as 2026-11-21T14:08:57Z, as 2026-11-21 14:08 or 2026-11-21 (UTC), or in \
                 milliseconds since 1970",
            ),
        };
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return match partition {
            Some(_) => offset(value),
            None => invalid(
                "a number alone is an offset in one partition: choose the partition, or write offset:N for this \
                 offset in every partition, or time:N for milliseconds since 1970",
            ),
        };
    }
    match Timestamp::parse_given(value) {
        Some(time) => Ok(From::Time(time)),
        None => invalid("latest, earliest, offset:N, or a time such as 2026-11-21T14:08:57Z"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start(query: &str) -> Result<String, String> {
        match MessagesQuery::parse(query, true) {
            Ok(parsed) => Ok(parsed.from.to_string()),
            Err(PortError::Invalid { field, problem }) => {
                assert_eq!(field, "from", "{query}");
                Err(problem)
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_start_is_taken_as_people_write_it() {
        for (query, want) in [
            ("from=", "latest"),
            ("from=latest", "latest"),
            ("from=+earliest+", "earliest"),
            ("from=offset:86001", "offset:86001"),
            ("from=86001&partition=3", "offset:86001"),
            ("partition=3&from=1795270137123", "offset:1795270137123"),
            ("from=time:1795270137123", "time:2026-11-21T14:08:57.123Z"),
            ("from=time:2026-11-21T14:08:57.123Z", "time:2026-11-21T14:08:57.123Z"),
            ("from=2026-11-21T14:08:57Z", "time:2026-11-21T14:08:57.000Z"),
            ("from=2026-11-21T16:08:57%2B02:00", "time:2026-11-21T14:08:57.000Z"),
            ("from=2026-11-21T09:08-05:00", "time:2026-11-21T14:08:00.000Z"),
            ("from=2026-11-21 14:08", "time:2026-11-21T14:08:00.000Z"),
            ("from=2026-11-21", "time:2026-11-21T00:00:00.000Z"),
            ("partition=3&from=before:969", "before:969"),
            ("from=before:12.0.7", "before:12.0.7"),
            ("from=offsets:12.0.7", "offsets:12.0.7"),
        ] {
            assert_eq!(start(query).as_deref(), Ok(want), "{query}");
        }
    }

    #[test]
    fn a_start_that_is_none_is_refused_in_words() {
        for (query, words) in [
            ("from=86001", "choose the partition"),
            ("from=noon", "latest, earliest"),
            ("from=newest", "latest, earliest"),
            ("from=offset:-1", "a whole number"),
            ("from=offset:9223372036854775808", "a whole number"),
            ("from=99999999999999999999&partition=1", "a whole number"),
            ("from=before:", "a whole number"),
            ("from=before:1..2", "a whole number"),
            ("from=before:1.-2", "a whole number"),
            ("from=offsets:1,2", "a whole number"),
            ("from=2026-02-30", "latest, earliest"),
            ("from=time:yesterday", "2026-11-21T14:08:57Z"),
            ("from=time:1795270137123000", "2026-11-21T14:08:57Z"),
        ] {
            let problem = start(query).expect_err(query);
            assert!(problem.contains(words), "{query}: {problem}");
        }
        let long = ["from=before:", &"1.".repeat(POSITIONS_MAX), "1"].concat();
        assert!(start(&long).is_err_and(|problem| problem.contains("6000")));
    }

    #[test]
    fn a_list_keeps_its_order_when_it_is_turned() {
        let latest = MessagesQuery::default();
        let older = latest.turned(From::Before(Positions::new(vec![3, 4]).unwrap()));
        assert_eq!(older.to_query(), "from=before%3A3.4");
        let newer = older.turned(From::Offsets(Positions::new(vec![5, 6]).unwrap()));
        assert_eq!(newer.to_query(), "from=offsets%3A5.6&order=desc");
        assert_eq!(newer.turned(From::Latest).order, None);
        let earliest = MessagesQuery { from: From::Earliest, ..MessagesQuery::default() };
        assert_eq!(earliest.turned(From::Offset(7)).to_query(), "from=offset%3A7");
        let back = earliest.turned(From::Before(Positions::new(vec![7]).unwrap()));
        assert_eq!(back.to_query(), "from=before%3A7&order=asc");
        assert_eq!(
            MessagesQuery::parse("order=up", true).unwrap_err().to_string().split(':').next(),
            Some("order")
        );
    }

    #[test]
    fn positions_have_a_bound() {
        assert!(Positions::new(vec![]).is_none());
        assert!(Positions::new(vec![1_000_000_000; 500]).is_some());
        assert!(Positions::new(vec![1_000_000_000; 600]).is_none());
    }

    proptest! {
        #[test]
        fn queries_come_back(
            offsets in prop::collection::vec(0i64.., 1..50), partition in proptest::option::of(0..i32::MAX),
            kind in 0..6, order in proptest::option::of(any::<bool>()), limit in 1u32..=MESSAGES_MAX, full: bool, committed: bool,
            millis in 0i64..253_402_300_799_999, decoder in proptest::option::of("[a-z:&=. ]{1,20}"),
        ) {
            let positions = Positions::new(offsets.clone()).unwrap();
            let query = MessagesQuery {
                partition: partition.and_then(Partition::new),
                from: match kind {
                    0 => From::Latest,
                    1 => From::Earliest,
                    2 => From::Offset(offsets[0]),
                    3 => From::Time(Timestamp::from_millis(millis)),
                    4 => From::Before(positions),
                    _ => From::Offsets(positions),
                },
                order: order.map(|up| if up { Order::OldestFirst } else { Order::NewestFirst }),
                limit,
                isolation: if committed { Isolation::ReadCommitted } else { Isolation::ReadUncommitted },
                full,
                key_decoder: decoder.clone().map(DecoderName),
                value_decoder: decoder.clone().map(DecoderName),
                find: Find {
                    text: decoder.clone().unwrap_or_default(),
                    path: decoder.unwrap_or_default(),
                    until: committed.then(|| Timestamp::from_millis(millis)),
                    ..Find::default()
                },
                seen: u64::from(limit),
                unmasked: full,
            };
            prop_assert_eq!(MessagesQuery::parse(&query.to_query(), true), Ok(query));
        }

        #[test]
        fn no_start_panics(text in "\\PC{0,40}|[0-9T:. +Z-]{0,30}") {
            let _ = from(&text, None);
            let _ = from(&text, Partition::new(0));
        }
    }
}
