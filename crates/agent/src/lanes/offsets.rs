//! Lanes whose offset is set from outside: their gates are shut until that is done, whatever the holds say.

use crate::record::TopicPartition;

use super::Lanes;

/// A partition of one assignment. One that is taken away in between is another owner's to set.
pub(crate) type AssignedPartition = (TopicPartition, u64);

impl Lanes {
    /// Shuts the gates of the chosen partitions.
    pub(crate) fn begin_offsets(
        &mut self,
        chosen: impl Fn(&TopicPartition) -> bool,
    ) -> Vec<AssignedPartition> {
        let closed = self.closed;
        let lanes = self.lanes.iter_mut().filter(|(at, lane)| !lane.leaving && chosen(at));
        let begun = lanes.map(|(at, lane)| {
            lane.setting_offset = true;
            lane.set_open(closed);
            (at.as_ref().clone(), lane.ticket)
        });
        begun.collect()
    }

    /// Still of the same assignment.
    pub(crate) fn is_assigned(&self, (at, ticket): &AssignedPartition) -> bool {
        self.lanes.get(at).is_some_and(|lane| lane.ticket == *ticket && !lane.leaving)
    }

    /// What was read of it is dropped: the client's position is `next` now, and so is the commit.
    pub(crate) fn offset_set(&mut self, at: &TopicPartition, next: i64) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        lane.forget_records();
        lane.control.set_position(next);
        lane.tracker.committed(next);
        (lane.more, lane.stopped) = (true, false);
    }

    /// The gates are the holds' again.
    pub(crate) fn end_offsets(&mut self, partitions: &[AssignedPartition]) {
        let closed = self.closed;
        for (at, ticket) in partitions {
            if let Some(lane) = self.lanes.get_mut(at).filter(|lane| lane.ticket == *ticket) {
                lane.setting_offset = false;
                lane.set_open(closed);
                self.offer(at);
            }
        }
    }
}
