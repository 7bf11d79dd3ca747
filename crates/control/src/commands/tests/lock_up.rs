//! Lock-ups from one look to the next: when one is said, what frees it, and when a process must be ended.

use flowdeck_observe::locked_up::MustEnd;
use flowdeck_observe::sampling::sample::GroupData;
use flowdeck_observe::telemetry::InstanceId;
use flowdeck_protocol::wire::MustBeEnded;

use flowdeck_model::hold::HoldChange;
use flowdeck_model::{Action, ActorKind, CommandState, HoldBy, PortError};

use super::lifecycle::flow;
use super::plan::{kafkaflow_and_agent, run, with_facts};
use super::*;
use crate::commands::heal::Heal;
use crate::commands::lock_up::{LockUps, Told};
use crate::commands::plan::{Decision, Plan};
use crate::commands::{Command, CommandBook, external, heal};

/// One instance, looked at again and again.
#[derive(Default)]
struct Watched {
    lock_ups: LockUps,
    told: Told,
    rebalancing: Option<i64>,
    named: Vec<MustBeEnded>,
}

impl Watched {
    /// What it says at that time.
    fn says(&mut self, seconds: i64, running: &[i32], paused: &[i32]) -> Vec<(i64, Option<MustEnd>)> {
        let group = GroupData { rebalancing_since: self.rebalancing.map(at), ..GroupData::test("g") };
        let telemetry = flow(seconds, running, paused);
        let within = std::time::Duration::from_secs(15);
        self.lock_ups.observe(&telemetry, Some(&group), |_, _| self.told, &self.named, within, at(seconds));
        let locked = self.lock_ups.locked().into_iter();
        locked.map(|one| ((one.since.millis() - at(0).millis()) / 1_000, one.must_end)).collect()
    }

    /// Paused, and then without an answer to the rebalance.
    fn locked_at_2() -> Self {
        let mut one = Self::default();
        assert_eq!(one.says(0, &[], &[0]), []);
        one.rebalancing = Some(2);
        assert_eq!(one.says(2, &[], &[]), []);
        assert_eq!(one.says(16, &[], &[]), [], "a rebalance may take its time");
        assert_eq!(one.says(17, &[], &[]), [(2, None)]);
        one
    }

    fn restarted(mut self, seconds: i64) -> Self {
        self.told.moved_at = Some(at(seconds));
        self.says(seconds, &[], &[]);
        self.rebalancing = None;
        self
    }

    fn id() -> InstanceId {
        InstanceId { consumer: Some("audio".into()), instance: "host-1".into(), incarnation: None }
    }

    fn is_defect(&self) -> bool {
        self.lock_ups.is_defect(&"audio".into())
    }
}

#[test]
fn who_ran_before_the_rebalance_is_not_locked_up() {
    let mut one = Watched::default();
    one.says(0, &[0], &[]);
    one.rebalancing = Some(2);
    one.says(2, &[], &[]);
    assert_eq!(one.says(100, &[], &[]), []);
}

#[test]
fn a_pause_and_a_resume_after_the_restart_heal_it() {
    let mut one = Watched::locked_at_2().restarted(20);
    assert_eq!(one.says(28, &[], &[0]), []);
    assert!(one.is_defect(), "until it is resumed");
    one.says(30, &[0], &[]);
    assert!(!one.is_defect());
}

#[test]
fn without_the_pause_it_locks_up_again_and_its_process_must_be_ended() {
    let mut one = Watched::locked_at_2().restarted(20);
    one.says(28, &[0], &[]);
    one.rebalancing = Some(40);
    one.says(40, &[], &[]);
    assert_eq!(one.says(55, &[], &[]), [(40, Some(MustEnd::LockedUpAgain))]);
    assert!(!one.is_defect() && one.lock_ups.is_final(&"audio".into()));
}

/// The group waited for another one.
#[test]
fn who_comes_back_by_itself_was_not_locked_up() {
    let mut one = Watched::locked_at_2();
    one.rebalancing = None;
    assert_eq!(one.says(302, &[], &[0]), []);
    assert!(!one.is_defect());
}

#[test]
fn one_that_is_stopped_is_not_said_to_be_locked_up_and_keeps_the_defect() {
    let mut one = Watched::locked_at_2();
    one.told.is_stopped = true;
    assert_eq!(one.says(18, &[], &[]), []);
    assert!(one.is_defect());
}

