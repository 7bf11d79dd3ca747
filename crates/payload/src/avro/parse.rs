//! An Avro schema from its JSON (Avro 1.12, "Schema Declaration").

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Avro, Record, Type};
use crate::schema::SchemaError;

/// Types of one schema, counted where they are used: a hostile schema names one type very often.
const TYPES_MAX: usize = 20_000;

impl Avro {
    pub(crate) fn parse(json: &str) -> Result<Self, SchemaError> {
        Self::parse_with(json, &[])
    }

    /// `referred`: schemas whose types it names.
    pub(crate) fn parse_with(json: &str, referred: &[String]) -> Result<Self, SchemaError> {
        let mut parser = Parser { records: vec![], names: HashMap::new(), types: 0 };
        for one in referred {
            parser.text(one)?;
        }
        let root = parser.text(json)?;
        Ok(Self { root, records: parser.records })
    }
}

struct Parser {
    records: Vec<Record>,
    /// By full name.
    names: HashMap<String, Type>,
    types: usize,
}

fn err<T>(problem: impl Into<String>) -> Result<T, SchemaError> {
    Err(SchemaError(problem.into()))
}

impl Parser {
    fn text(&mut self, json: &str) -> Result<Type, SchemaError> {
        let failed = |error: serde_json::Error| SchemaError(format!("it is no JSON: {error}"));
        // serde_json bounds the depth.
        let value: Value = serde_json::from_str(json).map_err(failed)?;
        self.schema(&value, "")
    }

    fn schema(&mut self, value: &Value, namespace: &str) -> Result<Type, SchemaError> {
        self.types += 1;
        if self.types > TYPES_MAX {
            return err(format!("it has more than {TYPES_MAX} types"));
        }
        match value {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.schema(branch, namespace));
                branches.collect::<Result<_, _>>().map(Type::Union)
            }
            Value::Object(object) => self.object(object, namespace),
            _ => err(format!("a type is a name, a list or an object, and not {value}")),
        }
    }

    fn named(&self, name: &str, namespace: &str) -> Result<Type, SchemaError> {
        Ok(match name {
            "null" => Type::Null,
            "boolean" => Type::Boolean,
            "int" => Type::Int,
            "long" => Type::Long,
            "float" => Type::Float,
            "double" => Type::Double,
            "bytes" => Type::Bytes,
            "string" => Type::String,
            _ => {
                let full = full_name(name, namespace);
                match self.names.get(&full).or_else(|| self.names.get(name)) {
                    Some(known) => known.clone(),
                    None => return err(format!("there is no type {full}")),
                }
            }
        })
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<Type, SchemaError> {
        let Some(kind) = object.get("type") else { return err("an object without `type`") };
        let Value::String(kind) = kind else { return self.schema(kind, namespace) };
        match kind.as_str() {
            "record" | "error" => self.record(object, namespace),
            "enum" => {
                let symbols = strings(object.get("symbols"));
                let Some(symbols) = symbols else { return err("an enum without a list of `symbols`") };
                self.name(object, namespace, Type::Enum(symbols.into()))
            }
            "fixed" => {
                let size =
                    object.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
                let Some(size) = size else { return err("a fixed without `size`") };
                let made = match logical(object) {
                    Some("uuid") if size == 16 => Type::Uuid,
                    Some("decimal") => Type::Decimal { size: Some(size), scale: scale(object)? },
                    _ => Type::Fixed(size),
                };
                self.name(object, namespace, made)
            }
            "array" => self.inner(object, "items", namespace).map(Type::Array),
            "map" => self.inner(object, "values", namespace).map(Type::Map),
            "bytes" if logical(object) == Some("decimal") => {
                Ok(Type::Decimal { size: None, scale: scale(object)? })
            }
            name => self.named(name, namespace),
        }
    }

    fn inner(
        &mut self,
        object: &Map<String, Value>,
        field: &str,
        namespace: &str,
    ) -> Result<Box<Type>, SchemaError> {
        match object.get(field) {
            Some(inner) => self.schema(inner, namespace).map(Box::new),
            None => err(format!("an array or map without `{field}`")),
        }
    }

    fn record(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<Type, SchemaError> {
        let place = self.records.len();
        self.records.push(Record::default());
        // Its fields may be of its own type.
        self.name(object, namespace, Type::Record(place))?;
        let inner = namespace_of(object, namespace)?;
        let Some(Value::Array(given)) = object.get("fields") else {
            return err("a record without a list of `fields`");
        };
        let mut fields = Vec::with_capacity(given.len());
        for field in given {
            let name = field.get("name").and_then(Value::as_str);
            let (Some(name), Some(kind)) = (name, field.get("type")) else {
                return err("a field without `name` and `type`");
            };
            fields.push((name.to_owned(), self.schema(kind, &inner)?));
        }
        self.records[place] = Record { fields };
        Ok(Type::Record(place))
    }

    fn name(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        made: Type,
    ) -> Result<Type, SchemaError> {
        let Some(name) = object.get("name").and_then(Value::as_str) else {
            return err("a record, enum or fixed without `name`");
        };
        let given = object.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
        self.names.insert(full_name(name, given), made.clone());
        Ok(made)
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { [namespace, ".", name].concat() }
}

/// The namespace of the names within a record.
fn namespace_of(object: &Map<String, Value>, outer: &str) -> Result<String, SchemaError> {
    let name = object.get("name").and_then(Value::as_str).unwrap_or_default();
    Ok(match name.rsplit_once('.') {
        Some((namespace, _)) => namespace.to_owned(),
        None => object.get("namespace").and_then(Value::as_str).unwrap_or(outer).to_owned(),
    })
}

fn logical(object: &Map<String, Value>) -> Option<&str> {
    object.get("logicalType").and_then(Value::as_str)
}

fn scale(object: &Map<String, Value>) -> Result<usize, SchemaError> {
    match object.get("scale").map_or(Some(0), Value::as_u64) {
        Some(scale) if scale <= 1_000 => Ok(scale as usize),
        _ => err("a decimal whose `scale` is no number up to 1000"),
    }
}

fn strings(value: Option<&Value>) -> Option<Vec<String>> {
    let list = value?.as_array()?;
    list.iter().map(|one| one.as_str().map(str::to_owned)).collect()
}
