//! What of a group is only seen from one refresh to the next: its members left, commits without members, commits that
//! went back, and how long its commits take. Pure.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::Member;
use flowdeck_model::Timestamp;
use flowdeck_model::verdict::{REBALANCES_WITHIN, Rewind, Stopped};

use super::movement::Movement;
use super::sample::{GroupData, TopicRows};

/// So many moves of commits without members are more than a reset.
const MOVES_BY_HAND: u8 = 2;
/// Commits that moved without members so long ago tell nothing of now.
const BY_HAND_FOR: Duration = Duration::from_secs(60);
/// A gap between commits counts no more than this: one long stall must not hide the next.
const GAP_MAX: Duration = Duration::from_secs(30);

/// Of one group.
const REBALANCES_KEPT: usize = 100;

fn is_recent(second: u32, now: Timestamp) -> bool {
    now.since(Timestamp::from_millis(i64::from(second) * 1_000)) <= REBALANCES_WITHIN
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Track {
    /// When its last member left, and what had come by then.
    left: Option<(Timestamp, u64)>,
    /// Moves of commits since it has no members, and the last of them.
    by_hand: (u8, Option<Timestamp>),
    /// The last one that is not regained.
    pub rewind: Option<Arc<Rewind>>,
    /// Seconds since 1970 at which a rebalance was seen to begin, the newest last: those that count.
    rebalances: Arc<[u32]>,
    /// How long records waited for the last commits that moved, in milliseconds.
    gaps: [u32; 3],
}

impl Track {
    /// `read`: what a refresh found that read the commits. Members are learned without that, too, and the next
    /// refresh compares with these: who left is noted in each.
    pub(super) fn next(
        former: &GroupData,
        members: Option<&[Member]>,
        read: Option<(&Movement, &[TopicRows])>,
        now: Timestamp,
    ) -> Self {
        let before = former.track.clone();
        let (was_empty, is_empty) = (is_empty(former.members.as_deref()), is_empty(members));
        let (left, mut by_hand) = match (was_empty, is_empty) {
            (Some(false), Some(true)) => (Some((now, former.flow.written())), before.by_hand),
            (_, Some(false)) => (None, (0, None)),
            _ => (before.left, before.by_hand),
        };
        let Some((movement, rows)) = read else { return Self { left, by_hand, ..before } };
        let had_nobody = was_empty == Some(true) && !before.left_since(former.as_of);
        if had_nobody && is_empty == Some(true) && movement.committed > 0 {
            by_hand = (by_hand.0.saturating_add(1), Some(now));
        }
        let (rewind, gaps) = (rewind(&before, movement, rows, now), gaps(before.gaps, movement));
        Self { left, by_hand, rewind, gaps, ..before }
    }

    /// The last member left after that reading: a commit that moved since may be of that member.
    fn left_since(&self, reading: Option<Timestamp>) -> bool {
        self.left_at().zip(reading).is_some_and(|(left, read)| left > read)
    }

    /// With a rebalance that began.
    pub(super) fn rebalanced(self, began: Timestamp) -> Self {
        let second = u32::try_from(began.millis() / 1_000).unwrap_or(u32::MAX);
        let counts = self.rebalances.iter().copied().filter(|one| is_recent(*one, began));
        let mut kept: Vec<u32> = counts.chain([second]).collect();
        kept.drain(..kept.len().saturating_sub(REBALANCES_KEPT));
        Self { rebalances: kept.into(), ..self }
    }

    /// Rebalances that were seen within the time that the rules look at; there may have been more.
    pub fn rebalances(&self, now: Timestamp) -> u32 {
        let recent = self.rebalances.iter().filter(|second| is_recent(**second, now)).count();
        u32::try_from(recent).unwrap_or(u32::MAX)
    }

    /// When its last member was seen to leave.
    pub fn left_at(&self) -> Option<Timestamp> {
        self.left.map(|(at, _)| at)
    }

    pub fn stopped(&self, written: u64) -> Option<Stopped> {
        let (since, before) = self.left?;
        Some(Stopped { since, came: written.saturating_sub(before) })
    }

    pub fn is_by_hand(&self, now: Timestamp) -> bool {
        let (moves, last) = self.by_hand;
        moves >= MOVES_BY_HAND && last.is_some_and(|last| now.since(last) <= BY_HAND_FOR)
    }

    /// The longest that records waited for the last commits.
    pub fn commit_interval(&self) -> Duration {
        Duration::from_millis(self.gaps.into_iter().max().unwrap_or_default().into())
    }
}

fn is_empty(members: Option<&[Member]>) -> Option<bool> {
    members.map(<[_]>::is_empty)
}

fn rewind(before: &Track, movement: &Movement, rows: &[TopicRows], now: Timestamp) -> Option<Arc<Rewind>> {
    if let Some(back) = &movement.back {
        return Some(Arc::new(Rewind {
            topic: back.topic.as_ref().clone(),
            partition: back.partition,
            from: back.from,
            to: back.to,
            at: now,
            partitions: movement.backs,
        }));
    }
    let rewind = before.rewind.as_ref()?;
    let topic = rows.binary_search_by(|rows| rows.topic.as_ref().cmp(&rewind.topic)).ok()?;
    let row = rows[topic].partition(rewind.partition)?;
    row.committed().is_some_and(|committed| committed < rewind.from).then(|| Arc::clone(rewind))
}

fn gaps(before: [u32; 3], movement: &Movement) -> [u32; 3] {
    let Some(gap) = movement.gap else { return before };
    let gap = u32::try_from(gap.min(GAP_MAX).as_millis()).unwrap_or(u32::MAX);
    [before[1], before[2], gap]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::movement::Back;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1_000)
    }

    fn member() -> Member {
        Member {
            member_id: "m".into(),
            client_id: "c".into(),
            host: "/h".into(),
            group_instance_id: None,
            assignment: vec![],
            target_assignment: None,
        }
    }

    /// Each step: members (`None`: not known), and what moved (`None`: the commits were not read).
    fn after_each(steps: Vec<(Option<usize>, Option<Movement>)>) -> GroupData {
        let mut group = GroupData::test("g");
        for (second, (members, movement)) in steps.into_iter().enumerate() {
            let now = at(second as i64);
            let members: Option<Vec<Member>> = members.map(|n| (0..n).map(|_| member()).collect());
            let read = movement.as_ref().map(|movement| (movement, &group.rows[..]));
            let track = Track::next(&group, members.as_deref(), read, now);
            let (flow, as_of) = match &movement {
                Some(moved) => (group.flow.counted(now, moved.written, moved.committed), Some(now)),
                None => (group.flow.clone(), group.as_of),
            };
            let members = members.map(Into::into);
            group = GroupData { members, track, flow, as_of, ..GroupData::test("g") };
        }
        group
    }

    /// As `after_each`, with commits that were read each time.
    fn after(steps: &[(Option<usize>, Movement)]) -> GroupData {
        after_each(steps.iter().map(|(members, movement)| (*members, Some(movement.clone()))).collect())
    }

    fn moved(written: u64, committed: u64) -> Movement {
        Movement { written, committed, commits: committed > 0, ..Movement::default() }
    }

    #[test]
    fn a_group_whose_members_left_is_told_from_one_that_had_none() {
        let none = || moved(0, 0);
        for (what, steps, want) in [
            ("had none", vec![(Some(0), none()), (Some(0), moved(9, 0))], None),
            ("left", vec![(Some(1), moved(5, 5)), (Some(0), none()), (Some(0), moved(9, 0))], Some((1, 9))),
            ("not described in between", vec![(Some(1), none()), (None, none()), (Some(0), none())], None),
            (
                "left, and is not described",
                vec![(Some(1), none()), (Some(0), none()), (None, moved(2, 0))],
                Some((1, 2)),
            ),
            ("is back", vec![(Some(1), none()), (Some(0), none()), (Some(1), none())], None),
        ] {
            let group = after(&steps);
            let stopped = group.track.stopped(group.flow.written());
            assert_eq!(
                stopped.map(|one| (one.since, one.came)),
                want.map(|(s, came)| (at(s), came)),
                "{what}"
            );
        }
    }

    #[test]
    fn members_that_leave_are_noticed_where_the_commits_are_not_read() {
        let group = after_each(vec![
            (Some(1), Some(moved(5, 5))),
            (Some(0), None),
            (Some(0), None),
            (Some(0), Some(moved(9, 0))),
        ]);
        let stopped = group.track.stopped(group.flow.written()).unwrap();
        assert_eq!((stopped.since, stopped.came), (at(1), 9));
        let back = after_each(vec![(Some(1), Some(moved(5, 5))), (Some(0), None), (Some(1), None)]);
        assert_eq!(back.track.stopped(5), None);
    }

    #[test]
    fn the_last_commit_of_a_member_that_left_is_not_by_hand_where_it_is_read_later() {
        let group = |more: Vec<(Option<usize>, Option<Movement>)>| {
            let left = vec![(Some(1), Some(moved(5, 5))), (Some(0), None), (Some(0), Some(moved(0, 5)))];
            after_each([left, more].concat()).track
        };
        let by_hand = || (Some(0), Some(moved(0, 5)));
        assert!(!group(vec![by_hand()]).is_by_hand(at(3)));
        assert!(group(vec![by_hand(), by_hand()]).is_by_hand(at(4)));
        assert!(!group(vec![by_hand(), by_hand(), (Some(1), None), (Some(0), None)]).is_by_hand(at(6)));
    }

    #[test]
    fn commits_without_members_are_by_hand_from_the_second_on() {
        for (what, steps, want) in [
            ("one, as of a reset", vec![(Some(0), moved(0, 0)), (Some(0), moved(0, 5))], false),
            ("two", vec![(Some(0), moved(0, 0)), (Some(0), moved(0, 5)), (Some(0), moved(0, 5))], true),
            (
                "the last one of a member that left",
                vec![(Some(1), moved(0, 5)), (Some(0), moved(0, 5)), (Some(0), moved(0, 0))],
                false,
            ),
            (
                "a member came",
                vec![
                    (Some(0), moved(0, 0)),
                    (Some(0), moved(0, 5)),
                    (Some(0), moved(0, 5)),
                    (Some(1), moved(0, 0)),
                ],
                false,
            ),
        ] {
            let track = after(&steps).track;
            assert_eq!(track.is_by_hand(at(3)), want, "{what}");
            assert!(!track.is_by_hand(at(90)), "{what}: long ago");
        }
    }

    #[test]
    fn a_rewind_is_kept_until_it_is_regained() {
        use crate::sampling::merge::{Commit, compact};
        use crate::sampling::sample::Mark;
        let topic: flowdeck_kafka::Topic = Arc::new("t".parse().unwrap());
        let partition = flowdeck_model::Partition::new(0).unwrap();
        let rows = |offset| {
            let commit =
                Commit { topic: Arc::clone(&topic), partition, offset: Some(offset), mark: Mark::Fine };
            compact(vec![commit])
        };
        let back = Back { topic: Arc::clone(&topic), partition, from: 900, to: 100 };
        let movement = Movement { back: Some(back), backs: 3, ..Movement::default() };
        let mut group = GroupData::test("g");
        group.track = Track::next(&group, None, Some((&movement, &rows(100)[..])), at(1));
        let rewind = group.track.rewind.clone().unwrap();
        assert_eq!((rewind.from, rewind.to, rewind.at, rewind.partitions), (900, 100, at(1), 3));
        for (offset, kept) in [(100, true), (899, true), (900, false)] {
            let (movement, rows) = (Movement::default(), rows(offset));
            let track = Track::next(&group, None, Some((&movement, &rows[..])), at(2));
            assert_eq!(track.rewind.is_some(), kept, "{offset}");
        }
    }

    #[test]
    fn the_commit_interval_is_the_longest_of_three_and_forgets_a_long_stall() {
        let gap = |seconds| Movement { gap: Some(Duration::from_secs(seconds)), ..moved(0, 1) };
        let of = |all: &[u64]| {
            let steps: Vec<_> = all.iter().map(|seconds| (Some(1), gap(*seconds))).collect();
            after(&steps).track.commit_interval().as_secs()
        };
        assert_eq!((of(&[]), of(&[4, 5, 3]), of(&[900, 1, 1]), of(&[900, 1, 1, 1])), (0, 5, 30, 1));
    }

    #[test]
    fn rebalances_count_for_a_quarter_of_an_hour() {
        let track = [0, 10, 20, 900].into_iter().fold(Track::default(), |track, n| track.rebalanced(at(n)));
        assert_eq!([900, 905, 1_800, 1_801].map(|n| track.rebalances(at(n))), [4, 3, 1, 0]);
        let many = (0..500).fold(Track::default(), |track, n| track.rebalanced(at(n)));
        assert_eq!(many.rebalances(at(500)), REBALANCES_KEPT as u32);
    }
}
