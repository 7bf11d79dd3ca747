//! Search over a topic, and what is masked for a reader.

use flowdeck_model::query::From as Start;
use flowdeck_model::view::{MessagesView, Mode};
use flowdeck_model::{MessagesQuery, Pattern, Permission, PortError};
use flowdeck_observe::{MaskRule, TopicSettings};
use flowdeck_payload::Mask;
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, settings, topic};

fn query(text: &str) -> MessagesQuery {
    MessagesQuery::parse(text, true).unwrap()
}

fn values(view: &MessagesView) -> Vec<&str> {
    view.records.iter().map(|record| record.value.text.as_str()).collect()
}

/// All that a search finds, scan after scan, and how many records it says it scanned.
async fn whole(running: &Running, name: &str, text: &str) -> (Vec<String>, u64) {
    let name = topic(name);
    let (mut found, mut next) = (vec![], Some(text.to_owned()));
    let mut scanned = 0;
    for _ in 0..100 {
        let Some(text) = next.take() else { return (found, scanned) };
        let view = running.ports.peek.messages(&running.cluster, &name, &query(&text)).await.unwrap();
        found.extend(values(&view).into_iter().map(str::to_owned));
        let search = view.search.expect("a search");
        scanned = search.scanned;
        next = search.next;
    }
    panic!("the search does not end");
}

#[tokio::test]
async fn search_finds_in_both_directions_and_goes_on() {
    let kafka = kafka();
    let name = unique("searched");
    kafka.create_topic(&name, 3).await;
    let records = (0..3_000).map(|n| {
        (n % 3, format!("{{\"n\":{n},\"kind\":\"{}\"}}", if n % 1_000 == 7 { "Needle" } else { "hay" }))
    });
    kafka.produce_at(&name, records).await;
    kafka.send(&name, b"needle-key", b"\x81\xa1k\xa6NEEDLE", &[("trace", b"abc")]).await;
    let running = Running::start(settings(Mode::Observe));
    wait_for("the topic", DEADLINE, async || {
        running.ports.peek.messages(&running.cluster, &topic(&name), &query("")).await.ok()
    })
    .await;
    let want = [
        "{\"n\":7,\"kind\":\"Needle\"}",
        "{\"n\":1007,\"kind\":\"Needle\"}",
        "{\"n\":2007,\"kind\":\"Needle\"}",
        "{\"k\":\"NEEDLE\"}",
    ];
    for start in ["from=earliest&", ""] {
        let (mut found, scanned) = whole(&running, &name, &format!("{start}text=needle")).await;
        found.sort();
        let mut want = want.map(str::to_owned).to_vec();
        want.sort();
        assert_eq!((found, scanned), (want, 3_001), "{start}");
        // One hit a scan: the next one goes on behind it, and finds each once.
        let (mut found, _) = whole(&running, &name, &format!("{start}text=needle&limit=1")).await;
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 4, "{start}");
    }
    for (text, count) in [
        ("from=earliest&path=$.n >= 2998", 2),
        ("from=earliest&path=$.k == NEEDLE", 1),
        ("from=earliest&key=NEEDLE-k", 1),
        ("from=earliest&header=trace", 1),
        ("from=earliest&header=trace:abc&text=needle", 1),
        ("from=earliest&header=trace:xyz", 0),
        ("path=$.kind == Needle&text=1007", 1),
        ("from=earliest&cel=has(value.n) %26%26 value.n >= 2998", 2),
        ("from=earliest&cel=key == 'needle-key' %26%26 headers.trace == 'abc'", 1),
        (
            "from=earliest&cel=partition == 1 %26%26 offset < 10 %26%26 timestamp > timestamp('2020-01-01T00:00:00Z')",
            10,
        ),
    ] {
        let encoded = text.replace(' ', "+").replace("==", "%3D%3D").replace(">=", "%3E%3D");
        assert_eq!(whole(&running, &name, &encoded).await.0.len(), count, "{text}");
    }
    let refused = running.ports.peek.messages(&running.cluster, &topic(&name), &query("path=n")).await;
    assert!(matches!(&refused, Err(PortError::Invalid { field, .. }) if field == "path"), "{refused:?}");
    let wrong =
        running.ports.peek.messages(&running.cluster, &topic(&name), &query("cel=value.n+%3D%3D")).await;
    assert!(
        matches!(&wrong, Err(PortError::Invalid { field, problem }) if field == "cel" && problem.contains("column")),
        "{wrong:?}"
    );
    // What an expression cannot be evaluated for is not found, and said.
    let part = query("from=earliest&partition=0&cel=value.k+%3D%3D+1");
    let view = running.ports.peek.messages(&running.cluster, &topic(&name), &part).await.unwrap();
    let note = view.note.unwrap_or_default();
    assert!(view.records.is_empty() && note.contains("No such key: k"), "{note}");
    // A range of times, without a condition.
    let all = whole(&running, &name, "from=2020-01-01&until=2020-01-02").await;
    assert_eq!(all, (vec![], 0));
    running.stop().await;
}

