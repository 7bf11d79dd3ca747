//! What is configured: clusters, and the bounds of the work. Parsing configuration is
//! the server's job; everything here has a sane default.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::ClusterConfig;
use flowdeck_model::verdict::{RebalanceLimits, Rules};
use flowdeck_model::view::cluster::Colour;
use flowdeck_model::view::{FoundBy, GroupLabels, Mode};
use flowdeck_model::{ClusterName, GroupId, Partition, Pattern, Timestamp, TopicName};
use flowdeck_payload::{Choices, Decoder, Mask, Schemas};

use crate::time_zones::RewindTimeZones;

/// Bounds that hold for every cluster.
#[derive(Debug, Clone)]
pub struct ObserveSettings {
    /// The longest that one peek reads.
    pub peek_time: Duration,
    /// Bytes of keys, values and headers that one peek keeps.
    pub peek_bytes: usize,
    /// Peeks at once on one cluster; more are refused.
    pub peek_at_once: usize,
    pub telemetry: TelemetryLimits,
}

impl Default for ObserveSettings {
    fn default() -> Self {
        Self {
            peek_time: Duration::from_millis(1_500),
            peek_bytes: 8 * 1024 * 1024,
            peek_at_once: 8,
            telemetry: TelemetryLimits::default(),
        }
    }
}

/// What telemetry may take of memory: anybody who may write to the topic could flood it.
#[derive(Debug, Clone, Copy)]
pub struct TelemetryLimits {
    pub instances_per_consumer: usize,
    pub instances_per_group: usize,
    pub instances: usize,
    pub consumers_per_group: usize,
    pub consumers: usize,
    pub topics_per_instance: usize,
    /// Partition numbers listed by all instances together; each topic of an instance counts as eight.
    pub partitions: usize,
    /// Bytes of a group's, consumer's or instance's name.
    pub name_bytes: usize,
    /// Bytes of all agents' reports together; beyond that, their lists of errors are not kept.
    pub report_bytes: usize,
    /// Not heard for so long: forgotten.
    pub forgotten_after: Duration,
}

impl Default for TelemetryLimits {
    fn default() -> Self {
        Self {
            // Half of all: one group leaves space for others.
            instances_per_consumer: 1_280,
            instances_per_group: 2_048,
            instances: 4_096,
            consumers_per_group: 64,
            consumers: 1_024,
            topics_per_instance: 256,
            partitions: 400_000,
            name_bytes: 512,
            report_bytes: 16 * 1024 * 1024,
            forgotten_after: Duration::from_secs(300),
        }
    }
}

/// One pair of KafkaFlow's admin streams. Most installs use one topic and partition for both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminTopics {
    pub commands: (TopicName, Partition),
    pub telemetry: (TopicName, Partition),
}

impl AdminTopics {
    /// Both streams on partition 0 of one topic.
    pub fn one(topic: TopicName) -> Self {
        let zero = Partition::try_from(0).expect("0 is a partition");
        Self { commands: (topic.clone(), zero), telemetry: (topic, zero) }
    }
}

