//! Committed offsets: one request a group, many in flight, with a cap. Compact rows, since a refresh
//! of a large cluster reads hundreds of thousands.

use flowdeck_model::{GroupId, Partition};

use crate::error::Cause;
use crate::{Cluster, Deadline, Topic};

/// One partition of one group's committed offsets. A partition that was never committed is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub topic: Topic,
    pub partition: Partition,
    /// Kafka's error code of this partition, 0 where fine.
    code: i32,
    /// Negative: none.
    offset: i64,
}

impl Committed {
    /// `None`: nothing is committed.
    pub fn offset(&self) -> Result<Option<i64>, Cause> {
        if self.code != 0 {
            return Err(Cause::from_code(self.code, crate::Acl::topic("Describe", self.topic.as_str())));
        }
        Ok((self.offset >= 0).then_some(self.offset))
    }
}

impl Cluster {
    /// Reads the committed offsets of `groups`, at most `in_flight` (at least 1) asked at a time.
    /// `each` gets the index into `groups` and the answer, in the order of arrival, every group once.
    pub async fn committed(
        &self,
        groups: &[GroupId],
        _in_flight: usize,
        _deadline: impl Into<Deadline>,
        mut each: impl FnMut(usize, Result<Vec<Committed>, Cause>) + Send,
    ) {
        for index in 0..groups.len() {
            each(index, Err(Cause::Unsupported("being built".into())));
        }
    }
}
