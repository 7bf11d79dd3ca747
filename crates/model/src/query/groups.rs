//! The table of groups: what the fleet's query has, more filters, and the columns that are shown.

use super::{FleetQuery, flag, topic_name};
use crate::error::PortError;
use crate::names::TopicName;
use crate::verdict::GroupState;

/// Groups for which all of it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFilter {
    /// Name and value of labels, all of which a group must have; an empty value: any.
    pub labels: Vec<(String, String)>,
    pub state: Option<GroupState>,
    /// Read by the group.
    pub topic: Option<TopicName>,
    /// Whether a hold covers part of it.
    pub paused: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    Verdict,
    Cluster,
    Lag,
    TimeLag,
    In,
    Out,
    Drain,
    Members,
    State,
    Topics,
    Labels,
    Notes,
    Updated,
}

impl Column {
    /// In the order of the table; the group's name is always there.
    pub const ALL: [Self; 13] = [
        Self::Verdict,
        Self::Cluster,
        Self::Lag,
        Self::TimeLag,
        Self::In,
        Self::Out,
        Self::Drain,
        Self::Members,
        Self::State,
        Self::Topics,
        Self::Labels,
        Self::Notes,
        Self::Updated,
    ];
    pub const DEFAULT: [Self; 9] = [
        Self::Verdict,
        Self::Cluster,
        Self::Lag,
        Self::TimeLag,
        Self::In,
        Self::Out,
        Self::Members,
        Self::Labels,
        Self::Notes,
    ];

    pub fn key(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Cluster => "cluster",
            Self::Lag => "lag",
            Self::TimeLag => "timeLag",
            Self::In => "in",
            Self::Out => "out",
            Self::Drain => "drain",
            Self::Members => "members",
            Self::State => "state",
            Self::Topics => "topics",
            Self::Labels => "labels",
            Self::Notes => "notes",
            Self::Updated => "updated",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Verdict => "Verdict",
            Self::Cluster => "Cluster",
            Self::Lag => "Lag",
            Self::TimeLag => "Time lag",
            Self::In => "In/s",
            Self::Out => "Out/s",
            Self::Drain => "Time to drain",
            Self::Members => "Members",
            Self::State => "State",
            Self::Topics => "Topics",
            Self::Labels => "Labels",
            Self::Notes => "Notes",
            Self::Updated => "Updated",
        }
    }

    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.key() == key)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupsQuery {
    pub fleet: FleetQuery,
    pub filter: GroupFilter,
    /// In the order of [`Column::ALL`].
    pub columns: Vec<Column>,
}

impl Default for GroupsQuery {
    fn default() -> Self {
        Self {
            fleet: FleetQuery::default(),
            filter: GroupFilter::default(),
            columns: Column::DEFAULT.to_vec(),
        }
    }
}

/// At most so many labels are asked for at once.
const LABELS_MAX: usize = 10;

impl GroupsQuery {
    /// As [`FleetQuery::parse`]. A name that comes several times, as from a form's check boxes, counts each time where it
    /// has several values.
    pub fn parse(query: &str, strict: bool) -> Result<Self, PortError> {
        let mut parsed = Self::default();
        let mut chosen: Option<Vec<Column>> = None;
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "label" => parsed.filter.labels.extend(labels(&value)?),
                "state" if value.is_empty() => {}
                "state" => parsed.filter.state = Some(state(&value)?),
                "topic" if value.is_empty() => {}
                "topic" => parsed.filter.topic = Some(topic_name(&value)?),
                "paused" if value.is_empty() => {}
                "paused" => parsed.filter.paused = Some(flag("paused", &value)?),
                "columns" => chosen.get_or_insert_default().extend(columns(&value)?),
                name => drop(rest.append_pair(name, &value)),
            }
        }
        if parsed.filter.labels.len() > LABELS_MAX {
            return Err(PortError::invalid("label", format!("at most {LABELS_MAX}")));
        }
        if let Some(chosen) = chosen {
            parsed.columns = Column::ALL.into_iter().filter(|column| chosen.contains(column)).collect();
        }
        parsed.fleet = FleetQuery::parse(&rest.finish(), strict)?;
        Ok(parsed)
    }

    /// As [`FleetQuery::to_query`].
    pub fn to_query(&self) -> String {
        let mut out = form_urlencoded::Serializer::new(self.fleet.to_query());
        let filter = &self.filter;
        if !filter.labels.is_empty() {
            let all: Vec<String> =
                filter.labels.iter().map(|(name, value)| [name, ":", value].concat()).collect();
            out.append_pair("label", &all.join(","));
        }
        if let Some(state) = filter.state {
            out.append_pair("state", state.label());
        }
        if let Some(topic) = &filter.topic {
            out.append_pair("topic", topic.as_str());
        }
        if let Some(paused) = filter.paused {
            out.append_pair("paused", if paused { "true" } else { "false" });
        }
        if self.columns != Column::DEFAULT {
            let keys: Vec<&str> = self.columns.iter().map(|column| column.key()).collect();
            out.append_pair("columns", &keys.join(","));
        }
        out.finish()
    }
}

