//! Events as Protobuf, and in a format of the service's own: a serializer to publish them, an extractor to read them.
//!
//! `cargo run --example serializers -- localhost:9092`

use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex};

use flowdeck_agent::producer::{
    Event, EventFormat, EventSerializer, Producer, ProtobufSerializer, TopicFields, TopicNaming,
};
use flowdeck_agent::{
    Agent, BoxError, ClientConfig, Context, FromMessage, HandlerError, KafkaPublisher, Message, Protobuf,
    Publisher, Router, State,
};

/// As prost makes it of a `.proto` file.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Measured {
    #[prost(string, tag = "1")]
    pub sensor: String,
    #[prost(double, tag = "2")]
    pub celsius: f64,
}

impl Event for Measured {
    const TYPE: &'static str = "Measured";

    fn topic() -> TopicFields {
        TopicFields::new("measurements")
    }

    fn key(&self) -> Option<String> {
        Some(self.sensor.clone())
    }
}

/// Published as a line of CSV.
#[derive(Debug, Clone, PartialEq)]
pub struct TooHot {
    pub sensor: String,
    pub celsius: f64,
}

impl Event for TooHot {
    const TYPE: &'static str = "TooHot";

    fn topic() -> TopicFields {
        TopicFields::new("alarms")
    }

    fn key(&self) -> Option<String> {
        Some(self.sensor.clone())
    }
}

/// The service's own format.
pub struct Csv;

impl EventSerializer<TooHot> for Csv {
    fn content_type(&self) -> &str {
        "text/csv"
    }

    fn serialize(&self, event: &TooHot) -> Result<Vec<u8>, BoxError> {
        if event.sensor.contains(',') {
            return Err("a sensor's name has no comma".into());
        }
        Ok(format!("{},{}", event.sensor, event.celsius).into_bytes())
    }
}

/// Reads what [`Csv`] writes.
impl<S> FromMessage<S> for TooHot {
    fn from_message(message: &Message, _: &S) -> Result<Self, HandlerError> {
        let line = std::str::from_utf8(message.record().value().unwrap_or_default());
        let line = line.map_err(HandlerError::permanent)?;
        let (sensor, celsius) = line.split_once(',').ok_or_else(|| HandlerError::permanent("no comma"))?;
        let celsius = celsius.parse().map_err(HandlerError::permanent)?;
        Ok(Self { sensor: sensor.to_owned(), celsius })
    }
}

#[derive(Clone)]
pub struct Service {
    pub measurements: Producer<ProtobufSerializer>,
    pub alarms: Producer<Csv>,
    pub seen: Arc<Mutex<Vec<TooHot>>>,
}

impl Service {
    pub fn new(publisher: impl Publisher + Clone, prefix: &str) -> Self {
        let producer = || Producer::new(publisher.clone(), TopicNaming::prefixed(prefix));
        let source = "urn:example:greenhouse".to_owned();
        Self {
            measurements: producer()
                .serializer(ProtobufSerializer::default())
                .format(EventFormat::CloudEventsBinary { source }),
            alarms: producer().serializer(Csv),
            seen: Arc::default(),
        }
    }

    pub fn router(self) -> Router<Self> {
        Router::new(self).message("Measured", measured).message("TooHot", too_hot)
    }
}

async fn measured(
    Protobuf(measured): Protobuf<Measured>,
    State(service): State<Service>,
    context: Context,
) -> Result<(), HandlerError> {
    let Measured { sensor, celsius } = measured;
    if celsius > 40.0 {
        service.alarms.publish_within(&context, &TooHot { sensor, celsius }).await?;
    }
    Ok(())
}

async fn too_hot(alarm: TooHot, State(service): State<Service>) {
    service.seen.lock().unwrap().push(alarm);
}

pub async fn run(
    bootstrap: &str,
    prefix: &str,
    stop: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("auto.offset.reset", "earliest");
    let service = Service::new(KafkaPublisher::new(&config)?, prefix);
    service.measurements.publish_or_log(&Measured { sensor: "south".to_owned(), celsius: 41.5 }).await;
    let topics = [format!("{prefix}-measurements"), format!("{prefix}-alarms")];
    let agent = Agent::builder(config, "greenhouse").topics(topics).handler(service.router()).start().await?;
    agent.run_until(stop).await?;
    Ok(())
}

#[tokio::main]
#[allow(dead_code)]
async fn main() -> Result<(), Box<dyn Error>> {
    let bootstrap = std::env::args().nth(1).unwrap_or_else(|| "localhost:9092".to_owned());
    let stop = async {
        // Without a handler for the signal there is nothing to wait for.
        let _ = tokio::signal::ctrl_c().await;
    };
    run(&bootstrap, "dev", stop).await
}
