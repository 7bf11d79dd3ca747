//! Lists of topic partitions, as librdkafka takes and returns them.

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::ptr::NonNull;

use rdkafka_sys as sys;

/// A list that we own.
pub(crate) struct PartitionList {
    ptr: NonNull<sys::rd_kafka_topic_partition_list_t>,
}

// SAFETY: plain memory that belongs to this owner alone.
unsafe impl Send for PartitionList {}
// SAFETY: through `&` it is only read.
unsafe impl Sync for PartitionList {}

impl PartitionList {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = i32::try_from(capacity).unwrap_or(i32::MAX);
        // SAFETY: no preconditions.
        let ptr = unsafe { sys::rd_kafka_topic_partition_list_new(capacity) };
        Self { ptr: NonNull::new(ptr).expect("librdkafka aborts rather than return no list") }
    }

    /// A topic that holds a NUL byte exists nowhere and is left out.
    pub(crate) fn add(&mut self, topic: &str, partition: i32, offset: i64) {
        let Ok(topic) = CString::new(topic) else { return };
        // SAFETY: the list is ours, and librdkafka copies the topic; the element that it returns is in
        // the list and stays there until the next `add`.
        unsafe {
            let element =
                sys::rd_kafka_topic_partition_list_add(self.ptr.as_ptr(), topic.as_ptr(), partition);
            (*element).offset = offset;
        }
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.ptr.as_ptr()
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.ptr()) };
    }
}

/// One element of a list that an answer holds.
#[derive(Clone, Copy)]
pub(crate) struct PartitionRow<'a> {
    pub(crate) topic: &'a CStr,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) code: i32,
    _answer: PhantomData<&'a ()>,
}

impl PartitionRow<'_> {
    /// # Safety
    /// `element` points at an element that lives as long as `'a`.
    pub(super) unsafe fn read<'a>(element: *const sys::rd_kafka_topic_partition_t) -> PartitionRow<'a> {
        // SAFETY: the caller vouches for the element. No reference to the struct is made, and the code
        // is read as the number that it is: its enum may not know it.
        unsafe {
            PartitionRow {
                topic: CStr::from_ptr((*element).topic),
                partition: (*element).partition,
                offset: (*element).offset,
                code: (&raw const (*element).err).cast::<i32>().read(),
                _answer: PhantomData,
            }
        }
    }
}

/// # Safety
/// `list` is null or points at a list that lives as long as `'a`.
pub(super) unsafe fn rows<'a>(
    list: *const sys::rd_kafka_topic_partition_list_t,
) -> impl ExactSizeIterator<Item = PartitionRow<'a>> {
    let (elements, count) = if list.is_null() {
        (std::ptr::null(), 0)
    } else {
        // SAFETY: not null, and the caller vouches for the rest.
        unsafe { ((*list).elems.cast_const(), usize::try_from((*list).cnt).unwrap_or(0)) }
    };
    // SAFETY: every index is below the list's count.
    (0..count).map(move |at| unsafe { PartitionRow::read(elements.add(at)) })
}
