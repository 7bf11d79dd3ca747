//! The admin service against a real broker.

mod audit;
mod common;
mod control;
mod dead_letters;
mod deleted;
mod fake_instance;
mod kafkaflow;
mod lag;
mod lifecycle;
mod limited;
mod looks;
mod members;
mod numbers;
mod observe;
mod offsets;
mod peek;
mod produce;
mod redrive;
mod retention;
mod rights;
mod samples;
mod search;
mod telemetry;
mod verdicts;
mod writer;
