//! The verdict that a person would give, against a real broker: consumers that stall, leave, slow down, go back, get
//! all records on one partition, or wait for what is no record.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flowdeck_model::view::{GroupView, Mode};
use flowdeck_model::{Level, TimeLag, Verdict};
use flowdeck_testkit::{End, kafka, plain, unique, wait_for};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};

use crate::common::{Running, settings};

/// Twice what is promised: the machine may be busy.
const WITHIN: Duration = Duration::from_secs(30);
/// Records come in so often.
const EVERY: Duration = Duration::from_millis(250);

/// A consumer on a thread of its own that commits each record; it can be made slow, and stuck.
struct Reader {
    handling: Arc<AtomicU64>,
    stuck: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Reader {
    fn start(group: &str, topic: &str, protocol: &str) -> Self {
        let mut config = kafka().client();
        config.set("group.id", group).set("client.id", "reader").set("group.protocol", protocol);
        config.set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        consumer.subscribe(&[topic]).expect("a subscription");
        let handling = Arc::new(AtomicU64::new(0));
        let (stuck, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (millis, is_stuck, stopped) = (Arc::clone(&handling), Arc::clone(&stuck), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if is_stuck.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                }
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
                    std::thread::sleep(Duration::from_millis(millis.load(Ordering::Relaxed)));
                    let _ = consumer.commit_message(&message, CommitMode::Sync);
                }
            }
        });
        Self { handling, stuck, stop, thread: Some(thread) }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Records come to these partitions until it is dropped.
struct Producing(tokio::task::JoinHandle<()>);

impl Producing {
    fn start(topic: &str, partitions: Vec<i32>, each: usize) -> Self {
        let topic = topic.to_owned();
        Self(tokio::spawn(async move {
            loop {
                let records = partitions.iter().flat_map(|one| (0..each).map(|_| (*one, "x")));
                kafka().produce_at(&topic, records).await;
                tokio::time::sleep(EVERY).await;
            }
        }))
    }
}

impl Drop for Producing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn running() -> Running {
    let mut settings = settings(Mode::Observe);
    settings.refresh = Duration::from_millis(500);
    Running::start(settings)
}

/// The view once it is as wanted, the headlines on the way, and how long it took.
async fn until(
    running: &Running,
    group: &str,
    what: &str,
    is: impl Fn(&GroupView) -> bool,
) -> (GroupView, BTreeSet<Verdict>, Duration) {
    let (mut way, began) = (BTreeSet::new(), Instant::now());
    let view = wait_for(what, WITHIN, async || {
        let view = running.ports.fleet.group(&running.cluster, &group.into()).ok()?;
        if is(&view) {
            return Some(view);
        }
        way.insert(view.row.verdict);
        None
    })
    .await;
    println!("{what}: {:?} after {:?}, on the way {way:?}", view.row.why, began.elapsed());
    (view, way, began.elapsed())
}

fn headline(want: Verdict) -> impl Fn(&GroupView) -> bool {
    move |view| view.row.verdict == want
}

fn lists(want: Verdict) -> impl Fn(&GroupView) -> bool {
    move |view| view.row.verdicts.iter().any(|one| one.verdict == want)
}

