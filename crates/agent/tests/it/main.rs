//! The agent in this process, against a real broker.

mod admin;
mod app;
mod backlog;
mod bus;
mod commands;
mod common;
mod distribution;
mod examples;
mod failures;
mod functions;
mod guide;
mod holds;
mod one_link;
mod otel;
mod rebalances;
mod records;
mod retries;
mod runtime;
mod start;
