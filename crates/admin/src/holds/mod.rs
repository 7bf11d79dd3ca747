//! Holds: what stands on `flowdeck.holds`, and the one writer of that topic.

mod ahead;
pub(crate) mod room;
pub(crate) mod store;
pub(crate) mod topics;
pub(crate) mod unread;
pub(crate) mod writer;

pub(crate) use store::{HoldIndex, HoldStore};
