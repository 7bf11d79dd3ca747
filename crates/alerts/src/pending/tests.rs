use std::collections::BTreeSet;

use flowdeck_model::Verdict;

use super::*;
use crate::alert::Found;
use crate::receiver::{Format, Selection, Target};

fn by(format: Format) -> Channel {
    Channel::Http { target: Target::new("http://127.0.0.1:9/").unwrap(), format }
}

fn receiver() -> Receiver {
    Receiver {
        name: "on-call".to_owned(),
        channel: by(Format::Alertmanager),
        selection: Selection { level: Level::Warning, verdicts: vec![], groups: vec![], clusters: vec![] },
        after: Duration::from_secs(60),
        repeat: Duration::from_secs(3_600),
        resolved: true,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_270_000_000 + seconds * 1_000)
}

fn found(level: Level, since: i64) -> Found {
    Found {
        group: "payments".into(),
        verdict: Verdict::Stalled,
        level,
        since: at(since),
        evidence: Some("no commit moves".to_owned()),
    }
}

fn cluster(read_at: i64, found: Vec<Found>) -> ClusterLook {
    ClusterLook {
        name: "eu".parse().unwrap(),
        read_at: at(read_at),
        another_tells: false,
        found,
        unknown: BTreeSet::new(),
    }
}

/// The receiver's side: what it is told at each moment, and taken.
struct Told {
    receiver: Receiver,
    pending: Pending,
}

impl Told {
    fn new(receiver: Receiver) -> Self {
        Self { receiver, pending: Pending::default() }
    }

    /// `level began ended` of each.
    fn at(&mut self, now: i64, cluster: ClusterLook) -> Vec<(What, Level, bool)> {
        let told = self.before_it_is_taken(now, cluster);
        if let Some(batch) = self.pending.due(&self.receiver.channel, &|_| GroupLabels::default()) {
            self.pending.told(&batch, at(now));
        }
        told
    }

    fn before_it_is_taken(&mut self, now: i64, cluster: ClusterLook) -> Vec<(What, Level, bool)> {
        self.pending.look(&self.receiver, &Look { now: at(now), clusters: vec![cluster] });
        let batch = self.pending.due(&self.receiver.channel, &|_| GroupLabels::default());
        let alerts = batch.into_iter().flat_map(|batch| batch.alerts);
        alerts.map(|one| (one.what, one.level, one.ended.is_some())).collect()
    }
}

const STALLED: What = What::Verdict(Verdict::Stalled);

#[test]
fn a_finding_is_told_once_it_lasts_and_again_when_it_is_over() {
    let mut told = Told::new(receiver());
    let stalled = || vec![found(Level::Critical, 0)];
    assert_eq!(told.at(59, cluster(59, stalled())), []);
    assert_eq!(told.at(60, cluster(60, stalled())), [(STALLED, Level::Critical, false)]);
    assert_eq!(told.at(65, cluster(65, stalled())), [], "told already");
    assert_eq!(told.at(70, cluster(70, vec![])), []);
    assert_eq!(told.at(99, cluster(99, vec![])), [], "gone for a moment");
    assert_eq!(told.at(100, cluster(100, vec![])), [(STALLED, Level::Critical, true)]);
    assert_eq!(told.at(105, cluster(105, vec![])), []);
    assert!(told.pending.follows_nothing());
}

#[test]
fn what_is_over_before_it_was_told_is_never_told() {
    let mut told = Told::new(receiver());
    assert_eq!(told.at(30, cluster(30, vec![found(Level::Critical, 0)])), []);
    assert_eq!(told.at(40, cluster(40, vec![])), []);
    assert_eq!(told.at(100, cluster(100, vec![])), []);
}

#[test]
fn it_is_told_again_where_it_grows_worse_and_after_the_repeat() {
    let mut told = Told::new(receiver());
    assert_eq!(told.at(60, cluster(60, vec![found(Level::Warning, 0)])), [(STALLED, Level::Warning, false)]);
    assert_eq!(
        told.at(70, cluster(70, vec![found(Level::Critical, 0)])),
        [(STALLED, Level::Critical, false)]
    );
    assert_eq!(told.at(80, cluster(80, vec![found(Level::Warning, 0)])), [], "less is no news");
    assert_eq!(told.at(3_669, cluster(3_669, vec![found(Level::Warning, 0)])), []);
    assert_eq!(
        told.at(3_670, cluster(3_670, vec![found(Level::Warning, 0)])),
        [(STALLED, Level::Warning, false)]
    );
}

#[test]
fn what_was_not_taken_stays_due() {
    let mut told = Told::new(receiver());
    let stalled = || cluster(60, vec![found(Level::Critical, 0)]);
    assert_eq!(told.before_it_is_taken(60, stalled()).len(), 1);
    assert_eq!(told.before_it_is_taken(65, stalled()).len(), 1);
    assert_eq!(told.at(70, stalled()).len(), 1);
    assert_eq!(told.at(75, stalled()).len(), 0);
}

