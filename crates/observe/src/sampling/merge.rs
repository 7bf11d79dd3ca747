//! From the brokers' answers to a group's rows: which partitions a group reads, which of them it
//! never committed, and which commits speak of a log that is gone. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use flowdeck_kafka::{Member, Topic};
use flowdeck_model::{Partition, Timestamp, TopicName};

use super::sample::{CommitRow, Mark, TopicRows};

/// One commit as the broker told it.
#[derive(Debug, Clone)]
pub struct Commit {
    pub topic: Topic,
    pub partition: Partition,
    pub offset: Option<i64>,
    pub mark: Mark,
}

/// Commits as rows, sorted; the compact form in which a refresh keeps them.
pub fn compact(mut commits: Vec<Commit>) -> Vec<TopicRows> {
    commits.sort_unstable_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    let mut topics: Vec<TopicRows> = Vec::new();
    for chunk in commits.chunk_by(|a, b| a.topic == b.topic) {
        let rows = chunk.iter().map(|commit| CommitRow {
            partition: commit.partition,
            mark: commit.mark,
            moved: 0,
            offset: commit.offset.unwrap_or(-1),
        });
        topics.push(TopicRows { topic: chunk[0].topic.clone(), rows: rows.collect() });
    }
    topics
}

/// How a group reads, as far as it decides which uncommitted partitions are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Commits by hand, without membership: it reads what it commits, nothing more is known.
    ByHand,
    /// Members own partitions: all partitions of the topics that they own are the group's.
    Owned,
    /// Nobody owns anything now: all partitions of the topics that it committed are the group's.
    Unowned,
}

impl Reading {
    pub fn of(simple: bool, members: Option<&[Member]>) -> Self {
        let owned = members.is_some_and(|all| all.iter().any(|member| !member.assignment.is_empty()));
        match (owned, simple) {
            (true, _) => Self::Owned,
            (false, true) => Self::ByHand,
            (false, false) => Self::Unowned,
        }
    }
}

/// The topics of the cluster, as far as they are known.
pub trait Topics {
    /// `None`: not in the list.
    fn partitions(&self, topic: &TopicName) -> Option<Vec<Partition>>;
}

/// Adds the partitions that the group reads and never committed.
pub fn with_uncommitted(
    committed: Vec<TopicRows>,
    reading: Reading,
    members: &[Member],
    topics: &impl Topics,
) -> Vec<TopicRows> {
    let mut wanted: BTreeMap<Topic, Vec<Partition>> = BTreeMap::new();
    for (topic, partition) in members.iter().flat_map(|member| &member.assignment) {
        wanted.entry(topic.clone()).or_default().push(*partition);
    }
    if reading == Reading::Unowned {
        wanted = committed.iter().map(|rows| (rows.topic.clone(), Vec::new())).collect();
    }
    if reading != Reading::ByHand {
        for (topic, partitions) in &mut wanted {
            partitions.extend(topics.partitions(topic).into_iter().flatten());
        }
    }
    let mut merged: BTreeMap<Topic, TopicRows> =
        committed.into_iter().map(|rows| (rows.topic.clone(), rows)).collect();
    for (topic, mut partitions) in wanted {
        partitions.sort_unstable();
        partitions.dedup();
        let there = merged.entry(topic.clone()).or_insert_with(|| TopicRows { topic, rows: Box::default() });
        add_missing(there, &partitions);
    }
    merged.into_values().collect()
}

/// `partitions` is sorted and without doubles.
fn add_missing(topic: &mut TopicRows, partitions: &[Partition]) {
    let committed: HashSet<Partition> = topic.rows.iter().map(|row| row.partition).collect();
    let missing: Vec<CommitRow> = partitions
        .iter()
        .filter(|partition| !committed.contains(partition))
        .map(|partition| CommitRow { partition: *partition, mark: Mark::Fine, moved: 0, offset: -1 })
        .collect();
    if missing.is_empty() {
        return;
    }
    let mut rows = topic.rows.to_vec();
    rows.extend(missing);
    rows.sort_unstable_by_key(|row| row.partition);
    topic.rows = rows.into_boxed_slice();
}

/// Marks the rows of topics that the newest list lacks: what was committed on them is gone with them, or hidden.
pub fn mark_gone(rows: &mut [TopicRows], gone: &HashMap<TopicName, Mark>) {
    if gone.is_empty() {
        return;
    }
    for topic in rows {
        let Some(mark) = gone.get(topic.topic.as_ref()) else { continue };
        for row in topic.rows.iter_mut().filter(|row| row.mark != Mark::NotPermitted) {
            row.mark = *mark;
        }
    }
}

