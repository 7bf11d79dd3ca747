//! The crate against a real Kafka: what it says must be what Kafka's own tools say, and it must leave
//! no trace where it only looks.

mod alter;
mod candidates;
mod capabilities;
mod election;
mod groups;
mod lag;
mod leaders;
mod paging;
mod peek;
mod produce;
mod support;
mod tail;
mod topics;
mod trouble;
