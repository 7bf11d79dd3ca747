//! Canary resume: a part of what is paused is resumed first; then, on the operator's order, the rest, or the part is paused
//! again. Each step is a command of its own. The steps' ids follow from the first one's, so that any resume of a part can be
//! carried on, by any replica and after any restart, and an order that is sent twice is one.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::command::{CommandState, Target};
use crate::hold::{Hold, resume};
use crate::ids::CommandId;
use crate::scope::Scope;
use crate::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum CanaryOrder {
    /// What the same pauses hold beside the part is resumed.
    Rest,
    /// The part is paused again.
    Back,
}

impl CanaryOrder {
    pub const ALL: [Self; 2] = [Self::Rest, Self::Back];

    pub fn word(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Back => "back",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }

    /// The id of its command.
    pub fn id(self, first: CommandId) -> CommandId {
        // Bits of the random part: the version of the UUID stays.
        let mark = match self {
            Self::Rest => 1 << 32,
            Self::Back => 1 << 33,
        };
        CommandId::from_uuid(Uuid::from_u128(first.uuid().as_u128() ^ mark))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum CanaryState {
    /// The part is being resumed: evidence is awaited.
    Resuming,
    /// The part runs, the rest is paused: an order is awaited.
    Waiting,
    /// The part was not confirmed: it can be paused again.
    NotConfirmed,
    /// The first command was refused, so nothing was resumed.
    Refused,
    ResumingRest,
    RestResumed,
    /// The rest was ordered, and not all of it was confirmed.
    RestNotConfirmed,
    PausingAgain,
    PausedAgain,
    PauseNotConfirmed,
}

impl CanaryState {
    /// Of the three commands' states.
    pub fn of(first: CommandState, rest: Option<CommandState>, back: Option<CommandState>) -> Self {
        use CommandState::{Confirmed, PartiallyConfirmed, Refused, Requested, Restored, Sent, TimedOut};
        // A refused one did nothing.
        let begun = |state: &CommandState| *state != Refused;
        match (rest.filter(begun), back.filter(begun)) {
            (_, Some(Requested | Sent)) => Self::PausingAgain,
            (_, Some(Confirmed | Restored)) => Self::PausedAgain,
            (_, Some(_)) => Self::PauseNotConfirmed,
            (Some(Requested | Sent), None) => Self::ResumingRest,
            (Some(Confirmed | Restored), None) => Self::RestResumed,
            (Some(_), None) => Self::RestNotConfirmed,
            (None, None) if back.is_some() => Self::PauseNotConfirmed,
            (None, None) if rest.is_some() => Self::RestNotConfirmed,
            (None, None) => match first {
                Requested | Sent => Self::Resuming,
                Confirmed => Self::Waiting,
                PartiallyConfirmed | TimedOut | Restored => Self::NotConfirmed,
                Refused => Self::Refused,
            },
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Resuming => "part being resumed",
            Self::Waiting => "part resumed, rest paused",
            Self::NotConfirmed => "part not confirmed",
            Self::Refused => "refused",
            Self::ResumingRest => "rest being resumed",
            Self::RestResumed => "all resumed",
            Self::RestNotConfirmed => "rest not confirmed",
            Self::PausingAgain => "part being paused again",
            Self::PausedAgain => "part paused again",
            Self::PauseNotConfirmed => "pause of the part not confirmed",
        }
    }

    /// Nothing changes any more without an order.
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Resuming | Self::ResumingRest | Self::PausingAgain)
    }
}

/// The orders that it takes, by the states of its three commands. The rest is resumed on evidence alone, and each order is
/// given once: the command of one that was refused tells why.
pub fn orders(
    first: CommandState,
    rest: Option<CommandState>,
    back: Option<CommandState>,
) -> Vec<CanaryOrder> {
    let is_begun = |state: Option<CommandState>| state.is_some_and(|state| state != CommandState::Refused);
    if is_begun(rest) || is_begun(back) || first == CommandState::Refused {
        return vec![];
    }
    let is_proven = first == CommandState::Confirmed;
    let rest = (rest.is_none() && is_proven).then_some(CanaryOrder::Rest);
    let back = back.is_none().then_some(CanaryOrder::Back);
    rest.into_iter().chain(back).collect()
}

