//! Where a record lies.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::PortError;
use crate::names::Partition;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordPlace {
    pub partition: Partition,
    pub offset: i64,
}

/// `3@1042`: partition and offset, as forms write it.
impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.partition, self.offset)
    }
}

impl std::str::FromStr for RecordPlace {
    type Err = PortError;
    fn from_str(text: &str) -> Result<Self, PortError> {
        let parsed = text.split_once('@').and_then(|(partition, offset)| {
            Some((Partition::new(partition.parse().ok()?)?, offset.parse::<i64>().ok()?))
        });
        match parsed {
            Some((partition, offset)) if offset >= 0 => Ok(Self { partition, offset }),
            _ => Err(PortError::invalid("record", "PARTITION@OFFSET, such as 3@1042")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_text() {
        let place: RecordPlace = "3@1042".parse().unwrap();
        assert_eq!((place.to_string().as_str(), place.offset), ("3@1042", 1_042));
        for text in ["", "3", "3@", "@3", "-1@3", "3@-1", "3@1@2", "3@99999999999999999999"] {
            assert!(text.parse::<RecordPlace>().is_err(), "{text}");
        }
    }
}
