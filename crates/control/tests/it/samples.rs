//! `flowdeck.samples` against a broker: what is in it is shown after a start; what is not understood is counted.

use std::time::Duration;

use flowdeck_model::query::{Range, Window};
use flowdeck_model::view::{HistoryEventKind, HistoryStorage, HistoryView, Mode};
use flowdeck_model::{HistoryQuery, Timestamp};
use flowdeck_observe::clock;
use flowdeck_protocol::Record;
use flowdeck_protocol::wire::{GroupMinute, LONGEST, Minute, MinuteEvent, MinuteEventKind, minute_records};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, settings};

const MINUTE: i64 = 60_000;

fn minute(group: &str, at: i64, lag: u64) -> Vec<Record> {
    let group = GroupMinute {
        group: group.into(),
        lag: Some(lag),
        time_lag_millis: Some(lag * 100),
        input_milli: Some(2_000),
        output_milli: Some(1_000),
        events: [
            MinuteEventKind::Rebalance,
            MinuteEventKind::Deployment("Deployment of w: version 2 after 1".to_owned()),
            MinuteEventKind::FailedCalls(4),
        ]
        .map(|what| MinuteEvent { second: 7, what })
        .to_vec(),
    };
    minute_records(&Minute { at: Timestamp::from_millis(at), groups: vec![group] })
}

fn history(running: &Running, group: &str, range: Range) -> HistoryView {
    let query = HistoryQuery { window: Window::Last(range), partition: None };
    running.ports.fleet.history(&running.cluster, &group.into(), &query).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_gives_the_history_from_before_the_start() {
    let settings = settings(Mode::Control);
    let (topic, group) = (unique("orders"), unique("payments"));
    kafka().create_topic(&topic, 1).await;
    kafka().commit(&group, &[(&topic, 0, 0)]);
    kafka().create_topic(settings.samples_topic.as_str(), 1).await;
    let now = clock::now().millis() / MINUTE * MINUTE;
    let header: &[(&str, &[u8])] = &[("Flowdeck-Version", b"1")];
    let sends = async |value: &[u8], headers: &[(&str, &[u8])]| {
        kafka().send(settings.samples_topic.as_str(), b"x", value, headers).await;
    };
    // Two days ago, then the last hour, with what is none of ours among it.
    for minutes in [2 * 1_440, 60, 59, 58, 3, 2] {
        let at = now - minutes * MINUTE;
        for record in minute(&group, at, u64::try_from(minutes).unwrap()) {
            kafka().send_record(settings.samples_topic.as_str(), &record).await;
        }
        sends(b"{\"type\":\"minute\",", header).await;
        sends(b"{}", &[("Flowdeck-Version", b"2")]).await;
    }
    sends(&vec![b' '; LONGEST + 1], header).await;
    for record in minute(&group, now + 60 * MINUTE, 1) {
        kafka().send_record(settings.samples_topic.as_str(), &record).await;
    }

    let running = Running::start(settings.clone());
    running.group(&group, "the group", |_| true).await;
    let whole = wait_for("the topic is read", DEADLINE, async || {
        let view = history(&running, &group, Range::Hours6);
        (view.storage == HistoryStorage::Topic).then_some(view)
    })
    .await;
    assert_eq!(whole.step_seconds, 60);
    let lag_at = |view: &HistoryView, at: i64| {
        view.points.iter().find(|point| point.at.millis() == at).and_then(|point| point.lag)
    };
    for minutes in [60, 59, 58, 3, 2] {
        assert_eq!(lag_at(&whole, now - minutes * MINUTE), Some(u64::try_from(minutes).unwrap()));
    }
    let of = |kind| whole.events.iter().filter(move |event| event.kind == kind);
    let times = |kind| of(kind).map(|event| now - event.at.millis()).collect::<Vec<_>>();
    for kind in [HistoryEventKind::Rebalance, HistoryEventKind::Deployment] {
        assert!(times(kind).contains(&(3 * MINUTE - 7_000)), "{kind:?}: {:?}", times(kind));
    }
    let errors: Vec<&str> = of(HistoryEventKind::Errors).map(|event| event.text.as_str()).collect();
    assert_eq!(errors, ["12 calls of handlers failed in 3 min", "8 calls of handlers failed in 2 min"]);
    let week = history(&running, &group, Range::Week);
    let days_ago = (now - 2 * 1_440 * MINUTE) / (15 * MINUTE) * 15 * MINUTE;
    assert_eq!((week.step_seconds, lag_at(&week, days_ago)), (900, Some(2 * 1_440)));
    assert_eq!(week.known_since.map(|at| at.millis()), Some(days_ago));
    let dropped = running.admin.stats().clusters[0].records_dropped.clone();
    let count = |reason: &str| dropped.get(reason).copied().unwrap_or_default();
    let counts = ["malformed_sample", "newer_sample_version", "too_long", "future_sample"].map(count);
    assert_eq!(counts, [6, 6, 1, 1], "{dropped:?}");
    running.stop().await;

    // Who only observes keeps it in memory alone, and says so.
    let observer = Running::start(flowdeck_observe::ClusterSettings { mode: Mode::Observe, ..settings });
    observer.group(&group, "the group", |_| true).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let view = history(&observer, &group, Range::Hours6);
    assert_eq!((view.storage, lag_at(&view, now - 60 * MINUTE)), (HistoryStorage::Memory, None));
    observer.stop().await;
}