/// How long things take in a command's life (`wire.md`); tests make them short.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Evidence from an agent is awaited so long.
    pub agent_deadline: Duration,
    pub kafkaflow_deadline: Duration,
    pub kafkaflow_resume_deadline: Duration,
    /// Where a consumer starts anew.
    pub restart_deadline: Duration,
    /// An instance that started anew counts once it was heard for so long since.
    pub settled_for: Duration,
    /// An instance is expected to answer when it was heard within this time.
    pub heard_within: Duration,
    /// KafkaFlow obeys a pause within this time of its record: what it says before may speak of before.
    pub obeyed_within: Duration,
    /// A resume is sent again so far apart, and so often at most.
    pub resend_every: Duration,
    pub resend_max: u32,
    /// The state of groups that are held is asked for so often.
    pub held_every: Duration,
    /// A write to the cluster ends by then.
    pub write_deadline: Duration,
    /// The tick of deadlines, resends and expiry.
    pub tick: Duration,
    /// Hold changes by external commands that are taken over in a minute, for each group.
    pub external_per_minute: u32,
    /// The session of a replica in the election of the writer: when it is killed, another one takes over by then.
    pub writer_session: Duration,
    /// What may be done without an audit waits for it so long at most.
    pub audit_patience: Duration,
    /// No commit of a group moves for so long before its offsets are set.
    pub offsets_quiet: Duration,
    /// They are read again so long after.
    pub offsets_settle: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        use flowdeck_model::command as rules;
        Self {
            agent_deadline: rules::AGENT_DEADLINE,
            kafkaflow_deadline: rules::KAFKAFLOW_DEADLINE,
            kafkaflow_resume_deadline: rules::KAFKAFLOW_RESUME_DEADLINE,
            restart_deadline: rules::RESTART_DEADLINE,
            settled_for: rules::SETTLED_FOR,
            heard_within: rules::HEARD_WITHIN,
            obeyed_within: Duration::from_secs(1),
            resend_every: rules::RESEND_EVERY,
            resend_max: rules::RESEND_MAX,
            held_every: Duration::from_millis(500),
            write_deadline: Duration::from_secs(5),
            tick: Duration::from_millis(250),
            external_per_minute: 10,
            writer_session: Duration::from_secs(6),
            audit_patience: Duration::from_millis(1_500),
            offsets_quiet: Duration::from_secs(10),
            offsets_settle: Duration::from_secs(2),
        }
    }
}

/// Thresholds that are set for some groups; what is not set is as for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Thresholds {
    pub behind: Option<Duration>,
    pub allowed_lag: Option<u64>,
    pub falling_behind: Option<Duration>,
    pub stalled: Option<Duration>,
    pub rewound: Option<Duration>,
    pub hot_share: Option<u8>,
    pub rebalances: Option<u32>,
    pub paused: Option<Duration>,
    pub clear_after: Option<Duration>,
}

impl Thresholds {
    pub fn over(&self, rules: Rules) -> Rules {
        Rules {
            rebalancing: rules.rebalancing,
            behind: self.behind.unwrap_or(rules.behind),
            allowed_lag: self.allowed_lag.unwrap_or(rules.allowed_lag),
            falling_behind: self.falling_behind.unwrap_or(rules.falling_behind),
            stalled: self.stalled.unwrap_or(rules.stalled),
            rewound: self.rewound.unwrap_or(rules.rewound),
            hot_share: self.hot_share.unwrap_or(rules.hot_share),
            rebalances: self.rebalances.unwrap_or(rules.rebalances),
            paused: self.paused.unwrap_or(rules.paused),
            clear_after: self.clear_after.unwrap_or(rules.clear_after),
        }
    }
}

/// Groups that are not counted for a time, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    pub pattern: Pattern,
    pub until: Timestamp,
    pub reason: String,
}

fn first_match<'a, T>(all: &'a [(Pattern, T)], group: &GroupId) -> Option<&'a T> {
    all.iter().find(|(pattern, _)| pattern.matches(group.as_str())).map(|(_, of)| of)
}

/// How a pause of a whole group or consumer is kept with KafkaFlow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldDefault {
    /// By stop where a backlog waits, which a pause of all partitions could lock up on; else by pause.
    #[default]
    Backlog,
    Pause,
    Stop,
}

impl HoldDefault {
    /// In the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Pause => "pause",
            Self::Stop => "stop",
        }
    }
}

