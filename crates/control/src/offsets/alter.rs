//! Sets or deletes the commits of a group without members: reads, compares, alters, and reads again. Nothing is altered
//! where a member came, where a commit moved, or where this process does not lead any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cause, Cluster, Deadline, Leadership, Topic};
use flowdeck_model::offsets::{OffsetMove, OffsetMoves};
use flowdeck_model::{CommandId, GroupId, InstanceState, Partition, TopicName};
use flowdeck_observe::{Timing, group_watch};
use tokio::time::{Instant, sleep};

use super::read::{Commits, committed};

/// While a group has to be quiet, it is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What came of it is asked for so long: a broker may be starting again.
const READ_BACK: Duration = Duration::from_secs(60);
const TRY_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
pub(crate) struct Alteration {
    pub(crate) id: CommandId,
    pub(crate) group: GroupId,
    pub(crate) moves: OffsetMoves,
    pub(crate) delete_group: bool,
    pub(crate) step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// After the group was quiet for so long more.
    Alter { quiet: Duration },
    /// The same of a group whose consumers were just stopped: their last commits came after the preview.
    AfterStop { quiet: Duration },
    /// Another process led, and may have altered: what is committed tells.
    Look,
}

#[derive(Debug)]
pub(crate) struct Altered {
    pub(crate) id: CommandId,
    pub(crate) outcomes: Vec<Outcome>,
    /// After a stop: from where each commit was moved.
    pub(crate) moves: Option<OffsetMoves>,
}

/// What came of a topic's commits, or of one partition's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) state: InstanceState,
    pub(crate) detail: String,
}

pub(crate) struct Altering {
    pub(crate) cluster: Cluster,
    pub(crate) leadership: Leadership,
    pub(crate) timing: Timing,
}

impl Altering {
    pub(crate) async fn run(self, task: Alteration) -> Altered {
        let outcomes = match task.step {
            Step::Alter { quiet } => self.altered(&task, quiet).await,
            Step::AfterStop { quiet } => return self.after_stop(task, quiet).await,
            Step::Look => {
                // Whoever led before ended by then.
                sleep(self.timing.write_deadline).await;
                self.read_back(&task, None).await
            }
        };
        Altered { id: task.id, outcomes, moves: None }
    }

    async fn altered(&self, task: &Alteration, quiet: Duration) -> Vec<Outcome> {
        match self.alter(task, quiet).await {
            Ok(answers) => self.read_back(task, Some(&answers)).await,
            Err(why) => all(&task.moves, InstanceState::Refused, &format!("not changed: {why}")),
        }
    }

    async fn after_stop(&self, mut task: Alteration, quiet: Duration) -> Altered {
        let id = task.id;
        let deadline = Deadline::after(self.timing.write_deadline);
        let commits = match committed(&self.cluster, &task.group, deadline).await {
            Ok(commits) => commits,
            Err(why) => {
                let outcomes = all(&task.moves, InstanceState::Refused, &format!("not changed: {why}"));
                return Altered { id, outcomes, moves: None };
            }
        };
        let (moves, left) = after_last_commits(&task.moves, &commits);
        // Each of the partitions is where it was to go, or beyond.
        let Ok(moves) = OffsetMoves::new(moves) else {
            return Altered { id, outcomes: left, moves: None };
        };
        task.moves = moves;
        let mut outcomes = self.altered(&task, quiet).await;
        outcomes.extend(left);
        Altered { id, outcomes, moves: Some(task.moves) }
    }

    /// `Err`: nothing was sent.
    async fn alter(&self, task: &Alteration, quiet: Duration) -> Result<Vec<Result<(), Cause>>, String> {
        let until = Instant::now() + quiet;
        loop {
            self.check(task).await?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            sleep(left.min(LOOK_EVERY)).await;
        }
        if !self.leadership.is_held() {
            return Err("this replica is not the elected writer any more".to_owned());
        }
        let deadline = Deadline::after(self.timing.write_deadline);
        if task.delete_group {
            let deleted = self.cluster.delete_group(&task.group, deadline).await;
            return Ok(vec![deleted; task.moves.len()]);
        }
        let mut answers = vec![Ok(()); task.moves.len()];
        let (mut set, mut delete) = (Places::default(), Places::default());
        for (at, one) in task.moves.iter().enumerate() {
            let place = (at, Arc::new(one.topic.clone()), one.partition, one.to.unwrap_or(0));
            if one.to.is_some() { set.0.push(place) } else { delete.0.push(place) }
        }
        if !set.0.is_empty() {
            let answer = self.cluster.set_committed(&task.group, &set.offsets(), deadline).await;
            set.answered(answer, &mut answers);
        }
        if !delete.0.is_empty() {
            let answer = self.cluster.delete_committed(&task.group, &delete.partitions(), deadline).await;
            delete.answered(answer, &mut answers);
        }
        Ok(answers)
    }

