//! What the user asks to do, as it is in the page's query: `?form=rewind&consumer=…&topic=…&to=…`.
//! A link, or a form that is sent with GET, so that it works without scripts too. Nothing is done by it.

use flowdeck_model::view::{GroupView, InstanceKind};
use flowdeck_model::{ActionKind, ConsumerName, Target, TopicName};
use leptos_router::params::ParamsMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub kind: ActionKind,
    pub consumer: Option<ConsumerName>,
    pub topic: Option<TopicName>,
    /// With a change of the workers, and a rewind, as it was typed. Empty: not chosen yet.
    pub workers: String,
    pub to: String,
}

impl Ask {
    pub(super) fn new(kind: ActionKind, consumer: Option<ConsumerName>, topic: Option<TopicName>) -> Self {
        Self { kind, consumer, topic, workers: String::new(), to: String::new() }
    }

    pub(super) fn from_query(query: &ParamsMap) -> Option<Self> {
        let kind = ActionKind::from_word(query.get_str("form")?).filter(|kind| !kind.sets_commits())?;
        let text = |name| query.get_str(name).unwrap_or_default();
        let consumer = Some(text("consumer")).filter(|name| !name.is_empty()).map(ConsumerName::from);
        if kind.is_for_consumer() && consumer.is_none() {
            return None;
        }
        Some(Self {
            kind,
            consumer,
            topic: text("topic").parse().ok(),
            workers: text("workers").to_owned(),
            to: text("to").to_owned(),
        })
    }

    pub(super) fn to_query(&self) -> String {
        self.pairs("form", None)
    }

    /// The body of the command, but for what is typed last.
    pub(super) fn to_body(&self, view: &GroupView) -> String {
        self.pairs("action", Some(view.row.group.as_str()))
    }

    fn pairs(&self, kind: &str, group: Option<&str>) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        out.append_pair(kind, self.kind.word());
        if let Some(group) = group {
            out.append_pair("group", group);
        }
        let consumer = self.consumer.as_ref().map(ConsumerName::as_str).unwrap_or_default();
        let topic = self.topic.as_ref().map(TopicName::as_str).unwrap_or_default();
        for (name, value) in
            [("consumer", consumer), ("topic", topic), ("workers", &self.workers), ("to", &self.to)]
        {
            if !value.is_empty() {
                out.append_pair(name, value);
            }
        }
        out.finish()
    }

    /// What it is done with is chosen, where there is a choice: it can be previewed.
    pub(super) fn is_chosen(&self) -> bool {
        match self.kind {
            ActionKind::ChangeWorkers => !self.workers.is_empty(),
            ActionKind::Rewind => !self.to.is_empty(),
            _ => true,
        }
    }

    pub(super) fn target(&self, view: &GroupView) -> Target {
        Target {
            consumer: self.consumer.clone(),
            topics: self.topic.iter().cloned().collect(),
            ..Target::group(view.row.group.clone())
        }
    }

    /// "Restart consumer orders in payments"
    pub(super) fn title(&self, target: &Target) -> String {
        let what = target.to_string();
        match self.kind {
            ActionKind::ChangeWorkers if !self.workers.is_empty() => {
                ["Change workers of ", &what, " to ", &self.workers].concat()
            }
            ActionKind::ChangeWorkers => ["Change workers of ", &what].concat(),
            ActionKind::Reset => ["Reset ", &what, " to the start offsets"].concat(),
            ActionKind::Rewind if !self.to.is_empty() => {
                ["Rewind ", &what, " to ", &self.to.replace('T', " "), " UTC"].concat()
            }
            ActionKind::Rewind => ["Rewind ", &what].concat(),
            kind => [kind.label(), " ", &what].concat(),
        }
    }
}

/// Which instances would receive the command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reach {
    pub agents: usize,
    pub kafkaflow: usize,
    /// Members of the group that are matched to no instance: they receive no commands.
    pub uncontrollable: usize,
}

impl Reach {
    pub(super) fn instances(self) -> usize {
        self.agents + self.kafkaflow
    }
}

/// Instances with recent telemetry, each once, of the consumer or of all.
pub(super) fn reach(view: &GroupView, consumer: Option<&ConsumerName>) -> Reach {
    let mut seen = Vec::new();
    let mut reach = Reach {
        uncontrollable: view.group_members.iter().filter(|it| it.instance.is_none()).count(),
        ..Reach::default()
    };
    let consumers = view.consumers.iter().filter(|one| consumer.is_none_or(|name| one.name == *name));
    for instance in consumers.flat_map(|consumer| &consumer.instances).filter(|instance| !instance.lost) {
        let id = (&instance.instance, instance.incarnation);
        if seen.contains(&id) {
            continue;
        }
        seen.push(id);
        match instance.kind {
            InstanceKind::Agent => reach.agents += 1,
            InstanceKind::KafkaFlow => reach.kafkaflow += 1,
            InstanceKind::Member | InstanceKind::Commits => {}
        }
    }
    reach
}