/// Marks commits that speak of a topic's former log: its id changed (`recreated`) or had changed
/// before, and the commit is still the same. Notes of each commit when it moved, as seen at `now`. Shares `old`
/// where nothing changed.
pub fn settle(
    mut rows: Vec<TopicRows>,
    old: Option<&Arc<[TopicRows]>>,
    recreated: &HashSet<TopicName>,
    now: Timestamp,
) -> Arc<[TopicRows]> {
    let Some(old) = old else { return rows.into() };
    for topic in &mut rows {
        let Ok(at) = old.binary_search_by(|former| former.topic.cmp(&topic.topic)) else { continue };
        let anew = recreated.contains(topic.topic.as_ref());
        mark(topic, &old[at], anew);
        mark_vanished(topic, &old[at], anew);
        note_moves(topic, &old[at], now);
    }
    if rows[..] == old[..] { Arc::clone(old) } else { rows.into() }
}

fn note_moves(topic: &mut TopicRows, former: &TopicRows, now: Timestamp) {
    let now = u32::try_from(now.millis() / 1_000).unwrap_or(u32::MAX);
    let same_partitions = topic.rows.len() == former.rows.len();
    for (n, row) in topic.rows.iter_mut().enumerate() {
        let before = former.rows.get(n).filter(|before| same_partitions && before.partition == row.partition);
        let before = before.or_else(|| former.partition(row.partition));
        let Some(before) = before else { continue };
        row.moved = if row.offset == before.offset || row.mark != Mark::Fine { before.moved } else { now };
    }
}

fn mark(topic: &mut TopicRows, former: &TopicRows, anew: bool) {
    if !anew && former.rows.iter().all(|row| row.mark != Mark::Recreated) {
        return;
    }
    for row in &mut topic.rows {
        let Some(before) = former.partition(row.partition) else { continue };
        let speaks_of_the_former = anew || before.mark == Mark::Recreated;
        if speaks_of_the_former && row.mark == Mark::Fine && row.offset >= 0 && row.offset == before.offset {
            row.mark = Mark::Recreated;
        }
    }
}

