//! Avro: a schema, and values written with it. Our own, since the crates for it allocate what a hostile count of
//! values says, and none tells the byte at which a value ceases to fit the schema.

mod parse;
mod read;

pub(crate) use read::write;

/// A schema, as far as reading needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Avro {
    root: Type,
    /// Records may contain themselves: they are named by their place here.
    records: Vec<Record>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Record {
    fields: Vec<(String, Type)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Type {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    /// Bytes or a fixed that hold an integer and where its point is.
    Decimal {
        size: Option<usize>,
        scale: usize,
    },
    /// A fixed of 16 bytes.
    Uuid,
    Fixed(usize),
    Enum(std::sync::Arc<[String]>),
    Array(Box<Type>),
    Map(Box<Type>),
    Union(Vec<Type>),
    Record(usize),
}
