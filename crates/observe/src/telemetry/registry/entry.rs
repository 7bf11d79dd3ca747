//! What one instance said last, topic by topic, and whether two speak under its name.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use flowdeck_model::view::{ConsumerStatus, InstanceHolds};
use flowdeck_model::{Partition, Timestamp, TopicName};
use flowdeck_protocol::kafkaflow::TelemetryTopic;

use super::{Heard, InstanceKey};
use crate::telemetry::trust::{MEMBER_FOR, Trust};
use crate::telemetry::{InstanceTelemetry, Report, TopicStream};

pub(super) struct Entry {
    pub(super) trust: Trust,
    /// When it was last a member.
    member_at: Option<Timestamp>,
    workers: Option<u32>,
    holds: Option<InstanceHolds>,
    pub(super) report: Option<Report>,
    /// What it takes of the bound of reports.
    pub(super) report_bytes: usize,
    topics: BTreeMap<TopicName, Stream>,
    /// It subscribes to a pattern, of whose partitions KafkaFlow tells nothing.
    pattern: Option<String>,
    status: ConsumerStatus,
    listing_since: Option<Timestamp>,
    has_listed: bool,
    pub(super) first_heard: Timestamp,
    pub(super) last_heard: Timestamp,
    ambiguous_at: Option<Timestamp>,
    /// When there was last no space for some of what it lists.
    left_out_at: Option<Timestamp>,
}

struct Stream {
    running: Vec<Partition>,
    paused: Vec<Partition>,
    cut: u64,
    heard: Timestamp,
    offset: i64,
    past: Past,
}

/// The last two different things that were said of a topic, to tell two senders under one name apart.
#[derive(Default)]
struct Past {
    last: Option<Said>,
    before: Option<Said>,
    /// How often in a row it went back to what was said before the last.
    turns: u32,
}

/// What was said by its hash: lists of the past would be kept beyond the bound.
#[derive(Clone, Copy)]
struct Said {
    lists: u64,
    sent_at: Timestamp,
}

/// KafkaFlow speaks every 5 s: A, B, A within less than two intervals comes from two processes.
const ONE_SENDER: Duration = Duration::from_secs(8);
/// A quick pause and resume is A, B, A too; only A, B, A, B, A without a repeat is two senders.
const TURNS: u32 = 3;
/// An ambiguity that was not seen for so long is over.
const AMBIGUOUS_FOR: Duration = Duration::from_secs(60);
/// Of a pattern so many are kept: as of the longest name of a topic.
const PATTERN_CHARS: usize = 249;
/// A topic takes so much memory as about so many partitions.
pub(super) const STREAM: usize = 8;
/// An instance that speaks, but not of this topic for so long, reads it no more.
const TOPIC_LEFT: Duration = Duration::from_secs(30);

impl Entry {
    pub(super) fn new(at: Timestamp, trust: Trust) -> Self {
        Self {
            trust,
            member_at: None,
            workers: None,
            holds: None,
            report: None,
            report_bytes: 0,
            topics: BTreeMap::new(),
            pattern: None,
            status: ConsumerStatus::Stopped,
            listing_since: None,
            has_listed: false,
            first_heard: at,
            last_heard: at,
            ambiguous_at: None,
            left_out_at: None,
        }
    }

    /// What a record says of the instance itself.
    pub(super) fn speaks(&mut self, heard: &Heard, trust: Trust) {
        self.last_heard = heard.at;
        self.workers = heard.workers.or(self.workers);
        self.holds = heard.holds;
        self.status = heard.status;
        if let TelemetryTopic::Pattern(pattern) = &heard.topic {
            self.pattern = Some(pattern.chars().take(PATTERN_CHARS).collect());
        }
        if trust == Trust::Member {
            self.member_at = Some(heard.at);
        }
        let member = self.member_at.is_some_and(|at| heard.at.since(at) <= MEMBER_FOR);
        self.trust = if member { Trust::Member } else { trust };
    }

    /// After a rollout those of before are kept for a while: they shut nobody out.
    pub(super) fn is_silent(&self, at: Timestamp) -> bool {
        at.since(self.last_heard) > MEMBER_FOR
    }

    /// It lists partitions, for which there is no space.
    pub(super) fn lists(&mut self, at: Timestamp) {
        self.listing_since.get_or_insert(at);
        self.has_listed = true;
        self.left_out_at = Some(at);
    }