#[tokio::test]
async fn search_is_slowed_down_and_refused_beyond_its_limits() {
    let kafka = kafka();
    let name = unique("limited-search");
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, (0..200).map(|_| "x".repeat(10_000))).await;
    let mut settings = settings(Mode::Observe);
    settings.search.bytes_per_second = 1_000_000;
    settings.search.at_once = 1;
    let running = Running::start(settings);
    let ask = async || {
        let query = query("from=earliest&text=absent");
        running.ports.peek.messages(&running.cluster, &topic(&name), &query).await
    };
    let first = wait_for("the topic", DEADLINE, async || ask().await.ok()).await;
    let search = first.search.expect("a search");
    // A second and a half at a megabyte a second, and what may be read at once before the rate holds.
    assert!(search.next.is_some() && search.bytes <= 1_800_000, "{search:?}");
    let (one, other) = tokio::join!(ask(), ask());
    let refused = [one, other].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert!(matches!(refused[..], [PortError::TooMany { .. }]), "{refused:?}");
    // The reader who leaves ends it: the next one is let in.
    assert!(tokio::time::timeout(std::time::Duration::from_millis(200), ask()).await.is_err());
    wait_for("the next search", DEADLINE, async || ask().await.ok()).await;
    running.stop().await;
}

#[tokio::test]
async fn masked_values_are_neither_shown_nor_found() {
    let kafka = kafka();
    let (name, off) = (unique("masked"), unique("off"));
    kafka.create_topic(&name, 1).await;
    kafka.create_topic(&off, 1).await;
    let value = br#"{"user":{"email":"ana@example.com"},"password":"hunter2","note":"hello"}"#;
    kafka.send(&name, b"k", value, &[("Authorization", b"Bearer abc"), ("trace", b"t-1")]).await;
    let mut settings = settings(Mode::Observe);
    let mask = Mask::none().with_path("user.email".parse().unwrap());
    settings.masks = vec![MaskRule { topics: Pattern::new("masked*"), mask }];
    settings.topics =
        vec![TopicSettings { pattern: Pattern::new("off*"), key: None, value: None, payloads: false }];
    let running = Running::start(settings);
    let reader = running.who_may(&[Permission::View, Permission::ReadPayloads]);
    let ask = async |text: &str| reader.peek.messages(&running.cluster, &topic(&name), &query(text)).await;
    wait_for("the topic", DEADLINE, async || ask("").await.ok()).await;
    let view = ask("").await.unwrap();
    let record = &view.records[0];
    assert_eq!(record.value.text, r#"{"user":{"email":"***"},"password":"***","note":"hello"}"#);
    assert_eq!((record.value.masked, record.headers[0].value.text.as_str()), (2, "***"));
    for other in ["valueDecoder=hex", "valueDecoder=text", "valueDecoder=text:utf-16le"] {
        let view = ask(other).await.unwrap();
        assert_eq!(view.records[0].value.text, record.value.text, "{other}");
    }
    for (text, count) in [
        ("text=hello", 1),
        ("text=hunter2", 0),
        ("text=ana%40", 0),
        ("text=bearer", 0),
        ("text=t-1", 1),
        ("path=$.password+==+hunter2", 0),
        ("cel=value.password+==+'hunter2'", 0),
        ("cel=value.user.email.contains('ana')", 0),
        ("cel=value.note+==+'hello'", 1),
        ("header=authorization:abc", 0),
    ] {
        assert_eq!(ask(&text.replace("==", "%3D%3D")).await.unwrap().records.len(), count, "{text}");
    }
    let refused = ask("unmasked=true").await;
    assert!(
        matches!(refused, Err(PortError::Forbidden { permission: Permission::ReadUnmasked, .. })),
        "{refused:?}"
    );
    let everything = &running.ports.peek;
    let view = everything.messages(&running.cluster, &topic(&name), &query("unmasked=true")).await.unwrap();
    assert_eq!(view.records[0].value.text.as_bytes(), value);
    let refused = wait_for("the other topic", DEADLINE, async || {
        let refused = everything.messages(&running.cluster, &topic(&off), &query("")).await.unwrap_err();
        (!matches!(refused, PortError::NotFound { .. })).then_some(refused)
    })
    .await;
    assert!(matches!(refused, PortError::PayloadsOff { .. }), "{refused}");
    running.stop().await;
}

#[tokio::test]
async fn record_says_which_groups_are_before_and_past_it() {
    let kafka = kafka();
    let (name, group) = (unique("read"), unique("reader"));
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, (0..5).map(|n| n.to_string())).await;
    kafka.commit(&group, &[(&name, 0, 3)]);
    let running = Running::start(settings(Mode::Observe));
    let is_past = async |offset: i64| {
        let asked = MessagesQuery { from: Start::Offset(offset), ..query("partition=0&limit=1&full=true") };
        let view = running.ports.peek.messages(&running.cluster, &topic(&name), &asked).await.ok()?;
        let reader = view.readers.into_iter().find(|one| one.group.as_str() == group)?;
        Some((reader.committed, reader.is_past))
    };
    assert_eq!(wait_for("the group", DEADLINE, async || is_past(2).await).await, (3, true));
    assert_eq!(is_past(3).await, Some((3, false)));
    running.stop().await;
}