/// One cluster.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    pub name: ClusterName,
    pub label: String,
    pub colour: Colour,
    pub mode: Mode,
    pub kafka: ClusterConfig,
    pub admin_topics: Vec<AdminTopics>,
    /// In which the hosts of KafkaFlow consumers read the time of a rewind.
    pub rewind_time_zones: RewindTimeZones,
    /// How a pause is kept with KafkaFlow consumers where the request does not say.
    pub hold_by: HoldDefault,
    pub holds_topic: TopicName,
    pub acks_topic: TopicName,
    pub audit_topic: TopicName,
    /// Which dead letters were re-driven; made with the first re-drive.
    pub ledger_topic: TopicName,
    pub samples_topic: TopicName,
    /// The consumer group that elects the one writer among the replicas, and its `transactional.id`:
    /// `flowdeck.writer` (`wire.md`). Only where several Flowdecks with topics of their own share a cluster must
    /// it be another.
    pub writer_id: String,
    /// The lag up to which a group is ok, in records.
    pub allowed_lag: u64,
    /// From when on a rebalance is said.
    pub rebalancing: RebalanceLimits,
    /// The same of groups whose name matches; the first that does decides.
    pub rebalancing_of: Vec<(Pattern, RebalanceLimits)>,
    /// Thresholds of verdicts; `allowed_lag` and `rebalancing` are told apart.
    pub verdicts: Rules,
    /// The same of groups whose name matches; the first that does decides.
    pub verdicts_of: Vec<(Pattern, Thresholds)>,
    /// Groups that are not counted.
    pub ignore: Vec<Pattern>,
    /// Labels of groups whose name matches; of a label that several have, the first counts.
    pub labels_of: Vec<(Pattern, GroupLabels)>,
    pub mutes: Vec<Mute>,
    /// Groups whose consumers get records up to the last stable offset only, which is their end.
    pub read_committed: Vec<Pattern>,
    /// Whether a read at the committed offset shows that a record waits where no commit moves.
    pub verify_stalls: bool,
    /// From the start of one refresh to the start of the next.
    pub refresh: Duration,
    /// Groups whose name is typed before their offsets are changed.
    pub protected: Vec<Pattern>,
    /// Requests in flight at a time.
    pub in_flight: usize,
    /// For commits and descriptions, the FindCoordinator before each counted; the first refresh may make more.
    pub requests_per_second: u32,
    /// Groups described in one refresh; the ones that changed come first, then the longest ago.
    pub describe_per_cycle: usize,
    pub metadata_every: Duration,
    pub others_every: Duration,
    pub rights_every: Duration,
    /// A call of the refresh ends by then.
    pub call_deadline: Duration,
    pub timing: Timing,
    /// What the payloads of topics are; of a topic the first whose pattern matches decides.
    pub topics: Vec<TopicSettings>,
    /// Decoders that a reader may choose.
    pub decoders: Choices,
    /// Schemas by their ids, of the cluster's registry.
    pub schemas: Option<Arc<dyn Schemas>>,
    /// False: nobody is shown a record of this cluster.
    pub payloads: bool,
    /// What is masked, beside the usual names of secrets; all rules count whose pattern matches.
    pub masks: Vec<MaskRule>,
    /// Values with the usual names of secrets are masked.
    pub mask_secrets: bool,
    pub search: SearchLimits,
    /// Topics of dead letters, beside those that are known by their names.
    pub dead_letters: Vec<Pattern>,
}

/// What searches of one cluster may take, all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchLimits {
    pub at_once: usize,
    pub bytes_per_second: u64,
}

impl Default for SearchLimits {
    fn default() -> Self {
        Self { at_once: 2, bytes_per_second: 20_000_000 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskRule {
    pub topics: Pattern,
    pub mask: Mask,
}

/// How the records of topics are shown whose name matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSettings {
    pub pattern: Pattern,
    pub key: Option<ConfiguredDecoder>,
    pub value: Option<ConfiguredDecoder>,
    /// False: nobody is shown a record of it.
    pub payloads: bool,
}

/// A decoder and the name by which it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredDecoder {
    pub name: String,
    pub decoder: Decoder,
}

/// Of all whose pattern matches; of a name that several have, the first counts.
pub fn labels_of(all: &[(Pattern, GroupLabels)], group: &GroupId) -> GroupLabels {
    let mut labels = GroupLabels::default();
    for (_, more) in all.iter().filter(|(pattern, _)| pattern.matches(group.as_str())) {
        labels.add(more);
    }
    labels
}

impl ClusterSettings {
    /// Its name is typed before its offsets are changed.
    pub fn is_protected(&self, group: &GroupId) -> bool {
        self.protected.iter().any(|pattern| pattern.matches(group.as_str()))
    }