    /// What a record says of one topic; `false`: it speaks of too many.
    pub(super) fn tells(&mut self, topic: &TopicName, heard: Heard, limit: usize) -> bool {
        if !self.topics.contains_key(topic) && self.topics.len() >= limit {
            self.lists(heard.at);
            return false;
        }
        let stream = self.topics.entry(topic.clone()).or_insert_with(|| Stream {
            running: vec![],
            paused: vec![],
            cut: 0,
            heard: heard.at,
            offset: heard.offset,
            past: Past::default(),
        });
        (stream.running, stream.paused, stream.cut) = (heard.running, heard.paused, heard.cut);
        (stream.heard, stream.offset) = (heard.at, heard.offset);
        // An agent's incarnation tells its senders apart already.
        if heard.incarnation.is_none()
            && let Some(sent_at) = heard.sent_at
            && stream.past.contradicts(&stream.running, &stream.paused, sent_at)
        {
            self.ambiguous_at = Some(heard.at);
        }
        let lists = self.topics.values().any(|stream| stream.listed() > 0 || stream.cut > 0);
        self.has_listed |= lists;
        self.listing_since = lists.then(|| self.listing_since.unwrap_or(heard.at));
        true
    }

    /// What the topic takes of the bound of partitions.
    pub(super) fn weight_of(&self, topic: &TopicName) -> usize {
        self.topics.get(topic).map_or(0, |stream| STREAM + stream.listed())
    }

    pub(super) fn weight(&self) -> usize {
        self.topics.values().map(|stream| STREAM + stream.listed()).sum()
    }

    /// Topics that it speaks of no more, while it speaks.
    pub(super) fn drop_left_topics(&mut self) -> Option<()> {
        let (before, last_heard) = (self.topics.len(), self.last_heard);
        self.topics.retain(|_, stream| last_heard.since(stream.heard) <= TOPIC_LEFT);
        (self.topics.len() != before).then_some(())
    }
}

impl Stream {
    fn listed(&self) -> usize {
        self.running.len() + self.paused.len()
    }
}

impl Past {
    fn contradicts(&mut self, running: &[Partition], paused: &[Partition], sent_at: Timestamp) -> bool {
        let mut hasher = DefaultHasher::new();
        (running, paused).hash(&mut hasher);
        let said = Said { lists: hasher.finish(), sent_at };
        let same = |past: &Said| past.lists == said.lists;
        if self.last.as_ref().is_some_and(same) {
            self.turns = 0;
            self.last = Some(said);
            return false;
        }
        let back = self.before.as_ref().is_some_and(|before| {
            same(before) && sent_at.since(before.sent_at).max(before.sent_at.since(sent_at)) < ONE_SENDER
        });
        self.turns = if back { self.turns + 1 } else { 0 };
        self.before = self.last.take();
        self.last = Some(said);
        self.turns >= TURNS
    }
}

/// Those of one name are side by side in the map.
pub(super) fn instances(entries: &BTreeMap<InstanceKey, Entry>, now: Timestamp) -> Vec<InstanceTelemetry> {
    let all: Vec<(&InstanceKey, &Entry)> = entries.iter().collect();
    let same = |a: &(&InstanceKey, &Entry), b: &(&InstanceKey, &Entry)| (a.0.0, &a.0.1) == (b.0.0, &b.0.1);
    all.chunk_by(same)
        .flat_map(|namesakes| namesakes.iter().map(|(key, entry)| instance(key, entry, namesakes, now)))
        .collect()
}

fn instance(
    key: &InstanceKey,
    entry: &Entry,
    namesakes: &[(&InstanceKey, &Entry)],
    now: Timestamp,
) -> InstanceTelemetry {
    let (pair, name, agent, incarnation) = key;
    let others = || namesakes.iter().filter(|((.., other), _)| other != incarnation).map(|(_, other)| other);
    let topics = entry.topics.iter().map(|(topic, stream)| TopicStream {
        topic: topic.clone(),
        running: stream.running.clone(),
        paused: stream.paused.clone(),
        cut: stream.cut,
        heard: stream.heard,
        offset: stream.offset,
    });
    InstanceTelemetry {
        pair: *pair,
        instance: name.clone(),
        agent: *agent,
        incarnation: *incarnation,
        // Interleaved: each was heard after the other began.
        ambiguous: entry.ambiguous_at.is_some_and(|at| now.since(at) <= AMBIGUOUS_FOR)
            || others()
                .any(|other| other.last_heard > entry.first_heard && entry.last_heard > other.first_heard),
        superseded: others().any(|other| other.first_heard > entry.last_heard),
        workers: entry.workers,
        holds: entry.holds,
        report: entry.report.clone(),
        pattern: entry.pattern.clone(),
        status: entry.status,
        topics: topics.collect(),
        left_out: entry.left_out_at.is_some_and(|at| entry.last_heard.since(at) <= TOPIC_LEFT)
            || entry.topics.values().any(|stream| stream.cut > 0),
        listing_since: entry.listing_since,
        has_listed: entry.has_listed,
        member_at: entry.member_at,
        first_heard: entry.first_heard,
        last_heard: entry.last_heard,
    }
}
