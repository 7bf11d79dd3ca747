//! Offsets of the log itself: start, end, last stable, and by time. One batch for many partitions.

use flowdeck_model::{Partition, Timestamp};

use crate::error::Cause;
use crate::{Cluster, Deadline, Topic};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The log's first offset.
    Earliest,
    /// One past the last record (the high watermark).
    Latest,
    /// Where a `read_committed` consumer must stop (the last stable offset).
    LatestCommitted,
    /// The first record at or after this time; the end where there is none.
    At(Timestamp),
}

impl Cluster {
    /// One answer for each partition, in the order asked. A partition that fails says so alone.
    pub async fn offsets(
        &self,
        partitions: &[(Topic, Partition)],
        _spec: OffsetSpec,
        _deadline: impl Into<Deadline>,
    ) -> Vec<Result<i64, Cause>> {
        vec![Err(Cause::Unsupported("being built".into())); partitions.len()]
    }
}