    /// `protected = true`: no group's offsets are changed without its name, and no record is produced by hand.
    pub fn is_all_protected(&self) -> bool {
        self.protected.iter().any(|pattern| pattern.as_str() == "*")
    }

    /// Observe mode, and the defaults of everything else.
    pub fn new(name: ClusterName, kafka: ClusterConfig) -> Self {
        Self {
            label: name.to_string(),
            name,
            colour: Colour::default(),
            mode: Mode::Observe,
            kafka,
            admin_topics: vec![AdminTopics::one(topic("kafkaflow.admin"))],
            rewind_time_zones: RewindTimeZones::default(),
            hold_by: HoldDefault::default(),
            holds_topic: topic("flowdeck.holds"),
            acks_topic: topic("flowdeck.acks"),
            audit_topic: topic("flowdeck.audit"),
            ledger_topic: topic("flowdeck.ledger"),
            samples_topic: topic("flowdeck.samples"),
            writer_id: "flowdeck.writer".to_owned(),
            allowed_lag: 100,
            rebalancing: RebalanceLimits::default(),
            rebalancing_of: vec![],
            verdicts: Rules::default(),
            verdicts_of: vec![],
            ignore: vec![Pattern::new("console-consumer-*")],
            read_committed: Vec::new(),
            labels_of: vec![],
            mutes: vec![],
            verify_stalls: true,
            refresh: Duration::from_secs(2),
            protected: vec![],
            in_flight: 64,
            requests_per_second: 1_500,
            describe_per_cycle: 500,
            metadata_every: Duration::from_secs(10),
            others_every: Duration::from_secs(30),
            rights_every: Duration::from_secs(60),
            call_deadline: Duration::from_secs(10),
            timing: Timing::default(),
            topics: vec![],
            decoders: Choices::default(),
            schemas: None,
            payloads: true,
            masks: vec![],
            mask_secrets: true,
            search: SearchLimits::default(),
            dead_letters: vec![],
        }
    }

    /// Whether records of the topic may be shown at all.
    pub(crate) fn shows_payloads(&self, name: &TopicName) -> bool {
        self.payloads && self.topic(name).is_none_or(|topic| topic.payloads)
    }

    pub(crate) fn mask(&self, name: &TopicName) -> Mask {
        let usual = if self.mask_secrets { Mask::usual() } else { Mask::none() };
        let rules = self.masks.iter().filter(|rule| rule.topics.matches(name.as_str()));
        rules.fold(usual, |mask, rule| mask.and(&rule.mask))
    }

    /// Whether its name says that it holds dead letters.
    pub fn dead_letters_by_name(&self, name: &TopicName) -> Option<FoundBy> {
        if self.dead_letters.iter().any(|pattern| pattern.matches(name.as_str())) {
            return Some(FoundBy::Configuration);
        }
        flowdeck_payload::is_usual_name(name.as_str()).then_some(FoundBy::Name)
    }

    pub(crate) fn topic(&self, name: &TopicName) -> Option<&TopicSettings> {
        self.topics.iter().find(|one| one.pattern.matches(name.as_str()))
    }

    /// What the verdicts of this group go by.
    pub fn rules(&self, group: &GroupId) -> Rules {
        let limits = first_match(&self.rebalancing_of, group).copied().unwrap_or(self.rebalancing);
        let rules = Rules { allowed_lag: self.allowed_lag, rebalancing: limits, ..self.verdicts };
        first_match(&self.verdicts_of, group).map_or(rules, |thresholds| thresholds.over(rules))
    }