#[test]
fn a_stop_counts_for_who_lists_no_partition_since() {
    let stopped_at =
        |seconds: i64| Told { stopped_at: Some(at(seconds)), moved_at: Some(at(seconds)), ..Told::default() };
    let mut stopped = Watched { rebalancing: Some(2), ..Watched::default() };
    stopped.says(0, &[], &[0]);
    stopped.told = stopped_at(1);
    stopped.says(2, &[], &[]);
    assert_eq!(stopped.says(17, &[], &[]), []);
    // It was started since, by whatever means.
    let mut runs = Watched { told: stopped_at(1), rebalancing: Some(102), ..Watched::default() };
    runs.says(100, &[], &[0]);
    runs.says(102, &[], &[]);
    assert_eq!(runs.says(117, &[], &[]), [(102, None)]);
}

#[test]
fn who_does_not_come_back_or_is_resumed_too_soon_must_be_ended() {
    let mut one = Watched::locked_at_2().restarted(20);
    assert!(one.lock_ups.did_not_come_back(&Watched::id(), at(50)));
    assert!(!one.lock_ups.did_not_come_back(&Watched::id(), at(51)), "said once");
    assert_eq!(one.says(51, &[], &[]), [(2, Some(MustEnd::DidNotComeBack))]);
    assert_eq!(one.says(52, &[], &[0]), [], "it was slow");

    let mut one = Watched::locked_at_2().restarted(20);
    one.says(28, &[0], &[]);
    assert!(!one.lock_ups.did_not_come_back(&Watched::id(), at(50)), "it came back");
    one.lock_ups.resumed_too_soon(&Watched::id(), at(29));
    assert_eq!(one.says(60, &[0], &[]), [(29, Some(MustEnd::ResumedTooSoon))]);
}

#[test]
fn who_must_be_ended_by_the_audit_is_said_until_it_lists_partitions() {
    let named = |why| MustBeEnded { consumer: "audio".into(), instance: "host-1".into(), why, since: at(5) };
    let mut one = Watched { named: vec![named(MustEnd::LockedUpAgain)], ..Watched::default() };
    assert_eq!(one.says(20, &[], &[]), [(5, Some(MustEnd::LockedUpAgain))]);
    assert!(one.lock_ups.is_final(&"audio".into()));
    assert_eq!(one.says(25, &[], &[0]), []);
    // It obeys nothing, whatever it lists.
    let mut one = Watched { named: vec![named(MustEnd::ResumedTooSoon)], ..Watched::default() };
    assert_eq!(one.says(20, &[0], &[]), [(5, Some(MustEnd::ResumedTooSoon))]);
}

fn bring_back(
    target: Target,
    active: &[Hold],
    lock_ups: Option<&LockUps>,
    book: &CommandBook,
) -> Option<Plan> {
    let resume = submit(9, Action::Resume, target);
    let telemetry = index(vec![("g", kafkaflow_and_agent())]);
    with_facts(&telemetry, active, book, lock_ups, |facts| heal::plan(&resume, "ana", facts))
}

/// Nothing of it is resumed before all is back: what no hold covers is held for that.
#[test]
fn what_is_locked_up_is_started_anew_under_a_hold() {
    let (book, locked) = (CommandBook::new(10), Watched::locked_at_2().restarted(20).lock_ups);
    assert!(bring_back(target(None, &[]), &[], None, &book).is_none(), "nothing is locked up");
    assert!(bring_back(target(Some("video"), &[]), &[], Some(&locked), &book).is_none(), "another consumer");
    let plan = bring_back(target(None, &[]), &[], Some(&locked), &book).unwrap();
    let [HoldChange::Set(made)] = &plan.changes[..] else { panic!("{:?}", plan.changes) };
    assert_eq!((made.by, made.scope.consumer.as_ref()), (HoldBy::Pause, Some(&"audio".into())));
    assert_eq!((plan.admin.len(), plan.starts.map(|one| one.consumers.len())), (0, Some(1)));
    // What is held by stop is held by pause from now on: no other hold is needed.
    let by_stop = Hold { by: HoldBy::Stop, ..hold(1, None, None) };
    let plan = bring_back(target(None, &[]), &[by_stop], Some(&locked), &book).unwrap();
    let [HoldChange::Set(kept)] = &plan.changes[..] else { panic!("{:?}", plan.changes) };
    assert_eq!((kept.by, kept.id), (HoldBy::Pause, hold(1, None, None).id));
}

