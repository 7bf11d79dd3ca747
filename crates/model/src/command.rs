//! Commands: what an operator asks, and the rules of its life (`wire.md`, "A command's life").
//! Pure; sending and gathering evidence is the admin service's work.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::{Action, ActionKind};
use crate::hold::HoldBy;
use crate::ids::CommandId;
use crate::names::{ConsumerName, GroupId, Partition, TopicName};
use crate::offsets::{SetOffsets, TO_MAX};
use crate::pause_end::PauseEnd;
use crate::scope::Scope;

/// A group, a consumer of it, topics of either, or partitions of one topic. No topics means all of them, and no partitions
/// means whole topics.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    pub group: GroupId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<ConsumerName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<TopicName>,
    /// Of the one topic that is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<Partition>,
}

impl Target {
    pub fn group(group: GroupId) -> Self {
        Self { group, consumer: None, topics: vec![], partitions: vec![] }
    }

    /// As a command would name it; none names an instance.
    pub fn of(scope: Scope) -> Self {
        Self {
            group: scope.group,
            consumer: scope.consumer,
            topics: scope.topic.into_iter().collect(),
            partitions: scope.partition.into_iter().collect(),
        }
    }

    /// One scope for each partition, else for each topic, or one for all.
    pub fn scopes(&self) -> Vec<Scope> {
        let broad = Scope { consumer: self.consumer.clone(), ..Scope::group(self.group.clone()) };
        if self.topics.is_empty() {
            return vec![broad];
        }
        let of_topics = self.topics.iter().map(|topic| Scope { topic: Some(topic.clone()), ..broad.clone() });
        if self.partitions.is_empty() {
            return of_topics.collect();
        }
        let of_partitions = |whole: Scope| {
            self.partitions.iter().map(move |one| Scope { partition: Some(*one), ..whole.clone() })
        };
        of_topics.flat_map(of_partitions).collect()
    }

    /// Partitions of a topic, which KafkaFlow cannot pause: it knows groups, consumers and topics.
    pub fn is_of_partitions(&self) -> bool {
        !self.partitions.is_empty()
    }

    pub fn names(&self, topic: &TopicName) -> bool {
        self.topics.is_empty() || self.topics.contains(topic)
    }

    pub fn reaches(&self, topic: &TopicName, partition: Partition) -> bool {
        self.names(topic) && (self.partitions.is_empty() || self.partitions.contains(&partition))
    }
}

/// For a title: "payments", "consumer orders in payments", "topics a, b in payments (consumer orders)", "topic a,
/// partitions 0, 2 in payments". A consumer that is named as its group is not named twice.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.group.shown();
        let topics: Vec<&str> = self.topics.iter().map(TopicName::as_str).collect();
        let kind = if topics.len() == 1 { "topic" } else { "topics" };
        let consumer =
            self.consumer.as_ref().filter(|one| topics.is_empty() || one.as_str() != self.group.as_str());
        let mut part = [kind, " ", &topics.join(", ")].concat();
        for (n, partition) in self.partitions.iter().enumerate() {
            let before = match (n, self.partitions.len()) {
                (0, 1) => ", partition ",
                (0, _) => ", partitions ",
                _ => ", ",
            };
            part.push_str(before);
            part.push_str(&partition.to_string());
        }
        match (&topics[..], consumer) {
            ([], None) => f.write_str(&group),
            ([], Some(consumer)) => write!(f, "consumer {} in {group}", consumer.shown()),
            (_, None) => write!(f, "{part} in {group}"),
            (_, Some(consumer)) => write!(f, "{part} in {group} (consumer {})", consumer.shown()),
        }
    }
}

/// What the caller sends. Same id and same body: the same command; another body under the id: 409.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    pub id: CommandId,
    pub action: Action,
    pub target: Target,
    pub reason: String,
    /// When a pause ends by itself. Never with a resume.
    pub ends: Option<PauseEnd>,
    /// With what sets commits, and only there.
    pub offsets: Option<Box<SetOffsets>>,
    /// How a pause is kept with KafkaFlow consumers; `None`: by the rules of the cluster. `Stop` with `SetOffsets`: those
    /// of a live group are stopped first, and started afterwards. Never with a resume.
    pub by: Option<HoldBy>,
}

