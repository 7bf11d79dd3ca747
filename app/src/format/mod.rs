//! How numbers, times and payloads are written for people. Pure.

pub(crate) mod time;
