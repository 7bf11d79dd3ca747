//! Ids that Flowdeck and its agents make.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one, from the system's randomness.
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id! {
    /// Given by the caller: the same id is the same command.
    CommandId
}
uuid_id! {
    /// The id of the command that made the hold.
    HoldId
}
uuid_id! {
    /// One life of one agent process; tells apart instances whose names repeat.
    Incarnation
}

impl From<CommandId> for HoldId {
    fn from(id: CommandId) -> Self {
        Self(id.uuid())
    }
}

impl From<HoldId> for CommandId {
    fn from(id: HoldId) -> Self {
        Self(id.uuid())
    }
}

/// Which published snapshot a view was made from: `<epoch>-<n>`, opaque to clients. The epoch is
/// random for each process, `n` counts its published snapshots, so versions of two replicas never
/// compare.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    pub epoch: u32,
    pub n: u64,
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Version {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Version {}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no version, such as 5f3a9c01-42")]
pub struct VersionError;

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.epoch, self.n)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Version {
    type Err = VersionError;
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let (epoch, n) = text.split_once('-').ok_or(VersionError)?;
        let epoch = u32::from_str_radix(epoch, 16).map_err(|_| VersionError)?;
        let n = n.parse().map_err(|_| VersionError)?;
        Ok(Self { epoch, n })
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;
    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_back() {
        let version = Version { epoch: 0x00ab_cdef, n: 42 };
        assert_eq!(version.to_string(), "00abcdef-42");
        assert_eq!("00abcdef-42".parse(), Ok(version));
        assert!("42".parse::<Version>().is_err());
    }
}
