//! Reading partitions one by one, without a group: librdkafka's simple consumer, which asks no
//! coordinator and commits nothing.

use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as sys;

use super::ask::{NulByte, c_string};
use super::handle::Native;
use super::queue::{Queue, millis};
use super::text;

unsafe extern "C" {
    // The bindings' declarations return enums; see `codes`.
    #[link_name = "rd_kafka_last_error"]
    fn last_error() -> i32;
    #[link_name = "rd_kafka_message_headers"]
    fn message_headers(
        message: *const sys::rd_kafka_message_t,
        headers: *mut *mut sys::rd_kafka_headers_t,
    ) -> i32;
    #[link_name = "rd_kafka_header_get_all"]
    fn header_get_all(
        headers: *const sys::rd_kafka_headers_t,
        index: usize,
        name: *mut *const std::ffi::c_char,
        value: *mut *const std::ffi::c_void,
        size: *mut usize,
    ) -> i32;
    #[link_name = "rd_kafka_message_timestamp"]
    fn message_timestamp(message: *const sys::rd_kafka_message_t, kind: *mut i32) -> i64;
}

/// A topic whose partitions are read into one queue. Dropping it stops them all.
pub(crate) struct Consumption {
    topic: NonNull<sys::rd_kafka_topic_t>,
    queue: Queue,
    running: Vec<i32>,
}

// SAFETY: topics and queues are thread-safe, and starting and stopping takes `&mut`.
unsafe impl Send for Consumption {}

impl Consumption {
    pub(crate) fn new(native: &Arc<Native>, topic: &str) -> Result<Self, NulByte> {
        let name = c_string(topic)?;
        // SAFETY: the client is alive; no configuration is handed over.
        let ptr = unsafe { sys::rd_kafka_topic_new(native.ptr(), name.as_ptr(), std::ptr::null_mut()) };
        // Refused are names above 512 bytes, which no caller has: names are parsed to at most 249.
        let topic = NonNull::new(ptr).ok_or(NulByte)?;
        Ok(Self { topic, queue: Queue::new(native.clone()), running: Vec::new() })
    }

    /// Starts reading; `offset` is 0 or more, or -2 for the log's start.
    pub(crate) fn start(&mut self, partition: i32, offset: i64) -> Result<(), i32> {
        // SAFETY: topic and queue are alive; the code is this thread's.
        unsafe {
            if sys::rd_kafka_consume_start_queue(self.topic.as_ptr(), partition, offset, self.queue.ptr())
                != 0
            {
                return Err(last_error());
            }
        }
        self.running.push(partition);
        Ok(())
    }

    /// Waits for librdkafka's own thread, not for a broker.
    pub(crate) fn stop(&mut self, partition: i32) {
        let Some(at) = self.running.iter().position(|&running| running == partition) else { return };
        self.running.swap_remove(at);
        // SAFETY: the topic is alive, and the partition was started.
        unsafe { sys::rd_kafka_consume_stop(self.topic.as_ptr(), partition) };
    }

    /// Waits up to `span` for the first message, then takes what is there already, up to `most`.
    /// (librdkafka's batch call waits until the batch is full.)
    pub(crate) fn poll(&self, span: Duration, most: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut wait = millis(span);
        while messages.len() < most {
            // SAFETY: the queue is alive; the message is ours to free.
            let ptr = unsafe { sys::rd_kafka_consume_queue(self.queue.ptr(), wait) };
            let Some(ptr) = NonNull::new(ptr) else { break };
            messages.push(Message { ptr, _native: self.queue.native().clone() });
            wait = 0;
        }
        messages
    }
}

impl Drop for Consumption {
    fn drop(&mut self) {
        for partition in std::mem::take(&mut self.running) {
            // SAFETY: the topic is alive, and the partition was started.
            unsafe { sys::rd_kafka_consume_stop(self.topic.as_ptr(), partition) };
        }
        // SAFETY: ours; the client outlives it, held by the queue.
        unsafe { sys::rd_kafka_topic_destroy(self.topic.as_ptr()) };
    }
}

/// A record, or an error or end that concerns a partition.
pub(crate) struct Message {
    ptr: NonNull<sys::rd_kafka_message_t>,
    _native: Arc<Native>,
}

impl Message {
    /// 0 for a record; `codes::PARTITION_EOF` at the log's end, where `offset` is the next one's.
    pub(crate) fn code(&self) -> i32 {
        // SAFETY: the message is alive; its code is read as a number, without a reference to it.
        unsafe { (&raw const (*self.ptr.as_ptr()).err).cast::<i32>().read() }
    }

    pub(crate) fn partition(&self) -> i32 {
        // SAFETY: the message is alive.
        unsafe { (*self.ptr.as_ptr()).partition }
    }

    pub(crate) fn offset(&self) -> i64 {
        // SAFETY: the message is alive.
        unsafe { (*self.ptr.as_ptr()).offset }
    }

    /// Milliseconds since 1970, and whether the broker's clock gave them.
    pub(crate) fn timestamp(&self) -> Option<(i64, bool)> {
        let mut kind = 0;
        // SAFETY: the message is alive; the enum is 4 bytes wide.
        let millis = unsafe { message_timestamp(self.ptr.as_ptr(), &mut kind) };
        match kind {
            1 => Some((millis, false)),
            2 => Some((millis, true)),
            _ => None,
        }
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        // SAFETY: the message is alive, its key as long as it says.
        unsafe { bytes((*self.ptr.as_ptr()).key, (*self.ptr.as_ptr()).key_len) }
    }

    pub(crate) fn value(&self) -> Option<&[u8]> {
        // SAFETY: the message is alive, its payload as long as it says.
        unsafe { bytes((*self.ptr.as_ptr()).payload, (*self.ptr.as_ptr()).len) }
    }

    pub(crate) fn for_each_header(&self, mut each: impl FnMut(String, Option<&[u8]>)) {
        let mut headers = std::ptr::null_mut();
        // SAFETY: the message is alive and keeps its headers.
        if unsafe { message_headers(self.ptr.as_ptr(), &mut headers) } != super::codes::NO_ERROR {
            return;
        }
        for index in 0.. {
            let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
            // SAFETY: the headers are alive; an index past the last is answered by an error.
            let code = unsafe { header_get_all(headers, index, &mut name, &mut value, &mut size) };
            if code != super::codes::NO_ERROR {
                return;
            }
            // SAFETY: name and value live as long as the message.
            unsafe { each(text(name), bytes(value.cast_mut(), size)) };
        }
    }
}

/// # Safety
/// `start` is null or points at `length` bytes that live as long as `'a`.
unsafe fn bytes<'a>(start: *mut std::ffi::c_void, length: usize) -> Option<&'a [u8]> {
    if start.is_null() {
        return None;
    }
    // SAFETY: not null, and the caller vouches for length and life.
    Some(unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) })
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { sys::rd_kafka_message_destroy(self.ptr.as_ptr()) };
    }
}
