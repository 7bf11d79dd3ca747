//! What messages that belong together carry: a correlation id and a W3C trace context.

use uuid::Uuid;

use crate::message::Context;
use crate::observed::current_trace;

const CORRELATION: &str = "correlation-id";
const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";

/// Where it came from: a message that is handled ([`Correlation::of`]), a request ([`Correlation::with_id`]), or nowhere
/// ([`Correlation::default`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correlation {
    id: String,
    trace: Option<String>,
    state: Option<String>,
}

impl Default for Correlation {
    /// An id of its own, and no trace.
    fn default() -> Self {
        Self::with_id(Uuid::new_v4().to_string())
    }
}

impl Correlation {
    /// Such as the one of a request.
    pub fn with_id(id: impl Into<String>) -> Self {
        Self { id: id.into(), trace: None, state: None }
    }

    /// That of a message which is handled; an id of its own where the message has none. With the feature `otel` the trace
    /// goes on from the active span, that of the handler's call.
    pub fn of(context: &Context) -> Self {
        let text = |name: &str| {
            let mut found = context.headers().filter(|(header, _)| header.eq_ignore_ascii_case(name));
            found.find_map(|(_, value)| std::str::from_utf8(value?).ok())
        };
        let correlation = context.correlation_id().map(Self::with_id).unwrap_or_default();
        if let Some((parent, state)) = current_trace() {
            return correlation.trace(&parent, state.as_deref());
        }
        match text(TRACE_PARENT) {
            Some(parent) => correlation.trace(parent, text(TRACE_STATE)),
            None => correlation,
        }
    }

    /// The headers `traceparent` and `tracestate` of a request; what is no trace context is left out.
    #[must_use]
    pub fn trace(mut self, parent: &str, state: Option<&str>) -> Self {
        if is_trace_parent(parent) {
            self.trace = Some(parent.to_owned());
            self.state = state.map(str::to_owned);
        }
        self
    }

    /// Begins a trace where there is none yet.
    #[must_use]
    pub fn traced(mut self) -> Self {
        let (trace, span) = (Uuid::new_v4().simple(), Uuid::new_v4().simple().to_string());
        self.trace.get_or_insert_with(|| format!("00-{trace}-{}-01", &span[..16]));
        self
    }

    /// The correlation id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `traceparent`.
    pub fn trace_parent(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// As headers of a message.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![(CORRELATION.to_owned(), self.id.clone())];
        headers.extend(self.trace.clone().map(|trace| (TRACE_PARENT.to_owned(), trace)));
        headers.extend(self.state.clone().map(|state| (TRACE_STATE.to_owned(), state)));
        headers
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`.
fn is_trace_parent(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [2, 32, 16, 2] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_trace_context_is_left_out() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let traced = Correlation::with_id("c").trace(good, Some("vendor=1"));
        assert_eq!(traced.trace_parent(), Some(good));
        assert_eq!(traced.headers().len(), 3);
        for bad in ["", "00-1-2-3", "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01"] {
            assert_eq!(Correlation::with_id("c").trace(bad, None).trace_parent(), None, "{bad}");
        }
        let begun = Correlation::default().traced();
        assert!(is_trace_parent(begun.trace_parent().unwrap()));
        assert_eq!(traced.clone().traced(), traced, "a trace that is there goes on");
    }
}
