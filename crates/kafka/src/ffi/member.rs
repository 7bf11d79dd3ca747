//! Membership in a consumer group for the sake of what the group assigns: nothing of it is fetched, and
//! nothing committed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka_sys as sys;

use super::codes;
use super::handle::Native;
use super::heartbeats::Heartbeats;
use super::partitions::{PartitionList, rows};
use super::queue::{Event, Queue};
use crate::config::ConfigError;

unsafe extern "C" {
    // The bindings' declarations return enums; see `codes`.
    #[link_name = "rd_kafka_subscribe"]
    fn subscribe(client: *mut sys::rd_kafka_t, topics: *const sys::rd_kafka_topic_partition_list_t) -> i32;
    #[link_name = "rd_kafka_unsubscribe"]
    fn unsubscribe(client: *mut sys::rd_kafka_t) -> i32;
    #[link_name = "rd_kafka_assign"]
    fn assign(client: *mut sys::rd_kafka_t, partitions: *const sys::rd_kafka_topic_partition_list_t) -> i32;
}

/// Where a topic as a whole is meant.
const ANY_PARTITION: i32 = -1;

/// A member of the group that the properties name.
pub(crate) struct Membership {
    queue: Queue,
    partitions: BTreeSet<i32>,
}

/// What happened to a member. A rebalance goes on once it was answered.
pub(crate) enum Happened {
    /// These were added to what the member has; perhaps none.
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
    Trouble {
        code: i32,
        message: String,
    },
}

impl Membership {
    /// Joins in the background.
    pub(crate) fn join(
        properties: &BTreeMap<String, String>,
        topic: &str,
        heartbeats: Arc<Heartbeats>,
    ) -> Result<Self, ConfigError> {
        let native = Arc::new(Native::member(properties, heartbeats)?);
        native.merge_queues();
        let no_group = || ConfigError::Client { words: "it belongs to no group".to_owned() };
        let queue = Queue::consumer(native).ok_or_else(no_group)?;
        let mut topics = PartitionList::new(1);
        topics.add(topic, ANY_PARTITION, 0);
        // SAFETY: client and list are alive; the list is copied.
        match unsafe { subscribe(queue.native().ptr(), topics.ptr()) } {
            codes::NO_ERROR => Ok(Self { queue, partitions: BTreeSet::new() }),
            code => Err(ConfigError::Client { words: codes::message(code) }),
        }
    }

    /// Waits up to `span` for the next event. `before` sees it, and only then a rebalance is answered: what was
    /// revoked may belong to another member from then on.
    pub(crate) fn poll(&mut self, span: Duration, before: impl FnOnce(Happened)) {
        let Some(event) = self.queue.poll(span) else { return };
        if event.is_client_error() {
            return before(Happened::Trouble { code: event.code(), message: event.message() });
        }
        if !is_rebalance(&event) {
            return;
        }
        let (assigned, partitions) = (event.code() == codes::ASSIGN_PARTITIONS, partitions(&event));
        if assigned {
            self.partitions.extend(&partitions);
            before(Happened::Assigned(partitions));
        } else {
            self.partitions.retain(|partition| !partitions.contains(partition));
            before(Happened::Revoked(partitions));
        }
        self.answer(assigned);
    }

    /// Takes none of the partitions over: the group keeps its own account of what it gave to whom, and the client
    /// fetches what was taken over.
    fn answer(&self, assigned: bool) {
        let (none, client) = (PartitionList::new(0), self.queue.native().ptr());
        // SAFETY: client and list are alive; the protocol's name is static, the error ours to free.
        unsafe {
            let protocol = sys::rd_kafka_rebalance_protocol(client);
            if protocol.is_null() || CStr::from_ptr(protocol) != c"COOPERATIVE" {
                assign(client, std::ptr::null());
                return;
            }
            let error = match assigned {
                true => sys::rd_kafka_incremental_assign(client, none.ptr()),
                false => sys::rd_kafka_incremental_unassign(client, none.ptr()),
            };
            if !error.is_null() {
                sys::rd_kafka_error_destroy(error);
            }
        }
    }

    /// Leaves the group, so that another member takes over at once; waits up to `limit` for the coordinator.
    pub(crate) fn close(self, limit: Duration) {
        let end = Instant::now() + limit;
        let native = self.queue.native().clone();
        // Not the client's own queue: that one is forwarded to this.
        let mut closing = Self { queue: Queue::new(native.clone()), partitions: self.partitions };
        // SAFETY: client and queue are alive; the error is ours to free.
        unsafe {
            if closing.partitions.is_empty() {
                // librdkafka 2.12 tells no coordinator that such a member goes when it closes, and the next
                // rebalance would wait until its session has ended.
                unsubscribe(native.ptr());
            }
            let error = sys::rd_kafka_consumer_close_queue(native.ptr(), closing.queue.ptr());
            if let Some(error) = NonNull::new(error) {
                return sys::rd_kafka_error_destroy(error.as_ptr());
            }
        }
        // SAFETY: the client is alive.
        while unsafe { sys::rd_kafka_consumer_closed(native.ptr()) } == 0 && Instant::now() < end {
            closing.poll(Duration::from_millis(20), |_| ());
        }
    }
}

fn is_rebalance(event: &Event) -> bool {
    // SAFETY: the event is alive.
    unsafe { sys::rd_kafka_event_type(event.ptr()) == sys::RD_KAFKA_EVENT_REBALANCE }
}

fn partitions(event: &Event) -> Vec<i32> {
    // SAFETY: the event is alive, and keeps the list.
    unsafe { rows(sys::rd_kafka_event_topic_partition_list(event.ptr())).map(|row| row.partition).collect() }
}
