//! What a page, the API and the stream ask for, parsed from the URL's query and printed back into
//! it. A query that does not parse names the field.

use std::fmt;
use std::str::FromStr;

use crate::error::PortError;
use crate::names::{ClusterName, Partition, TopicName};
use crate::verdict::{GroupType, Verdict};

mod audit;
mod dead_letters;
#[cfg(not(target_family = "wasm"))]
mod groups;
mod history;
mod messages;

pub use audit::{AUDIT_LIMIT_MAX, AuditKind, AuditQuery};
pub use dead_letters::DeadLettersQuery;
#[cfg(not(target_family = "wasm"))]
pub use groups::{Column, GroupFilter, GroupsQuery};
pub use history::{HistoryQuery, Range, Window};
pub use messages::{
    DECODER_NAME_MAX, DecoderName, FIND_MAX, Find, From, Isolation, MESSAGES_DEFAULT, MESSAGES_MAX,
    MessagesQuery, Order, POSITIONS_MAX, Positions,
};

pub const LIMIT_DEFAULT: u32 = 100;
pub const LIMIT_MAX: u32 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortKey {
    Severity,
    Lag,
    TimeLag,
    Cluster,
    Group,
    Members,
    AsOf,
}

impl SortKey {
    pub const ALL: [Self; 7] =
        [Self::Severity, Self::Lag, Self::TimeLag, Self::Cluster, Self::Group, Self::Members, Self::AsOf];

    pub fn key(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Lag => "lag",
            Self::TimeLag => "timeLag",
            Self::Cluster => "cluster",
            Self::Group => "group",
            Self::Members => "members",
            Self::AsOf => "asOf",
        }
    }
}

/// One sort column; `-lag` is descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sort {
    pub key: SortKey,
    pub descending: bool,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.key.key())
    }
}

impl FromStr for Sort {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text),
        };
        let key = SortKey::ALL.into_iter().find(|key| key.key() == name).ok_or(())?;
        Ok(Self { key, descending })
    }
}

/// `-severity,-lag`
pub fn default_sort() -> Vec<Sort> {
    vec![Sort { key: SortKey::Severity, descending: true }, Sort { key: SortKey::Lag, descending: true }]
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetQuery {
    pub cluster: Option<ClusterName>,
    /// Part of a group's, topic's or cluster's name; case does not count.
    pub search: String,
    /// Empty: all.
    pub verdicts: Vec<Verdict>,
    /// Empty: all.
    pub kinds: Vec<GroupType>,
    /// Only the groups that are not counted; else only those that are.
    pub ignored: bool,
    pub sort: Vec<Sort>,
    pub limit: u32,
    pub offset: u32,
}

impl Default for FleetQuery {
    fn default() -> Self {
        Self {
            cluster: None,
            search: String::new(),
            verdicts: vec![],
            kinds: vec![],
            ignored: false,
            sort: default_sort(),
            limit: LIMIT_DEFAULT,
            offset: 0,
        }
    }
}

/// The longest search; more is refused.
pub const SEARCH_MAX: usize = 249;

impl FleetQuery {
    /// From `a=b&c=d`. Unknown names are refused when `strict` (the API) and left alone otherwise
    /// (pages and stream, whose URLs carry more).
    pub fn parse(query: &str, strict: bool) -> Result<Self, PortError> {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "cluster" if value.is_empty() => {}
                "cluster" => parsed.cluster = Some(cluster(&value)?),
                "search" => parsed.search = search(&value)?,
                "verdict" => parsed.verdicts = verdicts(&value)?,
                "type" => parsed.kinds = kinds(&value)?,
                "ignored" => parsed.ignored = flag("ignored", &value)?,
                "sort" if value.is_empty() => {}
                "sort" => parsed.sort = sorts(&value)?,
                "limit" => parsed.limit = number("limit", &value, 1, LIMIT_MAX)?,
                "offset" => parsed.offset = number("offset", &value, 0, u32::MAX)?,
                _ if strict => return Err(unknown_field(&name)),
                _ => {}
            }
        }
        Ok(parsed)
    }

    /// The query string, without `?`; what is at its default is left out, so that one view has one URL.
    pub fn to_query(&self) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        if let Some(cluster) = &self.cluster {
            out.append_pair("cluster", cluster.as_str());
        }
        if !self.search.is_empty() {
            out.append_pair("search", &self.search);
        }
        if !self.verdicts.is_empty() {
            let keys: Vec<&str> = self.verdicts.iter().map(|verdict| verdict.key()).collect();
            out.append_pair("verdict", &keys.join(","));
        }
        if !self.kinds.is_empty() {
            let keys: Vec<&str> = self.kinds.iter().map(|kind| kind.key()).collect();
            out.append_pair("type", &keys.join(","));
        }
        if self.ignored {
            out.append_pair("ignored", "true");
        }
        if self.sort != default_sort() {
            let keys: Vec<String> = self.sort.iter().map(Sort::to_string).collect();
            out.append_pair("sort", &keys.join(","));
        }
        if self.limit != LIMIT_DEFAULT {
            out.append_pair("limit", &self.limit.to_string());
        }
        if self.offset != 0 {
            out.append_pair("offset", &self.offset.to_string());
        }
        out.finish()
    }
}

