//! The client against answers that were recorded from a real registry, and against one that fails. A real registry is
//! asked in the server's own tests (`tests/system/registry.rs`).

mod failures;
mod golden;
mod stand_in;
mod tls;