/// The process that saw the lock-up may be gone, and another one lead.
#[test]
fn what_was_stopped_out_of_a_lock_up_is_known_by_the_operation() {
    let by_stop = Hold { by: HoldBy::Stop, ..hold(1, None, None) };
    let mut book = CommandBook::new(10);
    let active = [by_stop];
    assert!(bring_back(target(None, &[]), &active, None, &book).is_none(), "it was stopped from the first");
    let contains = Submit { by: Some(HoldBy::Stop), ..submit(2, Action::Pause, target(None, &[])) };
    let actor = flowdeck_model::actor::ActorView { kind: ActorKind::System, ..external::actor() };
    let command = Command { before: vec![hold(1, None, None)], ..Command::new(contains, actor, at(1)) };
    book.put(command, |_| true);
    assert!(bring_back(target(None, &[]), &active, None, &book).is_some());
}

/// The others go on being kept stopped.
#[test]
fn a_hold_of_the_group_is_split_where_one_consumer_is_brought_back() {
    let (book, locked) = (CommandBook::new(10), Watched::locked_at_2().restarted(20).lock_ups);
    let by_stop = Hold { by: HoldBy::Stop, ..hold(1, None, None) };
    let plan = bring_back(target(Some("audio"), &[]), &[by_stop], Some(&locked), &book).unwrap();
    let [HoldChange::Set(left), HoldChange::Set(own)] = &plan.changes[..] else {
        panic!("{:?}", plan.changes)
    };
    assert_eq!((left.by, left.except.len()), (HoldBy::Stop, 1));
    assert!(left.stops(&"g".into(), &"video".into()) && !left.stops(&"g".into(), &"audio".into()));
    assert_eq!((own.by, own.scope.consumer.as_ref()), (HoldBy::Pause, Some(&"audio".into())));
    assert_eq!(plan.starts.map(|one| one.consumers.len()), Some(1));
}

/// A resume of audio that brings it back, sent at 10 s.
fn under_way(kind: ActorKind) -> Command {
    let actor = flowdeck_model::actor::ActorView { kind, ..external::actor() };
    let mut command = Command::new(submit(8, Action::Resume, target(Some("audio"), &[])), actor, at(10));
    command.sent_at = Some(at(10));
    command.state = CommandState::Sent;
    let consumers = std::iter::once("audio".into()).collect();
    command.heal = Some(Heal { consumers, since: at(10), is_resuming: false, is_unclear: false });
    command
}

#[test]
fn what_is_asked_for_while_a_consumer_is_brought_back() {
    let mut book = CommandBook::new(10);
    let command = under_way(ActorKind::User);
    let known = command.id;
    book.put(command, |_| true);
    let telemetry = index(vec![("g", kafkaflow_and_agent())]);
    let active = [hold(1, None, None)];
    let ask = |action, target| run(&submit(9, action, target), &telemetry, &active, &book);
    for (action, asked) in [
        (Action::Pause, target(None, &[])),
        (Action::Pause, target(Some("audio"), &[])),
        (Action::Resume, target(None, &[])),
    ] {
        let answer = ask(action, asked);
        assert!(matches!(answer, Err(PortError::Conflict { .. })), "{answer:?}");
    }
    let answer = ask(Action::Resume, target(Some("audio"), &[]));
    assert!(matches!(answer, Ok(Decision::Existing(there)) if there == known), "{answer:?}");
    let answer = ask(Action::Resume, target(Some("video"), &[]));
    assert!(matches!(answer, Ok(Decision::Write(_))), "{answer:?}");
}

#[test]
fn the_end_of_a_pause_releases_only_what_is_overdue() {
    let command = under_way(ActorKind::System);
    let overdue = Hold { until: Some(at(9)), ..hold(1, Some("audio"), None) };
    let active = [overdue.clone(), hold(2, Some("audio"), Some("b"))];
    assert_eq!(heal::releases(&command, &active, at(30)), [HoldChange::Release(overdue)]);
    assert_eq!(heal::releases(&under_way(ActorKind::User), &active, at(30)).len(), 2);
}
