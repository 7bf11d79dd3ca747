//! A registry that fails: said with the schema's id and what to do, the bytes shown, nothing asked too often, and no secret
//! told.

use std::time::{Duration, Instant};

use flowdeck_payload::{Decoded, Kind};
use flowdeck_registry::{Credentials, Registry, RegistrySettings};
use serde_json::json;

use crate::fake_registry::{Answer, FakeRegistry, shown};

fn framed(id: u32, body: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], body].concat()
}

fn registry(fake: &FakeRegistry) -> Registry {
    Registry::new("demo", &RegistrySettings::new(&fake.url).unwrap())
}

fn schema(text: &str) -> Answer {
    Some((200, json!({ "schema": text }).to_string()))
}

fn why(decoded: &Decoded) -> &str {
    &decoded.problem.as_ref().expect("a problem").why
}

#[test]
fn a_failure_says_what_which_and_what_to_do_and_shows_the_bytes() {
    let cases: [(Answer, &[&str]); 9] = [
        (Some((404, "{}".to_owned())), &["schema id 7 is not in the registry of demo", "another registry"]),
        (Some((401, String::new())), &["schema id 7 is not given out", "401", "credentials"]),
        (Some((403, String::new())), &["403", "may read schemas"]),
        (Some((500, String::new())), &["schema id 7 could not be read", "it answers 500", "tried again"]),
        (Some((302, String::new())), &["it answers 302"]),
        (Some((200, "<html>".to_owned())), &["schema id 7", "no schema", "url"]),
        (Some((200, "x".repeat(2 << 20))), &["schema id 7", "larger than 1024 KiB"]),
        (schema("{\"type\":\"recor\"}"), &["schema id 7", "cannot be used", "there is no type recor"]),
        (
            Some((200, json!({ "schema": "", "schemaType": "XML" }).to_string())),
            &["schema id 7", "of the type XML", "choose a decoder"],
        ),
    ];
    for (answer, words) in cases {
        let fake = FakeRegistry::start(move |_| answer.clone());
        let registry = registry(&fake);
        for decoder in ["auto", "registry", "auto"] {
            let decoded = shown(&registry, &framed(7, b"\xffabc\x01"), decoder);
            assert_eq!((decoded.kind, decoded.text.as_str()), (Kind::Binary, "0000000007ff61626301"));
            assert_eq!(decoded.problem.as_ref().unwrap().decoder, "Schema registry");
            let why = why(&decoded);
            assert!(words.iter().all(|word| why.contains(word)), "{words:?}: {why}");
        }
        assert_eq!(fake.asked().len(), 1, "{words:?}");
    }
}

