//! A cluster without Flowdeck's topics: KafkaFlow's own commands are obeyed, nothing is created, and
//! holds take over once they appear.

use crate::common::{Agents as _, a_while, noting, settled};
use flowdeck_model::InstanceState::Drained;
use flowdeck_model::view::InstanceHolds;
use flowdeck_protocol::kafkaflow::{
    Command, ConsumerStatus, Decoded, Message, Telemetry, decode, external_command_record,
};
use flowdeck_protocol::wire::{
    AgentTelemetry, AgentTelemetryRecord, Sender, holds_of, read_agent_telemetry, sender,
};
use flowdeck_testkit::{DEADLINE, World, wait_for};
use uuid::Uuid;

async fn send(world: &World, command: Command) {
    world.kafka.send_record(&world.admin, &external_command_record(Uuid::new_v4(), command)).await;
}

/// What agents of the world reported of themselves, in their order.
pub(crate) fn reports(world: &World) -> Vec<AgentTelemetry> {
    let records = world.kafka.read_all(&world.admin);
    let read = records.iter().filter_map(|record| {
        match read_agent_telemetry(&record.headers(), record.value.as_deref()) {
            AgentTelemetryRecord::Telemetry(telemetry) => Some(*telemetry),
            AgentTelemetryRecord::Other => None,
            other => panic!("{other:?}"),
        }
    });
    read.collect()
}

fn telemetry(world: &World) -> Vec<(Telemetry, Sender, Option<InstanceHolds>)> {
    let records = world.kafka.read_all(&world.admin);
    let telemetry = records.iter().filter_map(|record| {
        let headers = record.headers();
        match decode(&headers, record.value.as_deref()) {
            Decoded::Message(Message::Telemetry(one)) => Some((one, sender(&headers), holds_of(&headers))),
            _ => None,
        }
    });
    telemetry.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_commands_are_obeyed_where_there_are_no_holds() {
    let world = World::without_flowdeck(2).await;
    world.produce(0, 20).await;
    let before = world.kafka.topics();
    let (seen, handler) = noting(0);
    let agent = world.agent("i-1").handler(handler).start().await.unwrap();
    seen.wait_for(20).await;
    settled(&agent, 2, 0).await;
    // Its reader starts at the end of the admin topic: commands count once telemetry shows that it is there.
    wait_for("telemetry", DEADLINE, async || {
        telemetry(&world).into_iter().find(|(one, ..)| one.status == ConsumerStatus::Running)
    })
    .await;

    send(&world, Command::PauseConsumerByName { consumer: "other".into(), topics: vec![] }).await;
    send(&world, Command::PauseConsumerByName { consumer: "c".into(), topics: vec![] }).await;
    settled(&agent, 0, 2).await;
    world.produce(0, 20).await;
    a_while().await;
    assert_eq!(seen.count(), 20);
    let (paused, from, holds) = wait_for("telemetry of the pause", DEADLINE, async || {
        telemetry(&world).into_iter().find(|(one, ..)| one.status == ConsumerStatus::Paused)
    })
    .await;
    assert_eq!((paused.paused.len(), paused.running.len()), (2, 0));
    assert!(matches!(from, Sender::Agent(_)));
    assert_eq!(holds, Some(InstanceHolds::Absent));

    let group = world.group.as_str().into();
    send(&world, Command::ResumeConsumersByGroup { group, topics: vec![] }).await;
    settled(&agent, 2, 0).await;
    seen.wait_for(40).await;
    agent.stop().await.unwrap();
    let topics = |all: Vec<(String, usize)>| {
        let ours = [&world.topic, &world.admin, &world.holds, &world.acks];
        all.into_iter().filter(|(name, _)| ours.contains(&name)).collect::<Vec<_>>()
    };
    assert_eq!(topics(world.kafka.topics()), topics(before), "a topic was created");
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_take_over_when_their_topic_appears() {
    let world = World::without_flowdeck(1).await;
    let (seen, handler) = noting(0);
    let agent = world.agent("i-1").handler(handler).start().await.unwrap();
    settled(&agent, 1, 0).await;
    world.create_flowdeck().await;
    let hold = world.pause(world.scope()).await;
    world.ack(hold.id.into(), "i-1", Drained).await;
    settled(&agent, 0, 1).await;
    world.produce(0, 5).await;
    a_while().await;
    assert_eq!(seen.count(), 0);
    // Admin commands are Flowdeck's to translate now.
    send(&world, Command::ResumeConsumerByName { consumer: "c".into(), topics: vec![] }).await;
    a_while().await;
    assert_eq!(seen.count(), 0);
    world.release(&hold).await;
    seen.wait_for(5).await;
    agent.stop().await.unwrap();
}
