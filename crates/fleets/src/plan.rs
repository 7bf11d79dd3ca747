//! What the demo consists of: topics, groups, rates. Pure; everything else reads it from here.

use std::fmt;

/// `{prefix}-…`, as NovaTune's `TopicPrefix`.
#[derive(Debug, Clone)]
pub struct Plan {
    prefix: String,
}

pub struct Topic {
    pub name: String,
    pub partitions: i32,
    /// Bytes that a partition keeps; a demo that is left running must not fill a disk.
    pub retention_bytes: u32,
    pub retention_ms: u32,
}

const MIB: u32 = 1024 * 1024;
const HOUR: u32 = 3_600_000;

pub const ADMIN_TOPIC: &str = "kafkaflow.admin";

impl Plan {
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    fn named(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    pub fn audio_events(&self) -> String {
        self.named("audio-events")
    }

    pub fn track_deletions(&self) -> String {
        self.named("track-deletions")
    }

    pub fn minio_events(&self) -> String {
        self.named("minio-events")
    }

    /// NovaTune's: healthy, two instances.
    pub fn audio_processor(&self) -> String {
        self.named("audio-processor")
    }

    /// NovaTune's: its handler fails on certain records.
    pub fn deletion_processor(&self) -> String {
        self.named("deletion-processor")
    }

    /// Slow: its lag grows and shrinks.
    pub fn storage_indexer(&self) -> String {
        self.named("storage-indexer")
    }

    /// On the consumer group protocol of KIP-848.
    pub fn search_indexer(&self) -> String {
        self.named("search-indexer")
    }

    /// A plain rdkafka consumer, without the agent.
    pub fn audit_export(&self) -> String {
        self.named("audit-export")
    }

    /// Its members are gone.
    pub fn royalty_report(&self) -> String {
        self.named("royalty-report")
    }

    pub fn topics(&self) -> Vec<Topic> {
        let topic =
            |name, partitions| Topic { name, partitions, retention_bytes: 16 * MIB, retention_ms: 24 * HOUR };
        vec![
            topic(self.audio_events(), 3),
            topic(self.track_deletions(), 3),
            topic(self.minio_events(), 1),
            Topic {
                name: ADMIN_TOPIC.to_owned(),
                partitions: 1,
                retention_bytes: 16 * MIB,
                retention_ms: HOUR,
            },
        ]
    }

    /// (group, what it shows)
    pub fn groups(&self) -> Vec<(String, &'static str)> {
        vec![
            (self.audio_processor(), "flowdeck-agent, 2 instances, 3 workers, buffer 100: keeps up"),
            (
                self.deletion_processor(),
                "flowdeck-agent, 2 workers, buffer 50: its handler fails on certain records",
            ),
            (self.storage_indexer(), "flowdeck-agent, 1 worker: slow, its lag rises and falls"),
            (self.search_indexer(), "flowdeck-agent on group.protocol=consumer (KIP-848)"),
            (self.audit_export(), "a plain rdkafka consumer, without the agent"),
            (self.royalty_report(), "read a little, committed and left: no members, its lag grows"),
        ]
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "topics, created where they are missing:")?;
        for topic in self.topics() {
            let (name, mib, hours) = (&topic.name, topic.retention_bytes / MIB, topic.retention_ms / HOUR);
            let partitions = topic.partitions;
            writeln!(f, "  {name}  partitions {partitions}, keeps {mib} MiB a partition, at most {hours} h")?;
        }
        writeln!(f, "consumer groups:")?;
        for (group, what) in self.groups() {
            writeln!(f, "  {group}  {what}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_prefix_and_the_admin_topic_does_not() {
        let text = Plan::new("qa").to_string();
        for name in ["qa-audio-events", "qa-track-deletions", "qa-minio-events", "qa-audio-processor"] {
            assert!(text.contains(name), "{name}");
        }
        assert!(text.contains("  kafkaflow.admin  partitions 1"));
        assert!(!text.contains("flowdeck.holds"), "Flowdeck makes its own topics");
    }
}
