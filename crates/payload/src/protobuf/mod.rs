//! Protobuf: by field numbers where there is no descriptor, else by the descriptor of a message.

mod described;
mod raw;

pub(crate) use described::write as described;
pub(crate) use raw::{Names, looks_like_message, write as raw};