    pub fn labels(&self, group: &GroupId) -> GroupLabels {
        labels_of(&self.labels_of, group)
    }

    /// By its name, or for a time.
    pub fn ignores(&self, group: &GroupId, now: Timestamp) -> bool {
        self.ignore.iter().any(|pattern| pattern.matches(group.as_str())) || self.muted(group, now).is_some()
    }

    pub fn reads_committed(&self, group: &GroupId) -> bool {
        self.read_committed.iter().any(|pattern| pattern.matches(group.as_str()))
    }

    /// Why the group is not counted for a time: of several, the one that lasts longest.
    pub fn muted(&self, group: &GroupId, now: Timestamp) -> Option<&Mute> {
        let mutes = self.mutes.iter().filter(|mute| mute.until > now && mute.pattern.matches(group.as_str()));
        mutes.max_by_key(|mute| mute.until)
    }

    /// Readings older than this speak of now no more.
    pub fn stale_after(&self) -> Duration {
        (self.refresh * 10).max(Duration::from_secs(30))
    }

    /// Topics that Flowdeck creates where they are missing.
    pub fn own_topics(&self) -> [&TopicName; 4] {
        [&self.holds_topic, &self.acks_topic, &self.audit_topic, &self.samples_topic]
    }

    /// Topics that are Flowdeck's or KafkaFlow's, not an application's.
    pub fn is_own_topic(&self, topic: &TopicName) -> bool {
        self.own_topics().contains(&topic)
            || topic == &self.ledger_topic
            || self.admin_topics.iter().any(|pair| topic == &pair.commands.0 || topic == &pair.telemetry.0)
    }
}

fn topic(name: &'static str) -> TopicName {
    name.parse().expect("a literal that Kafka allows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pattern_that_matches_decides() {
        let mut settings = ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
        let limits = |seconds| RebalanceLimits {
            warning: Duration::from_secs(seconds),
            critical: Duration::from_secs(seconds * 2),
        };
        settings.rebalancing_of =
            vec![(Pattern::new("batch-slow-*"), limits(600)), (Pattern::new("batch-*"), limits(300))];
        for (group, want) in
            [("batch-slow-1", limits(600)), ("batch-1", limits(300)), ("web", RebalanceLimits::default())]
        {
            assert_eq!(settings.rules(&group.into()).rebalancing, want, "{group}");
        }
        settings.allowed_lag = 7;
        let slow = Thresholds { behind: Some(Duration::from_secs(3_600)), ..Thresholds::default() };
        settings.verdicts_of =
            vec![(Pattern::new("batch-*"), slow), (Pattern::new("*"), Thresholds::default())];
        let of = |group: &str| settings.rules(&group.into());
        assert_eq!((of("batch-1").behind.as_secs(), of("batch-1").allowed_lag), (3_600, 7));
        assert_eq!(of("web").behind, Rules::default().behind);
        let at = Timestamp::from_millis;
        let ignores = |settings: &ClusterSettings, group: &str, now| settings.ignores(&group.into(), at(now));
        assert!(ignores(&settings, "console-consumer-4711", 0) && !ignores(&settings, "web", 0));
        let mute = |until| Mute { pattern: Pattern::new("web*"), until: at(until), reason: "INC-1".into() };
        settings.mutes = vec![mute(1_000), mute(2_000)];
        assert_eq!(settings.muted(&"web".into(), at(500)).map(|mute| mute.until), Some(at(2_000)));
        assert!(ignores(&settings, "web", 1_999) && !ignores(&settings, "web", 2_000));
    }

    #[test]
    fn nothing_is_written_unless_told() {
        let settings = ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
        assert_eq!(settings.mode, Mode::Observe);
        assert_eq!(settings.stale_after(), Duration::from_secs(30));
        for own in
            ["flowdeck.holds", "flowdeck.acks", "flowdeck.audit", "flowdeck.samples", "kafkaflow.admin"]
        {
            assert!(settings.is_own_topic(&topic(own)));
        }
    }
}
