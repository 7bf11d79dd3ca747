//! The fields of the form, and what is asked for with them.

use flowdeck_model::offsets::{OffsetScope, OffsetTo, OffsetsQuery, TopicScope, file_rows};
use flowdeck_model::{GroupId, PortError};

/// As they were typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// A choice of the form, or a whole target, as a link has it.
    pub(super) to: String,
    pub(super) time: String,
    pub(super) offset: String,
    pub(super) shift: String,
    pub(super) from_group: String,
    pub(super) file: String,
    /// Topics that are ticked.
    pub(super) topics: Vec<String>,
    /// Others, and some partitions of one.
    pub(super) more: String,
    pub(super) all: bool,
}

impl Asked {
    pub(super) fn parse(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.trim_start_matches('?').as_bytes()) {
            let value = value.into_owned();
            match &*name {
                "to" => asked.to = value,
                "time" => asked.time = value,
                "offset" => asked.offset = value,
                "shift" => asked.shift = value,
                "fromGroup" => asked.from_group = value,
                "file" => asked.file = value,
                "topic" => asked.topics.push(value),
                "more" => asked.more = value,
                "all" => asked.all = true,
                _ => {}
            }
        }
        asked
    }

    /// `None`: nothing is asked for.
    pub(super) fn query(&self, group: &GroupId) -> Option<Result<OffsetsQuery, PortError>> {
        (!self.to.is_empty()).then(|| {
            let to = self.target(group)?;
            let words = self.more.split_whitespace().map(str::to_owned);
            let topics = self.topics.iter().cloned().chain(words);
            let topics: Vec<TopicScope> = topics.map(|one| one.parse()).collect::<Result<_, _>>()?;
            let all = self.all || (topics.is_empty() && to.names_partitions());
            Ok(OffsetsQuery { group: group.clone(), to, scope: OffsetScope::of(topics, all)? })
        })
    }

    fn target(&self, group: &GroupId) -> Result<OffsetTo, PortError> {
        let shift = self.shift.trim();
        match self.to.as_str() {
            "time" => given(&self.time, "a time in UTC"),
            "offset" => given(&self.offset, "an offset"),
            "shift" if shift.starts_with(['+', '-']) => given(shift, "a number of records"),
            "shift" => given(&["+", shift].concat(), "a number of records"),
            "group" if self.from_group.is_empty() => {
                Err(PortError::invalid("group", "whose offsets are copied"))
            }
            "group" => Ok(OffsetTo::Group(self.from_group.as_str().into())),
            "file" => Ok(OffsetTo::File(file_rows(&self.file, group)?)),
            whole => whole.parse(),
        }
    }

    /// Which choice of the form is on.
    pub(super) fn is(&self, choice: &str) -> bool {
        self.to == choice
    }
}

fn given(text: &str, what: &str) -> Result<OffsetTo, PortError> {
    let to = text.trim().parse();
    to.map_err(|_: PortError| PortError::invalid("to", format!("{what} is missing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_a_query() {
        let group = GroupId::from("g");
        for (fields, to, topics) in [
            ("to=earliest&topic=a&topic=b", "earliest", 2),
            ("?to=time&time=2026-11-29T08:00&topic=a", "2026-11-29T08:00:00.000Z", 1),
            ("to=offset&offset=12&more=a:0,1+b", "12", 2),
            ("to=shift&shift=10&topic=a", "+10", 1),
            ("to=shift&shift=-10&topic=a", "-10", 1),
            ("to=none&topic=a", "none", 1),
            ("to=group&fromGroup=other", "group:other", 0),
            ("to=file&file=a,0,12%0D%0Ab,1,0", "file", 0),
        ] {
            let query = Asked::parse(fields).query(&group).unwrap().unwrap();
            assert_eq!(query.to.to_string(), to);
            let named = match query.scope {
                OffsetScope::AllTopics => 0,
                OffsetScope::Topics(topics) => topics.len(),
            };
            assert_eq!(named, topics, "{fields}");
        }
        assert_eq!(Asked::parse("topic=a").query(&group), None);
        for fields in ["to=latest", "to=offset&topic=a", "to=group", "to=file", "to=latest&topic=a&all=1"] {
            assert!(Asked::parse(fields).query(&group).unwrap().is_err(), "{fields}");
        }
    }
}
