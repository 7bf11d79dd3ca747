//! Hostile records, and what bytes are taken for.

use std::io::Write as _;

use proptest::prelude::*;

use crate::{Choices, Decoded, Kind, NamedSchema, Part, Schema, Source, decode};

const VALUE: Source<'static> =
    Source { topic: "orders", part: Part::Value, key: None, headers: &[], schemas: None };

fn shown(bytes: &[u8], decoder: &str, shown: usize) -> Decoded {
    let decoder = choices().parse(decoder).unwrap();
    decode(&VALUE, Some(bytes), bytes.len(), &decoder, shown)
}

fn choices() -> Choices {
    let avro = |json| Schema::avro(json).unwrap();
    let schemas = [
        ("nulls", avro(r#"{"type":"array","items":"null"}"#)),
        ("self", avro(r#"{"type":"record","name":"A","fields":[{"name":"a","type":"A"}]}"#)),
        ("text", avro(r#""string""#)),
        ("order", Schema::protobuf(include_bytes!("../tests/golden/shop.desc"), "shop.Order").unwrap()),
    ];
    Choices::new(schemas.map(|(name, schema)| NamedSchema { name: name.to_owned(), schema }).into())
}

/// The decoder that failed, the byte and why.
fn problem(decoded: &Decoded) -> (String, Option<usize>, String) {
    let problem = decoded.problem.clone().expect("a problem");
    (problem.decoder, problem.at, problem.why)
}

#[test]
fn what_ends_within_a_key_says_so() {
    for (bytes, decoder) in [(&b"\x81\xa6abcdef\x01"[..], "messagepack"), (b"\xa1\x66abcdef\x01", "cbor")] {
        for most in 0..12 {
            assert!(shown(bytes, decoder, most).cut, "{decoder} in {most}");
        }
        assert!(!shown(bytes, decoder, 12).cut, "{decoder}");
    }
}

#[test]
fn what_a_payload_is() {
    use Kind::*;
    for (bytes, kind, text) in [
        (&b"{\"a\":1}"[..], Json, "{\"a\":1}"),
        (b" [1, 2]", Json, " [1, 2]"),
        (b"{\"a\":", Text, "{\"a\":"),
        (b"[INFO] started", Text, "[INFO] started"),
        (b"42", Text, "42"),
        ("gr\u{fc}n".as_bytes(), Text, "gr\u{fc}n"),
        (b"", Text, ""),
        (b"\x00\x01", Binary, "0001"),
        (b"\x1b[31mred\x1b[0m", Text, "\x1b[31mred\x1b[0m"),
        (b"\0\0\0\0\x07order", Binary, "00000000076f72646572"),
        (b"\xff\xfe", Binary, "fffe"),
        (b"\xff\xfe\x00\xc3(\xf0(\x8c\xbc", Binary, "fffe00c328f0288cbc"),
        (b"Stra\xdfe 7, M\xfcnchen, caf\xe9", Text, "Stra\\xdfe 7, M\\xfcnchen, caf\\xe9"),
        (b"{\"name\": \"caf\xe9\"}", Text, "{\"name\": \"caf\\xe9\"}"),
        (b"\x82\xa1a\x01\xa1b\x02", Json, "{\"a\":1,\"b\":2}"),
        (b"\xa1\x61a\x82\x01\x02", Json, "{\"a\":[1,2]}"),
    ] {
        let shown = shown(bytes, "auto", 512);
        assert_eq!((shown.kind, shown.text.as_str(), shown.cut), (kind, text, false));
    }
    let none = decode(&VALUE, None, 0, &Default::default(), 512);
    assert_eq!(none.kind, Kind::Null);
}

#[test]
fn failure_names_its_byte() {
    for (bytes, decoder, at, why) in [
        (&b"{\"a\":1,}"[..], "json", 7, "key must be"),
        (b"{\n \"a\": nope}", "json", 9, "expected"),
        (b"{\"a\":", "json", 5, "end in the middle"),
        (b"\x82\xa1a\x01", "messagepack", 4, "end in the middle"),
        (b"\x91\xc1", "messagepack", 1, "0xc1"),
        (b"\x01\x02", "messagepack", 1, "1 bytes follow"),
        (b"\x91\xa2a\xff", "messagepack", 3, "not UTF-8"),
        (b"\x81\x1c", "cbor", 1, "a length of a kind"),
        (b"\xff", "cbor", 0, "a break"),
        (b"\x08\x01\x0f", "protobuf", 2, "wire type 7"),
        (b"\x0a\x05ab", "protobuf", 2, "end in the middle"),
        (b"\x00\x00\x07", "int", 3, "int has 4 bytes, and here are 3"),
        (b"\x04a", "schema:text", 1, "end in the middle"),
        (b"\x01", "schema:text", 0, "a length of -1"),
        (b"\x08\x01\x10\x02\x1a\x05x", "schema:order", 6, "end in the middle"),
        (b"\x10\x02", "schema:order", 0, "invalid wire type"),
        (b"a\x81\xff", "text:shift_jis", 1, "not Shift_JIS"),
    ] {
        let shown = shown(bytes, decoder, 512);
        let (_, byte, text) = problem(&shown);
        assert_eq!(byte, Some(at), "{decoder}: {text}");
        assert!(text.contains(why), "{decoder}: {text}");
        // The bytes are there to be looked at.
        assert!(shown.kind == Kind::Binary || decoder == "json", "{decoder}");
    }
}

#[test]
fn zip_bombs_end_at_the_bound() {
    let zeros = vec![0u8; 32 * 1024 * 1024];
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    gzip.write_all(&zeros).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut twice = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    twice.write_all(&gzip).unwrap();
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(vec![]);
    lz4.write_all(&zeros).unwrap();
    let mut framed = snap::write::FrameEncoder::new(vec![]);
    framed.write_all(&zeros).unwrap();
    let zstd = zstd::bulk::compress(&zeros, 3).unwrap();
    let all = [gzip, twice.finish().unwrap(), lz4.finish().unwrap(), framed.into_inner().unwrap(), zstd];
    for bomb in all {
        let shown = shown(&bomb, "auto", 512);
        assert!(shown.cut && shown.text.len() <= 512, "{}", shown.decoder);
        assert_eq!(shown.problem, None, "{}", shown.decoder);
    }
    let block = snap::raw::Encoder::new().compress_vec(&zeros).unwrap();
    let (_, at, why) = problem(&shown(&block, "snappy", 512));
    assert!(at == Some(0) && why.contains("33554432"), "{why}");
}

#[test]
fn compressed_nonsense_says_so() {
    for bytes in [
        &b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff"[..],
        b"\x28\xb5\x2f\xfd\xff\xff",
        b"\x04\x22\x4d\x18\xff\xff\xff",
    ] {
        let shown = shown(bytes, "auto", 512);
        assert_eq!(shown.kind, Kind::Binary);
        assert!(["gzip", "zstd", "LZ4"].contains(&problem(&shown).0.as_str()));
    }
    // A window of a gigabyte is refused before it is allocated.
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0x00, 0x00];
    assert_eq!(problem(&shown(&window, "auto", 512)).0, "zstd");
}

#[test]
fn nesting_has_a_bound() {
    let deep = 100_000;
    for (bytes, decoder) in [
        (vec![0x91; deep], "messagepack"),
        (vec![0x81; deep], "cbor"),
        (vec![0xc1; deep], "cbor"),
        (vec![0x9f; deep], "cbor"),
        (vec![0x0b; deep], "protobuf"),
        (vec![0; 5], "schema:self"),
    ] {
        let shown = shown(&bytes, decoder, 1 << 20);
        assert!(shown.problem.is_some(), "{decoder}");
    }
    let open = "[".repeat(deep);
    assert_eq!(shown(open.as_bytes(), "auto", 512).kind, Kind::Text);
    let whole = [open, "]".repeat(deep)].concat();
    assert_eq!(shown(whole.as_bytes(), "auto", 512).kind, Kind::Json);
    // Messages in messages: what is too deep is bytes.
    let mut message = vec![0x08, 0x01];
    for _ in 0..60 {
        message = [&[0x0a, message.len() as u8][..], &message].concat();
    }
    assert_eq!(shown(&message, "protobuf", 1 << 20).kind, Kind::Json);
}

#[test]
fn counts_that_no_bytes_back_cost_nothing() {
    let many_nulls = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let shown_nulls = shown(&many_nulls, "schema:nulls", 512);
    assert!(shown_nulls.cut && shown_nulls.text.len() <= 512);
    for (bytes, decoder) in [
        (&[0xdd, 0xff, 0xff, 0xff, 0xff][..], "messagepack"),
        (&[0xc6, 0xff, 0xff, 0xff, 0xff], "messagepack"),
        (&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "cbor"),
        (&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "cbor"),
        (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], "protobuf"),
        (&many_nulls, "schema:text"),
    ] {
        assert_eq!(shown(bytes, decoder, 512).kind, Kind::Binary, "{decoder}");
    }
}

#[test]
fn html_and_terminal_escapes_stay_data() {
    let hostile = "<script>alert(1)</script>\x1b[2J";
    let message_pack = [&[0x81, 0xa1, b'k', 0xd9, hostile.len() as u8][..], hostile.as_bytes()].concat();
    let shown = shown(&message_pack, "auto", 512);
    assert_eq!(shown.text, "{\"k\":\"<script>alert(1)</script>\\u001b[2J\"}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shown.text).unwrap()["k"], hostile);
}

#[test]
fn a_schema_that_does_not_fit_is_said_with_its_id() {
    let (decoder, ..) = problem(&shown(b"\0\0\0\0\x07\x01\xff", "schema:text", 512));
    assert_eq!(decoder, "Avro by text, in the frame of schema id 7");
    let hint = shown(b"\0\0\0\0\x07\x04\xff\xff\xff", "auto", 512);
    assert!(problem(&hint).2.contains("schema id 7"));
    assert_eq!(shown(&7i64.to_be_bytes(), "auto", 512).problem, None);
    for (schema, why) in [
        ("{", "no JSON"),
        ("\"nothing\"", "no type nothing"),
        ("{\"type\":\"enum\",\"name\":\"E\"}", "symbols"),
    ] {
        assert!(Schema::avro(schema).unwrap_err().to_string().contains(why), "{schema}");
    }
    let many = format!("[{}\"null\"]", "\"null\",".repeat(30_000));
    assert!(Schema::avro(&many).is_err());
    assert!(Schema::protobuf(b"\xff", "x").is_err());
}

#[test]
fn headers_say_what_a_value_is() {
    let of = |headers: &[(&str, Option<&[u8]>)], bytes: &[u8]| {
        let source = Source { headers, ..VALUE };
        decode(&source, Some(bytes), bytes.len(), &Default::default(), 512)
    };
    let event = br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{}}"#;
    assert_eq!(of(&[], event).decoder, "CloudEvents 1.0 (structured)");
    let kind = [("content-type", Some(&b"application/cloudevents+json; charset=UTF-8"[..]))];
    let incomplete = of(&kind, br#"{"specversion":"1.0","id":"1"}"#);
    assert_eq!(problem(&incomplete).2, "required attributes are missing: source, type");
    let binary = [
        ("ce_specversion", Some(&b"1.0"[..])),
        ("ce_id", Some(b"1")),
        ("ce_source", Some(b"/s")),
        ("ce_type", Some(b"t")),
    ];
    let shown = of(&binary, b"{\"a\":1}");
    assert_eq!((shown.decoder.as_str(), shown.problem), ("CloudEvents 1.0 (binary) · JSON", None));
    let kafkaflow =
        [("Message-Type", Some(&b"KafkaFlow.Admin.Messages.PauseConsumerByName, KafkaFlow.Admin"[..]))];
    let shown = of(&kafkaflow, b"\x0a\x05audio\x12\x06orders");
    assert_eq!(shown.text, r#"{"consumerName":"audio","topics":"orders"}"#);
    assert!(shown.decoder.ends_with("KafkaFlow.Admin.Messages.PauseConsumerByName"), "{}", shown.decoder);
    let own = of(&[("Message-Type", Some(b"Shop.Order, Shop"))], b"\x08\x96\x01\x12\x02\xff\x01");
    assert_eq!(
        (own.text.as_str(), own.decoder.as_str()),
        (r#"{"1":150,"2":"0xff01"}"#, "Protobuf (fields by number) · Shop.Order")
    );
}

#[test]
fn long_ones_are_cut_between_characters() {
    let text = "\u{1f980}".repeat(200);
    let cut = shown(text.as_bytes(), "auto", 511);
    assert_eq!((cut.text.chars().count(), cut.cut), (127, true));
    // Only the beginning was read, and its last character is torn.
    let begun = decode(&VALUE, Some(&text.as_bytes()[..6]), text.len(), &Default::default(), 512);
    assert_eq!((begun.kind, begun.text.as_str(), begun.cut), (Kind::Text, "\u{1f980}", true));
}

#[test]
fn bytes_that_are_not_utf8_are_counted() {
    for (bytes, size, most, text, cut, count) in [
        (&b"a text with \xe2\x82 and \xff"[..], 20, 512, "a text with \\xe2\\x82 and \\xff", false, 3),
        // No escape is torn.
        (b"a text\xff with more of it", 23, 9, "a text", true, 1),
        (b"a text\xff with more of it", 23, 10, "a text\\xff", true, 1),
        // Only the beginning was read: its last character is torn, and not bad.
        (b"a text\xff with a euro: \xe2\x82", 99, 512, "a text\\xff with a euro: ", true, 1),
    ] {
        let view = decode(&VALUE, Some(bytes), size, &Default::default(), most);
        assert_eq!(view.kind, Kind::Text);
        assert_eq!((view.text.as_str(), view.cut, view.not_utf8), (text, cut, count));
    }
}

#[test]
fn decoders_are_chosen_by_name() {
    let choices = choices();
    for name in choices.names() {
        assert!(choices.parse(&name).is_ok(), "{name}");
    }
    for (name, why) in
        [("yaml", "one of auto, json"), ("text:klingon", "no encoding"), ("schema:none", "schema:order")]
    {
        assert!(choices.parse(name).unwrap_err().contains(why), "{name}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), more in 0usize..1_000, most in 0usize..600, decoder in 0..18usize) {
        let choices = choices();
        let names = choices.names();
        let decoder = choices.parse(&names[decoder.min(names.len() - 1)]).unwrap();
        let view = decode(&VALUE, Some(&bytes), bytes.len() + more, &decoder, most);
        prop_assert!(view.text.len() <= most.max(64), "{}", view.text.len());
    }

    #[test]
    fn no_record_of_consumer_offsets_panics(key in prop::collection::vec(any::<u8>(), 0..40), bytes in prop::collection::vec(0u8..4, 0..200)) {
        let source = Source { topic: "__consumer_offsets", part: Part::Value, key: Some(&key), headers: &[], schemas: None };
        let key_source = Source { part: Part::Key, ..source };
        decode(&source, Some(&bytes), bytes.len(), &Default::default(), 300);
        decode(&key_source, Some(&key), key.len(), &Default::default(), 300);
    }
}

mod masking {
    use super::*;
    use crate::{How, Mask, show};

    fn mask() -> Mask {
        Mask::usual()
            .with_path("customer.email".parse().unwrap())
            .with_path("$.items[*].*.card".parse().unwrap())
            .with_header("X-User")
            .with_pattern(regex::Regex::new(r"\b\d{16}\b").unwrap())
    }

    fn masked(bytes: &[u8], how: &How, mask: &Mask, most: usize) -> (String, usize) {
        let shown = show(&VALUE, Some(bytes), bytes.len(), how, mask, most);
        (shown.decoded.text, shown.masked)
    }

    fn text(json: &str) -> String {
        masked(json.as_bytes(), &How::default(), &mask(), 1 << 20).0
    }

    #[test]
    fn values_are_masked_by_path_name_and_pattern() {
        for (json, want) in [
            (r#"{"customer":{"email":"a@b","id":1.50}}"#, r#"{"customer":{"email":"***","id":1.50}}"#),
            (r#"{"email":"a@b"}"#, r#"{"email":"a@b"}"#),
            (
                r#"{"items":[{"x":{"card":[1,{"a":2}]}},{"y":{"card":7}}]}"#,
                r#"{"items":[{"x":{"card":"***"}},{"y":{"card":"***"}}]}"#,
            ),
            (r#"{"userPassword" : "x", "b" :2}"#, r#"{"userPassword" : "***", "b" :2}"#),
            (
                r#"{"pass\u0077ord":{"deep":[1]},"API_KEY":null}"#,
                r#"{"pass\u0077ord":"***","API_KEY":"***"}"#,
            ),
            (r#"[{"Token":true},"of 4111111111111111."]"#, r#"[{"Token":"***"},"of ***."]"#),
            (r#"{"n":4111111111111111}"#, r#"{"n":"***"}"#),
            (
                r#"{"body":"{\"password\": \"x1\", \"a\": 1}"}"#,
                r#"{"body":"{\"password\": \"***\", \"a\": 1}"}"#,
            ),
            // Doubled, cut and broken.
            (r#"{"token":"a","token":"b"}"#, r#"{"token":"***","token":"***"}"#),
            (r#"{"a":1,"token":"half of a sec"#, r#"{"a":1,"token":"***""#),
            (r#"{"a":}, "password":x y}"#, r#"{"a":}, "password":*** y}"#),
            ("login password=hunter2 ok", "login password=*** ok"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
            ("nothing here", "nothing here"),
        ] {
            let mask = if json.starts_with(['{', '[']) { mask() } else { Mask::usual() };
            assert_eq!(masked(json.as_bytes(), &How::default(), &mask, 1 << 20).0, want, "{json}");
        }
        assert!(mask().hides_header("x-user") && mask().hides_header("Authorization"));
        assert!(!mask().hides_header("trace") && !Mask::none().hides_header("Authorization"));
    }

    #[test]
    fn no_decoder_shows_what_is_masked() {
        let choices = choices();
        let secret = b"\x81\xa8password\xa7hunter2";
        for name in choices.names() {
            let how = How { chosen: Some(choices.parse(&name).unwrap()), ..How::default() };
            let (text, count) = masked(secret, &how, &Mask::usual(), 512);
            assert_eq!((text.as_str(), count), (r#"{"password":"***"}"#, 1), "{name}");
        }
        // Where fields are masked, what is no JSON is not shown at all.
        let hex = How { chosen: Some(choices.parse("hex").unwrap()), ..How::default() };
        for (bytes, how) in
            [(&b"plain text"[..], How::default()), (b"\x00\x01", How::default()), (b"{\"a\":1}", hex)]
        {
            assert_eq!(masked(bytes, &how, &mask(), 512).0, "***");
        }
    }

    #[test]
    fn a_cut_leaves_no_half_of_a_pattern() {
        let text = format!("{{\"a\":\"{} 4111111111111111\"}}", "x".repeat(90));
        for most in 90..130 {
            let (shown, _) = masked(text.as_bytes(), &How::default(), &mask(), most);
            assert!(shown.len() <= most && !shown.contains("4111"), "{shown}");
        }
    }

    #[test]
    fn hostile_json_is_masked_in_linear_time() {
        let deep = "[".repeat(1_000_000);
        assert!(text(&deep).len() <= deep.len() + 8);
        let names = format!("{{{}}}", "\"token\":{\"a\":[".repeat(50_000));
        assert!(text(&names).len() < names.len());
        let quotes = "{\"\\".repeat(200_000);
        text(&quotes);
    }

    proptest! {
        #[test]
        fn no_secret_is_left(before in "[ a-z{}\\[\\]\",:0-9\\\\]{0,40}", secret in "[A-Z]{12}") {
            let json = serde_json::json!({ "before": before, "list": [{ "apiKey": secret.clone() }] }).to_string();
            let shown = text(&json);
            prop_assert!(!shown.contains(&secret));
            prop_assert!(serde_json::from_str::<serde_json::Value>(&shown).is_ok());
        }

        #[test]
        fn no_text_panics(any in "\\PC{0,80}|[\\[\\]{}\",:\\\\ a]{0,80}") {
            text(&any);
        }
    }
}
