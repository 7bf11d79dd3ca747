//! One cluster: what is read from it, and the one task that puts brokers' numbers, telemetry, holds
//! and commands together and publishes the result.

mod changes;
pub(crate) mod describe;
pub(crate) mod facts;
mod foreign;
pub(crate) mod group_watch;
pub(crate) mod held;
mod intake;
pub(crate) mod keeper;
pub(crate) mod merge;
pub(crate) mod not_obeyed;
pub(crate) mod pace;
pub(crate) mod rebalance;
pub(crate) mod sample;
pub(crate) mod sampler;
pub(crate) mod snapshot;
pub(crate) mod state;
mod submit;
#[cfg(test)]
mod tests;
mod unwritten;
mod upkeep;
pub(crate) mod watched;
