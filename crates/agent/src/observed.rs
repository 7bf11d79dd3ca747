//! What OpenTelemetry is told of the calls of the handler, with the feature `otel`; nothing without it.

#[cfg(not(feature = "otel"))]
mod off;
#[cfg(feature = "otel")]
mod on;

#[cfg(not(feature = "otel"))]
pub(crate) use off::{Observed, current_trace};
#[cfg(feature = "otel")]
pub(crate) use on::{Observed, current_trace};

/// How a record's life in the consumer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Handled,
    Skipped,
    DeadLetter,
    RetryTopic,
}

impl Outcome {
    #[cfg_attr(not(feature = "otel"), expect(dead_code, reason = "a metric's attribute"))]
    fn label(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Skipped => "skipped",
            Self::DeadLetter => "dead_letter",
            Self::RetryTopic => "retry_topic",
        }
    }
}
