//! The demo's services as processes, on a real broker.

mod common;
mod kafkaflow;
mod pause_with_agents;
mod run;
mod services;
