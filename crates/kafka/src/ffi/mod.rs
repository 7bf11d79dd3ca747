//! Every `unsafe` of the project: librdkafka's objects behind owners that free them, and its answers
//! as borrowed views. No async, no policy.

pub(crate) mod codes;

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
