//! What a search looks for in the decoded text of a record: a text, whatever its case, or a value at a path of JSON.

use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;

use crate::choice::{Choice, Decoder};
use crate::decode::Source;
use crate::unwrap::Compression;
use crate::{consumer_offsets, kafkaflow};

/// Bytes of a text that is looked for, and of a condition.
const LENGTH_MAX: usize = 1_000;

/// A text, whatever its case.
#[derive(Debug, Clone)]
pub struct Needle(Regex);

impl Needle {
    pub fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > LENGTH_MAX {
            return Err(format!("a text of 1 to {LENGTH_MAX} bytes"));
        }
        let built = RegexBuilder::new(&regex::escape(text)).case_insensitive(true).build();
        built.map(Self).map_err(|_| "a shorter text".to_owned())
    }

    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }

    /// False: the decoded text cannot hold it, which saves decoding. `true` where that is not known.
    pub fn may_be_in(&self, source: &Source<'_>, bytes: &[u8], decoder: &Decoder) -> bool {
        let is_verbatim = match decoder.0 {
            Choice::Auto | Choice::Json => true,
            Choice::Text(encoding) => encoding == encoding_rs::UTF_8,
            _ => false,
        };
        let is_special = source.topic == consumer_offsets::TOPIC
            || source.header("content-type").is_some()
            || source.header(kafkaflow::MESSAGE_TYPE).is_some();
        if !is_verbatim || is_special || Compression::of(bytes).is_some() {
            return true;
        }
        // Text that is UTF-8 is shown as it is; everything else is shown as something else.
        std::str::from_utf8(bytes).is_err() || text_is_binary(bytes) || self.0.is_match(bytes)
    }
}

fn text_is_binary(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\r' | b'\t'))
}

/// `$.order.items[*].sku == "x"`, `$.total > 100`, `$.error` (is there and not null).
#[derive(Debug, Clone, PartialEq)]
pub struct PathCondition {
    steps: Vec<Step>,
    wanted: Option<(Operator, Value)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
    /// Every member of a list or object.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
}

/// The longer ones come first: `<=` begins as `<` does.
const OPERATORS: [(&str, Operator); 8] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("=", Operator::Equal),
    ("contains ", Operator::Contains),
];

impl PathCondition {
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = "write $.name.list[0].other, with == != < <= > >= or contains and a value behind it if it matters";
        let refused = |problem: &str| format!("{problem}: {form}");
        if text.len() > LENGTH_MAX {
            return Err(format!("at most {LENGTH_MAX} bytes"));
        }
        let Some(rest) = text.trim().strip_prefix('$') else { return Err(refused("a path begins with $")) };
        let (steps, rest) = steps(rest).map_err(|problem| refused(&problem))?;
        let rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(Self { steps, wanted: None });
        }
        let Some((sign, operator)) = OPERATORS.into_iter().find(|(sign, _)| rest.starts_with(sign)) else {
            return Err(refused(&format!("{rest:?} is no comparison")));
        };
        let value = rest[sign.len()..].trim();
        if value.is_empty() {
            return Err(refused("the value is missing"));
        }
        // A word needs no quotes.
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(Self { steps, wanted: Some((operator, value)) })
    }

    /// `json`: the whole text of a value. What is no JSON, or was cut, does not match.
    pub fn matches(&self, json: &str) -> bool {
        serde_json::from_str(json).is_ok_and(|value| self.holds(&value, &self.steps))
    }

    fn holds(&self, value: &Value, steps: &[Step]) -> bool {
        let Some((step, rest)) = steps.split_first() else { return self.is_wanted(value) };
        match (step, value) {
            (Step::Name(name), Value::Object(object)) => {
                object.get(name).is_some_and(|inner| self.holds(inner, rest))
            }
            (Step::Index(index), Value::Array(list)) => {
                list.get(*index).is_some_and(|inner| self.holds(inner, rest))
            }
            (Step::Any, Value::Array(list)) => list.iter().any(|inner| self.holds(inner, rest)),
            (Step::Any, Value::Object(object)) => object.values().any(|inner| self.holds(inner, rest)),
            _ => false,
        }
    }

    fn is_wanted(&self, value: &Value) -> bool {
        let Some((operator, wanted)) = &self.wanted else { return !value.is_null() };
        match operator {
            Operator::Equal => equal(value, wanted),
            Operator::NotEqual => !equal(value, wanted),
            Operator::Contains => match (value, wanted) {
                (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
                (Value::String(text), part) => text.contains(&part.to_string()),
                (Value::Array(list), part) => list.iter().any(|inner| equal(inner, part)),
                _ => false,
            },
            Operator::Less => compared(value, wanted).is_some_and(|order| order.is_lt()),
            Operator::LessOrEqual => compared(value, wanted).is_some_and(|order| order.is_le()),
            Operator::Greater => compared(value, wanted).is_some_and(|order| order.is_gt()),
            Operator::GreaterOrEqual => compared(value, wanted).is_some_and(|order| order.is_ge()),
        }
    }
}

