//! Offsets that agents set: what they say of each partition, beside their own states. An operation is confirmed once an
//! owner answered for every partition.

use flowdeck_model::view::InstanceKind;
use flowdeck_model::{InstanceState, Partition, Timestamp, TopicName};
use flowdeck_protocol::wire::Ack;

use super::{Command, Tracked};

/// Takes in what an answer says of the partitions that were asked for; whether that is news.
pub(super) fn note(command: &mut Command, ack: &Ack, now: Timestamp) -> bool {
    let Some(asked) = command.asked_offsets.clone() else { return false };
    let mut news = false;
    for moved in &ack.moved {
        let is =
            |topic: &TopicName, partition: Partition| topic == &moved.topic && partition == moved.partition;
        if !asked.moves.iter().any(|one| is(&one.topic, one.partition) && one.to == Some(moved.to)) {
            continue;
        }
        if let Some(change) = command.offsets.iter_mut().find(|one| is(&one.topic, one.partition)) {
            change.from = moved.from;
        }
        let line =
            lines(&mut command.instances).find(|one| one.key.instance.as_str() == moved.topic.as_str());
        news |= line.is_some_and(|line| line.anew.moved.insert((moved.topic.clone(), moved.partition)));
    }
    if news {
        for line in lines(&mut command.instances) {
            let topic = line.key.instance.as_str().to_owned();
            let all = asked.moves.iter().filter(|one| one.topic.as_str() == topic).count();
            let done = line.anew.moved.len();
            let detail = Some(format!("{done} of {all} commits set by their owners"));
            let state = if done == all { InstanceState::Acknowledged } else { line.state };
            line.become_(state, detail, now);
        }
    }
    news
}

/// Every agent has answered: what no owner answered for is not set.
pub(super) fn close(command: &mut Command, now: Timestamp) -> bool {
    let waits = |one: &Tracked| one.state == InstanceState::Waiting;
    let is_line = |one: &Tracked| one.kind == InstanceKind::Commits;
    let mut agents = command.instances.iter().filter(|one| !is_line(one)).peekable();
    if agents.peek().is_none() || agents.any(waits) {
        return false;
    }
    let mut changed = false;
    for line in lines(&mut command.instances).filter(|one| one.state == InstanceState::Waiting) {
        let said = line.detail.clone().filter(|_| !line.anew.moved.is_empty());
        let detail = said.unwrap_or_else(|| "no owner set a commit".to_owned());
        changed |= line.become_(InstanceState::NoResponse, Some(detail), now);
    }
    changed
}

fn lines(all: &mut [Tracked]) -> impl Iterator<Item = &mut Tracked> {
    all.iter_mut().filter(|one| one.kind == InstanceKind::Commits)
}