/// A request under the id that its caller gave it: that of the first command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitCanary {
    pub id: CommandId,
    /// The part: a consumer, topics, or partitions of a topic.
    pub target: Target,
    pub reason: String,
}

/// A part, before anything is resumed: what holds it, and more.
pub fn is_broader(hold: &Hold, part: &Scope) -> bool {
    hold.covers(part) && hold.scope != *part
}

/// The holds that the resume of the part was cut out of.
pub fn cut<'a>(in_force: &'a [Hold], part: &Target) -> Vec<&'a Hold> {
    let scopes = part.scopes();
    let is_cut = |hold: &&Hold| {
        hold.except
            .iter()
            .any(|except| scopes.iter().any(|scope| scope.covers(except) || except.covers(scope)))
    };
    in_force.iter().filter(is_cut).collect()
}

/// What these hold together, as a command can say it.
pub fn rest(holds: &[&Hold], part: &Target) -> Option<Target> {
    let first = holds.first()?;
    let consumer = first.scope.consumer.clone();
    let same = holds.iter().all(|hold| hold.scope.consumer == consumer);
    let group = Target::group(part.group.clone());
    if !same {
        return Some(group);
    }
    let mut topics: Vec<_> = holds.iter().map(|hold| hold.scope.topic.clone()).collect();
    if topics.iter().any(Option::is_none) {
        topics.clear();
    }
    let mut topics: Vec<_> = topics.into_iter().flatten().collect();
    topics.sort();
    topics.dedup();
    Some(Target { consumer, topics, ..group })
}

/// Of those that the part was not cut out of, one that a resume of the rest would release, or take a part out of.
pub fn not_cut<'a>(in_force: &'a [Hold], part: &Target, rest: &Target) -> Option<&'a Hold> {
    let (cut, scopes) = (cut(in_force, part), rest.scopes());
    let is_own = |hold: &Hold| cut.iter().any(|one| one.id == hold.id && one.scope == hold.scope);
    in_force.iter().find(|hold| !is_own(hold) && !resume(std::slice::from_ref(*hold), &scopes).is_empty())
}