/// `team:payments,service` with commas between them.
fn labels(value: &str) -> Result<Vec<(String, String)>, PortError> {
    let each = value.split(',').map(str::trim).filter(|one| !one.is_empty());
    each.map(|one| {
        let (name, value) = one.split_once(':').unwrap_or((one, ""));
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return Err(PortError::invalid("label", "NAME or NAME:VALUE, such as team:payments"));
        }
        Ok((name.to_owned(), value.to_owned()))
    })
    .collect()
}

fn state(value: &str) -> Result<GroupState, PortError> {
    GroupState::ALL.into_iter().find(|state| state.label() == value).ok_or_else(|| {
        let known = GroupState::ALL.map(GroupState::label);
        PortError::invalid("state", format!("one of {}", known.join(", ")))
    })
}

fn columns(value: &str) -> Result<Vec<Column>, PortError> {
    let each = value.split(',').filter(|key| !key.is_empty());
    each.map(|key| {
        Column::parse(key).ok_or_else(|| {
            let known = Column::ALL.map(Column::key);
            PortError::invalid("columns", format!("some of {}", known.join(", ")))
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn filters_and_columns_are_parsed_and_printed() {
        let text =
            "search=pay&label=team:payments,runbook&state=Empty&topic=orders&paused=false&columns=lag,drain";
        let query = GroupsQuery::parse(text, true).unwrap();
        assert_eq!(query.fleet.search, "pay");
        let labels: Vec<_> = query.filter.labels.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(labels, [("team", "payments"), ("runbook", "")]);
        assert_eq!((query.filter.state, query.filter.paused), (Some(GroupState::Empty), Some(false)));
        assert_eq!(query.columns, [Column::Lag, Column::Drain]);
        assert_eq!(GroupsQuery::parse(&query.to_query(), true), Ok(query));
        // A form's empty fields and repeated check boxes.
        let form = "search=&label=&state=&topic=&paused=&columns=out&columns=verdict";
        let query = GroupsQuery::parse(form, true).unwrap();
        assert_eq!(
            (query.filter, query.columns),
            (GroupFilter::default(), vec![Column::Verdict, Column::Out])
        );
        assert_eq!(GroupsQuery::default().to_query(), "");
    }

    #[test]
    fn what_does_not_parse_names_its_field() {
        for (query, want) in [
            ("label=:x", "label"),
            ("state=Busy", "state"),
            ("topic=a/b", "topic"),
            ("paused=maybe", "paused"),
            ("columns=colour", "columns"),
            ("limit=0", "limit"),
            ("colour=red", "colour"),
        ] {
            match GroupsQuery::parse(query, true) {
                Err(PortError::Invalid { field, .. }) => assert_eq!(field, want),
                other => panic!("{query}: {other:?}"),
            }
        }
        let many: Vec<String> = (0..11).map(|n| format!("l{n}")).collect();
        assert!(GroupsQuery::parse(&format!("label={}", many.join(",")), true).is_err());
    }

    proptest! {
        #[test]
        fn no_query_panics(query in "\\PC{0,80}") {
            let _ = GroupsQuery::parse(&query, true);
        }
    }
}
