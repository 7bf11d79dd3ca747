//! Offsets of a group, through the program: by pages without JavaScript, by a live group's agents, and under faults, where
//! no offset changes without an operation in the audit.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flowdeck_model::{CommandState, Timestamp};
use flowdeck_protocol::wire::{AuditRecord, Operation, read_audit};
use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, private, wait_for};
use rand::{Rng as _, SeedableRng as _};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::support::{Consumer, Server, cluster, heard, new_id, setting};

const COMMANDS: &str = "/api/v1/clusters/shop/commands";
const PREVIEW: &str = "/api/v1/clusters/shop/offsets/preview";
const GROUP: &str = "billing";
const PARTITIONS: i32 = 3;

fn config(kafka: &Kafka) -> String {
    cluster("shop", "control", kafka.bootstrap()) + "offsets_quiet = \"1s\"\n"
}

fn set(preview: &Value) -> Value {
    let skipped = preview["skipped"].as_u64().unwrap();
    json!({ "id": new_id(), "action": "setOffsets", "target": { "group": GROUP }, "reason": "INC-9",
        "to": preview["to"], "offsets": preview["moves"], "skips": (skipped > 0).then_some(skipped) })
}

fn committed(kafka: &Kafka) -> BTreeMap<i32, i64> {
    kafka.judge(GROUP).into_iter().filter_map(|row| Some((row.partition, row.committed?))).collect()
}

/// The value of a hidden field of a page's form.
fn hidden(page: &str, name: &str) -> String {
    let field = page.split("<input").find(|input| input.contains(&format!("name=\"{name}\"")));
    let field = field.unwrap_or_else(|| panic!("no field {name}: {page}"));
    let value = field.split("value=\"").nth(1).unwrap().split('"').next().unwrap();
    value.replace("&amp;", "&").replace("&#x27;", "'")
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_set_and_taken_back_by_pages_alone() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", PARTITIONS).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    for partition in 0..PARTITIONS {
        kafka.produce("orders", partition, (0..50).map(|n| n.to_string())).await;
    }
    kafka.commit(GROUP, &[("orders", 0, 40), ("orders", 1, 30)]);
    let mut server = Server::start(&config(&kafka)).await;
    server.group("shop", GROUP, "its commits", |view| view["lag"].is_u64()).await;
    let page = "/c/shop/groups/billing/offsets";
    let form = server.get(page).await.text;
    assert!(form.contains("value=\"orders\"") && !form.contains("checked"), "nothing is chosen beforehand");
    let shown = server.form(page, &[("to", "shift"), ("shift", "15"), ("topic", "orders")]).await;
    assert_eq!(shown.status, 200);
    // One partition is at its end, one has no commit.
    for want in ["25 skipped", "15 skipped", "nothing is committed", "--shift-by 15"] {
        let words: Vec<&str> = want.split(' ').collect();
        assert!(words.iter().all(|word| shown.text.contains(word)), "{want}: {}", shown.text);
    }
    let (moves, id) = (hidden(&shown.text, "offsets"), hidden(&shown.text, "id"));
    assert_eq!(moves, "orders 0*40*50 1*30*45");
    let fields =
        [("id", &*id), ("action", "setOffsets"), ("group", GROUP), ("to", "+15"), ("offsets", &*moves)];
    // The number of skipped records is asked for: the preview comes back, with the reason that was typed.
    let refused =
        server.form("/c/shop/commands", &[&fields[..], &[("reason", "poison pill")]].concat()).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text.contains("25 records are skipped") && refused.text.contains("poison pill"),
        "{}",
        refused.text
    );
    assert_eq!(hidden(&refused.text, "offsets"), moves);
    let sent =
        server.form("/c/shop/commands", &[&fields[..], &[("reason", "x"), ("skips", "25")]].concat()).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    server.command("shop", &id, "confirmed", |view| view["state"] == "confirmed").await;
    assert_eq!(committed(&kafka), BTreeMap::from([(0, 50), (1, 45)]));
    // Its page leads to its undo.
    let command = server.get(&format!("/c/shop/commands/{id}")).await.text;
    let undo = format!("{page}?to=undo:{id}");
    assert!(command.contains(&undo), "{command}");
    let shown = server.get(&undo).await.text;
    let (moves, id) = (hidden(&shown, "offsets"), hidden(&shown, "id"));
    let to = hidden(&shown, "to");
    let fields =
        [("id", &*id), ("action", "setOffsets"), ("group", GROUP), ("to", &*to), ("offsets", &*moves)];
    let sent = server.form("/c/shop/commands", &[&fields[..], &[("reason", "back")]].concat()).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    server.command("shop", &id, "confirmed", |view| view["state"] == "confirmed").await;
    assert_eq!(committed(&kafka), BTreeMap::from([(0, 40), (1, 30)]));
    server.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_set_the_offsets_of_their_live_group() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", PARTITIONS).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    for partition in 0..PARTITIONS {
        kafka.produce("orders", partition, (0..50).map(|n| n.to_string())).await;
    }
    let mut server = Server::start(&config(&kafka)).await;
    let args = ["--group", GROUP, "--topics", "orders", "--metadata-interval-ms", "500"];
    let agents = ["a", "b"].map(|name| Consumer::start(&kafka, "consume", name, &args));
    wait_for("all records", DEADLINE, async || {
        (agents.iter().map(|agent| agent.handled().len()).sum::<usize>() >= 150).then_some(())
    })
    .await;
    // What was handled is committed a while later.
    let all = (0..PARTITIONS).map(|partition| (partition, 50)).collect::<BTreeMap<_, _>>();
    wait_for("their commits", DEADLINE, async || (committed(&kafka) == all).then_some(())).await;
    server.group("shop", GROUP, "both agents are heard", heard(2)).await;
    let ask = json!({ "group": GROUP, "to": "20", "topics": ["orders:0,2"] });
    // The second agent's rebalance may not be over: then the answer is to ask again, as here.
    let operation = wait_for("an operation by agents", DEADLINE, async || {
        let by_agents = |view: &Value| view["way"] == "agents" && view["changed"] == 2;
        let operation = set(&server.json_by(PREVIEW, &ask, "by agents", by_agents).await);
        let sent = server.send(COMMANDS, &operation).await;
        if sent.status == 422 && sent.text.contains("ask again in some seconds") {
            return None;
        }
        assert_eq!(sent.status, 202, "{}", sent.text);
        Some(operation)
    })
    .await;
    let id = operation["id"].as_str().unwrap();
    let view = server.command("shop", id, "confirmed", |view| view["state"] == "confirmed").await;
    let line = view["instances"].as_array().unwrap().iter().find(|one| one["kind"] == "commits").unwrap();
    assert_eq!(line["detail"], "2 of 2 commits set by their owners", "{view}");
    assert_eq!(view["offsets"][0]["from"], 50, "{view}");
    wait_for("30 records of two partitions again", DEADLINE, async || {
        (agents.iter().map(|agent| agent.handled().len()).sum::<usize>() >= 210).then_some(())
    })
    .await;
    server.assert_sound();
}

