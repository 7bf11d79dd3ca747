//! Chooses the function for a message by its type or its topic, and puts `tower::Layer`s around functions.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_model::TopicName;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt as _, service_fn};

use crate::failure::{BoxError, HandlerError};
use crate::function::{HandlerFn, first_step};
use crate::handler::{Delivery, Handler};
use crate::lanes::CallSlot;
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
///
/// # Layers and pauses
/// A layer may keep a message from its function for a while: a limit of concurrency, a rate, a delay. That is not yet a
/// call of the function, so a pause does not wait for it, and none begins once the pause is acknowledged:
/// - While the layers are not ready (`poll_ready`, as with `ConcurrencyLimitLayer`) a pause ends the wait. The record is put
///   back, and no layer learns of it. [`crate::AgentBuilder::handler_timeout`] counts from the end of the wait.
/// - A layer that waits within `call`, or calls its service again, gets the error [`crate::NotBegun`] in place of a call
///   under a pause. Whatever it makes of that, the record is put back once the layer is through: one that tries again without
///   end has to give up at that error.
///
/// Neither is an attempt or a failure. It is the same where the partition is taken away, or the agent stops. What a layer
/// itself does before it calls its service is not asked about.
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
        let function = Arc::new((function, self.state.clone()));
        Route::new(service_fn(move |message: Message| {
            let function = Arc::clone(&function);
            async move { call_function(&function.0, &function.1, message).await }
        }))
    }
}

/// Behind all layers, so that the gate is asked just before the function's first step.
async fn call_function<S, A>(
    function: &impl HandlerFn<S, A>,
    state: &S,
    mut message: Message,
) -> Result<(), BoxError> {
    let Some(call) = message.take_call() else {
        return function.call(message, state).await.map_err(HandlerError::into_box);
    };
    let starting = call.begin()?;
    let called = first_step(function.call(message, state), || drop(starting)).await;
    call.ended();
    called.map_err(HandlerError::into_box)
}

/// Calls the function once its layers are ready and the gate is open.
async fn call_route(mut route: Route, delivery: Delivery<'_>) -> Result<(), BoxError> {
    match delivery.call().map(CallSlot::call) {
        Some(call) => call.turn(route.ready()).await?.map(drop)?,
        None => route.ready().await.map(drop)?,
    }
    route.call(Message::of(delivery)).await
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
            (Some(route), _) => call_route(route.clone(), delivery).await.map_err(HandlerError::from_box),
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
