//! A queue of a client, and the events that are taken from it.

use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as sys;

use super::handle::Native;
use super::{codes, text};

/// A queue; it keeps its client alive.
pub(crate) struct Queue {
    ptr: NonNull<sys::rd_kafka_queue_t>,
    native: Arc<Native>,
}

// SAFETY: librdkafka documents queues as thread-safe.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    /// The client's main queue, on which it reports its own errors.
    pub(crate) fn main(native: Arc<Native>) -> Self {
        // SAFETY: the client is alive.
        let ptr = unsafe { sys::rd_kafka_queue_get_main(native.ptr()) };
        Self { ptr: NonNull::new(ptr).expect("every client has a main queue"), native }
    }

    /// A queue of its own.
    pub(crate) fn new(native: Arc<Native>) -> Self {
        // SAFETY: the client is alive.
        let ptr = unsafe { sys::rd_kafka_queue_new(native.ptr()) };
        Self { ptr: NonNull::new(ptr).expect("librdkafka aborts rather than return no queue"), native }
    }

    /// The queue of a client with a group, on which the group's rebalances come.
    pub(super) fn consumer(native: Arc<Native>) -> Option<Self> {
        // SAFETY: the client is alive.
        let ptr = unsafe { sys::rd_kafka_queue_get_consumer(native.ptr()) };
        Some(Self { ptr: NonNull::new(ptr)?, native })
    }

    /// Sends the client's log here (its property `log.queue` is set).
    pub(super) fn take_log(&self) {
        // SAFETY: client and queue are alive. The code tells only that `log.queue` was not set.
        unsafe { sys::rd_kafka_set_log_queue(self.native.ptr(), self.ptr()) };
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_queue_t {
        self.ptr.as_ptr()
    }

    pub(crate) fn native(&self) -> &Arc<Native> {
        &self.native
    }

    /// Waits up to `span` for the next event.
    pub(crate) fn poll(&self, span: Duration) -> Option<Event> {
        // SAFETY: the queue is alive; the event is ours to free.
        let ptr = unsafe { sys::rd_kafka_queue_poll(self.ptr(), millis(span)) };
        Some(Event { ptr: NonNull::new(ptr)?, _native: self.native.clone() })
    }

    /// Ends a `poll` that another thread waits in, or the next one.
    pub(crate) fn wake(&self) {
        // SAFETY: the queue is alive.
        unsafe { sys::rd_kafka_queue_yield(self.ptr()) };
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: ours, and the client is still alive.
        unsafe { sys::rd_kafka_queue_destroy(self.ptr()) };
    }
}

/// A span in librdkafka's unit, where -1 would wait for ever.
pub(super) fn millis(span: Duration) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}

/// Something that the client reports: the answer to a request, or an error of its own.
pub(crate) struct Event {
    ptr: NonNull<sys::rd_kafka_event_t>,
    _native: Arc<Native>,
}

unsafe extern "C" {
    /// The bindings' declaration returns an enum; see `codes`.
    #[link_name = "rd_kafka_event_error"]
    fn event_error(event: *mut sys::rd_kafka_event_t) -> i32;
}

impl Event {
    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.ptr.as_ptr()
    }

    /// The number under which the request was made; `None`: an event that nobody asked for.
    pub(crate) fn id(&self) -> Option<u64> {
        if self.is_client_error() {
            return None;
        }
        // SAFETY: the event is alive; the opaque is the number that `ask` stored, never dereferenced.
        let opaque = unsafe { sys::rd_kafka_event_opaque(self.ptr()) };
        (!opaque.is_null()).then_some(opaque.addr() as u64)
    }

    /// The client's own trouble, such as a broker that refused it; no answer to a request.
    pub(crate) fn is_client_error(&self) -> bool {
        // SAFETY: the event is alive.
        unsafe { sys::rd_kafka_event_type(self.ptr()) == sys::RD_KAFKA_EVENT_ERROR }
    }

    pub(crate) fn code(&self) -> i32 {
        // SAFETY: the event is alive.
        unsafe { event_error(self.ptr()) }
    }

    /// A line of the client's log, where it logs to its queue.
    pub(super) fn log_line(&self) -> Option<String> {
        // SAFETY: the event is alive; its strings live as long as it does.
        unsafe {
            if sys::rd_kafka_event_type(self.ptr()) != sys::RD_KAFKA_EVENT_LOG {
                return None;
            }
            let (mut facility, mut line, mut level) = (std::ptr::null(), std::ptr::null(), 0);
            let found = sys::rd_kafka_event_log(self.ptr(), &mut facility, &mut line, &mut level);
            (found == 0).then(|| text(line))
        }
    }

    /// librdkafka's message for the error.
    pub(crate) fn message(&self) -> String {
        // SAFETY: the event is alive, and the string is its own.
        unsafe { text(sys::rd_kafka_event_error_string(self.ptr())) }
    }

    /// The request as a whole failed.
    pub(crate) fn check(&self) -> Result<(), i32> {
        match self.code() {
            codes::NO_ERROR => Ok(()),
            code => Err(code),
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: ours, taken from a queue of a client that is still alive.
        unsafe { sys::rd_kafka_event_destroy(self.ptr()) };
    }
}
