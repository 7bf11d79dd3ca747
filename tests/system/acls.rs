//! The ACLs of DEPLOY.md, as they are there, given to a broker that denies everything else: what each set is
//! for works, and without any one of its rights what the document says is missing is missing, and is said.

mod agent;
mod control;
mod document;
mod view;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use flowdeck_testkit::{DEADLINE, NodeOptions, PrivateKafka, Rule, ScramUser, Tool, private, wait_for};

use crate::secure::cluster_of;
use crate::support::Consumer;

/// Users whom no document knows, one for each right that is taken away.
const SPARE: usize = 36;

/// A right of the document, and whose it is.
type Right = (&'static str, Rule);

struct Vault {
    kafka: PrivateKafka,
    spares: AtomicUsize,
    /// Rights that a user went without.
    tried: Mutex<BTreeSet<Right>>,
}

/// What the document lets a user do.
struct Rights {
    of: &'static str,
    rules: BTreeSet<Rule>,
}

impl Rights {
    fn and(&self, more: &Self) -> Self {
        assert_eq!(self.of, more.of);
        Self { of: self.of, rules: &self.rules | &more.rules }
    }

    fn each(&self) -> BTreeSet<Right> {
        self.rules.iter().map(|rule| (self.of, rule.clone())).collect()
    }
}

/// Tried while the topic of holds is not there.
fn before_the_holds() -> BTreeSet<Right> {
    BTreeSet::from([("payments", Rule::new("Read", "Topic", "kafkaflow.admin"))])
}

/// On Flowdeck's topics, which are there for control.
fn on_own_topics(rights: &Rights) -> BTreeSet<Right> {
    rights.each().into_iter().filter(|(_, rule)| rule.name.starts_with("flowdeck.")).collect()
}

fn of_the_history() -> BTreeSet<Right> {
    ["Read", "Write"].map(|operation| ("flowdeck", Rule::new(operation, "Topic", "flowdeck.samples"))).into()
}

fn user(name: &str) -> ScramUser {
    ScramUser::new(name, &format!("{name} of the ACLs"))
}

fn spare(number: usize) -> ScramUser {
    user(&format!("spare-{number}"))
}

impl Vault {
    async fn new() -> Self {
        let mut users: Vec<_> = (0..SPARE).map(spare).collect();
        users.extend([user("flowdeck"), user("payments")]);
        let kafka = private(&NodeOptions { users, ..NodeOptions::default() });
        kafka.create_topic("orders", 4).await;
        kafka.create_topic("kafkaflow.admin", 1).await;
        kafka.produce_at("orders", (0..12).map(|n| (n % 4, format!("{{\"total\":{n}}}")))).await;
        kafka.commit("shipping", &[("orders", 0, 1)]);
        Self { kafka, spares: AtomicUsize::new(0), tried: Mutex::default() }
    }

    /// Where an administrator has made Flowdeck's topics.
    async fn with_topics() -> Self {
        let vault = Self::new().await;
        vault.kafka.create_topic_with("flowdeck.holds", 1, &[("cleanup.policy", "compact")]).await;
        for topic in ["flowdeck.acks", "flowdeck.audit", "flowdeck.samples"] {
            vault.kafka.create_topic(topic, 1).await;
        }
        vault
    }

    /// Runs the document's commands; what they gave to this user.
    fn give(&self, set: &str, user: &'static str) -> Rights {
        let before = self.kafka.rules(user);
        for arguments in document::commands(set) {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            self.kafka.tool(Tool::Acls, &arguments);
        }
        let rules = &self.kafka.rules(user) - &before;
        assert!(!rules.is_empty(), "{set} gave nothing to {user}");
        Rights { of: user, rules }
    }

    /// A user who has all of these rights but one.
    fn without(&self, rights: &Rights, operation: &str, resource: &str, name: &str) -> ScramUser {
        let mut rules = rights.rules.clone();
        let rule = Rule::new(operation, resource, name);
        assert!(rules.remove(&rule), "the document does not give {rule}");
        self.tried.lock().unwrap().insert((rights.of, rule));
        self.with(&rules)
    }

    fn with(&self, rules: &BTreeSet<Rule>) -> ScramUser {
        let number = self.spares.fetch_add(1, Ordering::Relaxed);
        assert!(number < SPARE, "too few users");
        let user = spare(number);
        self.kafka.grant(&user.name, rules);
        user
    }

    /// The broker refused this user what the authorizer's line words so.
    async fn wait_refused(&self, user: &ScramUser, operation: &str, resource: &str) {
        let on = format!("on resource = {resource} ");
        let is = |line: &String| line.contains(&format!("operation = {operation} ")) && line.contains(&on);
        let what = format!("{operation} {on}refused to {}", user.name);
        wait_for(&what, DEADLINE, async || self.kafka.denied(&user.name).iter().any(is).then_some(())).await;
    }

    /// Somebody went without each of these.
    fn assert_tried(&self, rights: &BTreeSet<Right>) {
        let tried = self.tried.lock().unwrap();
        let untried: Vec<_> = rights.difference(&tried).collect();
        assert!(untried.is_empty(), "nobody went without these: {untried:#?}");
    }

    /// A cluster of the configuration: this broker, as the user sees it.
    fn cluster(&self, name: &str, mode: &str, user: &ScramUser) -> String {
        cluster_of(name, mode, &self.kafka, user)
    }

    /// The broker refused nothing to this user but what `known` says it did before.
    fn assert_refused_no_more_than(&self, known: &BTreeSet<String>, user: &str) {
        let denied = self.kafka.denied(user);
        let new: Vec<_> = denied.difference(known).collect();
        assert!(new.is_empty(), "{user} lacks: {new:#?}");
    }
}

/// A consumer of KafkaFlow, whose group is `billing`.
fn kafkaflow(vault: &Vault) -> Consumer {
    let args = ["--group", "billing", "--topic", "orders", "--commit-ms", "500"];
    Consumer::start(&vault.kafka, "kafkaflow", "k-1", &args)
}

/// Nobody needs its data any more, and a clean stop waits for clients that are gone.
fn end(mut vault: Vault) {
    vault.kafka.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_of_deploy_md_to_view_and_of_agents_without_holds() {
    let vault = Vault::new().await;
    let agent = vault.give(document::AGENT, "payments");
    let view = vault.give(document::VIEW, "flowdeck");
    let first = agent::start(&vault, "p-1", &user("payments"));
    first.wait_handled(12).await;
    view::alone(&vault, &view).await;
    agent::obeys_kafkaflow_until_the_holds_are_there(&vault, &first, &agent).await;
    vault.assert_tried(&(&view.each() - &on_own_topics(&view)));
    vault.assert_tried(&before_the_holds());
    drop(first);
    end(vault);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_of_deploy_md_to_control_are_each_needed() {
    let vault = Vault::with_topics().await;
    vault.give(document::AGENT, "payments");
    let view = vault.give(document::VIEW, "flowdeck");
    let control = vault.give(document::CONTROL, "flowdeck");
    let consumers = (agent::start(&vault, "p-1", &user("payments")), kafkaflow(&vault));
    consumers.0.wait_handled(12).await;
    control::lacking(&vault, &view.and(&control)).await;
    vault.assert_tried(&(&(&control.each() | &on_own_topics(&view)) - &of_the_history()));
    drop(consumers);
    end(vault);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_of_deploy_md_to_the_history_are_each_needed() {
    let vault = Vault::with_topics().await;
    let view = vault.give(document::VIEW, "flowdeck");
    let control = vault.give(document::CONTROL, "flowdeck");
    control::history_is_not_kept(&vault, &view.and(&control)).await;
    vault.assert_tried(&of_the_history());
    end(vault);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_of_deploy_md_suffice_for_control_and_each_of_an_agent_is_needed() {
    let vault = Vault::with_topics().await;
    let agent = vault.give(document::AGENT, "payments");
    let view = vault.give(document::VIEW, "flowdeck");
    let peek = vault.give(document::PEEK, "flowdeck");
    let control = vault.give(document::CONTROL, "flowdeck");
    let consumers = (agent::start(&vault, "p-1", &user("payments")), kafkaflow(&vault));
    consumers.0.wait_handled(12).await;
    let retention = vault.give(document::RETENTION, "flowdeck");
    control::retention(&vault, &view.and(&control).and(&retention)).await;
    // Nobody goes without what alone is for peeking: there is the set for viewing, which is shown to lack it.
    assert_eq!(peek.rules, BTreeSet::from([Rule::new("Read", "Topic", "*")]));
    let mut server = control::complete(&vault).await;
    agent::lacking(&vault, &server, &agent).await;
    vault.assert_refused_no_more_than(&BTreeSet::new(), "payments");
    server.assert_sound();
    agent::reads_nothing_without_its_own(&vault, &agent).await;
    vault.assert_tried(&(&(&agent.each() - &before_the_holds()) | &retention.each()));
    drop((consumers, server));
    end(vault);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_of_deploy_md_to_make_the_topics_are_each_needed() {
    let vault = Vault::new().await;
    let view = vault.give(document::VIEW, "flowdeck");
    let control = vault.give(document::CONTROL, "flowdeck");
    let create = vault.give(document::CREATE, "flowdeck");
    control::creating(&vault, &view.and(&control).and(&create)).await;
    vault.assert_tried(&create.each());
    end(vault);
}
