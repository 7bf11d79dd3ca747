//! From a route to an operation.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use flowdeck_model::Action;
use flowdeck_model::view::ConsumerTelemetryView;
use flowdeck_model::{
    ClusterName, CommandId, ConsumerName, GroupId, Permission, PortError, Ports, Submit, Target, TopicName,
    Via,
};
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use http::request::Parts;

use super::problem::KafkaFlowProblem;
use super::reads::no_consumer;
use crate::api::problem::Problem;
use crate::auth::KeepAlive;
use crate::layers::actor;
use crate::state::AppState;

/// The operation's reason: these routes take none.
const REASON: &str = "KafkaFlow API";

/// The ports of a call by KafkaFlow's routes.
pub(super) struct KafkaFlowPorts(pub(super) Ports);

impl FromRequestParts<AppState> for KafkaFlowPorts {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Ok(Self(actor::bind(state, parts, Via::KafkaFlow, KeepAlive::Yes).await?.ports))
    }
}

type Answer = Result<Response, KafkaFlowProblem>;

pub(super) struct Operate<'a> {
    state: &'a AppState,
    ports: &'a Ports,
    cluster: &'a ClusterName,
    /// What the route answers where KafkaFlow would have written its record.
    done: StatusCode,
}

impl<'a> Operate<'a> {
    pub(super) fn new(
        state: &'a AppState,
        ports: &'a KafkaFlowPorts,
        done: StatusCode,
    ) -> Result<Self, KafkaFlowProblem> {
        Ok(Self { state, ports: &ports.0, cluster: super::cluster(state)?, done })
    }

    /// A group that is not there is taken as one that is: scripts rely on it, and the operation says that nobody was there.
    pub(super) async fn on_group(&self, action: Action, group: String, topics: Vec<TopicName>) -> Answer {
        let target = Target { topics, ..Target::group(GroupId::from(group)) };
        Ok(self.submit(action, target).await?)
    }

    pub(super) async fn on_consumer(
        &self,
        action: Action,
        group: String,
        consumer: String,
        topics: Vec<TopicName>,
    ) -> Answer {
        let (group, name) = (GroupId::from(group), ConsumerName::from(consumer));
        self.allowed(action, |permission| self.ports.actor.may(permission, self.cluster, &group))?;
        let groups = self.groups_with(&name)?;
        if !groups.iter().any(|(known, _)| *known == group) {
            return Err(no_consumer(name.as_str()));
        }
        Ok(self.submit(action, Target { consumer: Some(name), topics, ..Target::group(group) }).await?)
    }

    /// The dashboard names no group. A topic is one that telemetry tells of.
    pub(super) async fn by_name(&self, action: Action, consumer: String, topic: Option<String>) -> Answer {
        let name = ConsumerName::from(consumer);
        self.allowed(action, |permission| self.ports.actor.may_on_cluster(permission, self.cluster))?;
        let mut groups = self.groups_with(&name)?;
        if groups.len() > 1 {
            return Err(ambiguous(&name, groups.len()).into());
        }
        let Some((group, consumer)) = groups.pop() else { return Err(no_consumer(name.as_str())) };
        let topic = topic.map(|topic| known_topic(&consumer, &topic)).transpose()?;
        let topics = topic.into_iter().collect();
        Ok(self.submit(action, Target { consumer: Some(name), topics, ..Target::group(group) }).await?)
    }

    /// The port checks it too; here it comes before what is or is not there.
    fn allowed(&self, action: Action, may: impl Fn(Permission) -> bool) -> Result<(), PortError> {
        let missing = action.kind().permissions().iter().find(|permission| !may(**permission));
        missing.map_or(Ok(()), |permission| {
            Err(PortError::Forbidden { permission: *permission, on: self.cluster.to_string() })
        })
    }

    fn groups_with(
        &self,
        consumer: &ConsumerName,
    ) -> Result<Vec<(GroupId, ConsumerTelemetryView)>, PortError> {
        let telemetry = self.ports.fleet.telemetry(self.cluster)?;
        let with = telemetry.groups.into_iter().filter_map(|one| {
            let consumer = one.consumers.into_iter().find(|known| known.name == *consumer)?;
            Some((one.group, consumer))
        });
        Ok(with.collect())
    }

    async fn submit(&self, action: Action, target: Target) -> Result<Response, PortError> {
        let id = CommandId::random();
        let submit =
            Submit { id, action, target, reason: REASON.to_owned(), ends: None, offsets: None, by: None };
        let submitted = self.ports.control.submit(self.cluster, submit).await?;
        let mut response = self.done.into_response();
        let path = format!("/api/v1/clusters/{}/commands/{}", self.cluster, submitted.id);
        if let Ok(location) = HeaderValue::from_str(&self.state.options.base.path(&path)) {
            response.headers_mut().insert(LOCATION, location);
        }
        Ok(response)
    }
}

/// A pattern of a subscription is told, and is no topic.
fn known_topic(consumer: &ConsumerTelemetryView, name: &str) -> Result<TopicName, KafkaFlowProblem> {
    let is_told = consumer.assignments.iter().any(|one| one.topic == name);
    let topic = name.parse().ok().filter(|_| is_told);
    topic.ok_or_else(|| {
        KafkaFlowProblem::not_found(format!("telemetry tells of no topic {name:?} of this consumer"))
    })
}

fn ambiguous(name: &ConsumerName, groups: usize) -> PortError {
    let detail = format!(
        "{groups} groups have a consumer {}, and its name would reach them all; name the group",
        name.shown()
    );
    PortError::Unprocessable { detail }
}