fn equal(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Number(_), Value::Number(_)) => compared(value, wanted).is_some_and(|order| order.is_eq()),
        _ => value == wanted,
    }
}

fn compared(value: &Value, wanted: &Value) -> Option<std::cmp::Ordering> {
    match (value, wanted) {
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
        },
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

/// The steps, and what follows them.
fn steps(mut rest: &str) -> Result<(Vec<Step>, &str), String> {
    let mut steps = vec![];
    loop {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[', ' ', '=', '!', '<', '>']).unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            steps.push(match name {
                "" => return Err("a name is missing behind the point".to_owned()),
                "*" => Step::Any,
                name => Step::Name(name.to_owned()),
            });
            rest = after;
        } else if let Some(after) = rest.strip_prefix('[') {
            let (step, after) = bracket(after)?;
            steps.push(step);
            rest = after;
        } else {
            return Ok((steps, rest));
        }
    }
}

/// `0]`, `*]`, `"a name"]`.
fn bracket(text: &str) -> Result<(Step, &str), String> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    if let Some(quote) = quote {
        let inner = &text[1..];
        let end = inner.find([quote, ']']).filter(|end| inner[*end..].starts_with(quote));
        let end = end.ok_or("the quote does not end")?;
        let after = inner[end + 1..].strip_prefix(']').ok_or("the bracket does not end")?;
        return Ok((Step::Name(inner[..end].to_owned()), after));
    }
    let (inner, after) = text.split_once(']').ok_or("the bracket does not end")?;
    match inner {
        "*" => Ok((Step::Any, after)),
        _ => match inner.parse() {
            Ok(index) => Ok((Step::Index(index), after)),
            Err(_) => Err(format!("{inner:?} is no index")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = r#"{"id":7,"a b":{"x":1},"items":[{"sku":"red-1","n":2},{"sku":"blue","n":30.5}],"none":null,"ok":true}"#;

    #[test]
    fn paths_find_values() {
        for (condition, want) in [
            ("$.id == 7", true),
            ("$.id == 7.0", true),
            ("$.id=8", false),
            ("$.id != 8", true),
            ("$.id >= 7", true),
            ("$.id > 7", false),
            ("$.id", true),
            ("$.none", false),
            ("$.none == null", true),
            ("$.missing", false),
            ("$.missing != 1", false),
            ("$.items[1].sku == blue", true),
            ("$.items[1].sku == \"blue\"", true),
            ("$.items[*].sku contains red", true),
            ("$.items.*.n > 30", true),
            ("$.items[*].n > 31", false),
            ("$['a b'].x == 1", true),
            ("$[\"a b\"].x < 1", false),
            ("$.ok == true", true),
            ("$.*.x == 1", true),
        ] {
            let parsed = PathCondition::parse(condition).expect(condition);
            assert_eq!(parsed.matches(ORDER), want, "{condition}");
            assert!(!parsed.matches("{\"id\":"), "{condition}");
        }
        for text in ["id", "$.", "$.a[", "$.a[x]", "$.a ~ 1", "$.a ==", "$['a", "$.a[0"] {
            assert!(PathCondition::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_are_found_whatever_their_case() {
        let needle = Needle::new("Zoë.x").expect("a text");
        assert!(needle.is_in("a ZOË.X b") && !needle.is_in("zoë-x"));
        assert!(Needle::new("").is_err() && Needle::new(&"x".repeat(2_000)).is_err());
    }
}
