//! The shape of JSON: names and order of fields, what is null, what is a list; not the values.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Null,
    Value(&'static str),
    List(Vec<Shape>),
    Object(Vec<(String, Shape)>),
}

impl Shape {
    pub(super) fn of(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
    }

    /// Where the two differ. An element of a list must be as one of the other's; the names under `errors` are fields of
    /// the body, and only those of the other count.
    pub(super) fn differs(&self, theirs: &Self, at: &str) -> Vec<String> {
        match (self, theirs) {
            (Self::Object(ours), Self::Object(theirs)) => {
                let names =
                    |all: &[(String, Shape)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
                if names(ours) != names(theirs) {
                    return vec![format!("{at}: {:?}, not {:?}", names(ours), names(theirs))];
                }
                let pairs = ours.iter().zip(theirs);
                pairs
                    .flat_map(|((name, ours), (_, theirs))| ours.differs(theirs, &format!("{at}.{name}")))
                    .collect()
            }
            (Self::List(ours), Self::List(theirs)) => {
                let unlike = |one: &&Shape| {
                    !theirs.is_empty() && !theirs.iter().any(|theirs| one.differs(theirs, at).is_empty())
                };
                ours.iter()
                    .filter(unlike)
                    .map(|one| format!("{at}: {one:?} is as none of KafkaFlow's"))
                    .collect()
            }
            // A list of partitions is null where it is empty.
            (Self::List(list), Self::Null) if !list.is_empty() => vec![],
            (Self::Null, Self::List(list)) if !list.is_empty() => vec![],
            (ours, theirs) if ours == theirs => vec![],
            (ours, theirs) => vec![format!("{at}: {ours:?}, not {theirs:?}")],
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shapes)
    }
}

struct Shapes;

impl<'de> Visitor<'de> for Shapes {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Value("true or false"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Value("number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Value("number"))
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Value("text"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut all = vec![];
        while let Some(one) = list.next_element()? {
            all.push(one);
        }
        Ok(Shape::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut all = vec![];
        while let Some(field) = map.next_entry()? {
            all.push(field);
        }
        Ok(Shape::Object(all))
    }
}
