//! How numbers, times and payloads are written for people. Pure.

pub(crate) mod config;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod partitions;
pub(crate) mod time;
