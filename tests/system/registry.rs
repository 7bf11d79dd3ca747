//! A real schema registry beside a real Kafka: what its ids name is read on pages, in searches and through masks, and a
//! registry that is gone is said.

use flowdeck_broker::{RegistryHome, SchemaRegistry};
use flowdeck_testkit::{kafka, unique};
use serde_json::{Value, json};

use crate::support::{Server, cluster};

/// Registers and gives the id.
async fn register(registry: &str, subject: &str, body: &Value) -> u32 {
    let url = format!("{registry}/subjects/{subject}/versions");
    let answer = reqwest::Client::new().post(url).json(body).send().await.expect("an answer");
    let status = answer.status();
    let body: Value = answer.json().await.expect("JSON");
    let id = body["id"].as_u64().and_then(|id| u32::try_from(id).ok());
    id.unwrap_or_else(|| panic!("{subject}: {status} {body}"))
}

fn framed(id: u32, body: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], body].concat()
}

fn started() -> (SchemaRegistry, tempfile::TempDir) {
    let home = RegistryHome::resolve(&mut |said| eprintln!("{said}")).expect("a schema registry");
    let dir = tempfile::tempdir().unwrap();
    (SchemaRegistry::start(&home, dir.path()).expect("it starts"), dir)
}

/// What Avro, Protobuf and JSON Schema write of one record each, with a reference in the first two.
async fn registered(url: &str) -> [Vec<u8>; 3] {
    let customer = json!({ "type": "record", "name": "Customer", "namespace": "shop",
        "fields": [{ "name": "email", "type": "string" }] });
    register(url, "customer-value", &json!({ "schema": customer.to_string() })).await;
    let order = json!({ "type": "record", "name": "Order", "namespace": "shop",
        "fields": [{ "name": "id", "type": "long" }, { "name": "by", "type": "shop.Customer" }] });
    let refers = json!([{ "name": "shop.Customer", "subject": "customer-value", "version": 1 }]);
    let avro =
        register(url, "orders-value", &json!({ "schema": order.to_string(), "references": refers })).await;
    let money = "syntax = \"proto3\"; package shop; message Money { int64 cents = 1; }";
    register(url, "money.proto", &json!({ "schemaType": "PROTOBUF", "schema": money })).await;
    let paid = "syntax = \"proto3\"; package shop; import \"money.proto\"; message Other { } \
                message Paid { Money price = 1; string email = 2; }";
    let refers = json!([{ "name": "money.proto", "subject": "money.proto", "version": 1 }]);
    let body = json!({ "schemaType": "PROTOBUF", "schema": paid, "references": refers });
    let protobuf = register(url, "payments-value", &body).await;
    let shipped = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "title": "Shipped" });
    let body = json!({ "schemaType": "JSON", "schema": shipped.to_string() });
    let json = register(url, "shipped-value", &body).await;
    [
        framed(avro, b"\x0e\x10ana@shop"),
        // The second message of the file.
        framed(protobuf, b"\x02\x02\x0a\x03\x08\xfa\x01\x12\x08ana@shop"),
        framed(json, b"{\"id\":7,\"email\":\"ana@shop\"}"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_read_by_the_schemas_of_a_real_registry() {
    let (mut registry, _dir) = tokio::task::spawn_blocking(started).await.unwrap();
    let records = registered(&registry.url()).await;
    let (kafka, topic) = (kafka(), unique("registered"));
    kafka.create_topic(&topic, 1).await;
    kafka.produce(&topic, 0, records.iter()).await;
    kafka.produce(&topic, 0, [framed(999_999, b"\xff\x01abc")]).await;

    let config = [
        cluster("shop", "observe", kafka.bootstrap()),
        format!("schema_registry = {{ url = {:?}, bearer = \"not-needed-here\" }}\n", registry.url()),
        "[[clusters.shop.masks]]\npaths = [\"by.email\", \"email\"]\n".to_owned(),
    ]
    .concat();
    let mut server = Server::start(&config).await;
    let path = format!("/clusters/shop/topics/{topic}/messages?from=earliest");
    let view = server
        .json_when(&["/api/v1", &path].concat(), "its records", |view| view["records"][3].is_object())
        .await;
    let shown = |place: usize| {
        let value = &view["records"][place]["value"];
        (value["text"].as_str().unwrap().to_owned(), value["decoder"].as_str().unwrap().to_owned())
    };
    for (place, json, decoder) in [
        (0, json!({ "id": 7, "by": { "email": "***" } }), "Avro shop.Order · schema id "),
        (1, json!({ "price": { "cents": 250 }, "email": "***" }), "Protobuf shop.Paid · schema id "),
        (2, json!({ "id": 7, "email": "***" }), "JSON Schema Shipped · schema id "),
    ] {
        let (text, label) = shown(place);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json);
        assert!(label.starts_with(decoder), "{label}");
    }
    let unknown = &view["records"][3]["value"]["problem"];
    assert!(
        unknown["why"].as_str().unwrap().contains("schema id 999999 is not in the registry"),
        "{unknown}"
    );

    // What was decoded is what is searched; what is masked is no hit.
    let hits = async |condition: &str| {
        let found = server.api(&format!("{path}&{condition}")).await;
        found["records"].as_array().expect("records").len()
    };
    assert_eq!(hits("path=%24.price.cents%20%3D%3D%20250").await, 1);
    assert_eq!(hits("text=ana%40shop").await, 0);

    // An id that is known needs no registry; another one is told of.
    registry.stop();
    let again = server.api(&path).await;
    assert_eq!(again["records"][0]["value"], view["records"][0]["value"]);
    kafka.produce(&topic, 0, [framed(777_777, b"\xff\x01abc")]).await;
    let away = server.api(&path).await;
    let why = away["records"][4]["value"]["problem"]["why"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("schema id 777777 could not be read from the registry of shop"), "{away}");
    assert!(!server.process.log().contains("not-needed-here"), "a secret in the log");
    server.assert_sound();
}
