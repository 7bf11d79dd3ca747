//! Holds as `flowdeck.holds` tells them.

pub mod cover;
mod pending_echoes;
pub mod quota;
pub mod store;
mod undecodable;

pub use store::{HoldIndex, HoldKey, HoldStore};
pub(crate) use undecodable::UndecodableHolds;
