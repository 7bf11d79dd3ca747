//! The admin service against a real broker.

mod common;
mod control;
mod kafkaflow;
mod lag;
mod observe;
mod peek;
mod telemetry;
mod voices;
