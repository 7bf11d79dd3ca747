//! The poll: groups, commits and the logs' ends, asked for again and again. Its result is one `Sample`.

mod changes;
mod describe;
pub mod details;
mod failing;
pub mod merge;
mod movement;
pub mod pace;
mod read_ends;
pub mod sample;
pub(crate) mod sampler;
pub mod schedule;
pub mod track;
pub mod verify;
pub(crate) mod watched;
