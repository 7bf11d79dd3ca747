//! One registry: what is known of it, and one question after the other to it.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flowdeck_payload::{NoSchema, RegisteredSchema, Schemas};

use crate::budget::{Budget, WINDOW};
use crate::cache::Cache;
use crate::client::{Client, Failure, Format, Registered};
use crate::references::{Missing, Referred};
use crate::settings::RegistrySettings;

/// For one schema with all that it refers to.
const ANSWER_TIME: Duration = Duration::from_secs(3);
/// An id that the registry does not have may be registered.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
/// A registry that does not answer is left alone.
const AWAY_FOR: Duration = Duration::from_secs(10);

pub struct Registry {
    /// The cluster's, for messages.
    name: String,
    client: Client,
    state: Mutex<State>,
    /// Somebody stopped asking.
    asked: Condvar,
}

#[derive(Default)]
struct State {
    cache: Cache,
    budget: Budget,
    is_asking: bool,
    /// Since it could not be reached: why, and until when nobody tries.
    away: Option<(Failure, Instant)>,
}

impl Registry {
    /// `cluster`: whose registry it is. Nothing is asked yet.
    pub fn new(cluster: &str, settings: &RegistrySettings) -> Self {
        Self {
            name: cluster.to_owned(),
            client: Client::new(settings),
            state: Mutex::default(),
            asked: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known without asking. `None`: the caller is the one who asks.
    fn known_or_turn(&self, id: u32) -> Option<Result<Arc<RegisteredSchema>, NoSchema>> {
        let until = Instant::now() + ANSWER_TIME;
        let mut state = self.state();
        loop {
            let now = Instant::now();
            if let Some(known) = state.cache.get(id, now) {
                return Some(known);
            }
            if let Some((failure, _)) = state.away.as_ref().filter(|(_, until)| now < *until) {
                return Some(Err(self.failure(id, failure, None)));
            }
            if !state.budget.allows(now) {
                let seconds = WINDOW.as_secs();
                let why = format!(
                    "schema id {id} was not asked for: these records name so many schemas that the registry of {} was \
                     asked for as long as it may be within {seconds} s; read them again in a moment",
                    self.name
                );
                return Some(Err(NoSchema::Failed(why)));
            }
            if !state.is_asking {
                state.is_asking = true;
                return None;
            }
            let left = until.saturating_duration_since(now);
            if left.is_zero() {
                let failure = Failure::Unreachable("others wait for its answers".to_owned());
                return Some(Err(self.failure(id, &failure, None)));
            }
            state = self.asked.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn ask(&self, id: u32) -> Result<Arc<RegisteredSchema>, NoSchema> {
        let began = Instant::now();
        let turn = Turn(self);
        let answer = self.fetch(id, began + ANSWER_TIME);
        let now = Instant::now();
        let mut state = self.state();
        state.budget.spend(now.saturating_duration_since(began));
        let result = match answer {
            Ok((schema, bytes)) => {
                state.away = None;
                state.cache.put(id, Arc::clone(&schema), bytes);
                Ok(schema)
            }
            Err((failure @ (Failure::Unreachable(_) | Failure::Refused(_)), of)) => {
                let why = self.failure(id, &failure, of.as_deref());
                state.away = Some((failure, now + AWAY_FOR));
                Err(why)
            }
            Err((failure, of)) => {
                let why = self.failure(id, &failure, of.as_deref());
                state.cache.put_failure(id, why.clone(), now, UNKNOWN_FOR);
                Err(why)
            }
        };
        drop(state);
        drop(turn);
        result
    }

    /// The schema and the bytes of its texts. A failure may be of something that it refers to.
    fn fetch(
        &self,
        id: u32,
        until: Instant,
    ) -> Result<(Arc<RegisteredSchema>, usize), (Failure, Option<String>)> {
        let found = self.client.by_id(id, until).map_err(|failure| (failure, None))?;
        // A JSON Schema is not needed to read its records.
        let referred = match found.format() {
            Format::Json => Ok(Referred::default()),
            _ => Referred::of(&found, &self.client, until),
        };
        let referred = referred.map_err(|Missing { reference, failure }| {
            (failure, Some(format!("version {} of {}", reference.version, reference.subject)))
        })?;
        let bytes = found.schema.len() + referred.bytes;
        let schema = compiled(&found, referred).map_err(|why| (Failure::Unusable(why), None))?;
        Ok((Arc::new(schema), bytes))
    }

    /// What failed, of which schema, and what to do. `of`: what it refers to, where that failed.
    fn failure(&self, id: u32, failure: &Failure, of: Option<&str>) -> NoSchema {
        let (cluster, address) = (&self.name, self.client.address());
        let what = match of {
            Some(of) => format!("{of}, to which schema id {id} refers,"),
            None => format!("schema id {id}"),
        };
        match failure {
            Failure::NotFound if of.is_none() => NoSchema::Unknown(format!(
                "{what} is not in the registry of {cluster} ({address}): its producer may use another registry, or these \
                 bytes may be something else; it is asked again after {} s",
                UNKNOWN_FOR.as_secs()
            )),
            Failure::NotFound => NoSchema::Failed(format!(
                "{what} is not in the registry of {cluster} ({address}): register it again; it is asked again after {} s",
                UNKNOWN_FOR.as_secs()
            )),
            Failure::Refused(status) => NoSchema::Failed(format!(
                "{what} is not given out by the registry of {cluster} ({address} answers {status}): check the credentials \
                 of its schema_registry in the configuration, and that they may read schemas"
            )),
            Failure::Unreachable(why) => NoSchema::Failed(format!(
                "{what} could not be read from the registry of {cluster} ({address}): {why}; check that it runs and its \
                 url in the configuration; it is tried again after {} s",
                AWAY_FOR.as_secs()
            )),
            Failure::Unusable(why) => NoSchema::Failed(format!(
                "{what} of the registry of {cluster} ({address}) cannot be used: {why}; choose a decoder without it"
            )),
        }
    }
}

impl Schemas for Registry {
    fn schema(&self, id: u32) -> Result<Arc<RegisteredSchema>, NoSchema> {
        self.known_or_turn(id).unwrap_or_else(|| self.ask(id))
    }
}

/// Without its credentials.
impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.client.address()).finish()
    }
}

/// Ends, however asking ends.
struct Turn<'a>(&'a Registry);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().is_asking = false;
        self.0.asked.notify_all();
    }
}

fn compiled(found: &Registered, referred: Referred) -> Result<RegisteredSchema, String> {
    let compiled = match found.format() {
        Format::Avro => {
            let texts: Vec<String> = referred.texts.into_iter().map(|(_, text)| text).collect();
            RegisteredSchema::avro(&found.schema, &texts)
        }
        Format::Protobuf => RegisteredSchema::protobuf(&found.schema, referred.texts),
        Format::Json => Ok(RegisteredSchema::json(&found.schema)),
        Format::Other(name) => {
            let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).take(40).collect();
            return Err(format!("it is of the type {name}; Avro, Protobuf and JSON Schema are decoded"));
        }
    };
    compiled.map_err(|error| error.to_string())
}
