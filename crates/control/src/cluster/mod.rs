//! One cluster under control: the one task that changes its state, and that state.

pub(crate) mod actor;
mod external;
pub(crate) mod held;
mod intake;
pub(crate) mod state;
mod submit;
#[cfg(test)]
mod tests;
mod unwritten;
mod upkeep;
