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

struct Vault {
    kafka: PrivateKafka,
    spares: AtomicUsize,
    /// What the document gave, to whom, and nobody went without so far.
    untried: Mutex<BTreeSet<(&'static str, Rule)>>,
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
        Self { kafka, spares: AtomicUsize::new(0), untried: Mutex::default() }
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
        self.untried.lock().unwrap().extend(rules.iter().map(|rule| (user, rule.clone())));
        Rights { of: user, rules }
    }

    /// A user who has all of these rights but one.
    fn without(&self, rights: &Rights, operation: &str, resource: &str, name: &str) -> ScramUser {
        let mut rules = rights.rules.clone();
        let rule = Rule::new(operation, resource, name);
        assert!(rules.remove(&rule), "the document does not give {rule}");
        self.untried.lock().unwrap().remove(&(rights.of, rule));
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

    /// Every right of the document was missing once, but for these.
    fn assert_all_tried_but(&self, known: &[(&'static str, Rule)]) {
        let known: BTreeSet<_> = known.iter().cloned().collect();
        assert_eq!(*self.untried.lock().unwrap(), known, "nobody went without these");
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

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_deploy_md_give_what_is_needed_and_nothing_more() {
    let mut vault = Vault::new().await;
    let agent = vault.give(document::AGENT, "payments");
    let view = vault.give(document::VIEW, "flowdeck");

    let first = agent::start(&vault, "p-1", &user("payments"));
    first.wait_handled(12).await;
    view::alone(&vault, &view).await;
    agent::obeys_kafkaflow_until_the_holds_are_there(&vault, &first, &agent).await;

    vault.kafka.create_topic_with("flowdeck.holds", 1, &[("cleanup.policy", "compact")]).await;
    vault.kafka.create_topic("flowdeck.acks", 1).await;
    vault.kafka.create_topic("flowdeck.audit", 1).await;
    vault.kafka.create_topic("flowdeck.samples", 1).await;
    let peek = vault.give(document::PEEK, "flowdeck");
    let control = vault.give(document::CONTROL, "flowdeck");
    let args = ["--group", "billing", "--topic", "orders", "--commit-ms", "500"];
    let kafkaflow = Consumer::start(&vault.kafka, "kafkaflow", "k-1", &args);
    control::lacking(&vault, &view.and(&control)).await;
    let retention = vault.give(document::RETENTION, "flowdeck");
    control::retention(&vault, &view.and(&control).and(&retention)).await;
    let mut server = control::complete(&vault, &peek).await;
    agent::lacking(&vault, &server, &agent).await;
    vault.assert_refused_no_more_than(&BTreeSet::new(), "payments");
    server.assert_sound();
    agent::reads_nothing_without_its_own(&vault, &agent).await;
    drop((first, kafkaflow, server));

    vault.kafka.delete_topic("flowdeck.holds").await;
    vault.kafka.delete_topic("flowdeck.acks").await;
    vault.kafka.delete_topic("flowdeck.audit").await;
    vault.kafka.delete_topic("flowdeck.samples").await;
    let create = vault.give(document::CREATE, "flowdeck");
    control::creating(&vault, &view.and(&control).and(&create)).await;
    // Nobody has it as long as there is only the set for viewing, which is shown to lack it.
    vault.assert_all_tried_but(&[("flowdeck", Rule::new("Read", "Topic", "*"))]);
    // Nobody needs its data any more, and a clean stop waits for clients that are gone.
    vault.kafka.kill();
}