/// Marks partitions of which a commit was seen and is there no more, as long as there is no other. Of a topic that was
/// made anew the commits of the former one are gone with it.
fn mark_vanished(topic: &mut TopicRows, former: &TopicRows, anew: bool) {
    for row in topic.rows.iter_mut().filter(|row| row.mark == Mark::Fine && row.offset < 0) {
        let Some(before) = former.partition(row.partition) else { continue };
        let was_there = before.mark == Mark::Fine && before.offset >= 0 && !anew;
        if was_there || before.mark == Mark::CommitGone {
            row.mark = Mark::CommitGone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> Topic {
        Arc::new(name.parse().unwrap())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn commit(name: &str, partition: i32, offset: i64) -> Commit {
        Commit {
            topic: topic(name),
            partition: Partition::new(partition).unwrap(),
            offset: Some(offset),
            mark: Mark::Fine,
        }
    }

    fn member(owns: &[(&str, i32)]) -> Member {
        Member {
            member_id: "m".into(),
            client_id: "c".into(),
            host: "/h".into(),
            group_instance_id: None,
            assignment: owns.iter().map(|(t, p)| (topic(t), Partition::new(*p).unwrap())).collect(),
            target_assignment: None,
        }
    }

    /// Every topic but `gone` has three partitions.
    struct Three;

    impl Topics for Three {
        fn partitions(&self, topic: &TopicName) -> Option<Vec<Partition>> {
            (topic.as_str() != "gone").then(|| (0..3).filter_map(Partition::new).collect())
        }
    }

    fn shape(rows: &[TopicRows]) -> Vec<(String, i32, i64)> {
        rows.iter()
            .flat_map(|t| t.rows.iter().map(|r| (t.topic.to_string(), r.partition.get(), r.offset)))
            .collect()
    }

    #[test]
    fn what_was_never_committed_is_found() {
        let rows = |commits: Vec<Commit>, simple, members: &[Member]| {
            let reading = Reading::of(simple, Some(members));
            shape(&with_uncommitted(compact(commits), reading, members, &Three))
        };
        let row = |t: &str, p, o| (t.to_owned(), p, o);
        // A member owns one partition: the topic's others are the group's too.
        assert_eq!(
            rows(vec![commit("a", 0, 5)], false, &[member(&[("a", 0), ("a", 1)])]),
            [row("a", 0, 5), row("a", 1, -1), row("a", 2, -1)]
        );
        // A topic that nobody owns any more keeps its commits and gets no rows beside them.
        assert_eq!(
            rows(vec![commit("b", 2, 5)], false, &[member(&[("a", 0)])]),
            [row("a", 0, -1), row("a", 1, -1), row("a", 2, -1), row("b", 2, 5)]
        );
        // No members: the committed topics in full.
        assert_eq!(
            rows(vec![commit("b", 2, 5)], false, &[]),
            [row("b", 0, -1), row("b", 1, -1), row("b", 2, 5)]
        );
        // By hand: what it commits, no more.
        assert_eq!(rows(vec![commit("b", 2, 5)], true, &[]), [row("b", 2, 5)]);
        // A deleted topic.
        assert_eq!(rows(vec![commit("gone", 1, 5)], false, &[]), [row("gone", 1, 5)]);
    }

    #[test]
    fn rows_of_a_topic_that_is_gone_say_why() {
        for (mark, was, want) in [
            (Mark::TopicDeleted, Mark::Fine, Mark::TopicDeleted),
            (Mark::TopicNotFound, Mark::Recreated, Mark::TopicNotFound),
            (Mark::NotPermitted, Mark::Fine, Mark::NotPermitted),
            // The coordinator said so of the commit itself.
            (Mark::TopicNotFound, Mark::NotPermitted, Mark::NotPermitted),
        ] {
            let mut rows =
                with_uncommitted(vec![], Reading::Owned, &[member(&[("gone", 1), ("a", 0)])], &Three);
            let [a, gone] = &mut rows[..] else { panic!("two topics") };
            gone.rows[0].mark = was;
            assert_eq!((a.rows.len(), gone.rows.len()), (3, 1));
            mark_gone(&mut rows, &HashMap::from([(topic("gone").as_ref().clone(), mark)]));
            assert_eq!(rows[0].rows[0].mark, Mark::Fine);
            assert_eq!(rows[1].rows[0].mark, want);
        }
    }

    #[test]
    fn a_commit_on_a_topic_created_anew_is_marked_until_it_changes() {
        let none = HashSet::new();
        let anew: HashSet<TopicName> = [topic("a").as_ref().clone()].into();
        let first = settle(compact(vec![commit("a", 0, 5), commit("a", 1, 7)]), None, &none, at(1));
        let second = settle(compact(vec![commit("a", 0, 5), commit("a", 1, 2)]), Some(&first), &anew, at(2));
        let marks: Vec<Mark> = second[0].rows.iter().map(|row| row.mark).collect();
        assert_eq!(marks, [Mark::Recreated, Mark::Fine]);
        let third = settle(compact(vec![commit("a", 0, 5), commit("a", 1, 2)]), Some(&second), &none, at(3));
        assert_eq!(third[0].rows[0].mark, Mark::Recreated);
        assert!(Arc::ptr_eq(&second, &third), "unchanged rows are shared");
        let fourth = settle(compact(vec![commit("a", 0, 6)]), Some(&third), &none, at(4));
        assert_eq!(fourth[0].rows[0].mark, Mark::Fine);
        let moved = |rows: &[TopicRows]| rows[0].rows.iter().map(|row| row.moved).collect::<Vec<_>>();
        assert_eq!(moved(&first), [0, 0]);
        assert_eq!(moved(&third), [0, 2], "when it was first seen elsewhere");
        assert_eq!(moved(&fourth), [4]);
    }

    #[test]
    fn a_commit_that_vanished_is_not_one_that_never_was() {
        let (none, anew) = (HashSet::new(), HashSet::from(["a".parse().unwrap()]));
        let gone = |partition| Commit { offset: None, ..commit("a", partition, 0) };
        let marks = |rows: &[TopicRows]| rows[0].rows.iter().map(|row| row.mark).collect::<Vec<_>>();
        let first = settle(compact(vec![commit("a", 0, 5), gone(1)]), None, &none, at(1));
        let second = settle(compact(vec![gone(0), gone(1)]), Some(&first), &none, at(2));
        assert_eq!(marks(&second), [Mark::CommitGone, Mark::Fine]);
        let third = settle(compact(vec![gone(0), gone(1)]), Some(&second), &none, at(3));
        assert_eq!(marks(&third), [Mark::CommitGone, Mark::Fine], "it stays until there is another");
        let again = settle(compact(vec![commit("a", 0, 1), gone(1)]), Some(&third), &none, at(4));
        assert_eq!(marks(&again), [Mark::Fine, Mark::Fine]);
        let other = settle(compact(vec![gone(0), gone(1)]), Some(&first), &anew, at(2));
        assert_eq!(marks(&other), [Mark::Fine, Mark::Fine], "of another log");
    }
}
