//! What OpenTelemetry gets: a span for each call, linked to the producer's, and metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowdeck_agent::producer::Correlation;
use flowdeck_agent::{Context, DeadLetters, HandlerError, OnError, Raw, Router, State, Then};
use flowdeck_testkit::{DEADLINE, World, unique, wait_for};
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tokio::sync::Notify;

use crate::common::Agents as _;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The global providers, of this test alone: those of other tests tell of other groups.
struct Exported {
    spans: InMemorySpanExporter,
    traces: SdkTracerProvider,
    metrics: InMemoryMetricExporter,
    meters: SdkMeterProvider,
}

impl Exported {
    fn start() -> Self {
        let (spans, metrics) = (InMemorySpanExporter::default(), InMemoryMetricExporter::default());
        let traces = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
        let reader =
            PeriodicReader::builder(metrics.clone()).with_interval(Duration::from_secs(3_600)).build();
        let meters = SdkMeterProvider::builder().with_reader(reader).build();
        global::set_tracer_provider(traces.clone());
        global::set_meter_provider(meters.clone());
        Self { spans, traces, metrics, meters }
    }

    /// By topic and offset, in the order of their ends.
    fn spans(&self, topic: &str) -> Vec<SpanData> {
        self.traces.force_flush().unwrap();
        let name = format!("process {topic}");
        self.spans.get_finished_spans().unwrap().into_iter().filter(|span| span.name == name).collect()
    }

    /// Of a group, by name and what else tells them apart.
    async fn metrics(&self, group: &str) -> BTreeMap<String, i64> {
        let (meters, exported, group) = (self.meters.clone(), self.metrics.clone(), group.to_owned());
        // It waits for a thread of its own.
        tokio::task::spawn_blocking(move || {
            exported.reset();
            meters.force_flush().unwrap();
            let all = exported.get_finished_metrics().unwrap();
            let all = all.iter().flat_map(|one| one.scope_metrics()).flat_map(|scope| scope.metrics());
            all.flat_map(|metric| values(metric, &group)).collect()
        })
        .await
        .unwrap()
    }
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|one| one.key.as_str() == name)?;
    Some(found.value.as_str().into_owned())
}

fn values(metric: &Metric, group: &str) -> Vec<(String, i64)> {
    let label = |attributes: Vec<KeyValue>| {
        let of_group = text(&attributes, "messaging.consumer.group.name").as_deref() == Some(group);
        let more = ["flowdeck.outcome", "error.type"].iter().find_map(|name| text(&attributes, name));
        of_group.then(|| {
            [Some(metric.name().to_owned()), more].into_iter().flatten().collect::<Vec<_>>().join(" ")
        })
    };
    match metric.data() {
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            let points =
                sum.data_points().map(|one| (label(one.attributes().cloned().collect()), one.value()));
            points.filter_map(|(label, value)| Some((label?, i64::try_from(value).unwrap()))).collect()
        }
        AggregatedMetrics::I64(MetricData::Sum(sum)) => {
            let points =
                sum.data_points().map(|one| (label(one.attributes().cloned().collect()), one.value()));
            points.filter_map(|(label, value)| Some((label?, value))).collect()
        }
        AggregatedMetrics::F64(MetricData::Histogram(times)) => {
            let points =
                times.data_points().map(|one| (label(one.attributes().cloned().collect()), one.count()));
            points.filter_map(|(label, count)| Some((label?, i64::try_from(count).unwrap()))).collect()
        }
        _ => vec![],
    }
}

#[derive(Clone, Default)]
struct Scene {
    /// The trace with which a message would go on that a handler publishes.
    goes_on: Arc<Mutex<Vec<String>>>,
    waits: Arc<Notify>,
    let_go: Arc<Notify>,
}

