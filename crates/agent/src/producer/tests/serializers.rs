use std::sync::Arc;

use super::*;
use crate::{Avro, AvroSchema, Protobuf, Raw, State};

const SOURCE: &str = "urn:shop:orders";

fn binary() -> EventFormat {
    EventFormat::CloudEventsBinary { source: SOURCE.to_owned() }
}

fn structured() -> EventFormat {
    EventFormat::CloudEventsStructured { source: SOURCE.to_owned() }
}

/// What a producer with this serializer sends.
async fn publish<Z: EventSerializer<E>, E: Event>(serializer: Z, format: EventFormat, event: &E) -> Outgoing {
    let sent = RecordingPublisher::default();
    let producer = Producer::new(sent.clone(), TopicNaming::prefixed("dev"));
    producer.serializer(serializer).format(format).publish(event).await.unwrap();
    sent.messages().remove(0)
}

async fn refused<Z: EventSerializer<E>, E: Event>(serializer: Z, event: &E) -> EventError {
    let producer = Producer::new(RecordingPublisher::default(), TopicNaming::prefixed("dev"));
    producer.serializer(serializer).publish(event).await.unwrap_err()
}

/// What a function gets of it.
async fn consume<T: crate::FromMessage<Got<T>> + Clone + Send + 'static>(sent: &Outgoing) -> T {
    async fn take<T: Clone + Send + 'static>(value: T, State(got): State<Got<T>>) {
        *got.0.lock().unwrap() = Some(value);
    }
    let got = Got(Arc::new(Mutex::new(None)));
    run(&Router::new(got.clone()).message("Moved", take::<T>), consumed(sent)).await.unwrap();
    let value = got.0.lock().unwrap().take();
    value.unwrap()
}

#[derive(Debug, Clone)]
struct Got<T>(Arc<Mutex<Option<T>>>);

/// The router's state knows the schema.
impl<T> crate::AvroSchemas for Got<T> {
    fn schema(&self, id: u32) -> Option<Arc<AvroSchema>> {
        (id == 258).then(schema)
    }
}