#[tokio::test]
async fn topic_is_followed_from_its_end_with_a_limit_and_masks() {
    let kafka = kafka();
    let name = unique("followed");
    kafka.create_topic(&name, 2).await;
    kafka.produce(&name, 0, (0..20).map(|n| format!("old {n}"))).await;
    let running = Running::start(settings(Mode::Observe));
    wait_for("the topic", DEADLINE, async || {
        running.ports.peek.messages(&running.cluster, &topic(&name), &query("")).await.ok()
    })
    .await;
    let open =
        async |text: &str| running.ports.peek.tail(&running.cluster, &topic(&name), &query(text)).await;
    let mut all = open("limit=10").await.unwrap();
    let mut some = open("cel=value.n+%25+2+%3D%3D+1").await.unwrap();
    for tail in [&mut all, &mut some] {
        let first = tail.next().await.unwrap();
        assert_eq!((first.records.len(), first.left_out), (0, 0), "what was there before is not shown");
        assert_eq!(first.position.as_deref(), Some("offsets:20.0"));
    }
    let password = r#"{"n":1,"password":"hunter2"}"#.to_owned();
    kafka.produce(&name, 1, (0..3).map(|n| format!("{{\"n\":{n}}}")).chain([password])).await;
    let came = all.next().await.unwrap();
    let texts = came.records.iter().map(|record| record.value.text.as_str()).collect::<Vec<_>>();
    assert_eq!(texts, ["{\"n\":0}", "{\"n\":1}", "{\"n\":2}", "{\"n\":1,\"password\":\"***\"}"]);
    let odd = some.next().await.unwrap();
    assert_eq!((odd.records.len(), odd.scanned, odd.left_out), (2, 4, 0));
    // More than the limit: the newest are shown, and the others counted.
    kafka.produce(&name, 0, (0..100).map(|n| format!("new {n}"))).await;
    let came = all.next().await.unwrap();
    assert_eq!((came.records.len(), came.left_out), (10, 90));
    assert_eq!(came.records.last().map(|record| record.value.text.as_str()), Some("new 99"));
    assert!(all.next().await.unwrap().records.is_empty());
    // It goes on behind a position.
    let mut again = open("limit=10&from=offsets%3A115.4").await.unwrap();
    let came = again.next().await.unwrap();
    assert_eq!((came.records.len(), came.left_out, came.position.as_deref()), (5, 0, Some("offsets:120.4")));
    for (text, field) in [("from=earliest", "from"), ("until=2030-01-01", "until"), ("cel=value+%3D", "cel")]
    {
        let refused = open(text).await.map(drop);
        assert!(
            matches!(&refused, Err(PortError::Invalid { field: found, .. }) if found == field),
            "{refused:?}"
        );
    }
    let viewer = running.who_may(&[Permission::View]);
    let refused = viewer.peek.tail(&running.cluster, &topic(&name), &query("")).await.map(drop);
    assert!(matches!(refused, Err(PortError::Forbidden { .. })), "{refused:?}");
    running.stop().await;
}
