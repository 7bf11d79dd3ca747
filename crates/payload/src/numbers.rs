//! Numbers and UUIDs as Kafka's own serializers write them: big-endian, of one size each.

use uuid::Uuid;

use crate::input::{Input, Result, Stop};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    Short,
    Int,
    Long,
    Float,
    Double,
    Uuid,
}

impl Number {
    pub(crate) const ALL: [Self; 6] =
        [Self::Int, Self::Long, Self::Short, Self::Float, Self::Double, Self::Uuid];

    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Uuid => "uuid",
        }
    }

    fn size(self) -> usize {
        match self {
            Self::Short => 2,
            Self::Int | Self::Float => 4,
            Self::Long | Self::Double => 8,
            Self::Uuid => 16,
        }
    }
}

/// Kafka's UUIDSerializer writes the text; 16 bytes are the id itself.
pub(crate) fn read(number: Number, bytes: &[u8]) -> Result<String> {
    if number == Number::Uuid && bytes.len() == 36 {
        let id = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<Uuid>().ok());
        return id
            .map(|id| id.to_string())
            .ok_or_else(|| Stop::fault(0, "36 bytes that are no UUID as text"));
    }
    if bytes.len() != number.size() {
        let why = format!("{} has {} bytes, and here are {}", number.key(), number.size(), bytes.len());
        return Err(Stop::fault(bytes.len().min(number.size()), why));
    }
    let mut input = Input::new(bytes);
    Ok(match number {
        Number::Short => i16::from_be_bytes(input.array()?).to_string(),
        Number::Int => i32::from_be_bytes(input.array()?).to_string(),
        Number::Long => i64::from_be_bytes(input.array()?).to_string(),
        Number::Float => f32::from_be_bytes(input.array()?).to_string(),
        Number::Double => f64::from_be_bytes(input.array()?).to_string(),
        Number::Uuid => Uuid::from_bytes(input.array()?).to_string(),
    })
}
