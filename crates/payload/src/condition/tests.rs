use proptest::prelude::*;

use super::*;
use crate::decode::{Decoded, Kind};

const ORDER: &str =
    r#"{"id":7,"total":120.5,"items":[{"sku":"red-1","n":2},{"sku":"blue","n":30}],"none":null}"#;

fn decoded(kind: Kind, text: &str) -> Option<Decoded> {
    let (text, decoder) = (text.to_owned(), String::new());
    Some(Decoded { kind, text, cut: false, not_utf8: 0, decoder, problem: None })
}

fn order(value: &str) -> CelRecord<'static> {
    CelRecord {
        key: decoded(Kind::Text, "customer-42"),
        value: decoded(Kind::Json, value),
        headers: vec![("source", Some("shop".to_owned())), ("empty", None)],
        timestamp: Some(1_795_270_137_123),
        partition: 3,
        offset: 86_001,
    }
}

#[test]
fn expressions_judge_records() {
    for (expression, want) in [
        ("value.id == 7 && value.total > 100", true),
        ("value.id == 7.0", true),
        ("value.total < 120", false),
        ("value.items.exists(i, i.sku.startsWith('red'))", true),
        ("value.items.all(i, i.n > 2)", false),
        ("value.items.exists_one(i, i.n > 2)", true),
        ("value.items.filter(i, i.n > 1).size() == 2", true),
        ("value.items[1].sku == 'blue'", true),
        ("value.items.exists(i, [2, 3].exists(n, n == i.n))", true),
        ("key == 'customer-42' && key.matches('^customer-[0-9]+$')", true),
        ("key.contains('43') || headers.source == 'shop'", true),
        ("headers['source'] in ['shop', 'web'] && headers.empty == null", true),
        ("timestamp > timestamp('2026-11-21T00:00:00Z') && timestamp.getFullYear() == 2026", true),
        ("partition == 3 && offset >= 86000", true),
        ("has(value.missing) || value.none != null", false),
        ("has(value.id) ? value.id + 1 == 8 : false", true),
        ("size(value.items) == 2 && type(value.id) == int", true),
    ] {
        let condition = CelCondition::parse(expression).expect(expression);
        let want = if want { Judged::Holds } else { Judged::DoesNot };
        assert_eq!(condition.judge(&order(ORDER)), want, "{expression}");
    }
}

#[test]
fn what_is_no_json_is_a_text_and_a_tombstone_is_null() {
    let text = CelRecord { value: decoded(Kind::Text, "plain words"), ..CelRecord::default() };
    let tombstone = CelRecord { value: decoded(Kind::Null, ""), ..CelRecord::default() };
    let (words, null) =
        (CelCondition::parse("value.contains('words')"), CelCondition::parse("value == null"));
    assert_eq!(words.unwrap().judge(&text), Judged::Holds);
    assert_eq!(null.unwrap().judge(&tombstone), Judged::Holds);
}

#[test]
fn wrong_expressions_are_refused_with_their_place() {
    for (expression, place, part) in [
        ("value.id ==", "line 1, column 12", ""),
        ("value.id = 7", "line 1, column 10", ""),
        ("key ==\n  unknown", "line 2, column 3", "there is no unknown"),
        ("key == 'a' && nothing(1)", "line 1, column 22", "no function nothing"),
        ("key.matches('(')", "line 1, column 13", "no regular expression"),
        ("key.matches(key)", "line 1, column 12", "its pattern"),
        ("value.items.map(i, i.n) == [1]", "line 1, column 16", "map is not available"),
        ("value.a.all(x, x.all(y, y.all(z, z)))", "line 1, column", "too many loops"),
    ] {
        let refused = CelCondition::parse(expression).expect_err(expression);
        assert!(refused.contains(place) && refused.contains(part), "{expression}: {refused}");
    }
    assert!(CelCondition::parse("").is_err() && CelCondition::parse(&"1".repeat(2_000)).is_err());
}

#[test]
fn what_cannot_be_judged_says_why() {
    for (expression, why) in [
        ("value.missing == 1", "No such key: missing"),
        ("value.id + 1", "gives int"),
        ("value.id / 0 == 1", "Division"),
        ("value.id < 'a'", "overload"),
    ] {
        match CelCondition::parse(expression).expect(expression).judge(&order(ORDER)) {
            Judged::Failed(said) => assert!(said.contains(why), "{expression}: {said}"),
            other => panic!("{expression}: {other:?}"),
        }
    }
}

/// The most expensive that is allowed, and that what would take longer is not begun.
#[test]
fn evaluation_has_a_bound() {
    let large = format!("{{\"a\":[{}0],\"s\":\"{}\"}}", "1,".repeat(100_000), "x".repeat(300_000));
    for expression in [
        "value.a.all(x, value.a.all(y, x + y > 0))",
        "value.a.exists(x, value.s.contains(value.s + 'y'))",
        "value.a.all(x, value.a == value.a)",
        "[value.s + value.s].exists(x, [x + x].exists(y, (y + y).contains('y')))",
        "value.a.filter(x, x == 1).size() == 7",
    ] {
        let judged = CelCondition::parse(expression).expect(expression).judge(&order(&large));
        assert_eq!(
            judged,
            Judged::Failed("too large a value for this expression".to_owned()),
            "{expression}"
        );
    }
    let plain =
        CelCondition::parse("value.s.endsWith('x') && value.a.exists(x, x == 0)").expect("an expression");
    assert_ne!(plain.judge(&order(&large)), Judged::DoesNot);
}

#[test]
fn chains_and_nesting_have_a_bound() {
    let deep = |open: &str, close: &str, n: usize| [&open.repeat(n), "1", &close.repeat(n)].concat();
    for expression in [
        deep("(", ")", 480),
        deep("[", "]", 480),
        deep("!", "", 900),
        deep("-", "", 900),
        deep("true?1:", "", 140),
        deep("1+", "", 490),
        format!("value{}", ".a".repeat(490)),
        "f(".repeat(400),
    ] {
        let _ = CelCondition::parse(&expression).map(|condition| condition.judge(&order(ORDER)));
    }
    assert!(CelCondition::parse(&format!("value{}", ".a".repeat(100))).is_err());
}

/// Pieces that mostly do not fit together.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "value",
        "key",
        "headers",
        ".items",
        ".exists(",
        "i",
        ",",
        ")",
        "(",
        "[",
        "]",
        "{",
        "}",
        ":",
        "?",
        "'",
        "\"",
        "\\",
        "==",
        "!=",
        "<",
        "&&",
        "||",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "1",
        "-9223372036854775808",
        "18446744073709551615u",
        "1e999",
        "0x",
        "'a'",
        "b'\\xff'",
        "r'",
        "in",
        "has(",
        ".map(",
        ".filter(",
        "timestamp(",
        "duration('1h')",
        "\u{0}",
        "é",
        "\n",
        "null",
        "true",
        ".",
        "@result",
        "`a`",
        "size(",
        ".all(",
        "matches('",
        "offset",
        "timestamp",
        "int(",
        "string(",
        "//x",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {

    #[test]
    fn no_text_panics(expression in pieces(), other in "\\PC{0,60}") {
        for text in [&expression, &other] {
            if let Ok(condition) = CelCondition::parse(text) {
                let _ = condition.judge(&order(ORDER));
            }
        }
    }
}
