//! The stream of a topic that is followed. It is pulled: while the client does not read, nothing is read from Kafka, and
//! when it reads again, what came meanwhile is left out beyond the limit, and counted.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::Response;
use axum::response::sse::{Event, Sse};
use flowdeck_model::view::TailView;
use flowdeck_model::{ClusterName, MessagesQuery, PortError, Tail, TopicName};
use futures::Stream;
use http::header::HeaderMap;
use serde_json::json;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::bye::Bye;
use super::refuse::unbuffered;
use super::stream::BEAT;
use super::streams::StreamSlot;
use super::validity::Validity;
use super::{StreamPorts, slot};
use crate::api::problem::Problem;
use crate::clock;
use crate::layers::actor::ClientAddress;
use crate::state::AppState;

/// The limit of the query is of records a second.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) async fn open(
    state: AppState,
    StreamPorts(bound): StreamPorts,
    address: ClientAddress,
    (cluster, topic): (ClusterName, TopicName),
    query: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let query = MessagesQuery::parse(&from_last_event(query, headers), true)?;
    let slot = match slot(&state, &bound, address, headers) {
        Ok(slot) => slot,
        Err(refused) => return Ok(*refused),
    };
    let tail = bound.ports.peek.tail(&cluster, &topic, &query).await?;
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let validity = Validity::new(bound.authenticated);
    let following = Following { state, tail, validity, beat, look, last: None, over: false, slot };
    Ok(unbuffered(Sse::new(following.into_stream())))
}

/// A reconnecting EventSource sends the position of its last event.
fn from_last_event(query: &str, headers: &HeaderMap) -> String {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
    match last {
        Some(last) => {
            let fields = form_urlencoded::parse(query.as_bytes());
            let mut again = form_urlencoded::Serializer::new(String::new());
            again.extend_pairs(fields.filter(|(name, _)| name != "from")).append_pair("from", last);
            again.finish()
        }
        None => query.to_owned(),
    }
}

struct Following {
    state: AppState,
    tail: Box<dyn Tail>,
    validity: Validity,
    beat: Interval,
    look: Interval,
    /// Why there was less in the last event; the same is not said twice.
    last: Option<Option<String>>,
    over: bool,
    slot: StreamSlot,
}

impl Following {
    fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> + Send {
        futures::stream::unfold(self, |mut following| async move {
            let event = following.next().await?;
            Some((Ok(event), following))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        loop {
            tokio::select! {
                biased;
                () = self.state.options.shutdown.cancelled() => return Some(self.end(Bye::Shutdown)),
                () = self.slot.replaced() => return Some(self.end(Bye::Replaced)),
                () = self.validity.due() => {
                    if !self.validity.holds(&self.state).await {
                        return Some(self.end(Bye::Expired));
                    }
                }
                _ = self.look.tick() => {
                    if let Some(event) = self.look().await {
                        return Some(event);
                    }
                }
                _ = self.beat.tick() => {
                    let beat = json!({ "now": clock::now() });
                    return Some(Event::default().event("beat").json_data(beat).unwrap_or_default());
                }
            }
        }
    }

    /// `None`: nothing came.
    async fn look(&mut self) -> Option<Event> {
        let view = match self.tail.next().await {
            Ok(view) => view,
            Err(PortError::Forbidden { .. } | PortError::PayloadsOff { .. }) => {
                return Some(self.end(Bye::Expired));
            }
            Err(PortError::NotFound { .. }) => return Some(self.end(Bye::Gone)),
            // It goes on once Kafka answers.
            Err(error) => TailView { note: Some(error.to_string()), ..TailView::default() },
        };
        let is_known = self.last.as_ref() == Some(&view.note);
        if is_known && view.records.is_empty() && view.left_out == 0 {
            return None;
        }
        self.last = Some(view.note.clone());
        let event = Event::default().event("records");
        let event = match &view.position {
            Some(position) => event.id(position),
            None => event,
        };
        Some(event.json_data(&view).unwrap_or_default())
    }

    fn end(&mut self, bye: Bye) -> Event {
        self.over = true;
        bye.event()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnecting_client_goes_on_behind_its_last_event() {
        let mut headers = HeaderMap::new();
        assert_eq!(from_last_event("text=a&from=latest", &headers), "text=a&from=latest");
        headers.insert("last-event-id", "offsets:5.7".parse().unwrap());
        assert_eq!(from_last_event("text=a%20b&from=latest", &headers), "text=a+b&from=offsets%3A5.7");
    }
}
