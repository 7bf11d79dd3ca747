//! The client against answers that were recorded from a real registry, and against one that fails. A real registry is
//! asked in the server's own tests (`tests/system/registry.rs`).

mod failures;
mod fake_registry;
mod golden;
mod tls;
