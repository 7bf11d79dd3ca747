//! What the user asks to do, as it is in the page's query: `?form=pause&consumer=…&topic=…`.
//! A link, so that the form opens without scripts too. Nothing is sent by it.

use flowdeck_model::view::{GroupView, InstanceKind};
use flowdeck_model::{Action, ConsumerName, Target, TopicName};
use leptos_router::params::ParamsMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub action: Action,
    pub consumer: Option<ConsumerName>,
    pub topic: Option<TopicName>,
}

impl Ask {
    pub(super) fn from_query(query: &ParamsMap) -> Option<Self> {
        let action = match query.get_str("form")? {
            "pause" => Action::Pause,
            "resume" => Action::Resume,
            _ => return None,
        };
        let topic = query.get_str("topic").and_then(|name| name.parse().ok());
        Some(Self { action, consumer: query.get_str("consumer").map(ConsumerName::from), topic })
    }

    pub(super) fn to_query(&self) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        out.append_pair("form", if self.action == Action::Pause { "pause" } else { "resume" });
        if let Some(consumer) = &self.consumer {
            out.append_pair("consumer", consumer.as_str());
        }
        if let Some(topic) = &self.topic {
            out.append_pair("topic", topic.as_str());
        }
        out.finish()
    }

    pub(super) fn target(&self, view: &GroupView) -> Target {
        Target {
            group: view.row.group.clone(),
            consumer: self.consumer.clone(),
            topics: self.topic.iter().cloned().collect(),
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
            InstanceKind::Member => {}
        }
    }
    reach
}
