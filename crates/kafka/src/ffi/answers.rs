//! Answers, read from their events. What they hold is copied out or handed to a visitor; nothing
//! outlives the event.

use std::ffi::CStr;

use rdkafka_sys as sys;

use super::partitions::{self, PartitionRow};
use super::queue::Event;
use super::{pointers, text};
use crate::alter::CodeRow;

unsafe extern "C" {
    // The bindings' declarations return enums; see `codes`.
    #[link_name = "rd_kafka_error_code"]
    fn error_code(error: *const sys::rd_kafka_error_t) -> i32;
    #[link_name = "rd_kafka_topic_result_error"]
    fn topic_result_error(result: *const sys::rd_kafka_topic_result_t) -> i32;
    #[link_name = "rd_kafka_ConfigResource_error"]
    fn resource_error(resource: *const sys::rd_kafka_ConfigResource_t) -> i32;
    #[link_name = "rd_kafka_ConfigEntry_source"]
    fn config_source(entry: *const sys::rd_kafka_ConfigEntry_t) -> u32;
    #[link_name = "rd_kafka_ConsumerGroupListing_state"]
    fn listing_state(listing: *const sys::rd_kafka_ConsumerGroupListing_t) -> u32;
    #[link_name = "rd_kafka_ConsumerGroupListing_type"]
    fn listing_type(listing: *const sys::rd_kafka_ConsumerGroupListing_t) -> u32;
    #[link_name = "rd_kafka_ConsumerGroupDescription_state"]
    fn description_state(description: *const sys::rd_kafka_ConsumerGroupDescription_t) -> u32;
    #[link_name = "rd_kafka_ConsumerGroupDescription_type"]
    fn description_type(description: *const sys::rd_kafka_ConsumerGroupDescription_t) -> u32;
}

/// # Safety
/// `error` is null or points at a live error.
unsafe fn code_of(error: *const sys::rd_kafka_error_t) -> i32 {
    if error.is_null() {
        return super::codes::NO_ERROR;
    }
    // SAFETY: not null, and the caller vouches for it.
    unsafe { error_code(error) }
}

/// # Safety
/// `operations` is null or points at `count` operations.
unsafe fn operations(operations: *const sys::rd_kafka_AclOperation_t, count: usize) -> Option<Vec<u32>> {
    if operations.is_null() {
        return None;
    }
    let numbers = operations.cast::<u32>();
    // SAFETY: the caller vouches for the array; the enum is `repr(u32)`, read as numbers.
    Some((0..count).map(|at| unsafe { numbers.add(at).read() }).collect())
}

pub(crate) struct Listing {
    pub(crate) id: String,
    pub(crate) simple: bool,
    /// librdkafka's numbers for state and type.
    pub(crate) state: u32,
    pub(crate) kind: u32,
}

pub(crate) struct Description {
    pub(crate) code: i32,
    pub(crate) state: u32,
    pub(crate) kind: u32,
    pub(crate) assignor: String,
    pub(crate) coordinator: Option<i32>,
    pub(crate) operations: Option<Vec<u32>>,
    pub(crate) members: Vec<MemberRow>,
}

pub(crate) struct MemberRow {
    pub(crate) member_id: String,
    pub(crate) client_id: String,
    pub(crate) host: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) assignment: Vec<(String, i32)>,
    pub(crate) target: Option<Vec<(String, i32)>>,
}

pub(crate) struct TopicRow {
    pub(crate) name: String,
    pub(crate) code: i32,
    /// The topic id's halves.
    pub(crate) id: Option<(i64, i64)>,
}

pub(crate) struct ConfigRow {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) default: bool,
    /// Set on the topic itself.
    pub(crate) own: bool,
    pub(crate) sensitive: bool,
}

/// Where an entry is from.
const DYNAMIC_TOPIC_CONFIG: u32 =
    sys::rd_kafka_ConfigSource_t::RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG as u32;

