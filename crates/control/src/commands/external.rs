//! External commands on the admin topic (no `Flowdeck-Command` header): a pause or resume becomes holds by `external`, or
//! their release, so that agents obey them too and the page shows them. KafkaFlow has heard them
//! already, so nothing is sent to it. Repeats are capped: others are not fought. Pure.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use flowdeck_model::actor::ActorView;
use flowdeck_model::hold::{HoldChange, not_yet_held, resume};
use flowdeck_model::{
    Action, ActorKind, CommandId, ConsumerName, GroupId, Hold, HoldBy, HoldId, Submit, Target, Timestamp,
    TopicName, Via,
};
use flowdeck_protocol::kafkaflow;

use flowdeck_observe::holds::quota::{EXTERNAL_GROUP_MAX, EXTERNAL_MAX, HoldQuota};
use flowdeck_observe::telemetry::TelemetryIndex;
use flowdeck_observe::time_zones::RewindTimeZones;

use super::Command;

pub(crate) const OWNER: &str = "external";
const REASON: &str = "a command on the admin topic that did not come from Flowdeck";
const MINUTE: Duration = Duration::from_secs(60);

/// Pause and resume; everything else that KafkaFlow knows holds nothing, and is followed only.
pub(crate) fn is_about_holds(command: &kafkaflow::Command) -> bool {
    use kafkaflow::Command as C;
    matches!(
        command,
        C::PauseConsumersByGroup { .. }
            | C::ResumeConsumersByGroup { .. }
            | C::PauseConsumerByName { .. }
            | C::ResumeConsumerByName { .. }
    )
}

/// What it asks for, of each group that it reaches. `None`: what no consumer can obey.
pub(crate) fn targets(
    command: &kafkaflow::Command,
    telemetry: &TelemetryIndex,
    zones: &RewindTimeZones,
) -> Option<(Action, Vec<Target>)> {
    use kafkaflow::Command as C;
    let (action, targets) = match command {
        C::PauseConsumersByGroup { group, topics } => {
            (Action::Pause, vec![Target { topics: topics.clone(), ..Target::group(group.clone()) }])
        }
        // KafkaFlow's group resume resumes the whole assignment, whatever topics it names.
        C::ResumeConsumersByGroup { group, .. } => (Action::Resume, vec![Target::group(group.clone())]),
        C::PauseConsumerByName { consumer, topics } => (Action::Pause, named(consumer, topics, telemetry)),
        C::ResumeConsumerByName { consumer, topics } => (Action::Resume, named(consumer, topics, telemetry)),
        C::StopConsumerByName { consumer } => (Action::Stop, named(consumer, &[], telemetry)),
        C::StartConsumerByName { consumer } => (Action::Start, named(consumer, &[], telemetry)),
        C::RestartConsumerByName { consumer } => (Action::Restart, named(consumer, &[], telemetry)),
        C::ChangeConsumerWorkersCount { consumer, workers } => {
            let workers = u32::try_from(*workers).ok()?.try_into().ok()?;
            (Action::ChangeWorkers { workers }, named(consumer, &[], telemetry))
        }
        C::ResetConsumerOffset { consumer, topics } => (Action::Reset, named(consumer, topics, telemetry)),
        C::RewindConsumerOffsetToDateTime { consumer, date_time, topics } => {
            let to = zones.of(consumer).instant(date_time.timestamp());
            (Action::Rewind { to }, named(consumer, topics, telemetry))
        }
    };
    Some((action, targets))
}

/// A by-name command carries no group and reaches every group that has the name.
fn named(consumer: &ConsumerName, topics: &[TopicName], telemetry: &TelemetryIndex) -> Vec<Target> {
    let groups = telemetry.groups_of(consumer).into_iter();
    let target = |group: &GroupId| Target {
        consumer: Some(consumer.clone()),
        topics: topics.to_vec(),
        ..Target::group(group.clone())
    };
    groups.map(target).collect()
}

/// What changes; empty where it changes nothing.
pub(crate) fn changes(
    action: Action,
    target: &Target,
    id: CommandId,
    active: &[Hold],
    now: Timestamp,
) -> Vec<HoldChange> {
    let scopes = target.scopes();
    match action {
        Action::Resume => resume(active, &scopes),
        Action::Pause => not_yet_held(active, &scopes, None)
            .into_iter()
            .map(|scope| {
                HoldChange::Set(Hold {
                    scope,
                    id: HoldId::from(id),
                    owner: OWNER.to_owned(),
                    reason: REASON.to_owned(),
                    since: now,
                    until: None,
                    by: HoldBy::Pause,
                    except: vec![],
                })
            })
            .collect(),
        Action::Start => ended_by_start(active, target),
        _ => vec![],
    }
}

/// A start that is not a resume of ours ends the holds that keep the consumer stopped.
pub(crate) fn ended_by_start(active: &[Hold], target: &Target) -> Vec<HoldChange> {
    let by_stop: Vec<Hold> = active.iter().filter(|hold| hold.by == HoldBy::Stop).cloned().collect();
    resume(&by_stop, &target.scopes())
}

