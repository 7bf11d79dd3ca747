//! JSON read into what pages show. serde_json's own reader is built anew for every type, as a list
//! and as an object whose fields come in any order, with every error in words: a tenth of what a
//! first visit downloads. Here serde_json takes a text apart only, one level at a time, and a type
//! is given its fields' values in its own order, which is the shortest code that serde derives.
//!
//! It reads what Flowdeck itself wrote: a field that is not known is passed over, one that is left
//! out is null. Flattened fields, tagged enums and maps are not read.

use std::fmt;

use serde::de::value::U32Deserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde_json::value::RawValue;

pub(crate) fn read<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    let text: &RawValue = part(json)?;
    T::deserialize(Json(text.get()))
}

/// What was not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

fn wrong(what: &str, which: &str) -> Error {
    Error([what, " ", which].concat())
}

/// In few words: serde's own would bring the code that writes values of any kind.
impl de::Error for Error {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self(words.to_string())
    }

    fn invalid_type(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        wrong("not the expected", "kind")
    }

    fn invalid_value(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        wrong("not the expected", "value")
    }

    fn invalid_length(_: usize, _: &dyn de::Expected) -> Self {
        wrong("not the expected", "length")
    }
}

/// By serde_json; for a few types only.
fn part<'de, T: serde::Deserialize<'de>>(json: &'de str) -> Result<T, Error> {
    serde_json::from_str(json)
        .map_err(|_| wrong("not as JSON is written:", &json.chars().take(40).collect::<String>()))
}

/// An object's fields in their order.
struct Object<'de>(Vec<(String, &'de RawValue)>);

impl<'de> serde::Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Object(pairs))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// One value.
struct Json<'de>(&'de str);

/// Of a field that is left out.
const NULL: &str = "null";

impl<'de> Json<'de> {
    /// A list that is null is empty: so are lists written that are left out where they are empty.
    fn items(&self) -> Result<Items<'de>, Error> {
        let items: Option<Vec<&RawValue>> = part(self.0)?;
        Ok(Items(items.unwrap_or_default().into_iter().map(RawValue::get).collect::<Vec<_>>().into_iter()))
    }

    /// The values of these fields, in this order.
    fn fields(&self, known: &'static [&'static str]) -> Result<Items<'de>, Error> {
        let Object(pairs) = part(self.0)?;
        let value =
            |name: &&str| pairs.iter().find(|(key, _)| key == name).map_or(NULL, |(_, value)| value.get());
        Ok(Items(known.iter().map(value).collect::<Vec<_>>().into_iter()))
    }

    fn text(&self) -> Result<String, Error> {
        part(self.0)
    }

    fn unsigned(&self) -> Result<u64, Error> {
        self.0.parse().map_err(|_| wrong("not a whole number:", self.0))
    }

    fn signed(&self) -> Result<i64, Error> {
        self.0.parse().map_err(|_| wrong("not a whole number:", self.0))
    }
}

macro_rules! numbers {
    ($read:ident $visit:ident: $($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.$read()?)
        })*
    };
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = Error;

    numbers! { unsigned visit_u64: deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }
    numbers! { signed visit_i64: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 }
    numbers! { text visit_string: deserialize_str deserialize_string deserialize_char }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            other => Err(wrong("neither true nor false:", other)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0 == NULL { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(self.items()?)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(self.items()?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(self.fields(fields)?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (name, content) = if self.0.starts_with('"') {
            (self.text()?, Json(NULL))
        } else {
            let Object(mut pairs) = part(self.0)?;
            match (pairs.pop(), pairs.is_empty()) {
                (Some((name, value)), true) => (name, Json(value.get())),
                _ => return Err(wrong("not one of", &variants.join(", "))),
            }
        };
        match variants.iter().position(|known| *known == name) {
            Some(number) => visitor.visit_enum(Variant { number: number as u32, content }),
            None => Err(wrong("not known:", &name)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    /// What serde reads so is what it must keep to read it once more: a flattened field, a tagged enum.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(wrong("not read here:", self.0))
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 bytes byte_buf map unit_struct tuple_struct identifier ignored_any
    }
}

struct Items<'de>(std::vec::IntoIter<&'de str>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|item| seed.deserialize(Json(item))).transpose()
    }
}

/// Told by its number, which spares each type the code that compares names.
struct Variant<'de> {
    number: u32,
    content: Json<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Json<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Json<'de>), Error> {
        let number: U32Deserializer<Error> = self.number.into_deserializer();
        Ok((seed.deserialize(number)?, self.content))
    }
}

impl<'de> VariantAccess<'de> for Json<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(self.items()?)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(self.fields(fields)?)
    }
}

#[cfg(test)]
mod tests {
    use flowdeck_model::PortError;
    use flowdeck_model::error::Thing;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::api::PageError;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Kind {
        Plain,
        New(i64),
        Pair(u8, String),
        Named { the_size: Option<u64> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct All {
        text: String,
        is_true: bool,
        none: Option<String>,
        some: Option<Option<u32>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<u8>,
        kinds: Vec<Kind>,
        tuple: (i32, u64),
        inner: Inner,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inner {
        deep: Vec<Inner>,
        kind: Kind,
    }

    fn all() -> All {
        All {
            text: "a \"quoted\"\n\u{1F980} \\ text".into(),
            is_true: true,
            none: None,
            some: Some(Some(7)),
            left_out: vec![],
            kinds: vec![
                Kind::Plain,
                Kind::New(i64::MIN),
                Kind::Pair(255, String::new()),
                Kind::Named { the_size: Some(u64::MAX) },
            ],
            tuple: (-1, u64::MAX),
            inner: Inner { deep: vec![Inner { deep: vec![], kind: Kind::New(3) }], kind: Kind::Plain },
        }
    }

    #[test]
    fn what_serde_json_writes_is_read() {
        let json = serde_json::to_string(&all()).unwrap();
        assert_eq!(read::<All>(&json).unwrap(), all());
        let spread = serde_json::to_string_pretty(&all()).unwrap();
        assert_eq!(read::<All>(&spread).unwrap(), all());
    }

    #[test]
    fn every_error_of_a_page_is_read() {
        for error in [
            PageError::Unreachable,
            PageError::Broken("x".into()),
            PortError::not_found_because(Thing::Group, "a/b", "hint").into(),
            PortError::Conflict { detail: "d".into() }.into(),
        ] {
            let json = serde_json::to_string(&Err::<(), _>(&error)).unwrap();
            assert_eq!(read::<Result<(), PageError>>(&json).unwrap(), Err(error));
        }
    }

    #[test]
    fn a_newer_field_is_passed_over() {
        assert_eq!(
            read::<Inner>(r#"{"new": {"deep": [1.5e3]}, "deep": [], "kind": "plain"}"#).unwrap(),
            Inner { deep: vec![], kind: Kind::Plain }
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for json in [
            "",
            "{",
            "[]",
            "null",
            r#"{"deep": []}"#,
            r#"{"deep": [], "kind": "other"}"#,
            r#"{"deep": [], "kind": {"new": "1"}}"#,
            r#"{"deep": [], "kind": {"new": 1.5}}"#,
            r#"{"deep": [], "kind": "plain"} x"#,
        ] {
            assert!(read::<Inner>(json).is_err(), "{json}");
        }
        assert!(read::<u8>("256").is_err());
        assert!(read::<Vec<u8>>("[1,]").is_err());
    }
}
