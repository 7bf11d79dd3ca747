//! `flowdeck.samples`, byte by byte: version 1 is frozen, so these texts never change.

use flowdeck_model::Timestamp;
use flowdeck_protocol::wire::{
    GroupMinute, LONGEST, Minute, MinuteEvent, MinuteEventKind, SampleRecord, minute_records, read_sample,
};
use flowdeck_protocol::{Headers, Malformed, NAME_MAX};

const AT: i64 = 1_795_270_080_000;

fn version_1() -> Headers<'static> {
    [("Flowdeck-Version", &b"1"[..])].into_iter().collect()
}

fn quiet(group: &str) -> GroupMinute {
    GroupMinute {
        group: group.into(),
        lag: None,
        time_lag_millis: None,
        input_milli: None,
        output_milli: None,
        events: vec![],
    }
}

fn event(second: u8, what: MinuteEventKind) -> MinuteEvent {
    MinuteEvent { second, what }
}

fn payments() -> GroupMinute {
    GroupMinute {
        lag: Some(4_102),
        time_lag_millis: Some(61_000),
        input_milli: Some(1_500),
        output_milli: Some(0),
        events: vec![event(7, MinuteEventKind::Rebalance), event(59, MinuteEventKind::Rebalance)],
        ..quiet("pay\"ments 🦀")
    }
}

fn minute(groups: Vec<GroupMinute>) -> Minute {
    Minute { at: Timestamp::from_millis(AT), groups }
}

fn read(value: &str) -> SampleRecord {
    read_sample(&version_1(), Some(value.as_bytes()))
}

#[test]
fn a_minute_is_these_bytes() {
    let whole = minute(vec![payments(), quiet("idle")]);
    let records = minute_records(&whole);
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.key, b"1795270080000");
    assert_eq!(record.headers, [("Flowdeck-Version".to_owned(), b"1".to_vec())]);
    let value = String::from_utf8(record.value.clone().unwrap()).unwrap();
    assert_eq!(
        value,
        concat!(
            r#"{"type":"minute","at":1795270080000,"groups":["#,
            r#"["pay\"ments 🦀",4102,61000,1500,0,[[7,"rebalance"],[59,"rebalance"]]],"#,
            r#"["idle",null,null,null,null]]}"#
        )
    );
    assert_eq!(read_sample(&record.headers(), record.value.as_deref()), SampleRecord::Minute(whole));
}

#[test]
fn many_groups_take_several_records_that_are_all_read() {
    let groups: Vec<_> = (0..10_000)
        .map(|n| GroupMinute { group: format!("prod-eu.orders.consumer-group-{n:06}").into(), ..payments() })
        .collect();
    let mut read = Vec::new();
    let records = minute_records(&minute(groups.clone()));
    for record in &records {
        assert!(record.value.as_ref().unwrap().len() <= LONGEST);
        let SampleRecord::Minute(part) = read_sample(&record.headers(), record.value.as_deref()) else {
            panic!("not a minute");
        };
        assert_eq!(part.at.millis(), AT);
        read.extend(part.groups);
    }
    assert_eq!(read, groups);
    assert!((2..20).contains(&records.len()), "{} records", records.len());
    assert!(minute_records(&minute(vec![])).is_empty(), "a minute of which nothing is known is not written");
}

#[test]
fn the_longest_names_are_read_and_longer_ones_are_not_written() {
    let escaped = quiet(&"\u{1}".repeat(NAME_MAX));
    let records = minute_records(&minute(vec![quiet(&"x".repeat(NAME_MAX + 1)), escaped.clone()]));
    let read: Vec<_> = records.iter().map(|one| read_sample(&one.headers(), one.value.as_deref())).collect();
    assert_eq!(read, [SampleRecord::Minute(minute(vec![escaped]))]);
}