pub(crate) fn actor() -> ActorView {
    ActorView { name: OWNER.to_owned(), kind: ActorKind::External, via: Via::Api, address: None }
}

pub(crate) fn command(id: CommandId, action: Action, target: Target, now: Timestamp) -> Command {
    let reason = REASON.to_owned();
    let submit = Submit { id, action, target, reason, ends: None, offsets: None, by: None };
    Command::new(submit, actor(), now)
}

/// Whether it can be within the quota at all, before it is looked at closely: holds of a pause, and scopes that a
/// resume compares with each hold.
pub(crate) fn is_small(targets: &[Target]) -> bool {
    let scopes = |target: &Target| target.topics.len().max(1);
    targets.iter().all(|target| scopes(target) <= EXTERNAL_GROUP_MAX)
        && targets.iter().map(scopes).sum::<usize>() <= EXTERNAL_MAX
}

/// Adds what the changes add to the holds of a group that are in force.
pub(crate) fn grow(quota: &mut HoldQuota, changes: &[HoldChange], active: &[Hold]) {
    for change in changes {
        let HoldChange::Set(hold) = change else { continue };
        match active.iter().find(|one| one.id == hold.id && one.scope == hold.scope) {
            Some(former) => quota.grow(former, hold),
            None => quota.add(hold),
        }
    }
}

/// How often external commands changed a group's holds lately.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    groups: HashMap<GroupId, VecDeque<Timestamp>>,
    /// When a change of the group was last refused.
    capped: HashMap<GroupId, Timestamp>,
    /// When all groups were last looked through.
    swept: Option<Timestamp>,
}

impl Repeats {
    /// Whether one more change in this minute is taken over.
    pub(crate) fn admit(&mut self, group: &GroupId, most: u32, now: Timestamp) -> bool {
        if self.swept.is_none_or(|at| now.since(at) > MINUTE) {
            self.swept = Some(now);
            self.groups.retain(|_, times| times.back().is_some_and(|at| now.since(*at) <= MINUTE));
            self.capped.retain(|_, at| now.since(*at) <= MINUTE);
        }
        let times = self.groups.entry(group.clone()).or_default();
        while times.front().is_some_and(|at| now.since(*at) > MINUTE) {
            times.pop_front();
        }
        if times.len() >= most as usize {
            self.capped.insert(group.clone(), now);
            return false;
        }
        times.push_back(now);
        true
    }

    /// Groups whose newest external commands were not taken over.
    pub(crate) fn capped(&self, now: Timestamp) -> impl Iterator<Item = &GroupId> {
        self.capped.iter().filter(move |(_, at)| now.since(**at) <= MINUTE).map(|(group, _)| group)
    }

    pub(crate) fn is_capped(&self, group: &GroupId, now: Timestamp) -> bool {
        self.capped.get(group).is_some_and(|at| now.since(*at) <= MINUTE)
    }

    /// For whoever may see the cluster: without a name.
    pub(crate) fn warning(&self, now: Timestamp) -> Option<String> {
        self.capped(now).next().map(|_| repeated("a group"))
    }
}

/// In words, of the group that is named so.
pub(crate) fn repeated(group: &str) -> String {
    format!(
        "commands on the admin topic pause and resume {group} again and again; the newest were not taken over"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_capped_for_a_minute() {
        let mut repeats = Repeats::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let group = GroupId::from("g");
        let admitted = (0..20).filter(|n| repeats.admit(&group, 3, at(*n))).count();
        assert_eq!(admitted, 3);
        assert!(
            repeats.warning(at(20)).is_some_and(|words| words.contains("resume a group again and again"))
        );
        assert_eq!(repeats.capped(at(20)).collect::<Vec<_>>(), [&group]);
        assert!(repeats.admit(&"other".into(), 3, at(20)));
        assert!(repeats.admit(&group, 3, at(100)));
        assert!(repeats.warning(at(100)).is_none());
    }

    #[test]
    fn a_group_resume_resumes_the_whole_group() {
        let topics = vec!["t".parse().unwrap()];
        let command =
            kafkaflow::Command::ResumeConsumersByGroup { group: "g".into(), topics: topics.clone() };
        let (action, targets) =
            targets(&command, &TelemetryIndex::default(), &RewindTimeZones::default()).unwrap();
        assert_eq!((action, targets[0].topics.len()), (Action::Resume, 0));
        let command = kafkaflow::Command::PauseConsumersByGroup { group: "g".into(), topics };
        let (_, targets) =
            super::targets(&command, &TelemetryIndex::default(), &RewindTimeZones::default()).unwrap();
        assert_eq!(targets[0].topics.len(), 1);
        let unheard = kafkaflow::Command::PauseConsumerByName { consumer: "c".into(), topics: vec![] };
        assert_eq!(
            super::targets(&unheard, &TelemetryIndex::default(), &RewindTimeZones::default()).unwrap().1,
            vec![]
        );
    }
}