/// The longest reason, in characters.
pub const REASON_MAX: usize = 500;
/// So many topics may be named; for each a pause writes a hold of its own.
pub const TOPICS_MAX: usize = 100;
pub const PARTITIONS_MAX: usize = 100;

/// Of every operation that needs one.
pub(crate) fn reason_is_given(reason: &str) -> Result<(), crate::PortError> {
    if reason.trim().is_empty() {
        return Err(crate::PortError::invalid("reason", "say why: the next person on call will read it"));
    }
    Ok(())
}

pub(crate) fn reason_fits(reason: &str, most: usize) -> Result<(), crate::PortError> {
    if reason.chars().count() > most {
        return Err(crate::PortError::invalid("reason", format!("at most {most} characters")));
    }
    Ok(())
}

impl Submit {
    /// The rules that need nothing but the body; names the field that breaks one.
    pub fn check(&self) -> Result<(), crate::PortError> {
        use crate::PortError;
        reason_fits(&self.reason, REASON_MAX)?;
        if self.action.kind().needs_reason() {
            reason_is_given(&self.reason)?;
        }
        if self.target.topics.len() > TOPICS_MAX {
            let problem = format!("at most {TOPICS_MAX} in one command; none at all means all of them");
            return Err(PortError::invalid("target.topics", problem));
        }
        self.check_target(self.action.kind())?;
        self.check_offsets()?;
        self.check_by()?;
        match (self.action, self.ends) {
            (_, None) => Ok(()),
            (Action::Pause, Some(end)) => end.check(),
            (_, Some(end)) => Err(PortError::invalid(end.field(), "only a pause has an end")),
        }
    }

    fn check_offsets(&self) -> Result<(), crate::PortError> {
        use crate::PortError;
        let kind = self.action.kind();
        let Some(set) = self.offsets.as_deref() else {
            let problem = "the moves are missing, as the preview gives them";
            return if kind.sets_commits() { Err(PortError::invalid("offsets", problem)) } else { Ok(()) };
        };
        if !kind.sets_commits() {
            return Err(PortError::invalid("offsets", "only with setOffsets and deleteGroup"));
        }
        if self.target.consumer.is_some() {
            return Err(PortError::invalid("target.consumer", "none: commits belong to the group"));
        }
        if set.to.len() > TO_MAX {
            return Err(PortError::invalid("to", format!("at most {TO_MAX} bytes")));
        }
        if self.action == Action::DeleteGroup && set.moves.iter().any(|one| one.to.is_some()) {
            return Err(PortError::invalid("offsets", "all commits of a group are deleted with it"));
        }
        let deletes = set.moves.deletes();
        if deletes && set.confirm.as_deref() != Some(self.target.group.as_str()) {
            let problem = "commits are deleted: give the group's name once more";
            return Err(PortError::invalid("confirm", problem));
        }
        let skipped = set.moves.skipped();
        if skipped > 0 && set.skips != Some(skipped) {
            let problem = format!("{skipped} records are skipped: give that number");
            return Err(PortError::invalid("skips", problem));
        }
        Ok(())
    }

    fn check_by(&self) -> Result<(), crate::PortError> {
        use crate::PortError;
        match self.by {
            Some(HoldBy::Stop) if self.action == Action::SetOffsets => Ok(()),
            Some(_) if self.action != Action::Pause => {
                Err(PortError::invalid("by", "only with a pause; stop also with setOffsets"))
            }
            Some(HoldBy::Stop) if !self.target.topics.is_empty() => {
                Err(PortError::invalid("by", "stop is for a whole group or consumer: name no topics"))
            }
            _ => Ok(()),
        }
    }

