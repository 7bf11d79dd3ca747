//! The topic of holds as far as it was read: the newest record of each key, as Kafka compacts them. An agent that joins a
//! link begins with these instead of reading the topic from its beginning, which would stop the others meanwhile.

use std::collections::BTreeMap;

use flowdeck_model::CommandId;
use flowdeck_protocol::wire::{self, HoldRecord};
use rdkafka::Offset;

use super::reader::Read;

/// A record on the topic of holds, understood once for all agents.
#[derive(Debug, Clone)]
pub(super) struct HoldsRecord {
    pub(super) offset: i64,
    pub(super) key: Vec<u8>,
    /// The command that wrote it, where its header says so.
    pub(super) command: Option<CommandId>,
    pub(super) is_tombstone: bool,
    pub(super) says: HoldRecord,
}

impl HoldsRecord {
    pub(super) fn of(read: Read) -> Self {
        let headers = read.headers();
        Self {
            offset: read.offset,
            command: wire::command_of(&headers),
            is_tombstone: read.value.is_none(),
            says: wire::read_hold(&headers, read.key.as_deref(), read.value.as_deref()),
            key: read.key.unwrap_or_default(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct HoldsLog {
    newest: BTreeMap<Vec<u8>, HoldsRecord>,
    /// The next offset; `None`: nothing was read yet.
    next: Option<i64>,
}

impl HoldsLog {
    pub(super) fn next(&self) -> Option<i64> {
        self.next
    }

    /// From where it is read.
    pub(super) fn from(&self) -> Offset {
        self.next.map_or(Offset::Beginning, Offset::Offset)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &HoldsRecord> {
        self.newest.values()
    }

    pub(super) fn take(&mut self, record: &HoldsRecord) {
        // The topic was made anew, and is read from its beginning.
        if self.next.is_some_and(|next| record.offset < next) {
            self.newest.clear();
        }
        self.next = Some(record.offset + 1);
        match record.says {
            // Those who follow the topic leave what was under its key in force.
            HoldRecord::Malformed(_) => {}
            _ if record.is_tombstone => {
                self.newest.remove(&record.key);
            }
            HoldRecord::Set(_) | HoldRecord::Released { .. } | HoldRecord::NewerVersion => {
                self.newest.insert(record.key.clone(), record.clone());
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use flowdeck_model::{Hold, HoldBy, HoldId, Scope, Timestamp};

    use super::*;

    pub(in crate::control) fn hold(group: &str) -> Hold {
        Hold {
            scope: Scope::group(group.into()),
            id: HoldId::random(),
            owner: "o".into(),
            reason: String::new(),
            since: Timestamp::from_millis(0),
            until: None,
            by: HoldBy::Pause,
            except: vec![],
        }
    }

    /// Under a key that is its group's name.
    pub(in crate::control) fn set(offset: i64, group: &str) -> HoldsRecord {
        HoldsRecord {
            offset,
            key: group.as_bytes().to_vec(),
            command: None,
            is_tombstone: false,
            says: HoldRecord::Set(hold(group)),
        }
    }

    fn released(offset: i64, group: &str) -> HoldsRecord {
        let Hold { scope, id, .. } = hold(group);
        HoldsRecord { is_tombstone: true, says: HoldRecord::Released { scope, id }, ..set(offset, group) }
    }

    fn kept(log: &HoldsLog) -> Vec<i64> {
        log.records().map(|record| record.offset).collect()
    }

    #[test]
    fn newest_of_each_key_is_kept_and_a_released_one_is_not() {
        let mut log = HoldsLog::default();
        assert_eq!((log.next(), log.from()), (None, Offset::Beginning));
        let newer = HoldsRecord { says: HoldRecord::NewerVersion, ..set(4, "newer") };
        let gone = HoldsRecord { is_tombstone: true, says: HoldRecord::NewerVersion, ..set(6, "gone") };
        let malformed =
            HoldsRecord { says: HoldRecord::Malformed(flowdeck_protocol::Malformed::KeyJson), ..set(9, "a") };
        for record in
            [set(0, "a"), set(2, "b"), set(3, "a"), newer, set(5, "gone"), gone, released(8, "b"), malformed]
        {
            log.take(&record);
        }
        assert_eq!((kept(&log), log.next()), (vec![3, 4], Some(10)));
    }

    #[test]
    fn topic_that_was_made_anew_is_told_from_the_one_before() {
        let mut log = HoldsLog::default();
        for record in [set(7, "a"), set(8, "b"), set(0, "c")] {
            log.take(&record);
        }
        assert_eq!((kept(&log), log.from()), (vec![0], Offset::Offset(1)));
    }
}
