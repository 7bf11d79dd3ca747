use flowdeck_model::view::InstanceHolds;

use super::*;
use crate::control::holds::{Follows, Reading, Waits};
use crate::control::links::tests::membership;
use crate::control::log::tests::set;
use crate::control::tests::{control, offline};
use crate::record::TopicPartition;
use crate::telemetry;
use crate::view::HoldsStatus;

fn link(groups: &[&str]) -> (Link, Vec<oneshot::Receiver<()>>) {
    let (reader, producer) = offline();
    let mut link = Link::new(membership(), reader, Arc::clone(&producer));
    let ended = groups.iter().map(|group| {
        let (ended, wait) = oneshot::channel();
        link.members.push(Member { control: control(group, &producer), ended, leaves_at: None });
        wait
    });
    let ended = ended.collect();
    (link, ended)
}

fn reading(link: &mut Link, member: usize) -> &mut Reading {
    match &mut link.members[member].control.follows {
        Follows::Holds(reading) => reading,
        Follows::Nothing | Follows::Pauses => panic!("it follows the holds"),
    }
}

fn runs(link: &Link, member: usize) -> bool {
    link.members[member].control.shared.seen().iter().all(crate::lanes::Seen::runs)
}

/// As the client does with a record of the holds.
fn give(link: &mut Link, offset: i64, group: &str) {
    let record = set(offset, group);
    link.reader.took(&record);
    link.each(|control, _| control.record(&record));
}

fn end(link: &mut Link) {
    let round = link.reader.at_end();
    link.each(|control, _| control.at_end(round));
}

fn assign(link: &Link, member: usize) {
    let at = Arc::new(TopicPartition::parse("t", 0).unwrap());
    link.members[member].control.shared.assign(vec![(at, None)]);
}

#[test]
fn agent_that_joins_later_begins_with_the_holds_that_were_read_and_waits_for_their_end() {
    let (mut link, _ended) = link(&["one", "late"]);
    link.members[0].control.follow_holds(&mut link.reader);
    link.reader.assign_if_due();
    give(&mut link, 0, "late");
    give(&mut link, 1, "others");
    end(&mut link);
    assert_eq!(*link.members[0].control.shared.lock().view.status(), HoldsStatus::Known);

    link.members[1].control.follow_holds(&mut link.reader);
    assign(&link, 1);
    // An end of before: somebody may have written a hold since.
    end(&mut link);
    let view = |link: &Link| telemetry::holds(&link.members[1].control.shared.lock().view);
    assert_eq!(view(&link), InstanceHolds::Reading);
    assert_eq!(reading(&mut link, 1).next, Some(2));
    link.reader.assign_if_due();
    end(&mut link);
    assert_eq!(view(&link), InstanceHolds::Known);
    assert!(!runs(&link, 1), "it is held");
}

#[test]
fn new_assignment_waits_for_an_end_that_was_asked_for_after_it() {
    let (mut link, _ended) = link(&["one", "other"]);
    for member in 0..2 {
        link.members[member].control.follow_holds(&mut link.reader);
    }
    link.reader.assign_if_due();
    end(&mut link);
    assign(&link, 0);
    assign(&link, 1);
    link.each(Control::keep_up_with_assignments);
    end(&mut link);
    assert!(!runs(&link, 0) && !runs(&link, 1), "the end may be older than a pause");
    link.reader.assign_if_due();
    let rounds = [0, 1].map(|member| reading(&mut link, member).waits.map(|waits: Waits| waits.round));
    assert_eq!(rounds, [Some(2), Some(2)], "one assignment for both");
    end(&mut link);
    assert!(runs(&link, 0) && runs(&link, 1));
}

#[test]
fn panic_of_one_agent_leaves_the_others() {
    let (mut link, mut ended) = link(&["one", "other"]);
    link.each(|control, _| assert_ne!(control.shared.settings.group.as_str(), "one"));
    assert_eq!(link.members.len(), 1);
    assert!(matches!(ended[0].try_recv(), Err(oneshot::error::TryRecvError::Closed)));
    assert!(matches!(ended[1].try_recv(), Err(oneshot::error::TryRecvError::Empty)));
    let mut left = 0;
    link.each(|_, _| left += 1);
    assert_eq!(left, 1);
}

#[test]
fn agent_whose_last_words_nobody_takes_delays_no_other() {
    let (mut link, mut ended) = link(&["one", "other"]);
    for member in &mut link.members {
        member.control.outbox.telemetry_is_here = true;
    }
    link.members[0].control.shared.finishing.cancel();
    let began = Instant::now();
    link.let_go();
    assert!(began.elapsed() < GOODBYE, "it does not wait");
    assert_eq!((link.members.len(), link.active().count()), (2, 1), "it waits for its delivery");
    link.members[0].leaves_at = Some(Instant::now());
    link.let_go();
    assert_eq!(link.members.len(), 1);
    assert!(matches!(ended[0].try_recv(), Err(oneshot::error::TryRecvError::Closed)));
    // The last one is told once the clients are closed.
    link.members[0].control.shared.finishing.cancel();
    link.members[0].control.outbox.telemetry_is_here = false;
    link.let_go();
    assert!(link.members.is_empty());
    assert!(matches!(ended[1].try_recv(), Err(oneshot::error::TryRecvError::Empty)));
    drop(link);
    assert!(matches!(ended[1].try_recv(), Err(oneshot::error::TryRecvError::Closed)));
}
