//! Committed offsets: one request a group, many in flight, with a cap. Compact rows, since a refresh
//! of a large cluster reads hundreds of thousands.

use std::ffi::CStr;

use flowdeck_model::{GroupId, Partition};
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::describe::nul_byte;
use crate::error::{Acl, Cause};
use crate::ffi::partitions::PartitionRow;
use crate::ffi::queue::Event;
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
            return Err(Cause::from_code(self.code, Acl::topic("Describe", self.topic.as_str())));
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
        in_flight: usize,
        deadline: impl Into<Deadline>,
        mut each: impl FnMut(usize, Result<Vec<Committed>, Cause>) + Send,
    ) {
        let deadline = deadline.into();
        let mut next = groups.iter().enumerate();
        let mut asked = FuturesUnordered::new();
        loop {
            let free = in_flight.max(1).saturating_sub(asked.len());
            for (index, group) in next.by_ref().take(free) {
                asked.push(async move { (index, self.committed_of(group, deadline).await) });
            }
            let Some((index, answer)) = asked.next().await else { return };
            each(index, answer);
        }
    }

    async fn committed_of(&self, group: &GroupId, deadline: Deadline) -> Result<Vec<Committed>, Cause> {
        let topic = self.client().names();
        let call = self.client().call_coordinator(
            deadline,
            ("committed", group.as_str().to_owned()),
            || Acl::group("Describe", group.as_str()),
            |ask| ask.committed(group.as_str()).map_err(nul_byte),
            move |event| rows(event, topic),
        );
        call.await
    }
}

/// Rows come topic by topic: the name is looked up once for each run of the same topic.
fn rows(event: &Event, topic: impl Fn(&str) -> Option<Topic>) -> Result<Vec<Committed>, i32> {
    let mut rows = Vec::new();
    let mut last: Option<Topic> = None;
    event.committed(|total, row: PartitionRow<'_>| {
        rows.reserve_exact(total.saturating_sub(rows.len()));
        if !last.as_ref().is_some_and(|last| same(last, row.topic)) {
            last = row.topic.to_str().ok().and_then(&topic);
        }
        // No topic has such a name, no partition such a number: nothing that could be shown.
        let (Some(topic), Some(partition)) = (&last, Partition::new(row.partition)) else { return };
        rows.push(Committed { topic: topic.clone(), partition, code: row.code, offset: row.offset });
    })?;
    Ok(rows)
}

fn same(topic: &Topic, name: &CStr) -> bool {
    topic.as_str().as_bytes() == name.to_bytes()
}