impl Event {
    /// The groups, and the codes of brokers that could not tell theirs.
    pub(crate) fn listed_groups(&self) -> (Vec<Listing>, Vec<i32>) {
        // SAFETY: the event is alive; getters return arrays that are as long as they say and live as
        // long as the event. A null result (another kind of event) was excluded.
        unsafe {
            let result = sys::rd_kafka_event_ListConsumerGroups_result(self.ptr());
            if result.is_null() {
                return (Vec::new(), Vec::new());
            }
            let mut count = 0;
            let valid = sys::rd_kafka_ListConsumerGroups_result_valid(result, &mut count);
            let groups = pointers(valid, count).iter().map(|&group| Listing {
                id: text(sys::rd_kafka_ConsumerGroupListing_group_id(group)),
                simple: sys::rd_kafka_ConsumerGroupListing_is_simple_consumer_group(group) != 0,
                state: listing_state(group),
                kind: listing_type(group),
            });
            let groups = groups.collect();
            let failed = sys::rd_kafka_ListConsumerGroups_result_errors(result, &mut count);
            let codes = pointers(failed, count).iter().map(|&error| code_of(error)).collect();
            (groups, codes)
        }
    }

    /// The one group that was asked for; `None` where the answer is empty.
    pub(crate) fn described_group(&self) -> Option<Description> {
        // SAFETY: as in `listed_groups`.
        unsafe {
            let result = sys::rd_kafka_event_DescribeConsumerGroups_result(self.ptr());
            if result.is_null() {
                return None;
            }
            let mut count = 0;
            let groups = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
            let &group = pointers(groups, count).first()?;
            let coordinator = sys::rd_kafka_ConsumerGroupDescription_coordinator(group);
            let allowed = sys::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &mut count);
            let allowed = operations(allowed, count);
            let members = (0..sys::rd_kafka_ConsumerGroupDescription_member_count(group))
                .map(|at| member(sys::rd_kafka_ConsumerGroupDescription_member(group, at)));
            Some(Description {
                code: code_of(sys::rd_kafka_ConsumerGroupDescription_error(group)),
                state: description_state(group),
                kind: description_type(group),
                assignor: text(sys::rd_kafka_ConsumerGroupDescription_partition_assignor(group)),
                coordinator: (!coordinator.is_null()).then(|| sys::rd_kafka_Node_id(coordinator)),
                operations: allowed,
                members: members.collect(),
            })
        }
    }

    /// Hands each committed partition of the one group that was asked for to `row`, after how many
    /// there are; `Err` is the group's own code.
    pub(crate) fn committed(&self, mut row: impl FnMut(usize, PartitionRow<'_>)) -> Result<(), i32> {
        // SAFETY: as in `listed_groups`.
        unsafe {
            let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(self.ptr());
            if result.is_null() {
                return Err(super::codes::DESTROY);
            }
            let mut count = 0;
            let groups = sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &mut count);
            for &group in pointers(groups, count) {
                let code = code_of(sys::rd_kafka_group_result_error(group));
                if code != super::codes::NO_ERROR {
                    return Err(code);
                }
                let rows = partitions::rows(sys::rd_kafka_group_result_partitions(group));
                let total = rows.len();
                rows.for_each(|partition| row(total, partition));
            }
        }
        Ok(())
    }

    /// What came of each partition's commit.
    pub(crate) fn set_committed(&self) -> Result<Vec<CodeRow>, i32> {
        // SAFETY: as in `listed_groups`.
        unsafe {
            let result = sys::rd_kafka_event_AlterConsumerGroupOffsets_result(self.ptr());
            if result.is_null() {
                return Err(super::codes::DESTROY);
            }
            let mut count = 0;
            let groups = sys::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &mut count);
            group_codes(pointers(groups, count))
        }
    }

    pub(crate) fn deleted_committed(&self) -> Result<Vec<CodeRow>, i32> {
        // SAFETY: as in `listed_groups`.
        unsafe {
            let result = sys::rd_kafka_event_DeleteConsumerGroupOffsets_result(self.ptr());
            if result.is_null() {
                return Err(super::codes::DESTROY);
            }
            let mut count = 0;
            let groups = sys::rd_kafka_DeleteConsumerGroupOffsets_result_groups(result, &mut count);
            group_codes(pointers(groups, count))
        }
    }

    pub(crate) fn deleted_group(&self) -> Result<(), i32> {
        // SAFETY: as in `listed_groups`.
        unsafe {
            let result = sys::rd_kafka_event_DeleteGroups_result(self.ptr());
            if result.is_null() {
                return Err(super::codes::DESTROY);
            }
            let mut count = 0;
            let groups = sys::rd_kafka_DeleteGroups_result_groups(result, &mut count);
            group_codes(pointers(groups, count)).map(drop)
        }
    }

    /// Hands each partition's offset to `row`.
    pub(crate) fn offsets(&self, mut row: impl FnMut(PartitionRow<'_>)) {
        // SAFETY: as in `listed_groups`.
        unsafe {
            let result = sys::rd_kafka_event_ListOffsets_result(self.ptr());
            if result.is_null() {
                return;
            }
            let mut count = 0;
            let infos = sys::rd_kafka_ListOffsets_result_infos(result, &mut count);
            for &info in pointers(infos, count) {
                row(PartitionRow::read(sys::rd_kafka_ListOffsetsResultInfo_topic_partition(info)));
            }
        }
    }

    /// What this client may do on the cluster; `None`: not told.
    pub(crate) fn cluster_operations(&self) -> Option<Vec<u32>> {
        // SAFETY: as in `listed_groups`.
        unsafe {
            let result = sys::rd_kafka_event_DescribeCluster_result(self.ptr());
            if result.is_null() {
                return None;
            }
            let mut count = 0;
            let allowed = sys::rd_kafka_DescribeCluster_result_authorized_operations(result, &mut count);
            operations(allowed, count)
        }
    }

    /// Brokers that have a rack, with it.
    pub(crate) fn cluster_racks(&self) -> Vec<(i32, String)> {
        // SAFETY: as in `listed_groups`.
        unsafe {
            let result = sys::rd_kafka_event_DescribeCluster_result(self.ptr());
            if result.is_null() {
                return Vec::new();
            }
            let mut count = 0;
            let nodes = sys::rd_kafka_DescribeCluster_result_nodes(result, &mut count);
            let racks = pointers(nodes, count).iter().map(|&node| {
                let rack = sys::rd_kafka_Node_rack(node);
                (sys::rd_kafka_Node_id(node), if rack.is_null() { String::new() } else { text(rack) })
            });
            racks.filter(|(_, rack)| !rack.is_empty()).collect()
        }
    }

    pub(crate) fn described_topics(&self) -> Vec<TopicRow> {
        // SAFETY: as in `listed_groups`.
        unsafe {
            let result = sys::rd_kafka_event_DescribeTopics_result(self.ptr());
            if result.is_null() {
                return Vec::new();
            }
            let mut count = 0;
            let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
            let rows = pointers(topics, count).iter().map(|&topic| {
                let id = sys::rd_kafka_TopicDescription_topic_id(topic);
                let halves = (!id.is_null()).then(|| {
                    let most = sys::rd_kafka_Uuid_most_significant_bits(id);
                    (most, sys::rd_kafka_Uuid_least_significant_bits(id))
                });
                TopicRow {
                    name: text(sys::rd_kafka_TopicDescription_name(topic)),
                    code: code_of(sys::rd_kafka_TopicDescription_error(topic)),
                    id: halves.filter(|halves| *halves != (0, 0)),
                }
            });
            rows.collect()
        }
    }

    /// The entries of the one topic or broker that was asked for, or its code.
    pub(crate) fn config(&self) -> Result<Vec<ConfigRow>, i32> {
        // SAFETY: as in `listed_groups`.
        unsafe {
            let result = sys::rd_kafka_event_DescribeConfigs_result(self.ptr());
            if result.is_null() {
                return Err(super::codes::DESTROY);
            }
            let mut count = 0;
            let resources = sys::rd_kafka_DescribeConfigs_result_resources(result, &mut count);
            let Some(&resource) = pointers(resources, count).first() else { return Ok(Vec::new()) };
            let code = resource_error(resource);
            if code != super::codes::NO_ERROR {
                return Err(code);
            }
            let entries = sys::rd_kafka_ConfigResource_configs(resource, &mut count);
            let rows = pointers(entries, count).iter().map(|&entry| {
                let value = sys::rd_kafka_ConfigEntry_value(entry);
                ConfigRow {
                    name: text(sys::rd_kafka_ConfigEntry_name(entry)),
                    value: (!value.is_null()).then(|| text(value)),
                    default: sys::rd_kafka_ConfigEntry_is_default(entry) != 0,
                    own: config_source(entry) == DYNAMIC_TOPIC_CONFIG,
                    sensitive: sys::rd_kafka_ConfigEntry_is_sensitive(entry) == 1,
                }
            });
            Ok(rows.collect())
        }
    }

    /// The one topic's outcome: its code and the broker's words.
    pub(crate) fn altered_config(&self) -> Result<(i32, String), i32> {
        // SAFETY: as in `listed_groups`.
        unsafe {
            let result = sys::rd_kafka_event_IncrementalAlterConfigs_result(self.ptr());
            if result.is_null() {
                return Err(super::codes::DESTROY);
            }
            let mut count = 0;
            let resources = sys::rd_kafka_IncrementalAlterConfigs_result_resources(result, &mut count);
            let Some(&resource) = pointers(resources, count).first() else {
                return Err(super::codes::DESTROY);
            };
            Ok((resource_error(resource), text(sys::rd_kafka_ConfigResource_error_string(resource))))
        }
    }

    /// The one topic's outcome: its code and the broker's words.
    pub(crate) fn created_topic(&self) -> (i32, String) {
        // SAFETY: as in `listed_groups`.
        unsafe {
            let result = sys::rd_kafka_event_CreateTopics_result(self.ptr());
            if result.is_null() {
                return (super::codes::DESTROY, String::new());
            }
            let mut count = 0;
            let topics = sys::rd_kafka_CreateTopics_result_topics(result, &mut count);
            let Some(&topic) = pointers(topics, count).first() else {
                return (super::codes::DESTROY, String::new());
            };
            (topic_result_error(topic), text(sys::rd_kafka_topic_result_error_string(topic)))
        }
    }
}

