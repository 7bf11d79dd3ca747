//! Chooses the function for a message by its type or its topic, and puts `tower::Layer`s around functions.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use flowdeck_model::TopicName;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt as _, service_fn};

use crate::failure::{BoxError, HandlerError};
use crate::function::HandlerFn;
use crate::handler::{Delivery, Handler};
use crate::message::Message;
use crate::message_type;
use crate::record::Record;
use crate::retry_topics::Origin;

/// What happens with a message for which there is no function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnUnmatched {
    /// A permanent error, and what [`crate::OnError::then`] says of it.
    #[default]
    Error,
    /// It counts as handled.
    Skip,
    /// It goes to the dead letters ([`crate::Failure::DeadLetter`]).
    DeadLetter,
}

type Route = BoxCloneSyncService<Message, (), BoxError>;

/// Functions by what they handle. The most precise one is called: by the message's type (KafkaFlow's `Message-Type`,
/// a CloudEvent's `type`), else by its topic, else the fallback; without one, [`OnUnmatched`] decides.
///
/// ```no_run
/// use flowdeck_agent::{Context, Json, Router, State};
///
/// #[derive(serde::Deserialize)]
/// struct Created { id: u64 }
///
/// async fn created(State(prefix): State<String>, Json(created): Json<Created>, context: Context) {
///     println!("{prefix} {} at offset {}", created.id, context.offset());
/// }
///
/// let router = Router::new("order".to_owned()).message("Orders.Created", created);
/// ```
pub struct Router<S> {
    state: S,
    types: HashMap<String, Route>,
    topics: HashMap<String, Route>,
    fallback: Option<Route>,
    unmatched: OnUnmatched,
}

impl<S: fmt::Debug> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("state", &self.state).field("types", &self.types.keys()).finish()
    }
}

impl<S: Clone + Send + Sync + 'static> Router<S> {
    /// Without any function yet; `state` is what [`crate::State`] gives, `()` where none is needed.
    pub fn new(state: S) -> Self {
        let (types, topics) = (HashMap::new(), HashMap::new());
        Self { state, types, topics, fallback: None, unmatched: OnUnmatched::default() }
    }

    /// For messages of a type. KafkaFlow's is named without its assembly: `Orders.Messages.Created`.
    #[must_use]
    pub fn message<A>(mut self, message_type: impl Into<String>, function: impl HandlerFn<S, A>) -> Self {
        let route = self.route(function);
        self.types.insert(message_type.into(), route);
        self
    }

    /// For messages of a topic whose type has no function of its own.
    #[must_use]
    pub fn topic<A>(mut self, topic: impl Into<String>, function: impl HandlerFn<S, A>) -> Self {
        let route = self.route(function);
        self.topics.insert(topic.into(), route);
        self
    }

    /// For all other messages.
    #[must_use]
    pub fn fallback<A>(mut self, function: impl HandlerFn<S, A>) -> Self {
        self.fallback = Some(self.route(function));
        self
    }

    /// What happens with a message for which there is no function; an error unless told otherwise.
    #[must_use]
    pub fn on_unmatched(mut self, unmatched: OnUnmatched) -> Self {
        self.unmatched = unmatched;
        self
    }

    /// Puts a layer around each function that was named so far: a time limit, a limit of concurrency, traces, one's
    /// own. The layer named last is the outermost one.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route>,
        L::Service: Service<Message, Response = (), Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let wrap = |route: Route| Route::new(layer.layer(route).map_err(Into::into));
        self.types = self.types.into_iter().map(|(name, route)| (name, wrap(route))).collect();
        self.topics = self.topics.into_iter().map(|(name, route)| (name, wrap(route))).collect();
        self.fallback = self.fallback.map(wrap);
        self
    }

    fn route<A>(&self, function: impl HandlerFn<S, A>) -> Route {
        let state = self.state.clone();
        Route::new(service_fn(move |message: Message| {
            let called = function.call(message, &state);
            async move { called.await.map_err(HandlerError::into_box) }
        }))
    }
}

impl<S> Router<S> {
    fn choose(&self, delivery: Delivery<'_>) -> Option<&Route> {
        let by_type = if self.types.is_empty() { None } else { message_type::of(&delivery) };
        let topic = delivery.origin().map_or_else(|| delivery.topic(), Origin::topic);
        by_type
            .and_then(|name| self.types.get(&name))
            .or_else(|| self.topics.get(topic.as_str()))
            .or(self.fallback.as_ref())
    }
}

#[async_trait]
impl<S: Send + Sync + 'static> Handler for Router<S> {
    async fn handle(&self, delivery: Delivery<'_>) -> Result<(), HandlerError> {
        match (self.choose(delivery), self.unmatched) {
            (Some(route), _) => {
                route.clone().oneshot(Message::of(delivery)).await.map_err(HandlerError::from_box)
            }
            (None, OnUnmatched::Skip) => Ok(()),
            (None, OnUnmatched::Error) => Err(HandlerError::permanent(unmatched(&delivery))),
            (None, OnUnmatched::DeadLetter) => Err(HandlerError::dead_letter(unmatched(&delivery))),
        }
    }
}

fn unmatched(record: &Record) -> String {
    let topic: &TopicName = record.topic();
    match message_type::of(record) {
        Some(name) => format!("no function for messages of type {name:?}, nor for topic {topic}"),
        None => format!("no function for topic {topic}, and the message has no type"),
    }
}
