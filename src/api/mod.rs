//! Flowdeck's own JSON API, version 1: parses, asks the ports, shows. No rule of its own.

pub(crate) mod audit;
mod body;
pub(crate) mod brokers;
pub(crate) mod bulks;
pub(crate) mod canaries;
pub(crate) mod commands;
pub(crate) mod dead_letters;
pub(crate) mod downloads;
pub(crate) mod file;
pub(crate) mod groups;
pub(crate) mod groups_file;
pub(crate) mod messages;
pub(crate) mod names;
mod offsets;
pub(crate) mod openapi;
pub(crate) mod ports;
pub(crate) mod problem;
pub(crate) mod produce;
pub(crate) mod redrives;
pub(crate) mod retentions;
pub(crate) mod tail;
pub(crate) mod topics;