/// When a pause of the part ends, so that it is held as long as the rest. `None`: it has no end.
pub fn end(holds: &[&Hold]) -> Option<Timestamp> {
    let ends: Option<Vec<Timestamp>> = holds.iter().map(|hold| hold.until).collect();
    ends?.into_iter().max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Partition;

    fn hold(consumer: Option<&str>, topic: Option<&str>, until: Option<i64>, except: Vec<Scope>) -> Hold {
        Hold {
            scope: Scope {
                consumer: consumer.map(Into::into),
                topic: topic.map(|topic| topic.parse().unwrap()),
                ..Scope::group("g".into())
            },
            id: crate::HoldId::random(),
            owner: "ana".to_owned(),
            reason: "r".to_owned(),
            since: Timestamp::from_millis(0),
            until: until.map(Timestamp::from_millis),
            by: crate::HoldBy::Pause,
            except,
        }
    }

    fn part() -> Target {
        Target {
            topics: vec!["t".parse().unwrap()],
            partitions: vec![Partition::new(2).unwrap()],
            ..Target::group("g".into())
        }
    }

    #[test]
    fn steps_have_ids_of_their_own() {
        let first = CommandId::random();
        let (rest, back) = (CanaryOrder::Rest.id(first), CanaryOrder::Back.id(first));
        assert!(first != rest && rest != back && first != back);
        assert_eq!(CanaryOrder::Rest.id(first), rest, "the same each time");
        assert_eq!(rest.uuid().get_version_num(), 4);
    }

    #[test]
    fn rest_is_resumed_on_evidence_alone() {
        use CommandState::{Confirmed, Refused, Sent, TimedOut};
        for (states, want, orders) in [
            ((Sent, None, None), CanaryState::Resuming, "back"),
            ((Confirmed, None, None), CanaryState::Waiting, "rest back"),
            ((TimedOut, None, None), CanaryState::NotConfirmed, "back"),
            ((Refused, None, None), CanaryState::Refused, ""),
            ((Confirmed, Some(Sent), None), CanaryState::ResumingRest, ""),
            ((Confirmed, Some(Confirmed), None), CanaryState::RestResumed, ""),
            ((Confirmed, Some(TimedOut), None), CanaryState::RestNotConfirmed, ""),
            ((Confirmed, Some(Refused), None), CanaryState::RestNotConfirmed, "back"),
            ((Confirmed, None, Some(Sent)), CanaryState::PausingAgain, ""),
            ((Confirmed, None, Some(Confirmed)), CanaryState::PausedAgain, ""),
            ((Confirmed, Some(Refused), Some(TimedOut)), CanaryState::PauseNotConfirmed, ""),
        ] {
            let state = CanaryState::of(states.0, states.1, states.2);
            assert_eq!(state, want, "{states:?}");
            let taken = super::orders(states.0, states.1, states.2);
            let words: Vec<_> = taken.iter().map(|order| order.word()).collect();
            assert_eq!(words.join(" "), orders, "{states:?}");
        }
    }

    #[test]
    fn rest_is_what_the_same_pauses_hold() {
        let scope = part().scopes().remove(0);
        let cut_of = |holds: &[Hold]| super::rest(&cut(holds, &part()), &part());
        let except = || vec![scope.clone()];
        let group = || Target::group("g".into());
        assert_eq!(cut_of(&[hold(None, None, None, vec![])]), None, "not cut");
        assert_eq!(cut_of(&[hold(None, None, None, except())]), Some(group()));
        let topics = Target { topics: vec!["t".parse().unwrap()], ..group() };
        assert_eq!(cut_of(&[hold(None, Some("t"), None, except())]), Some(topics));
        let consumer = Target { consumer: Some("c".into()), ..group() };
        assert_eq!(cut_of(&[hold(Some("c"), None, None, except())]), Some(consumer));
        let two = [hold(Some("c"), None, None, except()), hold(None, Some("t"), None, except())];
        assert_eq!(cut_of(&two), Some(group()));
        assert!(is_broader(&hold(None, None, None, vec![]), &scope));
        assert!(!is_broader(&hold(None, None, None, except()), &scope), "it runs");
    }

    #[test]
    fn pause_that_was_not_cut_is_found() {
        let except = || part().scopes();
        let found = |holds: &[Hold]| {
            let rest = super::rest(&cut(holds, &part()), &part()).unwrap();
            not_cut(holds, &part(), &rest).map(|hold| hold.id)
        };
        let cut_two = [hold(Some("c"), None, None, except()), hold(None, Some("t"), None, except())];
        assert_eq!(found(&cut_two), None);
        let [one, two] = cut_two;
        // The rest of the two is the whole group.
        let third = hold(None, Some("u"), None, vec![]);
        assert_eq!(found(&[one, two.clone(), third.clone()]), Some(third.id));
        // The rest of the one is its topic, which the other does not touch.
        assert_eq!(found(&[two.clone(), third]), None);
        let wider = hold(None, None, None, vec![]);
        assert_eq!(found(&[two.clone(), wider.clone()]), Some(wider.id), "it would get an exception");
        // Of one command with several topics.
        let other = Hold { id: two.id, ..hold(Some("c"), Some("t"), None, vec![]) };
        assert_eq!(found(&[two, other.clone()]), Some(other.id));
    }

    #[test]
    fn part_is_paused_as_long_as_the_rest() {
        let holds = [hold(None, None, Some(5), vec![]), hold(None, None, Some(9), vec![])];
        assert_eq!(end(&holds.iter().collect::<Vec<_>>()), Some(Timestamp::from_millis(9)));
        let open = [hold(None, None, Some(5), vec![]), hold(None, None, None, vec![])];
        assert_eq!(end(&open.iter().collect::<Vec<_>>()), None);
    }
}