#[test]
fn bytes_that_do_not_fit_their_schema_are_shown_with_the_place() {
    let fake = FakeRegistry::start(|_| {
        schema(r#"{"type":"record","name":"A","fields":[{"name":"a","type":"string"}]}"#)
    });
    let registry = registry(&fake);
    let decoded = shown(&registry, &framed(7, b"\x0aabc"), "auto");
    assert_eq!(decoded.kind, Kind::Binary);
    let problem = decoded.problem.unwrap();
    assert_eq!((problem.decoder.as_str(), problem.at), ("Avro A · schema id 7", Some(6)));
    let unframed = shown(&registry, b"abc", "registry");
    assert!(why(&unframed).contains("does not begin with a zero"));
}

/// A number in eight bytes looks like a record with a schema.
#[test]
fn what_only_looks_framed_is_shown_as_before() {
    let fake = FakeRegistry::start(|_| Some((404, "{}".to_owned())));
    let registry = registry(&fake);
    let number = shown(&registry, &1_795_270_137_123_i64.to_be_bytes(), "auto");
    assert_eq!((number.kind, number.problem), (Kind::Binary, None));
    let json = shown(&registry, b"{\"a\":1}", "auto");
    assert_eq!((json.kind, json.decoder.as_str()), (Kind::Json, "JSON"));
    assert_eq!(fake.asked().len(), 1);
}

#[test]
fn one_that_does_not_answer_costs_one_deadline_and_then_nothing() {
    let fake = FakeRegistry::start(|_| None);
    let registry = registry(&fake);
    let began = Instant::now();
    for id in 1..500 {
        let decoded = shown(&registry, &framed(id, b"\xffabc\x01"), "auto");
        assert!(why(&decoded).contains("did not answer in time"), "{}", why(&decoded));
    }
    assert_eq!(fake.asked().len(), 1);
    // One deadline of 3 s; without the pause after it there were 499.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn very_many_ids_are_not_all_asked_for() {
    let fake = FakeRegistry::start(|_| Some((404, "{}".to_owned())));
    let registry = registry(&fake);
    for id in 1..=5_000 {
        let decoded = shown(&registry, &framed(id, b"\xffabc\x01"), "auto");
        assert_eq!(decoded.kind, Kind::Binary);
    }
    let last = shown(&registry, &framed(6_000, b"\xffabc\x01"), "auto");
    // Slow machines take longer than one window of 10 s; 200 are asked for in each.
    let asked = fake.asked().len();
    assert!(asked < 5_000, "{asked}");
    assert!(why(&last).contains("schema id 6000"), "{}", why(&last));
}

#[test]
fn credentials_are_sent_to_the_registry_and_told_to_nobody() {
    for (credentials, header) in [
        (
            Credentials::Basic { username: "ana".to_owned(), password: "hunter2".to_owned() },
            "authorization: Basic YW5hOmh1bnRlcjI=",
        ),
        (Credentials::Bearer("hunter2".to_owned()), "authorization: Bearer hunter2"),
    ] {
        let fake = FakeRegistry::start(|path| match path {
            "/base/schemas/ids/1" => schema("\"string\""),
            _ => Some((403, "hunter2".to_owned())),
        });
        let settings = RegistrySettings::new(&[&fake.url, "/base/"].concat()).unwrap();
        let settings = settings.with_credentials(Some(credentials)).unwrap();
        let registry = Registry::new("demo", &settings);
        assert_eq!(shown(&registry, &framed(1, b"\x06abc"), "auto").text, "\"abc\"");
        let refused = shown(&registry, &framed(2, b"\xffabc\x01"), "auto");
        assert!(!format!("{refused:?} {registry:?} {settings:?}").contains("hunter2"));
        assert!(fake.asked().iter().all(|asked| asked.contains(header)), "{:?}", fake.asked());
    }
}

#[test]
fn a_reference_that_is_missing_is_named() {
    let fake = FakeRegistry::start(|path| match path {
        "/schemas/ids/7" => {
            let references = json!([{ "name": "a.proto", "subject": "a/b ?", "version": 3 }]);
            let body = json!({ "schema": "syntax = \"proto3\";", "schemaType": "PROTOBUF", "references": references });
            Some((200, body.to_string()))
        }
        _ => Some((404, "{}".to_owned())),
    });
    let decoded = shown(&registry(&fake), &framed(7, b"\0\x08\x01"), "auto");
    let why = why(&decoded);
    assert!(why.contains("version 3 of a/b ?, to which schema id 7 refers, is not in the registry"), "{why}");
    assert!(fake.asked()[1].starts_with("GET /subjects/a%2Fb%20%3F/versions/3 "), "{:?}", fake.asked());
}

#[test]
fn what_is_hostile_in_a_schema_ends() {
    let deep = "message A {".repeat(100_000);
    let many = format!("syntax = \"proto3\"; {}", "message A { } ".repeat(20_000));
    for text in
        [deep.as_str(), &many, "import \"flowdeck/registered/schema.proto\";", "import \"x.proto\";", "\u{0}"]
    {
        let body = json!({ "schema": text, "schemaType": "PROTOBUF" }).to_string();
        let fake = FakeRegistry::start(move |_| Some((200, body.clone())));
        let decoded = shown(&registry(&fake), &framed(7, b"\0\x08\x01"), "registry");
        assert_eq!(decoded.kind, Kind::Binary);
        assert!(why(&decoded).contains("schema id 7 of the registry of demo"), "{}", why(&decoded));
        assert!(why(&decoded).len() < 1_000, "{}", why(&decoded).len());
    }
}
