//! A span and metrics for each call, by the global providers of OpenTelemetry as they are when the agent starts.
//! Names follow OpenTelemetry's semantic conventions for messaging, where these have one.

use std::time::Duration;

use flowdeck_model::{GroupId, TopicName};
use opentelemetry::context::{FutureExt as _, WithContext};
use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags,
    TraceId, TraceState, Tracer as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};

use super::Outcome;
use crate::failure::HandlerError;
use crate::handler::Delivery;

const SCOPE: &str = "flowdeck-agent";
/// In seconds, as the semantic conventions advise.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Of an error's text, in characters.
const TEXT_MAX: usize = 400;

pub(crate) struct Observed {
    group: String,
    tracer: BoxedTracer,
    duration: Histogram<f64>,
    records: Counter<u64>,
    errors: Counter<u64>,
    retries: Counter<u64>,
    in_flight: UpDownCounter<i64>,
}

/// Of the handler, that runs.
pub(crate) struct Call<'a> {
    observed: &'a Observed,
    context: Context,
    attributes: Vec<KeyValue>,
}

impl Observed {
    pub(crate) fn new(group: &GroupId) -> Self {
        let scope = || InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION")).build();
        let meter = global::meter_with_scope(scope());
        let counter = |name: &'static str, unit: &'static str, what: &'static str| {
            meter.u64_counter(name).with_unit(unit).with_description(what).build()
        };
        Self {
            group: group.as_str().to_owned(),
            tracer: global::tracer_with_scope(scope()),
            duration: meter
                .f64_histogram("messaging.process.duration")
                .with_unit("s")
                .with_description("How long calls of the handler took")
                .with_boundaries(BOUNDS.to_vec())
                .build(),
            records: counter("flowdeck.agent.records", "{record}", "Records that are done with, by outcome"),
            errors: counter("flowdeck.agent.errors", "{call}", "Calls of the handler that failed"),
            retries: counter("flowdeck.agent.retries", "{call}", "Failed calls that are made again"),
            in_flight: meter
                .i64_up_down_counter("flowdeck.agent.in_flight")
                .with_unit("{call}")
                .with_description("Calls of the handler that run")
                .build(),
        }
    }

    pub(crate) fn begins(&self, delivery: Delivery<'_>) -> Call<'_> {
        let attributes = self.attributes(delivery.topic());
        self.in_flight.add(1, &attributes);
        let producer = producer(delivery);
        let parent = match &producer {
            Some(producer) => Context::current().with_remote_span_context(producer.clone()),
            None => Context::current(),
        };
        let links = producer.map(Link::with_context).into_iter().collect();
        let span = SpanBuilder::from_name(format!("process {}", delivery.topic()))
            .with_kind(SpanKind::Consumer)
            .with_links(links);
        let mut span = self.tracer.build_with_context(span, &parent);
        if span.is_recording() {
            span.set_attributes(attributes.iter().cloned().chain(of_record(delivery)));
        }
        Call { observed: self, context: parent.with_span(span), attributes }
    }

    /// A failed call is made again here.
    pub(crate) fn tried_again(&self, topic: &TopicName) {
        self.retries.add(1, &self.attributes(topic));
    }

    pub(crate) fn ended(&self, topic: &TopicName, outcome: Outcome) {
        let mut attributes = self.attributes(topic);
        attributes.push(KeyValue::new("flowdeck.outcome", outcome.label()));
        self.records.add(1, &attributes);
    }

    fn attributes(&self, topic: &TopicName) -> Vec<KeyValue> {
        vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.destination.name", topic.as_str().to_owned()),
            KeyValue::new("messaging.consumer.group.name", self.group.clone()),
        ]
    }
}

fn of_record(delivery: Delivery<'_>) -> impl Iterator<Item = KeyValue> {
    let size = delivery.value().map(<[u8]>::len).and_then(|size| i64::try_from(size).ok());
    let conversation = delivery.correlation_id().map(str::to_owned);
    [
        Some(KeyValue::new("messaging.operation.type", "process")),
        Some(KeyValue::new("messaging.destination.partition.id", delivery.partition().to_string())),
        Some(KeyValue::new("messaging.kafka.offset", delivery.offset())),
        Some(KeyValue::new("flowdeck.attempt", i64::from(delivery.attempt()))),
        size.map(|size| KeyValue::new("messaging.message.body.size", size)),
        conversation.map(|id| KeyValue::new("messaging.message.conversation_id", id)),
    ]
    .into_iter()
    .flatten()
}

impl Call<'_> {
    /// The call's span is the active one while the future is polled.
    pub(crate) fn within<F: Future>(&self, future: F) -> WithContext<F> {
        future.with_context(self.context.clone())
    }

    pub(crate) fn ended(&self, took: Duration, error: Option<&HandlerError>) {
        let mut attributes = self.attributes.clone();
        if let Some(error) = error {
            self.observed.errors.add(1, &attributes);
            attributes.push(KeyValue::new("error.type", "handler"));
            let text: String = error.to_string().chars().take(TEXT_MAX).collect();
            self.context.span().set_attribute(KeyValue::new("error.type", "handler"));
            self.context.span().set_status(Status::error(text));
        }
        self.observed.duration.record(took.as_secs_f64(), &attributes);
    }
}

/// Also where the call was given up.
impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.observed.in_flight.add(-1, &self.attributes);
        self.context.span().end();
    }
}

/// The span in which the message was sent, by W3C's `traceparent` and `tracestate`.
fn producer(delivery: Delivery<'_>) -> Option<SpanContext> {
    let text = |name| std::str::from_utf8(delivery.header(name)?).ok();
    let mut parts = text("traceparent")?.split('-');
    let version = parts.next().filter(|version| version.len() == 2 && *version != "ff")?;
    let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let is_longer = version == "00" && parts.next().is_some();
    if trace.len() != 32 || span.len() != 16 || flags.len() != 2 || is_longer {
        return None;
    }
    let state = text("tracestate").and_then(|state| state.parse::<TraceState>().ok());
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        state.unwrap_or_default(),
    );
    context.is_valid().then_some(context)
}

/// `traceparent` and `tracestate` of the span that is active.
pub(crate) fn current_trace() -> Option<(String, Option<String>)> {
    Context::map_current(|context| {
        let span = context.span();
        let current = span.span_context();
        current.is_valid().then(|| {
            let flags = current.trace_flags().to_u8();
            let parent = format!("00-{}-{}-{flags:02x}", current.trace_id(), current.span_id());
            (parent, Some(current.trace_state().header()).filter(|state| !state.is_empty()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestMessage;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn only_a_whole_trace_context_is_a_producer() {
        let of = |parent: &str| {
            let message = TestMessage::new("orders").header("traceparent", parent);
            producer(message.header("tracestate", "vendor=1").build().delivery())
        };
        let found = of(GOOD).unwrap();
        assert_eq!(found.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(found.trace_state().get("vendor"), Some("1"));
        assert!(found.is_remote() && found.is_sampled());
        assert!(of(&format!("{}-more", GOOD.replacen("00", "01", 1))).is_some(), "of a later version");
        for bad in [
            "",
            "00",
            &format!("{GOOD}-more"),
            &GOOD.replacen("00", "ff", 1),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01",
            "00-0af7651916cd43dd8448eb211c80319x-b7ad6b7169203331-01",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_span_is_active_outside_of_a_call() {
        assert_eq!(current_trace(), None);
    }
}
