//! A world for a test of agents: topics of its own, a writer of holds as `wire.md` has it, and what agents
//! answered.

use std::time::SystemTime;

use flowdeck_model::{CommandId, Hold, HoldBy, HoldId, InstanceState, Scope, Timestamp};
use flowdeck_protocol::Record;
use flowdeck_protocol::wire::{Ack, AckRecord, hold_record, read_ack, release_record};

use crate::records::Kafka;
use crate::transactions::End;
use crate::wait::{DEADLINE, wait_for};
use crate::{kafka, unique};

/// One group's names on a broker.
pub struct World {
    pub kafka: Kafka,
    pub group: String,
    pub topic: String,
    pub admin: String,
    pub holds: String,
    pub acks: String,
}

impl World {
    /// On the shared broker: the group's topic with so many partitions, an admin topic, and Flowdeck's topics.
    pub async fn new(partitions: i32) -> Self {
        Self::on(kafka().clone(), partitions).await
    }

    /// The same on a broker of the test's own.
    pub async fn on(kafka: Kafka, partitions: i32) -> Self {
        let world = Self::bare(kafka, partitions).await;
        world.create_flowdeck().await;
        world
    }

    /// On the shared broker, and none of Flowdeck's topics.
    pub async fn without_flowdeck(partitions: i32) -> Self {
        Self::bare(kafka().clone(), partitions).await
    }

    async fn bare(kafka: Kafka, partitions: i32) -> Self {
        let world = Self {
            kafka,
            group: unique("group"),
            topic: unique("topic"),
            admin: unique("admin"),
            holds: unique("holds"),
            acks: unique("acks"),
        };
        world.kafka.create_topic(&world.topic, partitions).await;
        world.kafka.create_topic(&world.admin, 1).await;
        world
    }

    pub async fn create_flowdeck(&self) {
        self.kafka.create_topic_with(&self.holds, 1, &[("cleanup.policy", "compact")]).await;
        self.kafka.create_topic(&self.acks, 1).await;
    }

    pub async fn produce(&self, partition: i32, count: usize) {
        self.kafka.produce(&self.topic, partition, (0..count).map(|n| n.to_string())).await;
    }

    /// The whole group.
    pub fn scope(&self) -> Scope {
        Scope::group(self.group.as_str().into())
    }

    pub fn hold(&self, scope: Scope) -> Hold {
        Hold {
            scope,
            id: HoldId::random(),
            owner: "ana".into(),
            reason: "INC-1".into(),
            since: Timestamp::from_system(SystemTime::now()),
            until: None,
            by: HoldBy::Pause,
            except: vec![],
        }
    }

    /// Writes to the topic of holds as Flowdeck does: in one transaction.
    pub async fn write(&self, records: Vec<Record>) {
        let id = format!("writer-{}", self.holds);
        self.kafka.transact(&id, &self.holds, vec![(records, End::Commit)]).await;
    }

    pub async fn pause(&self, scope: Scope) -> Hold {
        let hold = self.hold(scope);
        self.write(vec![hold_record(&hold, hold.id.into())]).await;
        hold
    }

    pub async fn release(&self, hold: &Hold) -> CommandId {
        let command = CommandId::random();
        self.write(vec![release_record(&hold.scope, hold.id, command)]).await;
        command
    }

    /// Everything that agents answered.
    pub fn acks(&self) -> Vec<Ack> {
        let records = self.kafka.read_all(&self.acks);
        let acks = records.iter().map(|record| match read_ack(&record.headers(), record.value.as_deref()) {
            AckRecord::Ack(ack) => {
                assert_eq!(record.key.as_deref(), Some(ack.command.to_string().as_bytes()));
                ack
            }
            other => panic!("{other:?}"),
        });
        acks.collect()
    }

    /// Waits for the answer of one instance to a command.
    pub async fn ack(&self, command: CommandId, instance: &str, state: InstanceState) -> Ack {
        wait_for(&format!("{state:?} of {instance}"), DEADLINE, async || {
            self.acks()
                .into_iter()
                .find(|ack| ack.command == command && ack.instance.as_str() == instance && ack.state == state)
        })
        .await
    }
}
