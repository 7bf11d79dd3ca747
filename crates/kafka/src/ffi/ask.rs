//! Requests. Each is answered by an event on the queue, which carries the request's number.

use std::ffi::{CString, c_char, c_void};
use std::ptr::{NonNull, null, null_mut};

use rdkafka_sys as sys;
use sys::rd_kafka_admin_op_t as Op;

use super::partitions::PartitionList;
use super::queue::Queue;

/// A string that is to go to a broker holds a NUL byte, which this client cannot send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NulByte;

pub(crate) fn c_string(text: &str) -> Result<CString, NulByte> {
    CString::new(text).map_err(|_| NulByte)
}

/// A request about to be made: where its answer goes, under which number, and how long it may take.
pub(crate) struct Ask<'a> {
    pub(crate) queue: &'a Queue,
    /// Not 0.
    pub(crate) id: u64,
    /// At least 1.
    pub(crate) timeout_ms: i32,
}

/// A topic to create, checked.
pub(crate) struct Creation<'a> {
    pub(crate) name: &'a str,
    pub(crate) partitions: i32,
    pub(crate) replication: i16,
    pub(crate) configs: Vec<(&'a str, &'a str)>,
}

struct Options(NonNull<sys::rd_kafka_AdminOptions_t>);

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { sys::rd_kafka_AdminOptions_destroy(self.0.as_ptr()) };
    }
}

/// librdkafka's own upper bound of a request's time.
const LONGEST_MS: i32 = 3_600_000;

