//! Offsets that agents set: what they say of each partition, beside their own states. An operation is confirmed once an
//! owner answered for every partition.

use flowdeck_model::view::{InstanceKind, OffsetTarget};
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
            change.to = OffsetTarget::Offset(moved.to);
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
    // One that is silent may have set what it owns.
    let is_told =
        !command.instances.iter().any(|one| !is_line(one) && one.state == InstanceState::NoResponse);
    let (mut changed, mut told) = (false, Vec::new());
    for line in lines(&mut command.instances).filter(|one| one.state == InstanceState::Waiting) {
        if is_told && !line.anew.is_from_audit {
            told.push((line.key.instance.clone(), line.anew.moved.clone()));
        }
        let said = line.detail.clone().filter(|_| !line.anew.moved.is_empty());
        let detail = said.unwrap_or_else(|| "no owner set a commit".to_owned());
        changed |= line.become_(InstanceState::NoResponse, Some(detail), now);
    }
    for (topic, moved) in told {
        command.leave_offsets(|one| {
            one.topic.as_str() == topic.as_str() && !moved.contains(&(one.topic.clone(), one.partition))
        });
    }
    changed
}

fn lines(all: &mut [Tracked]) -> impl Iterator<Item = &mut Tracked> {
    all.iter_mut().filter(|one| one.kind == InstanceKind::Commits)
}

#[cfg(test)]
mod tests {
    use flowdeck_model::actor::ActorView;
    use flowdeck_model::offsets::SetOffsets;
    use flowdeck_model::{Action, ActorKind, Incarnation, InstanceName, Submit, Via};
    use flowdeck_observe::telemetry::InstanceId;
    use flowdeck_protocol::wire::MovedOffset;

    use super::super::command::Anew;
    use super::super::tests::{at, submit, target, topic};
    use super::*;

    fn tracked(name: &str, kind: InstanceKind, state: InstanceState) -> Tracked {
        Tracked {
            key: InstanceId { consumer: None, instance: InstanceName::from(name), incarnation: None },
            kind,
            state,
            at: at(0),
            detail: None,
            since: at(0),
            deadline: at(60),
            flows: Default::default(),
            joined: None,
            moved: 0,
            anew: Anew::default(),
            is_silent: false,
        }
    }

    /// Two partitions of a topic are set by one agent.
    fn command(agent: InstanceState) -> Command {
        let offsets = SetOffsets {
            to: "2".to_owned(),
            moves: "a 0*5*2 1*5*2".parse().unwrap(),
            skips: None,
            confirm: None,
        };
        let submit =
            Submit { offsets: Some(Box::new(offsets)), ..submit(1, Action::SetOffsets, target(None, &[])) };
        let actor = ActorView { name: "ana".into(), kind: ActorKind::User, via: Via::Api, address: None };
        let mut command = Command::new(submit, actor, at(0));
        command.instances = vec![
            tracked("host-1", InstanceKind::Agent, agent),
            tracked("a", InstanceKind::Commits, InstanceState::Waiting),
        ];
        command
    }

    fn ack(command: &Command, partitions: &[i32]) -> Ack {
        let moved = partitions.iter().map(|number| MovedOffset {
            topic: topic("a"),
            partition: Partition::new(*number).unwrap(),
            from: Some(5),
            to: 2,
        });
        Ack {
            command: command.id,
            holds_offset: 0,
            group: "g".into(),
            consumer: "c".into(),
            instance: "host-1".into(),
            incarnation: Incarnation::from_uuid(uuid::Uuid::from_u128(7)),
            state: InstanceState::Acknowledged,
            partitions: vec![],
            moved: moved.collect(),
            at: at(1),
            detail: None,
        }
    }

    fn targets(command: &Command) -> Vec<OffsetTarget> {
        command.offsets.iter().map(|one| one.to).collect()
    }

    #[test]
    fn what_no_owner_set_is_not_said_to_be_moved() {
        use OffsetTarget::{NotSet, Offset};
        let mut one = command(InstanceState::Acknowledged);
        let first = ack(&one, &[0]);
        assert!(note(&mut one, &first, at(1)) && close(&mut one, at(1)));
        assert_eq!(targets(&one), [Offset(2), NotSet]);
        // An answer that comes late says more.
        let late = ack(&one, &[1]);
        assert!(note(&mut one, &late, at(2)));
        assert_eq!(targets(&one), [Offset(2), Offset(2)]);

        // One that did not answer may have set it; what a leader before saw of each partition is not in the audit.
        let mut silent = command(InstanceState::NoResponse);
        let mut taken_over = command(InstanceState::Acknowledged);
        taken_over.instances[1].anew.is_from_audit = true;
        for one in [&mut silent, &mut taken_over] {
            assert!(close(one, at(1)));
            assert_eq!(targets(one), [Offset(2), Offset(2)]);
        }
    }
}
