//! Names that Kafka and KafkaFlow give to things. Each is its own type, so that a group is never
//! passed where a topic is meant. Group, consumer and instance names may be any string (Kafka does
//! not restrict them); topic and cluster names are parsed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! free_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// For eyes: what is invisible in it is written out.
            pub fn shown(&self) -> String {
                crate::shown::name(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name)
            }
        }

        name_traits!($name);
    };
}

macro_rules! name_traits {
    ($name:ident) => {
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

free_name! {
    /// A consumer group's id. Kafka allows any string, the empty one too.
    GroupId
}
free_name! {
    /// A named subscription inside a process: KafkaFlow's consumerName. Unique only together with
    /// its admin topic and group.
    ConsumerName
}
free_name! {
    /// One process that runs a consumer, as it calls itself: KafkaFlow's `<machine>-<pid>`. May repeat.
    InstanceName
}

/// A topic's name: `[a-zA-Z0-9._-]{1,249}`, but not `.` and `..` (Kafka's `Topic.validate`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String))]
#[serde(try_from = "String", into = "String")]
pub struct TopicName(String);

impl TopicName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("{0:?} is no topic name: Kafka allows 1 to 249 of a-z A-Z 0-9 . _ - and not . or ..")]
    Topic(String),
    #[error("{0:?} is no cluster name: use 1 to 64 of a-z A-Z 0-9 . _ - and not . or ..")]
    Cluster(String),
}

fn plain(name: &str, longest: usize) -> bool {
    (1..=longest).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl TryFrom<String> for TopicName {
    type Error = NameError;
    fn try_from(name: String) -> Result<Self, NameError> {
        if plain(&name, 249) { Ok(Self(name)) } else { Err(NameError::Topic(shorten(name))) }
    }
}

impl FromStr for TopicName {
    type Err = NameError;
    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::try_from(name.to_owned())
    }
}

impl From<TopicName> for String {
    fn from(name: TopicName) -> String {
        name.0
    }
}

name_traits!(TopicName);

/// The name under which the configuration knows a cluster; it is part of URLs.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String))]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);

impl ClusterName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ClusterName {
    type Error = NameError;
    fn try_from(name: String) -> Result<Self, NameError> {
        if plain(&name, 64) { Ok(Self(name)) } else { Err(NameError::Cluster(shorten(name))) }
    }
}

impl FromStr for ClusterName {
    type Err = NameError;
    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::try_from(name.to_owned())
    }
}

impl From<ClusterName> for String {
    fn from(name: ClusterName) -> String {
        name.0
    }
}

name_traits!(ClusterName);

/// Keeps an error about a hostile name readable.
fn shorten(name: String) -> String {
    match name.char_indices().nth(80) {
        Some((cut, _)) => format!("{}…", &name[..cut]),
        None => name,
    }
}

/// A partition's number, 0 or more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = i32))]
#[serde(try_from = "i32", into = "i32")]
pub struct Partition(i32);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no partition: use a whole number from 0 to 2147483647")]
pub struct PartitionError(String);

impl Partition {
    /// The only one of Flowdeck's own topics.
    pub const FIRST: Self = Self(0);

    pub fn new(number: i32) -> Option<Self> {
        (number >= 0).then_some(Self(number))
    }

    pub fn get(self) -> i32 {
        self.0
    }
}

impl TryFrom<i32> for Partition {
    type Error = PartitionError;
    fn try_from(number: i32) -> Result<Self, PartitionError> {
        Self::new(number).ok_or_else(|| PartitionError(number.to_string()))
    }
}

impl From<Partition> for i32 {
    fn from(partition: Partition) -> i32 {
        partition.0
    }
}

impl FromStr for Partition {
    type Err = PartitionError;
    fn from_str(text: &str) -> Result<Self, PartitionError> {
        let number = text.parse::<i32>().map_err(|_| PartitionError(shorten(text.to_owned())))?;
        Self::try_from(number)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_names_are_kafkas() {
        for good in ["a", "dev-audio-events", "A.b_c-9", &"x".repeat(249)] {
            assert!(good.parse::<TopicName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "ü", &"x".repeat(250)] {
            assert!(bad.parse::<TopicName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_about_a_huge_name_is_short() {
        let error = "🦀".repeat(100_000).parse::<TopicName>().unwrap_err();
        assert!(error.to_string().len() < 600);
    }

    #[test]
    fn partitions_are_not_negative() {
        assert!("-1".parse::<Partition>().is_err());
        assert_eq!("7".parse::<Partition>().unwrap().get(), 7);
    }
}