fn schema() -> Arc<AvroSchema> {
    let fields = r#"[{"name": "order", "type": "long"}, {"name": "to", "type": "string"}]"#;
    let text = format!(r#"{{"type": "record", "name": "Shipped", "fields": {fields}}}"#);
    Arc::new(AvroSchema::parse_str(&text).unwrap())
}

/// No serde.
#[derive(Clone, PartialEq, prost::Message)]
struct Moved {
    #[prost(uint64, tag = "1")]
    order: u64,
    #[prost(string, tag = "2")]
    to: String,
}

impl Event for Moved {
    const TYPE: &'static str = "Moved";

    fn topic() -> TopicFields {
        TopicFields::new("moves")
    }

    fn key(&self) -> Option<String> {
        Some(self.order.to_string())
    }
}

fn moved() -> Moved {
    Moved { order: 7, to: "hall 3".to_owned() }
}

#[tokio::test]
async fn protobuf_event_comes_back() {
    let bytes = prost::Message::encode_to_vec(&moved());
    let plain = publish(ProtobufSerializer, EventFormat::Plain, &moved()).await;
    assert_eq!((plain.topic.as_str(), plain.key.as_deref()), ("dev-moves", Some(&b"7"[..])));
    assert_eq!(plain.value.as_ref(), Some(&bytes));
    assert_eq!(header(&plain, "content-type").as_deref(), Some("application/protobuf"));
    assert_eq!(consume::<Protobuf<Moved>>(&plain).await.0, moved());

    let event = publish(ProtobufSerializer, binary(), &moved()).await;
    assert_eq!(header(&event, "content-type").as_deref(), Some("application/protobuf"));
    assert_eq!(header(&event, "ce_type").as_deref(), Some("Moved"));
    assert_eq!(consume::<Protobuf<Moved>>(&event).await.0, moved());

    let event = publish(ProtobufSerializer, structured(), &moved()).await;
    let content_type = header(&event, "content-type").unwrap();
    assert!(content_type.starts_with("application/cloudevents+json"), "{content_type}");
    let whole: serde_json::Value = serde_json::from_slice(event.value.as_deref().unwrap()).unwrap();
    assert_eq!(whole["datacontenttype"], "application/protobuf");
    assert_eq!((&whole["partitionkey"], whole.get("data")), (&json!("7"), None));
    // As `base64` of coreutils writes the bytes 08 07 12 06 'hall 3'.
    assert_eq!(whole["data_base64"], "CAcSBmhhbGwgMw==");
}

#[tokio::test]
async fn json_event_has_no_content_type_but_as_a_cloud_event() {
    let plain = publish(JsonSerializer, EventFormat::Plain, &event()).await;
    let names: Vec<_> = plain.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["correlation-id", "schema-version", "Message-Type"]);
    assert_eq!(plain.value.as_deref(), Some(&br#"{"order":7,"customer":"c-1"}"#[..]));
    let event_in_headers = publish(JsonSerializer, binary(), &event()).await;
    assert_eq!(event_in_headers.value, plain.value);
    assert_eq!(header(&event_in_headers, "content-type").as_deref(), Some("application/json"));
    let whole = publish(JsonSerializer, structured(), &event()).await;
    let whole: serde_json::Value = serde_json::from_slice(whole.value.as_deref().unwrap()).unwrap();
    assert_eq!((&whole["datacontenttype"], &whole["data"]["order"]), (&json!("application/json"), &json!(7)));
    assert_eq!(whole.get("data_base64"), None);
}

struct Picture(Vec<u8>);

impl AsRef<[u8]> for Picture {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Event for Picture {
    const TYPE: &'static str = "Moved";

    fn topic() -> TopicFields {
        TopicFields::new("pictures")
    }
}

#[tokio::test]
async fn raw_bytes_go_as_they_are() {
    let picture = Picture(vec![0x89, b'P', 0xff]);
    let sent = publish(RawSerializer::new("image/png"), EventFormat::Plain, &picture).await;
    assert_eq!((sent.value.as_ref(), sent.key.as_ref()), (Some(&picture.0), None));
    assert_eq!(header(&sent, "content-type").as_deref(), Some("image/png"));
    assert_eq!(consume::<Raw>(&sent).await.0, picture.0);
    let sent = publish(RawSerializer::default(), binary(), &picture).await;
    assert_eq!(header(&sent, "content-type").as_deref(), Some("application/octet-stream"));
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Shipped {
    order: i64,
    to: String,
}

impl Event for Shipped {
    const TYPE: &'static str = "Moved";
    const KEY_FIELD: Option<&'static str> = Some("order");

    fn topic() -> TopicFields {
        TopicFields::new("moves")
    }
}

fn shipped() -> Shipped {
    Shipped { order: 7, to: "kg".to_owned() }
}

#[tokio::test]
async fn avro_event_comes_back_by_the_schema_of_its_id() {
    let serializer = AvroSerializer::new().schema::<Shipped>(258, schema());
    let sent = publish(serializer.clone(), EventFormat::Plain, &shipped()).await;
    // As the Avro specification encodes it, behind Confluent's five bytes.
    assert_eq!(sent.value.as_deref(), Some(&b"\0\0\0\x01\x02\x0e\x04kg"[..]));
    assert_eq!(sent.key.as_deref(), Some(&b"7"[..]));
    assert_eq!(consume::<Avro<Shipped>>(&sent).await.0, shipped());
    let unknown = refused(serializer, &event()).await;
    assert!(matches!(unknown, EventError::Serialize { event: "OrderCreated", .. }), "{unknown:?}");
}

/// A serializer of the service's own: for all that can be written as a line.
struct Line;

trait AsLine {
    fn line(&self) -> Option<String>;
}

impl AsLine for Shipped {
    fn line(&self) -> Option<String> {
        (self.order > 0).then(|| format!("{};{}", self.order, self.to))
    }
}

impl AsLine for Moved {
    fn line(&self) -> Option<String> {
        Some(self.to.clone())
    }
}

impl<E: AsLine> EventSerializer<E> for Line {
    fn content_type(&self) -> &str {
        "text/plain"
    }

    fn serialize(&self, event: &E) -> Result<Vec<u8>, BoxError> {
        Ok(event.line().ok_or("no order has the number 0")?.into_bytes())
    }
}

#[tokio::test]
async fn service_has_a_serializer_of_its_own() {
    let sent = publish(Line, EventFormat::Plain, &moved()).await;
    assert_eq!(sent.value.as_deref(), Some(&b"hall 3"[..]));
    assert_eq!(header(&sent, "content-type").as_deref(), Some("text/plain"));

    // It reads no fields.
    let refused_key = refused(Line, &shipped()).await;
    assert!(matches!(refused_key, EventError::Key { event: "Moved", field: "order" }), "{refused_key:?}");

    struct Keyless(Shipped);
    impl AsLine for Keyless {
        fn line(&self) -> Option<String> {
            self.0.line()
        }
    }
    impl Event for Keyless {
        const TYPE: &'static str = "Keyless";
        fn topic() -> TopicFields {
            Shipped::topic()
        }
    }
    let error = refused(Line, &Keyless(Shipped { order: 0, ..shipped() })).await;
    assert_eq!(error.to_string(), "the event Keyless could not be serialized");
    assert_eq!(error.source_text(), "no order has the number 0");
}