/// Every offset that was ever seen to be committed, by partition, with when it was seen first.
type Seen = Arc<Mutex<HashMap<(i32, i64), Timestamp>>>;

fn watch(kafka: &Kafka, seen: Seen, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let client: BaseConsumer = kafka.client().set("group.id", GROUP).create().unwrap();
    std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let mut list = TopicPartitionList::new();
            for partition in 0..PARTITIONS {
                list.add_partition("orders", partition);
            }
            let Ok(found) = client.committed_offsets(list, Duration::from_secs(2)) else { continue };
            for one in found.elements() {
                if let Offset::Offset(offset) = one.offset() {
                    let now = Timestamp::from_system(std::time::SystemTime::now());
                    seen.lock().unwrap().entry((one.partition(), offset)).or_insert(now);
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    })
}

/// The operations of the audit in the order of their requests, each as it was last written.
fn audited(kafka: &Kafka) -> Vec<Operation> {
    let mut all: Vec<Operation> = Vec::new();
    for record in kafka.read_all("flowdeck.audit") {
        let read = read_audit(&record.headers(), record.key.as_deref(), record.value.as_deref());
        let Ok(AuditRecord::Operation(one)) = read else { continue };
        match all.iter_mut().find(|known| known.id == one.id) {
            Some(known) => *known = *one,
            None => all.push(*one),
        }
    }
    all
}

