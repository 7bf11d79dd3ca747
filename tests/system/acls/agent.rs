//! The set of a service with an agent, and what each of its rights is for.

use std::time::Duration;

use flowdeck_protocol::kafkaflow::{Command, external_command_record};
use flowdeck_testkit::{DEADLINE, Kafka, ScramUser, wait_for};
use serde_json::Value;

use crate::support::{Consumer, Server, command, new_id, settled};

use super::control::COMMANDS;
use super::{Rights, Vault};

/// How long the one that obeys is paused before the other is believed not to: far longer than a command takes.
const ROUNDS: usize = 4;
const ROUND: Duration = Duration::from_millis(500);

pub(super) fn start(vault: &Vault, instance: &str, user: &ScramUser) -> Consumer {
    let properties = vault.kafka.secure().client_properties(user);
    let properties: Vec<_> = properties.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut args = vec!["--group", "payments", "--topics", "orders", "--metadata-interval-ms", "500"];
    args.extend(properties.iter().flat_map(|property| ["--property", property]));
    Consumer::start(&Kafka::at(&vault.kafka.secure().bootstrap), "consume", instance, &args)
}

async fn wait_assigned(consumer: &Consumer, what: &str, is: impl Fn((usize, usize)) -> bool) {
    wait_for(what, DEADLINE, async || is(consumer.assigned()).then_some(())).await;
}

async fn send(vault: &Vault, command: Command) {
    let record = external_command_record(uuid::Uuid::new_v4(), command);
    vault.kafka.send_record("kafkaflow.admin", &record).await;
}

/// `first` has all that the document gives; the other may not read the admin topic.
pub(super) async fn obeys_kafkaflow_until_the_holds_are_there(
    vault: &Vault,
    first: &Consumer,
    rights: &Rights,
) {
    let user = vault.without(rights, "Read", "Topic", "kafkaflow.admin");
    let mut unreachable = start(vault, "p-unreachable", &user);
    wait_assigned(&unreachable, "half for the unreachable one", |(runs, _)| runs == 2).await;
    wait_assigned(first, "half for the first", |(runs, _)| runs == 2).await;
    let (group, topics) = ("payments".into(), vec![]);
    send(vault, Command::PauseConsumersByGroup { group, topics }).await;
    wait_assigned(first, "the first obeys", |assigned| assigned == (0, 2)).await;
    vault.wait_refused(&user, "READ", "Topic:LITERAL:kafkaflow.admin").await;
    only_the_unreachable_one_works(vault, first, &unreachable).await;
    let (group, topics) = ("payments".into(), vec![]);
    send(vault, Command::ResumeConsumersByGroup { group, topics }).await;
    wait_assigned(first, "the first runs again", |assigned| assigned == (2, 0)).await;
    unreachable.stop().await;
}

/// Of what is sent while the first is paused, the unreachable one handles its half, to the end.
async fn only_the_unreachable_one_works(vault: &Vault, first: &Consumer, unreachable: &Consumer) {
    let at = |records: Vec<(String, i32, i64)>, offset| {
        records.iter().filter(|(_, _, of_record)| *of_record == offset).count()
    };
    // Three records lie in each of the four partitions.
    for offset in (3..).take(ROUNDS) {
        tokio::time::sleep(ROUND).await;
        vault.kafka.produce_at("orders", (0..4).map(|partition| (partition, "{}"))).await;
        let handled = async || (at(unreachable.handled(), offset) == 2).then_some(());
        wait_for("the unreachable one to handle its half", DEADLINE, handled).await;
        assert_eq!(at(first.started(), offset), 0, "the first is paused");
    }
    assert_eq!((first.assigned(), unreachable.assigned()), ((0, 2), (2, 0)));
}

/// Three more agents, each without one right; the one that has them all answers as before.
pub(super) async fn lacking(vault: &Vault, server: &Server, rights: &Rights) {
    let without = |operation, topic| vault.without(rights, operation, "Topic", topic);
    let blind = start(vault, "p-blind", &without("Read", "flowdeck.holds"));
    let unheard = start(vault, "p-unheard", &without("Write", "flowdeck.acks"));
    let unseen = start(vault, "p-unseen", &without("Write", "kafkaflow.admin"));
    for one in [&blind, &unheard, &unseen] {
        wait_assigned(one, "a partition for each", |assigned| assigned == (1, 0)).await;
    }
    let known = |view: &Value| holds(view, "p-1") == "known" && holds(view, "p-unheard") == "known";
    let unknown = |view: &Value| holds(view, "p-blind") == "unknown";
    let view = server.group("full", "payments", "are heard", |view| known(view) && unknown(view)).await;
    assert_eq!(holds(&view, "p-unseen"), Value::Null, "a plain member: {view}");
    let page = server.get("/c/full/groups/payments").await.text;
    assert!(page.contains("Cannot read the holds"), "{page}");

    let id = new_id();
    let sent = server.send(COMMANDS, &command(&id, "pause", "payments")).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    wait_assigned(&unheard, "it obeys and cannot say so", |assigned| assigned == (0, 1)).await;
    wait_assigned(&unseen, "it obeys unseen", |assigned| assigned == (0, 1)).await;
    assert_eq!(blind.assigned(), (1, 0), "it does not know");
    let view = server.command("full", &id, "its end", settled).await;
    assert_eq!(view["state"], "partiallyConfirmed", "{view}");
    let states = ["p-1", "p-blind", "p-unheard", "p-unseen"].map(|instance| state(&view, instance));
    // The unseen one's answer is the first that is heard of it.
    assert_eq!(states, ["drained", "noResponse", "noResponse", "drained"], "{view}");
}

/// As any consumer: nothing without Read on its group, nor without Read on its topic.
pub(super) async fn reads_nothing_without_its_own(vault: &Vault, rights: &Rights) {
    for (resource, name) in [("Group", "payments"), ("Topic", "orders")] {
        let user = vault.without(rights, "Read", resource, name);
        let one = start(vault, "p-none", &user);
        vault.wait_refused(&user, "DESCRIBE", &format!("{resource}:LITERAL:{name}")).await;
        assert_eq!((one.assigned(), one.started()), ((0, 0), vec![]), "without Read on {resource}:{name}");
    }
}

fn holds(view: &Value, instance: &str) -> Value {
    let consumers = view["consumers"].as_array().unwrap().iter();
    let mut instances = consumers.flat_map(|consumer| consumer["instances"].as_array().unwrap());
    instances.find(|one| one["instance"] == instance).map_or(Value::Null, |one| one["holds"].clone())
}

fn state(view: &Value, instance: &str) -> Value {
    let mut instances = view["instances"].as_array().unwrap().iter();
    instances.find(|one| one["instance"] == instance).map_or(Value::Null, |one| one["state"].clone())
}