async fn stalls_and_stops(running: &Running, protocol: &str) {
    let kafka = kafka();
    let (topic, group) = (unique("stalls"), unique(protocol));
    kafka.create_topic(&topic, 3).await;
    let _records = Producing::start(&topic, vec![0, 1, 2], 1);
    let reader = Reader::start(&group, &topic, protocol);
    let reads = |view: &GroupView| view.row.verdict == Verdict::Ok && view.row.flow.last_commit.is_some();
    until(running, &group, "it reads", reads).await;

    reader.stuck.store(true, Ordering::Relaxed);
    let verified =
        |view: &GroupView| view.row.verdict == Verdict::Stalled && view.row.level == Level::Critical;
    let (view, way, took) = until(running, &group, "stalled", verified).await;
    assert!(way.is_subset(&BTreeSet::from([Verdict::Ok, Verdict::Stalled])), "{protocol}: {way:?}");
    assert!(
        took >= Duration::from_secs(8),
        "{protocol}: it commits each record, and that is no stall: {took:?}"
    );
    let why = view.row.why.unwrap();
    assert!(why.contains("a record waits there") && why.contains(topic.as_str()), "{protocol}: {why}");
    assert!(view.now.since(view.row.verdicts[0].since) >= Duration::from_secs(8), "since its last commit");

    reader.stuck.store(false, Ordering::Relaxed);
    until(running, &group, "it reads again", headline(Verdict::Ok)).await;
    tokio::task::spawn_blocking(move || drop(reader)).await.unwrap();
    let (view, way, _) = until(running, &group, "stopped", headline(Verdict::Stopped)).await;
    assert!(way.is_subset(&BTreeSet::from([Verdict::Ok, Verdict::Inactive])), "{protocol}: {way:?}");
    assert!(view.row.why.unwrap().starts_with("its last member left; "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_stalls_and_one_that_leaves_in_both_protocols() {
    let running = running();
    tokio::join!(stalls_and_stops(&running, "classic"), stalls_and_stops(&running, "consumer"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_consumer_falls_behind_and_one_partition_may_be_hot() {
    let kafka = kafka();
    let running = running();
    let (topic, group) = (unique("slow"), unique("slow"));
    kafka.create_topic(&topic, 4).await;
    let records = Producing::start(&topic, vec![0, 1, 2, 3], 5);
    let reader = Reader::start(&group, &topic, "classic");
    let reads = |view: &GroupView| view.row.verdict == Verdict::Ok && view.row.flow.last_commit.is_some();
    until(&running, &group, "it reads", reads).await;
    // More than four records a second come.
    reader.handling.store(250, Ordering::Relaxed);
    let (view, way, _) = until(&running, &group, "falling behind", headline(Verdict::FallingBehind)).await;
    assert_eq!(way, BTreeSet::from([Verdict::Ok]));
    assert!(!lists(Verdict::HotPartition)(&view), "all partitions get the same");
    reader.handling.store(0, Ordering::Relaxed);
    until(&running, &group, "it has caught up", headline(Verdict::Ok)).await;
    // As many come, all of them to one partition.
    drop(records);
    let _hot = Producing::start(&topic, vec![2], 20);
    reader.handling.store(250, Ordering::Relaxed);
    let (view, ..) = until(&running, &group, "hot", lists(Verdict::HotPartition)).await;
    let hot = view.row.verdicts.iter().find(|one| one.verdict == Verdict::HotPartition).unwrap();
    assert!(hot.evidence.as_ref().unwrap().starts_with(&format!("{topic} partition 2 has ")), "{hot:?}");
    tokio::task::spawn_blocking(move || drop(reader)).await.unwrap();
    running.stop().await;
}

/// Of two instances one is slow; two more have no partition, and each of them was a rebalance.
#[tokio::test(flavor = "multi_thread")]
async fn one_instance_may_be_slow_and_one_too_many() {
    let kafka = kafka();
    let mut settings = settings(Mode::Observe);
    settings.refresh = Duration::from_millis(500);
    settings.verdicts.rebalances = 1;
    let running = Running::start(settings);
    let (topic, group) = (unique("slow"), unique("slow"));
    kafka.create_topic(&topic, 2).await;
    let _records = Producing::start(&topic, vec![0, 1], 5);
    let fast = Reader::start(&group, &topic, "classic");
    let slow = Reader::start(&group, &topic, "classic");
    let both = |view: &GroupView| view.row.members == Some(2) && view.row.flow.last_commit.is_some();
    until(&running, &group, "both read", both).await;
    slow.handling.store(500, Ordering::Relaxed);
    let lists_within = async |verdict: Verdict| {
        let view = wait_for(verdict.label(), WITHIN * 3, async || {
            let view = running.ports.fleet.group(&running.cluster, &group.as_str().into()).ok()?;
            lists(verdict)(&view).then_some(view)
        })
        .await;
        let found = view.row.verdicts.into_iter().find(|one| one.verdict == verdict);
        found.and_then(|one| one.evidence).unwrap()
    };
    let why = lists_within(Verdict::SlowInstance).await;
    assert!(why.starts_with("reader on ") && why.ends_with("as one of 2 instances"), "{why}");
    slow.handling.store(0, Ordering::Relaxed);
    let third = Reader::start(&group, &topic, "classic");
    until(&running, &group, "three members", |view| {
        view.row.members == Some(3) && view.row.rebalancing_since.is_none()
    })
    .await;
    let fourth = Reader::start(&group, &topic, "classic");
    let why = lists_within(Verdict::RebalancingTooOften).await;
    assert!(why.starts_with("at least ") && why.ends_with("rebalances in the last 15 min"), "{why}");
    let why = lists_within(Verdict::SurplusInstances).await;
    assert_eq!(why, "2 of 4 members have no partition: there are 2 partitions to be given");
    tokio::task::spawn_blocking(move || drop((fast, slow, third, fourth))).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_commit_that_goes_back_is_a_rewind_until_it_is_regained() {
    let kafka = kafka();
    let running = running();
    let (topic, group) = (unique("back"), unique("back"));
    kafka.create_topic(&topic, 2).await;
    kafka.produce_at(&topic, (0..20).map(|n| (n % 2, "x"))).await;
    kafka.commit(&group, &[(&topic, 0, 9), (&topic, 1, 9)]);
    until(&running, &group, "as it was", headline(Verdict::NoActiveMembers)).await;
    kafka.commit(&group, &[(&topic, 0, 2), (&topic, 1, 5)]);
    let (view, way, _) = until(&running, &group, "rewound", headline(Verdict::Rewound)).await;
    assert!(way.is_subset(&BTreeSet::from([Verdict::NoActiveMembers])), "{way:?}");
    let why = view.row.why.unwrap();
    assert!(why.contains("partition 0 went back from offset 9 to 2"), "{why}");
    kafka.commit(&group, &[(&topic, 0, 9)]);
    until(&running, &group, "regained", |view| !lists(Verdict::Rewound)(view)).await;
    running.stop().await;
}

#[tokio::test]
async fn commits_without_members_are_assigned_by_hand() {
    let kafka = kafka();
    let running = running();
    let (topic, group) = (unique("hand"), unique("hand"));
    kafka.create_topic(&topic, 1).await;
    kafka.produce(&topic, 0, vec!["x"; 50]).await;
    kafka.commit(&group, &[(&topic, 0, 1)]);
    until(&running, &group, "as any without members", headline(Verdict::NoActiveMembers)).await;
    let mut offset = 1;
    let view = wait_for("assigned by hand", WITHIN, async || {
        offset += 1;
        kafka.commit(&group, &[(&topic, 0, offset.min(49))]);
        tokio::time::sleep(Duration::from_millis(600)).await;
        let view = running.ports.fleet.group(&running.cluster, &group.as_str().into()).ok()?;
        (view.row.verdict == Verdict::AssignedByHand).then_some(view)
    })
    .await;
    assert!(!lists(Verdict::NoActiveMembers)(&view), "{:?}", view.row.verdicts);
    running.stop().await;
}

/// The marker that ends a transaction has an offset and is no record: a lag of 1 that nobody can read.
#[tokio::test(flavor = "multi_thread")]
async fn a_marker_of_a_transaction_is_no_stall() {
    let kafka = kafka();
    let running = running();
    let (topic, group) = (unique("marker"), unique("marker"));
    kafka.create_topic(&topic, 1).await;
    let reader = Reader::start(&group, &topic, "classic");
    until(&running, &group, "it is a member", |view| view.row.members == Some(1)).await;
    kafka.transact(&unique("tx"), &topic, vec![(vec![plain("a"), plain("b")], End::Commit)]).await;
    until(&running, &group, "the marker waits", |view| view.row.lag == Some(1)).await;
    // A read shows that no record waits: there is no time lag, and no stall.
    let none = |view: &GroupView| {
        view.row.time_lag == Some(TimeLag::NONE) && view.partitions[0].time_lag == Some(TimeLag::NONE)
    };
    let (view, way, _) = until(&running, &group, "that it is none is found out", none).await;
    assert_eq!((view.row.verdict, view.row.lag), (Verdict::Ok, Some(1)), "{way:?}");
    assert_eq!(way, BTreeSet::from([Verdict::Ok]));
    tokio::task::spawn_blocking(move || drop(reader)).await.unwrap();
    running.stop().await;
}