    /// No member, and each commit where the preview saw it.
    async fn check(&self, task: &Alteration) -> Result<(), String> {
        let deadline = Deadline::after(self.timing.write_deadline);
        let asked = [task.group.clone()];
        let (seen, commits) = tokio::join!(
            group_watch::ask(&self.cluster, &asked, deadline),
            committed(&self.cluster, &task.group, deadline)
        );
        match seen.first().map(|(_, seen)| seen.members.len()) {
            Some(0) => {}
            Some(members) => return Err(format!("the group has {members} members now")),
            None => return Err("Kafka did not tell the members of the group".to_owned()),
        }
        let commits = commits?;
        let at = |one: &OffsetMove| commits.get(&(one.topic.clone(), one.partition)).copied();
        if let Some(one) = task.moves.iter().find(|one| at(one) != one.from) {
            return Err(moved(one, at(one)));
        }
        if task.delete_group && commits.len() != task.moves.len() {
            return Err("the group has committed other partitions since".to_owned());
        }
        Ok(())
    }

    async fn read_back(&self, task: &Alteration, answers: Option<&[Result<(), Cause>]>) -> Vec<Outcome> {
        sleep(self.timing.offsets_settle).await;
        let until = Instant::now() + READ_BACK;
        loop {
            let deadline = Deadline::after(self.timing.write_deadline);
            match committed(&self.cluster, &task.group, deadline).await {
                Ok(commits) => return judge(&task.moves, answers, &commits),
                Err(why) if Instant::now() >= until => {
                    let detail = format!("not known: {why}");
                    return all(&task.moves, InstanceState::NoResponse, &detail);
                }
                Err(_) => sleep(TRY_AGAIN).await,
            }
        }
    }
}

/// What is left to move once the last commits are known. Nobody is to handle again what was to be skipped.
fn after_last_commits(moves: &OffsetMoves, commits: &Commits) -> (Vec<OffsetMove>, Vec<Outcome>) {
    let (mut left_to_move, mut left_alone) = (Vec::new(), Vec::new());
    for one in moves.iter() {
        let now = commits.get(&(one.topic.clone(), one.partition)).copied();
        let detail = match (one.from, one.to, now) {
            (_, to, now) if to == now => Some("as asked for already: its consumer went there".to_owned()),
            (Some(from), Some(to), Some(now)) if from < to && to < now => {
                Some(format!("left at {now}: its consumer went beyond {to} before it was stopped"))
            }
            _ => None,
        };
        match detail {
            None => left_to_move.push(OffsetMove { from: now, ..one.clone() }),
            Some(detail) => {
                let name = format!("{} partition {}", one.topic, one.partition);
                left_alone.push(Outcome { name, state: InstanceState::NothingToDo, detail });
            }
        }
    }
    (left_to_move, left_alone)
}

/// With their places among the moves.
#[derive(Default)]
struct Places(Vec<(usize, Topic, Partition, i64)>);

impl Places {
    fn offsets(&self) -> Vec<(Topic, Partition, i64)> {
        self.0.iter().map(|(_, topic, partition, to)| (Topic::clone(topic), *partition, *to)).collect()
    }

    fn partitions(&self) -> Vec<(Topic, Partition)> {
        self.0.iter().map(|(_, topic, partition, _)| (Topic::clone(topic), *partition)).collect()
    }

    fn answered(&self, answer: flowdeck_kafka::Altered, answers: &mut [Result<(), Cause>]) {
        for (n, (at, ..)) in self.0.iter().enumerate() {
            answers[*at] = match &answer {
                Ok(each) => each.get(n).cloned().unwrap_or(Err(Cause::UnknownTopic)),
                Err(cause) => Err(cause.clone()),
            };
        }
    }
}

pub(crate) fn shown(offset: Option<i64>) -> String {
    offset.map_or_else(|| "none".to_owned(), |offset| offset.to_string())
}

pub(crate) fn moved(one: &OffsetMove, now: Option<i64>) -> String {
    let (was, is) = (shown(one.from), shown(now));
    format!("{} partition {}: committed is {is}, and was {was} in the preview", one.topic, one.partition)
}

fn all(moves: &OffsetMoves, state: InstanceState, detail: &str) -> Vec<Outcome> {
    let each = moves.topics().into_iter();
    each.map(|topic| Outcome { name: topic.to_string(), state, detail: detail.to_owned() }).collect()
}