#[test]
fn a_cluster_that_is_not_read_is_an_alert_and_ends_no_other() {
    let mut told = Told::new(receiver());
    let stalled = || vec![found(Level::Critical, 0)];
    assert_eq!(told.at(60, cluster(60, stalled())).len(), 1);
    // From some age on nothing is known of the group, and later on the cluster counts as not read.
    let unknown = || ClusterLook { unknown: BTreeSet::from(["payments".into()]), ..cluster(60, vec![]) };
    let mut all = vec![];
    for now in (65..300).step_by(5) {
        let look = if now < 90 { cluster(60, stalled()) } else { unknown() };
        all.extend(told.at(now, look));
    }
    assert_eq!(all, [(What::NotRead, Level::Critical, false)]);
    assert_eq!(told.at(305, cluster(305, stalled())), []);
    // As all that applies and is over of the cluster as a whole.
    assert_eq!(told.at(335, cluster(335, stalled())), [(What::NotRead, Level::Critical, true)]);
    assert_eq!(told.at(340, cluster(340, vec![])), []);
    assert_eq!(told.at(370, cluster(370, vec![])), [(STALLED, Level::Critical, true)]);
}

#[test]
fn a_group_that_cannot_be_read_is_not_over() {
    let mut told = Told::new(receiver());
    assert_eq!(told.at(60, cluster(60, vec![found(Level::Critical, 0)])).len(), 1);
    for now in (65..300).step_by(5) {
        let unknown = BTreeSet::from(["payments".into()]);
        assert_eq!(told.at(now, ClusterLook { unknown, ..cluster(now, vec![]) }), []);
    }
    assert_eq!(told.at(300, cluster(300, vec![])), []);
    assert_eq!(told.at(330, cluster(330, vec![])), [(STALLED, Level::Critical, true)]);
}

#[test]
fn a_message_has_all_that_applies_of_its_group() {
    let behind =
        |since| Found { verdict: Verdict::Behind, level: Level::Warning, ..found(Level::Warning, since) };
    let other = Found { group: "orders".into(), ..found(Level::Critical, 0) };
    let mut told = Told::new(receiver());
    let look = |found: Vec<Found>, now| cluster(now, found);
    let all = || vec![found(Level::Critical, 0), behind(0), other.clone()];
    // One group after the other, in Alertmanager's format.
    assert_eq!(told.at(60, look(all(), 60)).len(), 1);
    assert_eq!(told.at(65, look(all(), 65)).len(), 2);
    assert_eq!(told.at(70, look(all(), 70)), []);
    assert_eq!(told.at(75, look(vec![behind(0), other.clone()], 75)), []);
    let behind_applies = (What::Verdict(Verdict::Behind), Level::Warning, false);
    let stalled_is_over = (STALLED, Level::Critical, true);
    assert_eq!(told.at(105, look(vec![behind(0), other.clone()], 105)), [behind_applies, stalled_is_over]);
    assert_eq!(told.at(110, look(vec![behind(0), other.clone()], 110)), []);

    let mut told = Told::new(Receiver { channel: by(Format::Slack), ..receiver() });
    assert_eq!(told.at(60, look(all(), 60)).len(), 3, "a text has all of them");
}

#[test]
fn another_replica_tells_and_one_that_takes_over_tells_what_applies() {
    let mut told = Told::new(receiver());
    let look = |at: i64, another_tells: bool| ClusterLook {
        another_tells,
        ..cluster(at, vec![found(Level::Critical, 0)])
    };
    assert_eq!(told.at(60, look(60, true)), []);
    assert_eq!(told.at(300, look(300, true)), []);
    // Nobody knows whether the other one reached the receiver.
    assert_eq!(told.at(305, look(305, false)).len(), 1);
    assert_eq!(told.at(310, look(310, false)), []);
    assert_eq!(told.at(315, cluster(315, vec![])), []);
    assert_eq!(told.at(345, cluster(345, vec![])), [(STALLED, Level::Critical, true)]);
}

#[test]
fn ends_are_not_told_to_who_does_not_want_them() {
    let mut told = Told::new(Receiver { resolved: false, ..receiver() });
    assert_eq!(told.at(60, cluster(60, vec![found(Level::Critical, 0)])).len(), 1);
    assert_eq!(told.at(70, cluster(70, vec![])), []);
    assert_eq!(told.at(100, cluster(100, vec![])), []);
    assert!(told.pending.follows_nothing());
}

#[test]
fn more_than_are_followed_are_counted() {
    let mut told = Told::new(Receiver { channel: by(Format::Slack), ..receiver() });
    let many = (0..MOST + 7).map(|n| Found { group: format!("g{n}").into(), ..found(Level::Critical, 0) });
    assert_eq!(told.at(60, cluster(60, many.collect())).len(), OF_A_MESSAGE);
    assert_eq!(told.pending.left_out(), 7);
    assert_eq!(told.pending.firing(&told.receiver, at(60)), MOST as u64);
}
