//! One cluster under control: the one task that changes its state, and that state.

pub(crate) mod actor;
mod alterations;
mod audit_backlog;
mod audit_writer;
mod audited;
mod by_stop;
mod candidate;
mod carry_out;
mod election;
mod external;
mod external_queue;
pub(crate) mod held;
mod intake;
mod lock_ups;
mod lock_ups_before;
mod preview;
mod requests;
mod role;
pub(crate) mod state;
#[cfg(test)]
mod tests;
mod unwritten;
mod upkeep;