#[test]
fn what_happened_in_a_minute_is_these_bytes() {
    let events = vec![
        event(0, MinuteEventKind::Deployment("Deployment of \"w\": version 1.4.2".to_owned())),
        event(2, MinuteEventKind::FailedCalls(12)),
        event(3, MinuteEventKind::Change("Topic t was deleted".to_owned())),
        event(3, MinuteEventKind::Rebalance),
    ];
    let whole = minute(vec![GroupMinute { events, ..quiet("g") }]);
    let records = minute_records(&whole);
    let value = String::from_utf8(records[0].value.clone().unwrap()).unwrap();
    assert_eq!(
        value,
        concat!(
            r#"{"type":"minute","at":1795270080000,"groups":[["g",null,null,null,null,["#,
            r#"[0,"deployment","Deployment of \"w\": version 1.4.2"],[2,"failedCalls",12],"#,
            r#"[3,"change","Topic t was deleted"],[3,"rebalance"]]]]}"#
        )
    );
    assert_eq!(read_sample(&records[0].headers(), records[0].value.as_deref()), SampleRecord::Minute(whole));
    let long = minute(vec![GroupMinute {
        events: vec![event(1, MinuteEventKind::Change("\u{1}".repeat(500))); 30],
        ..quiet(&"\u{1}".repeat(NAME_MAX))
    }]);
    let [record] = &minute_records(&long)[..] else { panic!("more than one record") };
    let SampleRecord::Minute(read) = read_sample(&record.headers(), record.value.as_deref()) else {
        panic!("the longest is not read")
    };
    let MinuteEventKind::Change(words) = &read.groups[0].events[19].what else { panic!("no words") };
    assert_eq!((read.groups[0].events.len(), words.len()), (20, 400));
}

#[test]
fn what_later_versions_add_is_passed_over() {
    let more = r#"{"type":"minute","at":1795270080000,"more":1,"groups":
        [["idle",null,null,null,null,[[3,"storm","x"],[3,"change"],[60,"rebalance"],[7,"rebalance",1]],{"more":2}]]}"#;
    let want = GroupMinute { events: vec![event(7, MinuteEventKind::Rebalance)], ..quiet("idle") };
    assert_eq!(read(more), SampleRecord::Minute(minute(vec![want])));
    assert_eq!(read(r#"{"type":"hour","at":1}"#), SampleRecord::UnknownType);
    for headers in [vec![], vec![("Flowdeck-Version", &b"2"[..])]] {
        assert_eq!(read_sample(&headers.into_iter().collect(), Some(b"{}")), SampleRecord::NewerVersion);
    }
}

#[test]
fn what_is_malformed_is_named() {
    let long = format!(r#"{{"type":"minute","at":0,"groups":[["{}",1,1,1,1]]}}"#, "x".repeat(NAME_MAX + 1));
    for (value, want) in [
        ("", Malformed::ValueJson),
        ("[]", Malformed::ValueJson),
        (r#"{"type":"minute"}"#, Malformed::ValueJson),
        (r#"{"type":"minute","at":0,"groups":[["x",1,1,1]]}"#, Malformed::ValueJson),
        (r#"{"type":"minute","at":0,"groups":[["x",-1,1,1,1]]}"#, Malformed::ValueJson),
        (r#"{"type":"minute","at":0,"groups":[{"x":1}]}"#, Malformed::ValueJson),
        (r#"{"type":"minute","at":1,"groups":[]}"#, Malformed::Minute),
        (r#"{"type":"minute","at":-60000,"groups":[]}"#, Malformed::Minute),
        (r#"{"type":"minute","at":9000000000000000,"groups":[]}"#, Malformed::Minute),
        (&long, Malformed::NameTooLong("group")),
        (&" ".repeat(LONGEST + 1), Malformed::TooLong),
    ] {
        assert_eq!(read(value), SampleRecord::Malformed(want), "{}", &value[..value.len().min(80)]);
    }
    assert_eq!(read_sample(&version_1(), None), SampleRecord::Malformed(Malformed::NoValue));
}
