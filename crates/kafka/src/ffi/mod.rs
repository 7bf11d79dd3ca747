//! Every `unsafe` of the project: librdkafka's objects behind owners that free them, its answers
//! as borrowed views, and the allocator's settings. No async, no policy.
//!
//! How it stays sound: an owner keeps an `Arc` of the client that its object belongs to, so that the
//! client is destroyed last; views borrow the event that they read; error codes are read as numbers
//! (see `codes`).

pub(crate) mod answers;
pub(crate) mod apis;
pub(crate) mod ask;
pub(crate) mod codes;
pub(crate) mod consume;
pub(crate) mod handle;
pub(crate) mod heartbeats;
pub(crate) mod logs;
pub(crate) mod member;
pub(crate) mod memory;
pub(crate) mod metadata;
pub(crate) mod partitions;
pub(crate) mod queue;

use std::ffi::{CStr, c_char};

/// A C string as owned text; null is empty. Bytes that are no UTF-8 are replaced.
///
/// # Safety
/// `string` is null or a NUL-terminated string that lives through the call.
pub(crate) unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

/// The array that a librdkafka getter returns, as a slice of pointers; null is empty.
///
/// # Safety
/// `array` is null or points at `count` pointers that live as long as `'a`.
unsafe fn pointers<'a, T>(array: *const *const T, count: usize) -> &'a [*const T] {
    if array.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: not null, and the caller vouches for length and life.
    unsafe { std::slice::from_raw_parts(array, count) }
}