/// The partitions of the one group that was asked for; `Err` is the group's own code, or that there is no answer.
///
/// # Safety
/// `groups` are results of a live event.
unsafe fn group_codes(groups: &[*const sys::rd_kafka_group_result_t]) -> Result<Vec<CodeRow>, i32> {
    let Some(&group) = groups.first() else { return Err(super::codes::DESTROY) };
    // SAFETY: the caller vouches for the group; what the getters return lives as long as it does.
    unsafe {
        match code_of(sys::rd_kafka_group_result_error(group)) {
            super::codes::NO_ERROR => {}
            code => return Err(code),
        }
        let rows = partitions::rows(sys::rd_kafka_group_result_partitions(group));
        Ok(rows.map(|row| (row.topic.to_bytes().to_vec(), row.partition, row.code)).collect())
    }
}

/// # Safety
/// `member` points at a member description of a live event.
unsafe fn member(member: *const sys::rd_kafka_MemberDescription_t) -> MemberRow {
    // SAFETY: the caller vouches for the member; what the getters return lives as long as it does.
    unsafe {
        let instance = sys::rd_kafka_MemberDescription_group_instance_id(member);
        let owns = sys::rd_kafka_MemberDescription_assignment(member);
        let target = sys::rd_kafka_MemberDescription_target_assignment(member);
        MemberRow {
            member_id: text(sys::rd_kafka_MemberDescription_consumer_id(member)),
            client_id: text(sys::rd_kafka_MemberDescription_client_id(member)),
            host: text(sys::rd_kafka_MemberDescription_host(member)),
            instance_id: (!instance.is_null()).then(|| text(instance)),
            assignment: assignment(owns),
            target: (!target.is_null()).then(|| assignment(target)),
        }
    }
}

/// # Safety
/// `assignment` is null or points at an assignment of a live event.
unsafe fn assignment(assignment: *const sys::rd_kafka_MemberAssignment_t) -> Vec<(String, i32)> {
    if assignment.is_null() {
        return Vec::new();
    }
    // SAFETY: not null, and the caller vouches for the rest.
    let rows = unsafe { partitions::rows(sys::rd_kafka_MemberAssignment_partitions(assignment)) };
    rows.map(|row| (lossy(row.topic), row.partition)).collect()
}

fn lossy(name: &CStr) -> String {
    name.to_string_lossy().into_owned()
}
