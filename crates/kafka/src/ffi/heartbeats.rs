//! When the coordinator of a client's group last answered a heartbeat. librdkafka tells nobody; its
//! interceptors show requests and answers as they pass.

use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka_sys as sys;

use super::codes;

/// Written by the client's threads.
pub(crate) struct Heartbeats {
    base: Instant,
    /// When the last request that was answered was sent, in microseconds after `base`, plus 1; 0: none was.
    sent: AtomicU64,
}

impl Heartbeats {
    pub(crate) fn new() -> Self {
        Self { base: Instant::now(), sent: AtomicU64::new(0) }
    }

    /// The member's session at the broker began then, or later.
    pub(crate) fn last_sent(&self) -> Option<Instant> {
        let micros = self.sent.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.base + Duration::from_micros(micros))
    }

    fn answered(&self, sent: Instant) {
        let micros = sent.saturating_duration_since(self.base).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX - 1);
        self.sent.fetch_max(micros + 1, Ordering::AcqRel);
    }
}

type OnNew = unsafe extern "C" fn(
    *mut sys::rd_kafka_t,
    *const sys::rd_kafka_conf_t,
    *mut c_void,
    *mut c_char,
    usize,
) -> i32;
type OnResponse = unsafe extern "C" fn(
    *mut sys::rd_kafka_t,
    i32,
    *const c_char,
    i32,
    i16,
    i16,
    i32,
    usize,
    i64,
    i32,
    *mut c_void,
) -> i32;

unsafe extern "C" {
    // The bindings' declarations take and return enums; see `codes`.
    #[link_name = "rd_kafka_conf_interceptor_add_on_new"]
    fn add_on_new(
        conf: *mut sys::rd_kafka_conf_t,
        name: *const c_char,
        on_new: OnNew,
        opaque: *mut c_void,
    ) -> i32;
    #[link_name = "rd_kafka_interceptor_add_on_response_received"]
    fn add_on_response(
        client: *mut sys::rd_kafka_t,
        name: *const c_char,
        on_response: OnResponse,
        opaque: *mut c_void,
    ) -> i32;
}

const NAME: &CStr = c"flowdeck";
/// Kafka's numbers of the requests after whose success the coordinator begins the member's session anew.
const HEARTBEAT: i16 = 12;
const SYNC_GROUP: i16 = 14;

/// Has the client of this configuration write to `heartbeats`.
///
/// # Safety
/// The configuration is valid, and `heartbeats` lives until every client of it has been destroyed.
pub(super) unsafe fn hear(conf: *mut sys::rd_kafka_conf_t, heartbeats: &Arc<Heartbeats>) {
    let opaque = Arc::as_ptr(heartbeats).cast_mut().cast();
    // SAFETY: the caller vouches for both. It fails only where the name is taken, and the configuration is new.
    unsafe { add_on_new(conf, NAME.as_ptr(), on_new, opaque) };
}

unsafe extern "C" fn on_new(
    client: *mut sys::rd_kafka_t,
    _: *const sys::rd_kafka_conf_t,
    opaque: *mut c_void,
    _: *mut c_char,
    _: usize,
) -> i32 {
    // SAFETY: librdkafka passes the client that it is making, and the opaque pointer as it was given.
    unsafe { add_on_response(client, NAME.as_ptr(), on_response, opaque) }
}

unsafe extern "C" fn on_response(
    _: *mut sys::rd_kafka_t,
    _socket: i32,
    _name: *const c_char,
    _broker: i32,
    api: i16,
    _version: i16,
    _correlation: i32,
    _size: usize,
    round_trip: i64,
    code: i32,
    opaque: *mut c_void,
) -> i32 {
    let round_trip = u64::try_from(round_trip).ok().map(Duration::from_micros);
    if matches!(api, HEARTBEAT | SYNC_GROUP)
        && code == codes::NO_ERROR
        && let Some(sent) = round_trip.and_then(|it| Instant::now().checked_sub(it))
    {
        // SAFETY: the pointer is to what `hear` was given, which lives as long as the client.
        unsafe { &*opaque.cast::<Heartbeats>() }.answered(sent);
    }
    codes::NO_ERROR
}
