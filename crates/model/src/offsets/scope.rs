//! Which partitions: topics as Kafka's own tool takes them, `orders` or `orders:0,2`. None is chosen by itself.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::error::PortError;
use crate::names::{Partition, TopicName};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OffsetScope {
    /// Every partition that the group has committed, or that the target names.
    AllTopics,
    /// At least one.
    Topics(Vec<TopicScope>),
}

/// A topic, or some of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicScope {
    pub topic: TopicName,
    /// None: all of them.
    pub partitions: BTreeSet<Partition>,
}

impl OffsetScope {
    /// Where neither is given, nothing is chosen.
    pub fn of(topics: Vec<TopicScope>, all_topics: bool) -> Result<Self, PortError> {
        match (topics.is_empty(), all_topics) {
            (false, false) => Ok(Self::Topics(topics)),
            (true, true) => Ok(Self::AllTopics),
            (false, true) => {
                Err(PortError::invalid("topics", "name topics, or ask for all of them, not both"))
            }
            (true, false) => {
                Err(PortError::invalid("topics", "name at least one topic, or ask for all of them"))
            }
        }
    }

    pub fn has_topic(&self, topic: &TopicName) -> bool {
        match self {
            Self::AllTopics => true,
            Self::Topics(topics) => topics.iter().any(|one| &one.topic == topic),
        }
    }

    pub fn has(&self, topic: &TopicName, partition: Partition) -> bool {
        let covers = |one: &TopicScope| {
            &one.topic == topic && (one.partitions.is_empty() || one.partitions.contains(&partition))
        };
        match self {
            Self::AllTopics => true,
            Self::Topics(topics) => topics.iter().any(covers),
        }
    }
}

impl FromStr for TopicScope {
    type Err = PortError;
    fn from_str(text: &str) -> Result<Self, PortError> {
        let wrong = || PortError::invalid("topics", "a topic, or some of its partitions such as orders:0,2");
        let (topic, partitions) = text.trim().split_once(':').unwrap_or((text.trim(), ""));
        let topic = topic.parse().map_err(|_| wrong())?;
        let numbers = partitions.split(',').map(str::trim).filter(|word| !word.is_empty());
        let partitions: Result<BTreeSet<Partition>, _> = numbers.map(str::parse).collect();
        let partitions = partitions.map_err(|_| wrong())?;
        if text.contains(':') && partitions.is_empty() {
            return Err(wrong());
        }
        Ok(Self { topic, partitions })
    }
}

impl fmt::Display for TopicScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.partitions.iter().map(Partition::to_string).collect();
        match numbers.is_empty() {
            true => write!(f, "{}", self.topic),
            false => write!(f, "{}:{}", self.topic, numbers.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_written_as_kafkas_tool_takes_them() {
        for (text, want) in [("a", "a"), (" a:2, 0 ", "a:0,2"), ("a.b-c:7", "a.b-c:7")] {
            assert_eq!(text.parse::<TopicScope>().unwrap().to_string(), want);
        }
        for text in ["", ":1", "a:", "a:x", "a:-1", "a b"] {
            assert!(text.parse::<TopicScope>().is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_is_chosen_by_itself() {
        let one = || vec!["a:1".parse::<TopicScope>().unwrap()];
        assert!(OffsetScope::of(vec![], false).is_err());
        assert!(OffsetScope::of(one(), true).is_err());
        assert_eq!(OffsetScope::of(vec![], true), Ok(OffsetScope::AllTopics));
        let scope = OffsetScope::of(one(), false).unwrap();
        let (topic, number) = ("a".parse().unwrap(), |n| Partition::new(n).unwrap());
        assert!(scope.has(&topic, number(1)) && !scope.has(&topic, number(0)));
    }
}
