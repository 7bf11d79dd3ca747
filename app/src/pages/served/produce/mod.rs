//! A record that an operator produces: the form with its preview, and what came of it.

mod form;
mod outcome;

pub(super) use form::ProducePage;
pub(super) use outcome::ProducedPage;