impl Ask<'_> {
    fn rk(&self) -> *mut sys::rd_kafka_t {
        self.queue.native().ptr()
    }

    fn options(&self, op: Op) -> Options {
        let mut words = [0 as c_char; 256];
        let timeout = self.timeout_ms.clamp(1, LONGEST_MS);
        // SAFETY: the client is alive, the buffer as long as said; the opaque is a number that only
        // comes back with the event.
        unsafe {
            let options = sys::rd_kafka_AdminOptions_new(self.rk(), op);
            let options = NonNull::new(options).expect("the operation is one that librdkafka knows");
            sys::rd_kafka_AdminOptions_set_request_timeout(
                options.as_ptr(),
                timeout,
                words.as_mut_ptr(),
                words.len(),
            );
            let opaque = std::ptr::without_provenance_mut::<c_void>(self.id as usize);
            sys::rd_kafka_AdminOptions_set_opaque(options.as_ptr(), opaque);
            Options(options)
        }
    }

    /// Ignores the error that says that this operation has no such option.
    fn authorized_operations(options: &Options) {
        // SAFETY: the options are alive; the error, where there is one, is ours to free.
        unsafe {
            let error = sys::rd_kafka_AdminOptions_set_include_authorized_operations(options.0.as_ptr(), 1);
            if !error.is_null() {
                sys::rd_kafka_error_destroy(error);
            }
        }
    }

    pub(crate) fn list_groups(&self) {
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS);
        // SAFETY: client, options and queue are alive; librdkafka copies what it keeps.
        unsafe { sys::rd_kafka_ListConsumerGroups(self.rk(), options.0.as_ptr(), self.queue.ptr()) };
    }

    pub(crate) fn describe_group(&self, group: &str) -> Result<(), NulByte> {
        let group = c_string(group)?;
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
        Self::authorized_operations(&options);
        let mut groups = [group.as_ptr()];
        // SAFETY: as in `list_groups`; one group is given and one is counted.
        unsafe {
            sys::rd_kafka_DescribeConsumerGroups(
                self.rk(),
                groups.as_mut_ptr(),
                groups.len(),
                options.0.as_ptr(),
                self.queue.ptr(),
            );
        }
        Ok(())
    }

    /// All of the group's committed partitions.
    pub(crate) fn committed(&self, group: &str) -> Result<(), NulByte> {
        let group = c_string(group)?;
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
        // SAFETY: as in `list_groups`; the request is ours, and librdkafka copies it.
        unsafe {
            let mut request = [sys::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), null())];
            sys::rd_kafka_ListConsumerGroupOffsets(
                self.rk(),
                request.as_mut_ptr(),
                request.len(),
                options.0.as_ptr(),
                self.queue.ptr(),
            );
            sys::rd_kafka_ListConsumerGroupOffsets_destroy(request[0]);
        }
        Ok(())
    }

    /// Commits the list's offsets.
    pub(crate) fn set_committed(&self, group: &str, offsets: &PartitionList) -> Result<(), NulByte> {
        let group = c_string(group)?;
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
        // SAFETY: as in `list_groups`; the request is ours, and librdkafka copies it with its list.
        unsafe {
            let mut request = [sys::rd_kafka_AlterConsumerGroupOffsets_new(group.as_ptr(), offsets.ptr())];
            sys::rd_kafka_AlterConsumerGroupOffsets(
                self.rk(),
                request.as_mut_ptr(),
                request.len(),
                options.0.as_ptr(),
                self.queue.ptr(),
            );
            sys::rd_kafka_AlterConsumerGroupOffsets_destroy(request[0]);
        }
        Ok(())
    }

    pub(crate) fn delete_committed(&self, group: &str, partitions: &PartitionList) -> Result<(), NulByte> {
        let group = c_string(group)?;
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS);
        // SAFETY: as in `set_committed`.
        unsafe {
            let mut request =
                [sys::rd_kafka_DeleteConsumerGroupOffsets_new(group.as_ptr(), partitions.ptr())];
            sys::rd_kafka_DeleteConsumerGroupOffsets(
                self.rk(),
                request.as_mut_ptr(),
                request.len(),
                options.0.as_ptr(),
                self.queue.ptr(),
            );
            sys::rd_kafka_DeleteConsumerGroupOffsets_destroy(request[0]);
        }
        Ok(())
    }

    pub(crate) fn delete_group(&self, group: &str) -> Result<(), NulByte> {
        let group = c_string(group)?;
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_DELETEGROUPS);
        // SAFETY: as in `set_committed`.
        unsafe {
            let mut groups = [sys::rd_kafka_DeleteGroup_new(group.as_ptr())];
            sys::rd_kafka_DeleteGroups(
                self.rk(),
                groups.as_mut_ptr(),
                groups.len(),
                options.0.as_ptr(),
                self.queue.ptr(),
            );
            sys::rd_kafka_DeleteGroup_destroy(groups[0]);
        }
        Ok(())
    }

    /// The list's offsets say what is asked: -2 the start, -1 the end, 0 or more a time in milliseconds.
    pub(crate) fn offsets(&self, partitions: &PartitionList, read_committed: bool) {
        use sys::rd_kafka_IsolationLevel_t as Level;
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_LISTOFFSETS);
        let level = if read_committed {
            Level::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED
        } else {
            Level::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED
        };
        // SAFETY: as in `list_groups`; librdkafka copies the list.
        unsafe {
            let error = sys::rd_kafka_AdminOptions_set_isolation_level(options.0.as_ptr(), level);
            if !error.is_null() {
                sys::rd_kafka_error_destroy(error);
            }
            sys::rd_kafka_ListOffsets(self.rk(), partitions.ptr(), options.0.as_ptr(), self.queue.ptr());
        }
    }

    pub(crate) fn describe_cluster(&self) {
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER);
        Self::authorized_operations(&options);
        // SAFETY: as in `list_groups`.
        unsafe { sys::rd_kafka_DescribeCluster(self.rk(), options.0.as_ptr(), self.queue.ptr()) };
    }

    pub(crate) fn describe_topics(&self, topics: &[&str]) -> Result<(), NulByte> {
        let names = topics.iter().map(|topic| c_string(topic)).collect::<Result<Vec<_>, _>>()?;
        let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        // SAFETY: as in `list_groups`; the collection copies the names and is ours to free.
        unsafe {
            let topics = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            sys::rd_kafka_DescribeTopics(self.rk(), topics, options.0.as_ptr(), self.queue.ptr());
            sys::rd_kafka_TopicCollection_destroy(topics);
        }
        Ok(())
    }

    pub(crate) fn topic_config(&self, topic: &str) -> Result<(), NulByte> {
        self.config(sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, topic)
    }

    pub(crate) fn broker_config(&self, broker: i32) -> Result<(), NulByte> {
        self.config(sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_BROKER, &broker.to_string())
    }

    fn config(&self, kind: sys::rd_kafka_ResourceType_t, name: &str) -> Result<(), NulByte> {
        let name = c_string(name)?;
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
        // SAFETY: as in `list_groups`; the resource is ours, and librdkafka copies it.
        unsafe {
            let resource = sys::rd_kafka_ConfigResource_new(kind, name.as_ptr());
            let mut resources = [resource];
            sys::rd_kafka_DescribeConfigs(
                self.rk(),
                resources.as_mut_ptr(),
                resources.len(),
                options.0.as_ptr(),
                self.queue.ptr(),
            );
            sys::rd_kafka_ConfigResource_destroy(resource);
        }
        Ok(())
    }

    /// Sets these entries of a topic's configuration, or takes them off it (`None`): all or none, and no other one. `Err`
    /// with words: the request is malformed and was not sent.
    pub(crate) fn alter_topic_config(
        &self,
        topic: &str,
        changes: &[(&str, Option<&str>)],
    ) -> Result<(), String> {
        use sys::rd_kafka_AlterConfigOpType_t as Change;
        let nul = |NulByte| "a name or value holds a NUL byte".to_owned();
        let name = c_string(topic).map_err(nul)?;
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS);
        let kind = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
        // SAFETY: the string lives through the call.
        let resource = Resource(unsafe { sys::rd_kafka_ConfigResource_new(kind, name.as_ptr()) });
        if resource.0.is_null() {
            return Err("a topic without a name".to_owned());
        }
        for (key, value) in changes {
            let key = c_string(key).map_err(nul)?;
            let value = value.map(c_string).transpose().map_err(nul)?;
            let (change, pointer) = match &value {
                Some(value) => (Change::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET, value.as_ptr()),
                None => (Change::RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE, null()),
            };
            // SAFETY: the resource is ours; librdkafka copies both strings. The error, where there is one, is ours to free.
            unsafe {
                let error = sys::rd_kafka_ConfigResource_add_incremental_config(
                    resource.0,
                    key.as_ptr(),
                    change,
                    pointer,
                );
                if !error.is_null() {
                    let words = super::text(sys::rd_kafka_error_string(error));
                    sys::rd_kafka_error_destroy(error);
                    return Err(words);
                }
            }
        }
        let mut resources = [resource.0];
        // SAFETY: as in `list_groups`; librdkafka copies the resource.
        unsafe {
            sys::rd_kafka_IncrementalAlterConfigs(
                self.rk(),
                resources.as_mut_ptr(),
                resources.len(),
                options.0.as_ptr(),
                self.queue.ptr(),
            );
        }
        Ok(())
    }

    /// One topic. With `validate_only` the broker checks and creates nothing. `Err` with words: the
    /// request is malformed and was not sent.
    pub(crate) fn create_topic(&self, topic: &Creation<'_>, validate_only: bool) -> Result<(), String> {
        let nul = |NulByte| "a name or value holds a NUL byte".to_owned();
        let options = self.options(Op::RD_KAFKA_ADMIN_OP_CREATETOPICS);
        let name = c_string(topic.name).map_err(nul)?;
        let mut words = [0 as c_char; 512];
        // SAFETY: the string lives through the call, the buffer is as long as said.
        let new = unsafe {
            sys::rd_kafka_NewTopic_new(
                name.as_ptr(),
                topic.partitions,
                i32::from(topic.replication),
                words.as_mut_ptr(),
                words.len(),
            )
        };
        if new.is_null() {
            // SAFETY: librdkafka writes a NUL-terminated message, and the buffer began as zeros.
            return Err(unsafe { super::text(words.as_ptr()) });
        }
        let new = NewTopic(new);
        for (key, value) in &topic.configs {
            let (key, value) = (c_string(key).map_err(nul)?, c_string(value).map_err(nul)?);
            // SAFETY: the topic is ours; librdkafka copies both strings.
            unsafe { sys::rd_kafka_NewTopic_set_config(new.0, key.as_ptr(), value.as_ptr()) };
        }
        let mut topics = [new.0];
        // SAFETY: as in `list_groups`; librdkafka copies the topics. No error text is asked for (a null
        // buffer of length 0): `validate_only` and the timeout are always valid for this operation.
        unsafe {
            sys::rd_kafka_AdminOptions_set_validate_only(
                options.0.as_ptr(),
                i32::from(validate_only),
                null_mut(),
                0,
            );
            sys::rd_kafka_CreateTopics(
                self.rk(),
                topics.as_mut_ptr(),
                topics.len(),
                options.0.as_ptr(),
                self.queue.ptr(),
            );
        }
        Ok(())
    }
}

struct Resource(*mut sys::rd_kafka_ConfigResource_t);

impl Drop for Resource {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: ours.
            unsafe { sys::rd_kafka_ConfigResource_destroy(self.0) };
        }
    }
}

struct NewTopic(*mut sys::rd_kafka_NewTopic_t);

impl Drop for NewTopic {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { sys::rd_kafka_NewTopic_destroy(self.0) };
    }
}
