//! The server from outside: the real router, a real listener where a connection matters, on ports
//! that live in memory. One program, so that it is linked once. Modules mirror the URLs.

mod api;
mod assets;
mod client;
mod commands;
mod config;
mod entry_points;
mod events;
mod health;
mod health_permissions;
mod hostile;
mod kafkaflow;
mod memory;
mod mount;
mod offsets;
mod pages;
mod people;
mod program;
mod redis;
mod safety;
mod sign_in;
mod support;
mod tls;
