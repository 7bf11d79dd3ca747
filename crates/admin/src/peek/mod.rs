//! What was peeked at, made fit to show.

pub(crate) mod payload;
