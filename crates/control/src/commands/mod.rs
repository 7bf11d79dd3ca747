//! Commands: their life from what the operator asks to the evidence that instances obey.

pub(crate) mod as_kafkaflow;
pub(crate) mod book;
pub(crate) mod by_stop;
pub(crate) mod command;
pub(crate) mod consumers;
pub(crate) mod evidence;
pub(crate) mod external;
pub(crate) mod flow;
pub(crate) mod follow_up;
pub(crate) mod heal;
pub(crate) mod held;
pub(crate) mod kafkaflow;
mod left;
pub(crate) mod lifecycle;
pub(crate) mod lock_up;
mod moved;
pub(crate) mod offsets;
mod persisted;
pub(crate) mod plan;
pub(crate) mod rejected;
mod resend;
pub(crate) mod scope;
pub(crate) mod start_task;
pub(crate) mod starts;
pub(crate) mod still_out;
pub(crate) mod stops;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod write_task;

pub(crate) use book::{Change, CommandBook};
pub(crate) use command::{Command, Tracked};