/// Once every operation has an end. Another server leads some seconds after the one before was killed, and waits until
/// that one has surely ended.
async fn ended(kafka: &Kafka, seed: u64) -> Vec<Operation> {
    let open = |one: &&Operation| matches!(one.state, CommandState::Requested | CommandState::Sent);
    let until = Instant::now() + DEADLINE * 3;
    loop {
        let all = audited(kafka);
        match all.iter().find(open) {
            None if !all.is_empty() => return all,
            one => assert!(Instant::now() < until, "seed {seed}: it has no end: {one:?}"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Operations that are accepted between two faults, at most; on a slow machine a leader is found late.
fn between_faults(wanted: Option<u64>) -> u32 {
    if wanted.is_some() { 12 } else { 4 }
}

/// Tries after which a fault comes although none was accepted.
const TRIES: u32 = 60;

/// Random targets, each another offset; the server is killed and started again, and so is the broker.
#[tokio::test(flavor = "multi_thread")]
async fn no_offset_changes_without_an_operation_in_the_audit() {
    let lasts = Duration::from_secs(setting("FLOWDECK_OFFSETS_SECONDS").unwrap_or(40));
    let seed = setting("FLOWDECK_OFFSETS_SEED").unwrap_or_else(rand::random);
    println!("seed {seed}: FLOWDECK_OFFSETS_SEED={seed} repeats it");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", PARTITIONS).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    // Each operation has an offset of its own.
    let wanted = setting("FLOWDECK_OFFSETS_OPERATIONS");
    let most = 100 + wanted.map_or(lasts.as_secs() * 2, |wanted| wanted * 10);
    for partition in 0..PARTITIONS {
        kafka.produce("orders", partition, (0..most).map(|n| n.to_string())).await;
    }
    kafka.commit(GROUP, &[("orders", 0, 0), ("orders", 1, 0), ("orders", 2, 0)]);
    let (seen, stop) = (Seen::default(), Arc::new(AtomicBool::new(false)));
    let watcher = watch(&kafka, Arc::clone(&seen), Arc::clone(&stop));
    let config = config(&kafka);
    let mut server = Server::start(&config).await;
    let (began, mut target, mut faults, mut accepted) = (Instant::now(), 0_i64, 0_u32, 0_u32);
    let (mut tries, mut until_fault) = (0, random.random_range(1..=between_faults(wanted)));
    // On a slow machine it takes longer, until there was something of each.
    let goes_on = |faults: u32, accepted: u32| match wanted {
        Some(wanted) => u64::from(accepted) < wanted,
        None => began.elapsed() < lasts || faults < 2 || accepted < 2,
    };
    while goes_on(faults, accepted) && u64::try_from(target).unwrap() < most - 1 {
        if until_fault == 0 || tries >= TRIES {
            if random.random_bool(0.5) {
                server.process.kill();
                server = Server::start(&config).await;
            } else {
                kafka.kill();
                kafka.start_again();
            }
            faults += 1;
            (tries, until_fault) = (0, random.random_range(1..=between_faults(wanted)));
        } else {
            tries += 1;
            let ask = json!({ "group": GROUP, "to": (target + 1).to_string(), "topics": ["orders"] });
            if let Some(preview) = server.try_json(PREVIEW, &ask).await
                && preview["moves"].is_string()
                && preview["refused"].is_null()
            {
                // Also one that was not answered may be done: its offset is not asked for again.
                target += 1;
                if server.try_send(COMMANDS, &set(&preview)).await == Some(202) {
                    accepted += 1;
                    until_fault -= 1;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1_500))).await;
    }
    // Whatever was left half done says so, or is done.
    let all = ended(&kafka, seed).await;
    stop.store(true, Ordering::Relaxed);
    watcher.join().unwrap();
    let mut now: BTreeMap<i32, i64> = (0..PARTITIONS).map(|one| (one, 0)).collect();
    let mut by_target: HashMap<i64, &Operation> = HashMap::new();
    let mut states: BTreeMap<&'static str, u32> = BTreeMap::new();
    for one in &all {
        *states.entry(one.state.label()).or_default() += 1;
        let submit = one.request.submit(one.id).expect("a request");
        let moves = submit.offsets.expect("its offsets").moves;
        by_target.insert(moves.iter().next().unwrap().to.unwrap(), one);
        match one.state {
            CommandState::Confirmed => moves.iter().for_each(|one| {
                assert_eq!(
                    now.insert(one.partition.get(), one.to.unwrap()),
                    one.from,
                    "seed {seed}: {moves}"
                );
            }),
            CommandState::Refused => {}
            // It says that it is not known; what was seen tells.
            _ => moves.iter().for_each(|one| {
                let (partition, to) = (one.partition.get(), one.to.unwrap());
                if seen.lock().unwrap().contains_key(&(partition, to)) {
                    now.insert(partition, to);
                }
            }),
        }
    }
    println!("{accepted} operations accepted, {faults} faults: {states:?}");
    assert_eq!(committed(&kafka), now, "seed {seed}");
    for ((partition, offset), at) in seen.lock().unwrap().iter().filter(|((_, offset), _)| *offset > 0) {
        let Some(one) = by_target.get(offset) else {
            panic!("seed {seed}: offset {offset} of {partition} was committed by no operation");
        };
        assert_ne!(one.state, CommandState::Refused, "seed {seed}: {offset} was committed: {one:?}");
        assert!(one.requested_at <= *at, "seed {seed}: {offset} was committed before it was asked for");
    }
    assert!(
        u64::from(accepted) >= wanted.unwrap_or(1) && faults > 0,
        "seed {seed}: {accepted} operations, {faults} faults"
    );
    server.assert_sound();
}
