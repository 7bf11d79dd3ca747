//! Why a record could not be read. Carries positions and field names, never content.

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the record has no value")]
    NoValue,
    #[error("the record has no key")]
    NoKey,
    #[error("the value is longer than is read")]
    TooLong,
    #[error("the value is no protobuf message")]
    Protobuf,
    #[error("field {0} has the wrong wire type")]
    WireType(u32),
    #[error("the text is not UTF-8")]
    Utf8,
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is longer than is read")]
    NameTooLong(&'static str),
    #[error("a topic's name is not one that Kafka allows")]
    Topic,
    #[error("more topics than are read")]
    TooManyTopics,
    #[error("a partition's number is negative")]
    Partition,
    #[error("the time is outside the years 1 to 9999 or of an unknown scale or kind")]
    Time,
    #[error("the key is not the JSON of version 1")]
    KeyJson,
    #[error("the value is not the JSON of version 1")]
    ValueJson,
    #[error("more exceptions than are read")]
    TooManyExceptions,
    #[error("the key is not the id of what the value says")]
    KeyId,
    #[error("the time is not a whole minute of the years 1970 to 2106")]
    Minute,
    #[error("the request is longer than is read")]
    RequestTooLong,
}