/// A topic's partitions that are as asked for together, each of the others by itself.
fn judge(moves: &OffsetMoves, answers: Option<&[Result<(), Cause>]>, commits: &Commits) -> Vec<Outcome> {
    let mut done: BTreeMap<&TopicName, usize> = BTreeMap::new();
    let mut others = Vec::new();
    for (at, one) in moves.iter().enumerate() {
        let now = commits.get(&(one.topic.clone(), one.partition)).copied();
        match judge_one(one, answers.and_then(|all| all.get(at)), now) {
            None => *done.entry(&one.topic).or_default() += 1,
            Some((state, detail)) => {
                let name = format!("{} partition {}", one.topic, one.partition);
                others.push(Outcome { name, state, detail });
            }
        }
    }
    let how = if answers.is_some() { "read again" } else { "found so by the replica that leads now" };
    let done = done.into_iter().map(|(topic, count)| Outcome {
        name: topic.to_string(),
        state: InstanceState::Acknowledged,
        detail: format!("{count} {} as asked for, {how}", if count == 1 { "commit" } else { "commits" }),
    });
    done.chain(others).collect()
}

/// `None`: as asked for. An answer that did not come may still have had an effect.
fn judge_one(
    one: &OffsetMove,
    answer: Option<&Result<(), Cause>>,
    now: Option<i64>,
) -> Option<(InstanceState, String)> {
    if now == one.to {
        return None;
    }
    let (is, to) = (shown(now), shown(one.to));
    Some(match answer {
        Some(Ok(())) if now == one.from => (
            InstanceState::NoResponse,
            format!("Kafka took {to}, and {is} is committed again: another client commits"),
        ),
        Some(Ok(())) => (InstanceState::Acknowledged, format!("set to {to}; {is} was committed since")),
        Some(Err(cause)) if now == one.from && !cause.may_pass() => {
            (InstanceState::Refused, format!("not changed: {cause}"))
        }
        Some(Err(cause @ Cause::Kafka { .. })) if now == one.from => {
            (InstanceState::Refused, format!("not changed: {cause}"))
        }
        Some(Err(cause)) => (InstanceState::NoResponse, format!("{is} is committed, and not {to}: {cause}")),
        None if now == one.from => (
            InstanceState::Refused,
            "not changed: the replica that writes changed before it was done".to_owned(),
        ),
        None => (
            InstanceState::NoResponse,
            format!("{is} is committed: neither as before ({}) nor {to}", shown(one.from)),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commits(of: &[(i32, i64)]) -> Commits {
        let place = |n| ("t".parse().unwrap(), Partition::new(n).unwrap());
        of.iter().map(|(partition, offset)| (place(*partition), *offset)).collect()
    }

    #[test]
    fn what_is_committed_afterwards_decides() {
        use InstanceState::{Acknowledged, NoResponse, Refused};
        let moves: OffsetMoves = "t 0*5*2".parse().unwrap();
        let unknown = || Some(Err(Cause::UnknownTopic));
        for (answer, now, want) in [
            (Some(Ok(())), Some(2), Acknowledged),
            // No answer, and yet it was done.
            (Some(Err(Cause::Timeout)), Some(2), Acknowledged),
            (Some(Err(Cause::Timeout)), Some(5), NoResponse),
            (Some(Err(Cause::Timeout)), Some(7), NoResponse),
            (unknown(), Some(5), Refused),
            (Some(Ok(())), Some(3), Acknowledged),
            (Some(Ok(())), Some(5), NoResponse),
            (Some(Ok(())), None, Acknowledged),
            (None, Some(2), Acknowledged),
            (None, Some(5), Refused),
            (None, Some(3), NoResponse),
        ] {
            let commits = now.map_or_else(Commits::new, |now| commits(&[(0, now)]));
            let answers = answer.map(|answer| vec![answer]);
            let outcomes = judge(&moves, answers.as_deref(), &commits);
            assert_eq!(outcomes[0].state, want, "{answers:?} {now:?} {outcomes:?}");
        }
    }

    #[test]
    fn a_skip_that_the_last_commits_went_beyond_is_left() {
        // To be skipped to 8, read again from 2, and skipped to 6.
        let moves: OffsetMoves = "t 0*5*8 1*5*2 2*5*6".parse().unwrap();
        let (moved, left) = after_last_commits(&moves, &commits(&[(0, 9), (1, 7), (2, 6)]));
        let moved: Vec<_> = moved.iter().map(|one| (one.partition.get(), one.from, one.to)).collect();
        assert_eq!(moved, [(1, Some(7), Some(2))]);
        let left: Vec<_> = left.iter().map(|one| one.detail.as_str()).collect();
        assert!(left[0].contains("left at 9") && left[1].contains("already"), "{left:?}");
    }

    #[test]
    fn partitions_that_differ_are_named() {
        let moves: OffsetMoves = "t 0*5*2 1*6*2 2*7*2".parse().unwrap();
        let answers = vec![Ok(()), Err(Cause::UnknownTopic), Ok(())];
        let outcomes = judge(&moves, Some(&answers), &commits(&[(0, 2), (1, 6), (2, 2)]));
        let names: Vec<_> = outcomes.iter().map(|one| (one.name.as_str(), one.state)).collect();
        assert_eq!(names, [("t", InstanceState::Acknowledged), ("t partition 1", InstanceState::Refused)]);
        assert!(outcomes[0].detail.starts_with("2 commits"), "{outcomes:?}");
    }
}
