use flowdeck_model::Verdict;

use super::*;
use crate::alert::Found;
use crate::receiver::{Format, Selection, Target};

fn receiver() -> Receiver {
    Receiver {
        name: "on-call".to_owned(),
        target: Target::new("http://127.0.0.1:9/").unwrap(),
        format: Format::default(),
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
    ClusterLook { name: "eu".parse().unwrap(), read_at: at(read_at), another_tells: false, found }
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
        if let Some(batch) = self.pending.due(&|_| GroupLabels::default()) {
            self.pending.delivered(&batch, at(now));
        }
        told
    }

    fn before_it_is_taken(&mut self, now: i64, cluster: ClusterLook) -> Vec<(What, Level, bool)> {
        self.pending.look(&self.receiver, &Look { now: at(now), clusters: vec![cluster] });
        let batch = self.pending.due(&|_| GroupLabels::default());
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
    // The last reading found nothing, and was long ago.
    assert_eq!(told.at(200, cluster(60, vec![])), [(What::NotRead, Level::Critical, false)]);
    assert_eq!(
        told.at(900, cluster(60, vec![])),
        [],
        "told, and the stall is not over as far as anybody knows"
    );
    assert_eq!(told.at(905, cluster(905, stalled())), []);
    assert_eq!(told.at(935, cluster(935, stalled())), [(What::NotRead, Level::Critical, true)]);
}

#[test]
fn another_replica_tells_and_this_one_goes_on_where_it_left() {
    let mut told = Told::new(receiver());
    let look = |at: i64, another_tells: bool| ClusterLook {
        another_tells,
        ..cluster(at, vec![found(Level::Critical, 0)])
    };
    assert_eq!(told.at(60, look(60, true)), []);
    // It may have ended before it told: twice rather than never.
    assert_eq!(told.at(100, look(100, false)).len(), 1);

    let mut told = Told::new(receiver());
    assert_eq!(told.at(60, look(60, true)), []);
    assert_eq!(told.at(180, look(180, true)), []);
    assert_eq!(told.at(185, look(185, false)), [], "told by the other long ago");
    let gone = |at| cluster(at, vec![]);
    assert_eq!(told.at(190, gone(190)), []);
    assert_eq!(told.at(220, gone(220)), [(STALLED, Level::Critical, true)], "by the one that leads now");
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
    let mut told = Told::new(receiver());
    let many = (0..MOST + 7).map(|n| Found { group: format!("g{n}").into(), ..found(Level::Critical, 0) });
    assert_eq!(told.at(60, cluster(60, many.collect())).len(), OF_A_MESSAGE);
    assert_eq!(told.pending.left_out(), 7);
    assert_eq!(told.pending.firing(&told.receiver, at(60)), MOST as u64);
}
