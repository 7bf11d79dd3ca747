//! One event of the log for each step of a record's life, with the same fields: at its begin and its success on level
//! DEBUG, at a failure on INFO, all with the target `flowdeck_agent::record`.

use std::time::Duration;

use flowdeck_model::GroupId;
use tracing::field::display;
use tracing::{Level, debug, enabled, info};

use crate::failure::HandlerError;
use crate::handler::Delivery;

const TARGET: &str = "flowdeck_agent::record";
/// In characters.
const KEY_MAX: usize = 100;

/// In quotes and escaped by who formats it, so that no key forges a line.
fn key(delivery: Delivery<'_>) -> Option<String> {
    delivery.key().map(|key| String::from_utf8_lossy(key).chars().take(KEY_MAX).collect())
}

/// The same fields on each level.
macro_rules! event {
    ($event:ident, $group:ident, $delivery:ident, $took:expr, $error:expr, $words:literal) => {{
        let (topic, partition, offset) = ($delivery.topic(), $delivery.partition().get(), $delivery.offset());
        let (key, attempt) = (key($delivery), $delivery.attempt());
        let (correlation_id, trace_id) = ($delivery.correlation_id(), $delivery.trace_id());
        let took_ms = $took.map(|took: Duration| took.as_secs_f64() * 1e3);
        let error: Option<&HandlerError> = $error;
        let error = error.map(display);
        $event!(
            target: TARGET,
            { group.id = %$group, %topic, partition, offset, key, attempt, correlation_id, trace_id, took_ms, error },
            $words
        );
    }};
}

pub(crate) fn begins(group: &GroupId, delivery: Delivery<'_>) {
    if enabled!(target: TARGET, Level::DEBUG) {
        event!(debug, group, delivery, None, None, "the record begins");
    }
}

pub(crate) fn succeeded(group: &GroupId, delivery: Delivery<'_>, took: Duration) {
    if enabled!(target: TARGET, Level::DEBUG) {
        event!(debug, group, delivery, Some(took), None, "the record was handled");
    }
}

pub(crate) fn failed(group: &GroupId, delivery: Delivery<'_>, took: Duration, error: &HandlerError) {
    if enabled!(target: TARGET, Level::INFO) {
        event!(info, group, delivery, Some(took), Some(error), "the record failed");
    }
}

/// Its function did not begin, as the gate was shut while it waited.
pub(crate) fn put_back(group: &GroupId, delivery: Delivery<'_>) {
    if enabled!(target: TARGET, Level::DEBUG) {
        event!(debug, group, delivery, None, None, "the record was put back before its function began");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::testing::TestMessage;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_step_of_a_record_is_one_event_with_the_same_fields() {
        let lines = Lines::default();
        let out = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(Level::DEBUG)
            .with_writer(move || out.clone())
            .finish();
        let message = TestMessage::new("orders").at(2, 17).key("k-1\nforged").attempt(3);
        let message = message
            .header("X-Correlation-Id", "c-1")
            .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let (message, group) = (message.build(), GroupId::from("g"));
        tracing::subscriber::with_default(subscriber, || {
            let (delivery, took) = (message.delivery(), Duration::from_millis(5));
            begins(&group, delivery);
            succeeded(&group, delivery, took);
            failed(&group, delivery, took, &HandlerError::from("no stock"));
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let events: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let words: Vec<&str> =
            events.iter().map(|event| event["fields"]["message"].as_str().unwrap()).collect();
        assert_eq!(words, ["the record begins", "the record was handled", "the record failed"]);
        for event in &events {
            let fields = &event["fields"];
            assert_eq!((&fields["topic"], &fields["partition"]), (&"orders".into(), &2.into()));
            assert_eq!((&fields["offset"], &fields["attempt"]), (&17.into(), &3.into()));
            assert_eq!(fields["key"], "k-1\nforged");
            assert_eq!(fields["correlation_id"], "c-1");
            assert_eq!(fields["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        }
        assert_eq!(
            (&events[1]["fields"]["took_ms"], &events[2]["fields"]["error"]),
            (&5.0.into(), &"no stock".into())
        );
    }
}