async fn told(State(scene): State<Scene>, Raw(value): Raw, context: Context) -> Result<(), HandlerError> {
    let correlation = Correlation::of(&context);
    scene.goes_on.lock().unwrap().extend(correlation.trace_parent().map(str::to_owned));
    match &value[..] {
        b"again" if context.attempt() == 1 => Err(HandlerError::retry("not yet")),
        b"bad" => Err(HandlerError::permanent("no stock")),
        b"waits" => {
            scene.waits.notify_one();
            scene.let_go.notified().await;
            Ok(())
        }
        _ => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_is_a_span_linked_to_the_producers_and_counted() {
    let exported = Exported::start();
    let world = World::new(1).await;
    let letters = unique("dlq");
    world.kafka.create_topic(&letters, 1).await;
    let parent: &[(&str, &[u8])] = &[("traceparent", PARENT.as_bytes()), ("tracestate", b"vendor=1")];
    for (value, headers) in [("fine", parent), ("again", &[]), ("bad", parent), ("waits", &[])] {
        world.kafka.send(&world.topic, b"k", value.as_bytes(), headers).await;
    }
    let scene = Scene::default();
    let wait = Duration::from_millis(20);
    let policy =
        OnError { retries: 1, backoff: wait, backoff_max: wait, then: Then::DeadLetter, jitter: false };
    let router = Router::new(scene.clone()).fallback(told);
    let agent = world.agent("i-1").on_error(policy).dead_letters(DeadLetters::to(&*letters));
    let agent = agent.handler(router).start().await.unwrap();

    tokio::time::timeout(DEADLINE, scene.waits.notified()).await.unwrap();
    let running = exported.metrics(&world.group).await;
    assert_eq!(running.get("flowdeck.agent.in_flight"), Some(&1), "{running:?}");
    scene.let_go.notify_one();
    let spans = wait_for("a span of each call", DEADLINE, async || {
        let spans = exported.spans(&world.topic);
        (spans.len() == 5).then_some(spans)
    })
    .await;
    agent.stop().await.unwrap();

    let attribute = |span: &SpanData, name: &str| text(&span.attributes, name).unwrap();
    let calls: Vec<(String, String)> = spans
        .iter()
        .map(|span| (attribute(span, "messaging.kafka.offset"), attribute(span, "flowdeck.attempt")))
        .collect();
    let want = [("0", "1"), ("1", "1"), ("1", "2"), ("2", "1"), ("3", "1")];
    assert_eq!(calls, want.map(|(offset, attempt)| (offset.to_owned(), attempt.to_owned())));
    for span in &spans {
        assert_eq!(span.span_kind, SpanKind::Consumer);
        assert_eq!(attribute(span, "messaging.consumer.group.name"), world.group);
        assert_eq!(attribute(span, "messaging.destination.partition.id"), "0");
    }
    let (fine, again, bad) = (&spans[0], &spans[1], &spans[3]);
    for span in [fine, bad] {
        let link = &span.links.iter().next().expect("a link").span_context;
        assert_eq!(link.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(link.span_id().to_string(), "b7ad6b7169203331");
        assert_eq!(link.trace_state().get("vendor"), Some("1"));
        assert_eq!((span.span_context.trace_id(), span.parent_span_id), (link.trace_id(), link.span_id()));
    }
    assert_eq!(again.links.iter().count(), 0, "its producer told of no trace");
    assert_eq!(fine.status, Status::Unset);
    assert_eq!((&again.status, &bad.status), (&Status::error("not yet"), &Status::error("no stock")));
    // What a handler publishes goes on from its own span.
    let goes_on = scene.goes_on.lock().unwrap().clone();
    let of_span =
        |span: &SpanData| format!("00-{}-{}-01", span.span_context.trace_id(), span.span_context.span_id());
    assert_eq!(goes_on, spans.iter().map(of_span).collect::<Vec<_>>());

    let metrics = exported.metrics(&world.group).await;
    let want = [
        ("flowdeck.agent.errors", 2),
        ("flowdeck.agent.in_flight", 0),
        ("flowdeck.agent.records dead_letter", 1),
        ("flowdeck.agent.records handled", 3),
        ("flowdeck.agent.retries", 1),
        ("messaging.process.duration", 3),
        ("messaging.process.duration handler", 2),
    ];
    let want: BTreeMap<String, i64> = want.map(|(name, value)| (name.to_owned(), value)).into();
    assert_eq!(metrics, want);
}
