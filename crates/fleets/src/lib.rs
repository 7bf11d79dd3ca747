//! The demo's services: NovaTune's consumers on `flowdeck-agent`, and the neighbours that a real
//! cluster has: a slow one, a failing one, one whose members are gone, one without the agent.
//!
//! [`services`] are the four designs that Flowdeck was made for, each as a service of its own.
//!
//! It creates its own topics and those of KafkaFlow's admin, never Flowdeck's.

pub mod cluster;
pub mod consume;
pub mod events;
pub mod gone;
pub mod kafkaflow;
pub mod novatune;
pub mod plain;
pub mod plan;
pub mod producers;
pub mod run;
pub mod send;
pub mod services;
pub mod topics;
