//! Page by page through a topic, in both directions: each record exactly once, whatever gaps its offsets have;
//! and the order of records whose producers' clocks are wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use flowdeck_kafka::{Cluster, Isolation, PartitionRead, ReadEnd, ReadOutcome, ReadRequest, ReadStart};
use flowdeck_model::Timestamp;
use flowdeck_testkit::{End, Kafka, kafka, plain, unique, wait_for};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use tokio_util::sync::CancellationToken;

use crate::peek::{places, send_at};
use crate::support::{LONG, cluster, partition, read};

const DAY: i64 = 86_400_000;
const YEAR: i64 = 365 * DAY;
/// More pages than any walk here has.
const PAGES: usize = 500;

type Place = (i32, i64);

fn now() -> i64 {
    Timestamp::from_system(std::time::SystemTime::now()).millis()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Towards {
    Older,
    Newer,
}

impl Towards {
    /// Where the next page starts, if there is one.
    fn next(self, page: &ReadOutcome) -> Option<ReadStart> {
        let at = |position: fn(&PartitionRead) -> i64| {
            page.partitions.iter().map(|part| (part.partition, position(part))).collect()
        };
        match self {
            Self::Older => page.older.then(|| ReadStart::Before(at(|part| part.from))),
            Self::Newer => page.newer.then(|| ReadStart::From(at(|part| part.next))),
        }
    }
}

struct Walk {
    /// What was shown, in the order in which it was.
    shown: Vec<Place>,
    last: ReadOutcome,
}

/// From page to page as long as there is a next one, none of them empty.
async fn walk(cluster: &Cluster, first: ReadRequest, towards: Towards) -> Walk {
    let mut request = first.clone();
    let mut shown = Vec::new();
    for _ in 0..PAGES {
        request.deadline = flowdeck_kafka::Deadline::after(LONG);
        let page = cluster.read(request.clone(), CancellationToken::new()).await.expect("a page");
        assert!(matches!(page.end, ReadEnd::Complete | ReadEnd::LimitHit), "{page:?}");
        assert!(!page.records.is_empty(), "an empty page at {:?}: {page:?}", request.start);
        shown.extend(places(&page));
        let Some(start) = towards.next(&page) else { return Walk { shown, last: page } };
        assert_ne!(start, request.start, "a page leads to itself: {page:?}");
        request.start = start;
    }
    panic!("a walk without an end: {shown:?}");
}

/// `all` is exactly what walks in all directions show, each record once and each partition in its order.
async fn every_walk_shows(cluster: &Cluster, request: &ReadRequest, all: &BTreeSet<Place>) {
    let once = |walk: &Walk, what: &str| {
        let set: BTreeSet<_> = walk.shown.iter().copied().collect();
        let missing: Vec<_> = all.difference(&set).collect();
        assert_eq!((set.len(), walk.shown.len()), (all.len(), all.len()), "{what}: missing {missing:?}");
        assert_eq!(&set, all, "{what}");
    };
    let from = |start| ReadRequest { start, ..request.clone() };
    let back = walk(cluster, from(ReadStart::Newest), Towards::Older).await;
    once(&back, "from the newest back");
    assert!(!back.last.older);
    let by_offset = |a: &Place, b: &Place| a.0 != b.0 || a.1 > b.1;
    for number in 0..all.last().map_or(0, |last| last.0 + 1) {
        let own: Vec<_> = back.shown.iter().filter(|place| place.0 == number).collect();
        assert!(own.windows(2).all(|pair| by_offset(pair[0], pair[1])), "{own:?}");
    }
    // And forwards again: what that shows is the last page and all that is newer.
    let mut forth =
        back.last.records.iter().map(|record| (record.partition.get(), record.offset)).collect::<Vec<_>>();
    if let Some(start) = Towards::Newer.next(&back.last) {
        forth.extend(walk(cluster, from(start), Towards::Newer).await.shown);
    }
    once(&Walk { shown: forth, last: back.last }, "back to the newest");
    let ahead = walk(cluster, from(ReadStart::Earliest), Towards::Newer).await;
    once(&ahead, "from the earliest on");
    let mut back: Vec<_> = places(&ahead.last);
    if let Some(start) = Towards::Older.next(&ahead.last) {
        back.extend(walk(cluster, from(start), Towards::Older).await.shown);
    }
    once(&Walk { shown: back, last: ahead.last }, "back to the earliest");
}

fn of(partition: i32, offsets: impl IntoIterator<Item = i64>) -> BTreeSet<Place> {
    offsets.into_iter().map(|offset| (partition, offset)).collect()
}

/// Offsets 0–9 and 989–1021, by compaction.
async fn compacted(kafka: &Kafka, name: &str) {
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("max.compaction.lag.ms", "100"),
    ];
    kafka.create_topic_with(name, 1, &settings).await;
    let producer: ThreadedProducer<DefaultProducerContext> = kafka.client().create().expect("a producer");
    let send = |offset: i64| {
        let key = if (10..=989).contains(&offset) { "same".to_owned() } else { format!("own {offset}") };
        let record = BaseRecord::<str, str>::to(name).partition(0).key(&key).payload("x");
        producer.send(record).map_err(|(error, _)| error).expect("a place in the queue");
    };
    (0..=1020).for_each(send);
    producer.flush(LONG).expect("all sent");
    // The last record begins a new segment, so that all before it can be cleaned.
    tokio::time::sleep(Duration::from_millis(300)).await;
    send(1021);
    producer.flush(LONG).expect("all sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn paging_reaches_every_record_once_over_a_gap_of_compaction() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("gap");
    compacted(kafka, &name).await;
    let all: BTreeSet<_> = of(0, (0..=9).chain(989..=1021));
    wait_for("compaction", Duration::from_secs(90), async || {
        let request = read(&name, ReadStart::Earliest, 2_000);
        let outcome = cluster.read(request, CancellationToken::new()).await.expect("a read");
        (places(&outcome).into_iter().collect::<BTreeSet<_>>() == all).then_some(())
    })
    .await;
    for limit in [1, 7, 20, 33, 43, 100] {
        every_walk_shows(&cluster, &read(&name, ReadStart::Newest, limit), &all).await;
    }
    let page = |start| cluster.read(read(&name, start, 20), CancellationToken::new());
    let before = page(ReadStart::Before(vec![(partition(0), 1002)])).await.expect("a page");
    assert_eq!(places(&before).last(), Some(&(0, 3)), "13 of 989 to 1001, and 3 to 9");
    // Nothing lies between: what is offered on either side is told by the records, not by the bounds.
    let none = page(ReadStart::Before(vec![(partition(0), 0)])).await.expect("a page");
    assert_eq!((none.records.len(), none.older, none.newer), (0, false, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn paging_reaches_every_record_once_over_transaction_markers() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("markers");
    kafka.create_topic(&name, 1).await;
    let transactions = (0..30).map(|n| {
        let records = (0..1 + n % 3).map(|_| plain("x")).collect();
        (records, if n % 4 == 3 { End::Abort } else { End::Commit })
    });
    // Each transaction ends with a marker, which takes an offset and is no record.
    let (mut all, mut committed, mut offset) = (BTreeSet::new(), BTreeSet::new(), 0);
    let transactions: Vec<_> = transactions.collect();
    for (records, end) in &transactions {
        for _ in records {
            all.insert((0, offset));
            if *end == End::Commit {
                committed.insert((0, offset));
            }
            offset += 1;
        }
        offset += 1;
    }
    kafka.transact(&unique("tx"), &name, transactions).await;
    for limit in [1, 5, 8, 60] {
        let request = read(&name, ReadStart::Newest, limit);
        every_walk_shows(&cluster, &request, &all).await;
        let request = ReadRequest { isolation: Isolation::ReadCommitted, ..request };
        every_walk_shows(&cluster, &request, &committed).await;
    }
    // Only the marker lies behind the last record.
    let last = all.last().expect("a record").1;
    let start = ReadStart::Offset(last);
    let page = cluster.read(read(&name, start, 1), CancellationToken::new()).await.expect("a page");
    assert_eq!((places(&page), page.newer, page.older), (vec![(0, last)], false, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_older_is_offered_where_the_log_begins() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("begins");
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, (0..100).map(|n| n.to_string())).await;
    kafka.delete_records(&name, 0, 70).await;
    let all = of(0, 70..100);
    for limit in [7, 10, 30, 50] {
        every_walk_shows(&cluster, &read(&name, ReadStart::Newest, limit), &all).await;
    }
    for start in [ReadStart::Earliest, ReadStart::Offset(3), ReadStart::Offset(70)] {
        let page =
            cluster.read(read(&name, start.clone(), 10), CancellationToken::new()).await.expect("a page");
        assert_eq!((page.older, page.newer), (false, true), "{start:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paging_reaches_every_record_of_all_partitions_once() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("several");
    kafka.create_topic(&name, 5).await;
    let base = now() - DAY;
    // 0: much and new; 1: clocks that go back; 2: times of last year at its end; 3: few; 4: none.
    let mut sent: Vec<(i32, i64)> = (0..150).map(|n| (0, base + 5_000 + n)).collect();
    sent.extend((0..60).map(|n| (1, base + (n * 7_919) % 10_000)));
    sent.extend((0..40).map(|n| (2, if n < 20 { base + n * 100 } else { base - YEAR + n })));
    sent.extend([(3, base + 1)]);
    send_at(kafka, &name, &sent);
    kafka.delete_records(&name, 1, 11).await;
    let mut all = of(0, 0..150);
    all.extend(of(1, 11..60));
    all.extend(of(2, 0..40));
    all.extend(of(3, 0..1));
    for limit in [9, 50, 239, 240, 241] {
        every_walk_shows(&cluster, &read(&name, ReadStart::Newest, limit), &all).await;
    }
    let bytes = ReadRequest { limit_bytes: 200, ..read(&name, ReadStart::Newest, 100) };
    every_walk_shows(&cluster, &bytes, &all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_shows_the_last_offsets_of_a_partition_with_old_times() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("replayed");
    kafka.create_topic(&name, 3).await;
    let yesterday = now() - DAY;
    let mut sent: Vec<(i32, i64)> = (0..100).flat_map(|n| (0..3).map(move |p| (p, yesterday + n))).collect();
    sent.extend((0..5).map(|n| (2, yesterday - YEAR + n)));
    send_at(kafka, &name, &sent);
    let newest = |partitions, limit| ReadRequest { partitions, ..read(&name, ReadStart::Newest, limit) };
    let page = cluster.read(newest(None, 50), CancellationToken::new()).await.expect("a read");
    let mut want = vec![(0, 99), (1, 99)];
    want.extend((99..=104).rev().map(|offset| (2, offset)));
    want.extend((85..=98).rev().flat_map(|offset| [(0, offset), (1, offset), (2, offset)]));
    assert_eq!(places(&page), want);
    assert!(page.partitions.iter().all(|part| !part.none_shown));

    let name = unique("one");
    kafka.create_topic(&name, 1).await;
    let sent: Vec<_> =
        (0..35).map(|n| (0, if n < 30 { yesterday + n } else { yesterday - YEAR + n })).collect();
    send_at(kafka, &name, &sent);
    let request = read(&name, ReadStart::Newest, 8);
    let page = cluster.read(request, CancellationToken::new()).await.expect("a read");
    assert_eq!(places(&page), (27..=34).rev().map(|offset| (0, offset)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_whose_newest_record_is_not_shown_is_named() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("hidden");
    kafka.create_topic(&name, 3).await;
    let base = now() - DAY;
    let mut sent: Vec<(i32, i64)> = (0..30).map(|n| (0, base + n)).collect();
    sent.extend((0..10).map(|n| (1, base - YEAR + n)));
    send_at(kafka, &name, &sent);
    for (start, hidden) in [(ReadStart::Newest, 1), (ReadStart::Earliest, 0)] {
        let page = cluster.read(read(&name, start, 5), CancellationToken::new()).await.expect("a read");
        let named: Vec<_> =
            page.partitions.iter().filter(|part| part.none_shown).map(|part| part.partition.get()).collect();
        assert_eq!(named, [hidden]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_are_no_dates_are_kept_and_disturb_no_order() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("absurd");
    // A broker refuses times far ahead unless it is told to take them.
    let later = i64::MAX.to_string();
    kafka.create_topic_with(&name, 2, &[("message.timestamp.after.max.ms", &later)]).await;
    let base = now() - DAY;
    let sent = [(0, base), (0, base * 1_000), (0, i64::MAX), (0, base + 10), (1, base + 5), (1, base + 20)];
    send_at(kafka, &name, &sent);
    let page =
        cluster.read(read(&name, ReadStart::Newest, 9), CancellationToken::new()).await.expect("a read");
    assert_eq!(places(&page), [(1, 1), (0, 3), (1, 0), (0, 2), (0, 1), (0, 0)]);
    let times: Vec<_> = page.records.iter().filter_map(|record| record.timestamp).collect();
    assert_eq!(times[3].millis, i64::MAX);
    assert_eq!((times[4].millis, times[4].at()), (base * 1_000, None));
    assert_eq!(times[5].at(), Some(Timestamp::from_millis(base)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_reaches_over_a_gap_into_many_records_is_made_smaller() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("dense");
    kafka.create_topic(&name, 1).await;
    let many = |count: usize| (0..count).map(|_| plain("x")).collect::<Vec<_>>();
    let all = [(many(2_000), End::Commit), (many(6_000), End::Abort), (many(3), End::Commit)];
    kafka.transact(&unique("tx"), &name, all.to_vec()).await;
    let request = read(&name, ReadStart::Newest, 100);
    let request = ReadRequest { isolation: Isolation::ReadCommitted, ..request };
    let back = walk(&cluster, request, Towards::Older).await;
    // 2,000 records and a marker, 6,000 and a marker, then three.
    let want: Vec<_> = (0..2_000).chain(8_002..8_005).rev().map(|offset| (0, offset)).collect();
    assert_eq!(back.shown, want);
}
