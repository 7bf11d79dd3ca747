//! Commands: their life from what the operator asks to the evidence that instances obey.

pub(crate) mod book;
pub(crate) mod command;

pub(crate) use book::{CommandBook, CommandIndex};
pub(crate) use command::{Command, Tracked, TrackedKey};