    fn check_target(&self, kind: ActionKind) -> Result<(), crate::PortError> {
        use crate::PortError;
        if kind.is_for_consumer() && self.target.consumer.is_none() {
            let problem = "it is missing: this reaches one consumer, by its name";
            return Err(PortError::invalid("target.consumer", problem));
        }
        if !kind.takes_topics() && !self.target.topics.is_empty() {
            let problem = "none: this is for all topics of the consumer";
            return Err(PortError::invalid("target.topics", problem));
        }
        if self.target.is_of_partitions() {
            let problem = match self.action {
                Action::Pause | Action::Resume if self.target.topics.len() != 1 => "with exactly one topic",
                Action::Pause | Action::Resume if self.target.partitions.len() > PARTITIONS_MAX => {
                    "at most 100"
                }
                Action::Pause | Action::Resume => return Ok(()),
                _ => "only with a pause or a resume",
            };
            return Err(PortError::invalid("target.partitions", problem));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum CommandState {
    /// Accepted; nothing is written yet.
    Requested,
    /// Its records are on the cluster; evidence is awaited.
    Sent,
    /// Every instance in scope gave evidence.
    Confirmed,
    /// Some did.
    PartiallyConfirmed,
    /// None did in time.
    TimedOut,
    /// Every instance refused, or nothing could be written.
    Refused,
    /// Rebuilt from its hold when Flowdeck started: it is in force, its instances are not known.
    Restored,
}

impl CommandState {
    pub const ALL: [Self; 7] = [
        Self::Requested,
        Self::Sent,
        Self::Confirmed,
        Self::PartiallyConfirmed,
        Self::TimedOut,
        Self::Refused,
        Self::Restored,
    ];

    /// In JSON and in queries.
    pub fn key(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Sent => "sent",
            Self::Confirmed => "confirmed",
            Self::PartiallyConfirmed => "partiallyConfirmed",
            Self::TimedOut => "timedOut",
            Self::Refused => "refused",
            Self::Restored => "restored",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Sent => "sent, waiting for confirmation",
            Self::Confirmed => "confirmed",
            Self::PartiallyConfirmed => "partially confirmed",
            Self::TimedOut => "timed out: not confirmed",
            Self::Refused => "refused",
            Self::Restored => "restored: given before Flowdeck started",
        }
    }

    /// Nothing more is awaited. (Evidence that comes later still improves the outcome.)
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Requested | Self::Sent)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum InstanceState {
    Waiting,
    /// An agent's answer with the command's id: its gate is shut (or open again).
    Acknowledged,
    /// Nothing more is fetched; what was fetched may still run.
    FetchStopped,
    /// Nothing is in flight.
    Drained,
    /// It owns nothing in the scope.
    NothingToDo,
    /// Resumed, and committed = end: the flow is not yet proven.
    NothingToRead,
    Refused,
    /// No evidence in time.
    NoResponse,
    /// A plain member: no agent, no KafkaFlow.
    NotControllable,
}

impl InstanceState {
    pub fn label(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Acknowledged => "acknowledged",
            Self::FetchStopped => "fetch stopped",
            Self::Drained => "drained",
            Self::NothingToDo => "nothing to do",
            Self::NothingToRead => "nothing to read: flow not yet proven",
            Self::Refused => "refused",
            Self::NoResponse => "no response",
            Self::NotControllable => "not controllable: no agent, no KafkaFlow",
        }
    }

    /// Evidence that the instance obeys.
    pub fn is_done(self) -> bool {
        matches!(
            self,
            Self::Acknowledged | Self::FetchStopped | Self::Drained | Self::NothingToDo | Self::NothingToRead
        )
    }
}

/// Evidence is awaited so long after the last send.
pub const AGENT_DEADLINE: Duration = Duration::from_secs(5);
pub const KAFKAFLOW_DEADLINE: Duration = Duration::from_secs(15);
pub const KAFKAFLOW_RESUME_DEADLINE: Duration = Duration::from_secs(30);
/// An instance is expected to answer when its telemetry is not older than this.
pub const HEARD_WITHIN: Duration = Duration::from_secs(15);
/// Where the consumer starts anew: a restart, a change of its workers, a start, a reset or a rewind.
pub const RESTART_DEADLINE: Duration = Duration::from_secs(60);
/// An instance that started anew counts once it was heard for so long since: one that crashes on it goes silent.
pub const SETTLED_FOR: Duration = Duration::from_secs(10);
/// A resume is sent again at most so often, so far apart.
pub const RESEND_MAX: u32 = 3;
pub const RESEND_EVERY: Duration = Duration::from_secs(30);

/// The command's state from its instances' states. Waiting ones must have been turned to `NoResponse`
/// by the caller once their time is over.
pub fn outcome(instances: &[InstanceState]) -> CommandState {
    let done = instances.iter().filter(|state| state.is_done()).count();
    if instances.contains(&InstanceState::Waiting) {
        return CommandState::Sent;
    }
    if done == instances.len() && done > 0 {
        return CommandState::Confirmed;
    }
    if done > 0 {
        return CommandState::PartiallyConfirmed;
    }
    let refused = instances.contains(&InstanceState::Refused);
    if refused && !instances.contains(&InstanceState::NoResponse) {
        return CommandState::Refused;
    }
    CommandState::TimedOut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes() {
        use CommandState::*;
        use InstanceState as I;
        for (instances, want) in [
            (vec![], TimedOut),
            (vec![I::Waiting], Sent),
            (vec![I::Acknowledged, I::Waiting], Sent),
            (vec![I::Acknowledged, I::Drained, I::FetchStopped, I::NothingToDo], Confirmed),
            (vec![I::Acknowledged, I::NotControllable], PartiallyConfirmed),
            (vec![I::Acknowledged, I::NoResponse], PartiallyConfirmed),
            (vec![I::NoResponse, I::Refused], TimedOut),
            (vec![I::Refused], Refused),
            (vec![I::NotControllable], TimedOut),
        ] {
            assert_eq!(outcome(&instances), want, "{instances:?}");
        }
    }

    #[test]
    fn titles_of_targets() {
        for (consumer, topics, want) in [
            (None, &[][..], "g"),
            (Some("c"), &[], "consumer c in g"),
            (None, &["a"], "topic a in g"),
            (None, &["a", "b"], "topics a, b in g"),
            (Some("c"), &["a"], "topic a in g (consumer c)"),
            (Some("g"), &["a"], "topic a in g"),
        ] {
            let topics = topics.iter().map(|name| name.parse().unwrap()).collect();
            let target = Target {
                group: "g".into(),
                consumer: consumer.map(ConsumerName::from),
                topics,
                partitions: vec![],
            };
            assert_eq!(target.to_string(), want);
        }
        let parts = |all: &[i32]| all.iter().map(|one| Partition::new(*one).unwrap()).collect();
        let topic = || vec!["a".parse().unwrap()];
        let of = |partitions| Target { topics: topic(), partitions, ..Target::group("g".into()) };
        assert_eq!(of(parts(&[3])).to_string(), "topic a, partition 3 in g");
        assert_eq!(of(parts(&[0, 2])).to_string(), "topic a, partitions 0, 2 in g");
    }

    #[test]
    fn partitions_are_of_one_topic() {
        let topics = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect::<Vec<TopicName>>();
        let one = |action, names: &[&str], count| Submit {
            id: CommandId::from_uuid(uuid::Uuid::nil()),
            action,
            target: Target {
                topics: topics(names),
                partitions: (0..count).map(|n| Partition::new(n).unwrap()).collect(),
                ..Target::group("g".into())
            },
            reason: "x".into(),
            ends: None,
            offsets: None,
            by: None,
        };
        for (submit, is_good) in [
            (one(Action::Pause, &["a"], 2), true),
            (one(Action::Resume, &["a"], 1), true),
            (one(Action::Pause, &["a"], PARTITIONS_MAX as i32), true),
            (one(Action::Pause, &["a"], PARTITIONS_MAX as i32 + 1), false),
            (one(Action::Pause, &[], 1), false),
            (one(Action::Pause, &["a", "b"], 1), false),
            (Submit { by: Some(HoldBy::Stop), ..one(Action::Pause, &["a"], 1) }, false),
        ] {
            assert_eq!(submit.check().is_ok(), is_good, "{}", submit.target);
        }
        let mut reset = one(Action::Reset, &["a"], 1);
        reset.target.consumer = Some("c".into());
        assert!(reset.check().is_err());
        let target = one(Action::Pause, &["a"], 2).target;
        assert_eq!(target.scopes().len(), 2);
        let part = |n| Partition::new(n).unwrap();
        let (a, b) = (topics(&["a"]).remove(0), topics(&["b"]).remove(0));
        assert!(target.reaches(&a, part(1)) && !target.reaches(&a, part(2)) && !target.reaches(&b, part(1)));
    }

    #[test]
    fn a_wrong_body_names_its_field() {
        let submit = |action, reason: &str, for_seconds: Option<u32>| Submit {
            id: CommandId::from_uuid(uuid::Uuid::nil()),
            action,
            target: Target::group("g".into()),
            reason: reason.into(),
            ends: for_seconds.map(PauseEnd::After),
            offsets: None,
            by: None,
        };
        let field = |submit: Submit| match submit.check() {
            Ok(()) => String::new(),
            Err(crate::PortError::Invalid { field, .. }) => field,
            Err(other) => panic!("{other}"),
        };
        assert_eq!(field(submit(Action::Pause, "INC-1", Some(60))), "");
        assert_eq!(field(submit(Action::Pause, " ", None)), "reason");
        assert_eq!(field(submit(Action::Resume, "", None)), "");
        assert_eq!(field(submit(Action::Resume, "", Some(1))), "forSeconds");
        assert_eq!(field(submit(Action::Pause, "x", Some(0))), "forSeconds");
        let until = Some(PauseEnd::At(crate::Timestamp::from_millis(1)));
        assert_eq!(field(Submit { ends: until, ..submit(Action::Pause, "x", None) }), "");
        assert_eq!(field(Submit { ends: until, ..submit(Action::Resume, "", None) }), "until");
        assert_eq!(field(submit(Action::Restart, "x", None)), "target.consumer");
        for (action, topics, for_seconds, want) in [
            (Action::Restart, 0, None, ""),
            (Action::Restart, 1, None, "target.topics"),
            (Action::Restart, 0, Some(60), "forSeconds"),
            (Action::Reset, 1, None, ""),
        ] {
            let mut one = submit(action, "x", for_seconds);
            one.target.consumer = Some("c".into());
            assert_eq!(field(Submit { reason: " ".into(), ..one.clone() }), "reason", "{action:?}");
            one.target.topics = (0..topics).map(|n| format!("t-{n}").parse().unwrap()).collect();
            assert_eq!(field(one), want, "{action:?}");
        }
        for (action, by, topics, want) in [
            (Action::Pause, HoldBy::Stop, 0, ""),
            (Action::Pause, HoldBy::Stop, 1, "by"),
            (Action::Pause, HoldBy::Pause, 1, ""),
            (Action::Resume, HoldBy::Pause, 0, "by"),
        ] {
            let mut one = Submit { by: Some(by), ..submit(action, "x", None) };
            one.target.topics = (0..topics).map(|n| format!("t-{n}").parse().unwrap()).collect();
            assert_eq!(field(one), want, "{action:?} {by:?} {topics}");
        }
        assert_eq!(field(submit(Action::Pause, &"x".repeat(501), None)), "reason");
        for (topics, want) in [(TOPICS_MAX, ""), (TOPICS_MAX + 1, "target.topics")] {
            for action in [Action::Pause, Action::Resume] {
                let mut many = submit(action, "x", None);
                many.target.topics = (0..topics).map(|n| format!("t-{n}").parse().unwrap()).collect();
                assert_eq!(field(many), want, "{action:?} of {topics}");
            }
        }
    }
}
