//! Nothing, for nothing.

use std::time::Duration;

use flowdeck_model::{GroupId, TopicName};

use super::Outcome;
use crate::failure::HandlerError;
use crate::handler::Delivery;

pub(crate) struct Observed;

pub(crate) struct Call;

impl Observed {
    pub(crate) fn new(_: &GroupId) -> Self {
        Self
    }

    pub(crate) fn begins(&self, _: Delivery<'_>) -> Call {
        Call
    }

    pub(crate) fn tried_again(&self, _: &TopicName) {}

    pub(crate) fn ended(&self, _: &TopicName, _: Outcome) {}
}

impl Call {
    pub(crate) fn within<F: Future>(&self, future: F) -> F {
        future
    }

    pub(crate) fn ended(&self, _: Duration, _: Option<&HandlerError>) {}
}

/// `traceparent` and `tracestate` of the span that is active.
pub(crate) fn current_trace() -> Option<(String, Option<String>)> {
    None
}