fn cluster(value: &str) -> Result<ClusterName, PortError> {
    value.parse().map_err(|error: crate::names::NameError| PortError::invalid("cluster", error.to_string()))
}

fn topic_name(value: &str) -> Result<TopicName, PortError> {
    value.parse().map_err(|error: crate::names::NameError| PortError::invalid("topic", error.to_string()))
}

fn partition_number(value: &str) -> Result<Partition, PortError> {
    number("partition", value, 0, i32::MAX).and_then(|n| {
        Partition::new(n).ok_or_else(|| PortError::invalid("partition", "a partition's number"))
    })
}

fn search(value: &str) -> Result<String, PortError> {
    if value.len() > SEARCH_MAX {
        return Err(PortError::invalid("search", format!("at most {SEARCH_MAX} bytes")));
    }
    Ok(value.to_owned())
}

fn verdicts(value: &str) -> Result<Vec<Verdict>, PortError> {
    let mut verdicts = Vec::new();
    for key in value.split(',').filter(|key| !key.is_empty()) {
        let verdict = Verdict::parse(key).ok_or_else(|| {
            let known: Vec<&str> = Verdict::WORST_FIRST.iter().map(|verdict| verdict.key()).collect();
            PortError::invalid("verdict", format!("one of {}", known.join(", ")))
        })?;
        if !verdicts.contains(&verdict) {
            verdicts.push(verdict);
        }
    }
    Ok(verdicts)
}

fn kinds(value: &str) -> Result<Vec<GroupType>, PortError> {
    let mut kinds = Vec::new();
    for key in value.split(',').filter(|key| !key.is_empty()) {
        let kind = GroupType::ALL.into_iter().find(|kind| kind.key() == key).ok_or_else(|| {
            let known = GroupType::ALL.map(GroupType::key).join(", ");
            PortError::invalid("type", ["one of ", &known].concat())
        })?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

fn flag(field: &str, value: &str) -> Result<bool, PortError> {
    match value {
        "true" => Ok(true),
        "false" | "" => Ok(false),
        _ => Err(PortError::invalid(field, "true or false")),
    }
}

fn sorts(value: &str) -> Result<Vec<Sort>, PortError> {
    value
        .split(',')
        .map(|key| {
            key.parse().map_err(|()| {
                let known: Vec<&str> = SortKey::ALL.iter().map(|key| key.key()).collect();
                PortError::invalid(
                    "sort",
                    format!("one of {}, with - before it for descending", known.join(", ")),
                )
            })
        })
        .collect()
}

fn number<N: FromStr + PartialOrd + fmt::Display>(
    field: &str,
    value: &str,
    least: N,
    most: N,
) -> Result<N, PortError> {
    match value.parse::<N>() {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ => Err(PortError::invalid(field, format!("a whole number from {least} to {most}"))),
    }
}

fn unknown_field(name: &str) -> PortError {
    let name: String = name.chars().take(80).collect();
    PortError::invalid(name, "no such parameter")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(result: Result<impl fmt::Debug, PortError>) -> String {
        match result {
            Err(PortError::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_does_not_parse_names_its_field() {
        for (query, want) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("offset=-1", "offset"),
            ("sort=colour", "sort"),
            ("verdict=fine", "verdict"),
            ("type=round", "type"),
            ("cluster=a/b", "cluster"),
            ("ignored=maybe", "ignored"),
            ("colour=red", "colour"),
        ] {
            assert_eq!(field(FleetQuery::parse(query, true)), want);
        }
        for (query, want) in [("partition=x", "partition"), ("from=noon", "from"), ("from=offset:-1", "from")]
        {
            assert_eq!(field(MessagesQuery::parse(query, true)), want);
        }
        assert_eq!(FleetQuery::parse("colour=red", false), Ok(FleetQuery::default()));
    }

    #[test]
    fn the_default_view_has_the_empty_query() {
        assert_eq!(FleetQuery::default().to_query(), "");
        assert_eq!(MessagesQuery::default().to_query(), "");
        let query =
            FleetQuery::parse("sort=-lag,group&verdict=behind,paused&search=a%26b&limit=5&offset=10", true)
                .unwrap();
        assert_eq!(
            query.to_query(),
            "search=a%26b&verdict=behind%2Cpaused&sort=-lag%2Cgroup&limit=5&offset=10"
        );
    }

    proptest! {
        #[test]
        fn queries_come_back(search in "\\PC{0,40}", offset in 0u32.., limit in 1u32..=1000, verdict in 0usize..5, kind in 0usize..6, ignored: bool) {
            let query = FleetQuery {
                search, offset, limit, ignored,
                verdicts: vec![Verdict::WORST_FIRST[verdict]],
                kinds: vec![GroupType::ALL[kind]],
                ..FleetQuery::default()
            };
            prop_assert_eq!(FleetQuery::parse(&query.to_query(), true), Ok(query));
        }

        #[test]
        fn no_query_panics(query in "\\PC{0,80}") {
            let _ = FleetQuery::parse(&query, true);
            let _ = MessagesQuery::parse(&query, true);
        }
    }
}
