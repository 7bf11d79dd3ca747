//! The full metadata of a cluster and the classic group list: two calls that block their thread.

use std::ptr::null_mut;
use std::time::Duration;

use rdkafka_sys as sys;

use super::handle::Native;
use super::queue::millis;
use super::text;

unsafe extern "C" {
    // The bindings' declarations return enums; see `codes`.
    #[link_name = "rd_kafka_metadata"]
    fn fetch_metadata(
        rk: *mut sys::rd_kafka_t,
        all_topics: i32,
        only: *mut sys::rd_kafka_topic_t,
        metadata: *mut *const sys::rd_kafka_metadata,
        timeout_ms: i32,
    ) -> i32;
    #[link_name = "rd_kafka_list_groups"]
    fn fetch_groups(
        rk: *mut sys::rd_kafka_t,
        group: *const std::ffi::c_char,
        list: *mut *const sys::rd_kafka_group_list,
        timeout_ms: i32,
    ) -> i32;
}

pub(crate) struct MetadataRows {
    pub(crate) brokers: Vec<(i32, String, i32)>,
    pub(crate) topics: Vec<TopicRows>,
}

pub(crate) struct TopicRows {
    pub(crate) name: String,
    pub(crate) code: i32,
    pub(crate) partitions: Vec<PartitionRows>,
}

pub(crate) struct PartitionRows {
    pub(crate) partition: i32,
    pub(crate) leader: i32,
    pub(crate) replicas: Vec<i32>,
    pub(crate) isr: Vec<i32>,
    pub(crate) code: i32,
}

pub(crate) struct ClassicGroup {
    pub(crate) id: String,
    pub(crate) protocol_type: String,
}

/// # Safety
/// `numbers` is null or points at `count` numbers.
unsafe fn numbers(numbers: *const i32, count: i32) -> Vec<i32> {
    if numbers.is_null() {
        return Vec::new();
    }
    // SAFETY: not null, and the caller vouches for the length.
    unsafe { std::slice::from_raw_parts(numbers, usize::try_from(count).unwrap_or(0)) }.to_vec()
}

/// Indices of a C array; a negative count is none.
fn indices(count: i32) -> std::ops::Range<usize> {
    0..usize::try_from(count).unwrap_or(0)
}

impl Native {
    /// Every topic; no topic is named in the request, so that none can be created by it. Blocks up to
    /// `span`.
    pub(crate) fn metadata(&self, span: Duration) -> Result<MetadataRows, i32> {
        let mut metadata = std::ptr::null();
        // SAFETY: the client is alive; on success the metadata is ours to free.
        let code = unsafe { fetch_metadata(self.ptr(), 1, null_mut(), &mut metadata, millis(span)) };
        if code != super::codes::NO_ERROR {
            return Err(code);
        }
        // SAFETY: the counts are those of the arrays, which live until the metadata is destroyed; codes
        // are read as numbers, without a reference to the structs.
        let rows = unsafe {
            let brokers = indices((*metadata).broker_cnt).map(|at| {
                let broker = (*metadata).brokers.add(at);
                ((*broker).id, text((*broker).host), (*broker).port)
            });
            let topics = indices((*metadata).topic_cnt).map(|at| topic((*metadata).topics.add(at)));
            MetadataRows { brokers: brokers.collect(), topics: topics.collect() }
        };
        // SAFETY: ours, and nothing borrows it any more.
        unsafe { sys::rd_kafka_metadata_destroy(metadata) };
        Ok(rows)
    }

    /// Asks every broker for its groups and describes each by the first protocol. Blocks up to `span`.
    pub(crate) fn classic_groups(&self, span: Duration) -> Result<Vec<ClassicGroup>, i32> {
        let mut list = std::ptr::null();
        // SAFETY: the client is alive; the list, where there is one, is ours to free.
        let code = unsafe { fetch_groups(self.ptr(), std::ptr::null(), &mut list, millis(span)) };
        if list.is_null() {
            return Err(code);
        }
        // SAFETY: as in `metadata`.
        let groups = unsafe {
            let groups = indices((*list).group_cnt).map(|at| {
                let group = (*list).groups.add(at);
                ClassicGroup { id: text((*group).group), protocol_type: text((*group).protocol_type) }
            });
            groups.collect()
        };
        // SAFETY: ours, and nothing borrows it any more.
        unsafe { sys::rd_kafka_group_list_destroy(list) };
        // A partial list (`_PARTIAL`) is of use: groups that are missing are only not shown as other.
        Ok(groups)
    }

    /// The cluster's id, where metadata has told it already. Does not wait.
    pub(crate) fn cluster_id(&self) -> Option<String> {
        // SAFETY: the client is alive; the string is ours, to be freed by librdkafka's allocator.
        unsafe {
            let id = sys::rd_kafka_clusterid(self.ptr(), 0);
            if id.is_null() {
                return None;
            }
            let owned = text(id);
            sys::rd_kafka_mem_free(self.ptr(), id.cast());
            Some(owned)
        }
    }

    /// The controller's id, where metadata has told it already. Does not wait.
    pub(crate) fn controller_id(&self) -> Option<i32> {
        // SAFETY: the client is alive.
        let id = unsafe { sys::rd_kafka_controllerid(self.ptr(), 0) };
        (id >= 0).then_some(id)
    }
}

/// # Safety
/// `topic` points at a topic of live metadata.
unsafe fn topic(topic: *const sys::rd_kafka_metadata_topic) -> TopicRows {
    // SAFETY: as in `Native::metadata`.
    unsafe {
        let partitions = indices((*topic).partition_cnt).map(|at| {
            let partition = (*topic).partitions.add(at);
            PartitionRows {
                partition: (*partition).id,
                leader: (*partition).leader,
                replicas: numbers((*partition).replicas, (*partition).replica_cnt),
                isr: numbers((*partition).isrs, (*partition).isr_cnt),
                code: (&raw const (*partition).err).cast::<i32>().read(),
            }
        });
        TopicRows {
            name: text((*topic).topic),
            code: (&raw const (*topic).err).cast::<i32>().read(),
            partitions: partitions.collect(),
        }
    }
}
