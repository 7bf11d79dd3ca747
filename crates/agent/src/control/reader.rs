//! The client that reads holds or commands, and what it gives.

use flowdeck_protocol::Headers;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use tracing::debug;

pub(super) enum Event {
    Record(Read),
    Error(KafkaError),
}

/// A record of the reader's, free of its client.
pub(super) struct Read {
    pub(super) offset: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Read {
    pub(super) fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.filter_map(|one| Some((one.key.to_owned(), one.value?.to_vec()))).collect(),
        }
    }

    pub(super) fn headers(&self) -> Headers<'_> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
    }
}

pub(crate) struct ReaderContext;

impl ClientContext for ReaderContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition comes here too; `poll` gives it to the thread.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            debug!(%error, reason, "the reader's client reports");
        }
    }
}

impl ConsumerContext for ReaderContext {}
