//! Records written in transactions.

use flowdeck_protocol::Record;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::records::Kafka;
use crate::wait::DEADLINE;

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Commit,
    Abort,
}

/// A record with this value, and nothing else.
pub fn plain(value: &str) -> Record {
    Record { key: vec![], value: Some(value.as_bytes().to_vec()), headers: vec![] }
}

impl Kafka {
    /// Writes to partition 0 of a topic under a `transactional.id`: each list of records in a transaction of
    /// its own, one after the other. Who wrote under the id before is fenced.
    pub async fn transact(&self, id: &str, topic: &str, transactions: Vec<(Vec<Record>, End)>) {
        let mut config = self.client();
        config.set("transactional.id", id).set("transaction.timeout.ms", "60000");
        let topic = topic.to_owned();
        let work = move || {
            let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("a producer");
            producer.init_transactions(DEADLINE).expect("a transactional id");
            for (records, end) in transactions {
                producer.begin_transaction().expect("a transaction");
                for record in &records {
                    send(&producer, &topic, record);
                }
                producer.flush(DEADLINE).expect("all sent");
                let ended = match end {
                    End::Commit => producer.commit_transaction(DEADLINE),
                    End::Abort => producer.abort_transaction(DEADLINE),
                };
                ended.expect("the transaction's end");
            }
        };
        tokio::task::spawn_blocking(work).await.expect("transactions");
    }
}

fn send(producer: &ThreadedProducer<DefaultProducerContext>, topic: &str, record: &Record) {
    let headers = record.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value) })
    });
    let mut out = BaseRecord::<[u8], [u8]>::to(topic).partition(0).key(&record.key).headers(headers);
    if let Some(value) = &record.value {
        out = out.payload(value);
    }
    producer.send(out).map_err(|(error, _)| error).expect("space in the producer's queue");
}
