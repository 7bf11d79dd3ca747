//! Error codes as plain numbers. The generated bindings make them a Rust enum, in which a code that a
//! newer broker sends would be undefined behaviour: here they stay `i32`.

use rdkafka_sys::rd_kafka_resp_err_t as E;

pub(crate) const NO_ERROR: i32 = 0;
pub(crate) const TIMED_OUT: i32 = E::RD_KAFKA_RESP_ERR__TIMED_OUT as i32;
pub(crate) const TIMED_OUT_QUEUE: i32 = E::RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE as i32;
pub(crate) const MSG_TIMED_OUT: i32 = E::RD_KAFKA_RESP_ERR__MSG_TIMED_OUT as i32;
pub(crate) const REQUEST_TIMED_OUT: i32 = E::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT as i32;
pub(crate) const TRANSPORT: i32 = E::RD_KAFKA_RESP_ERR__TRANSPORT as i32;
pub(crate) const ALL_BROKERS_DOWN: i32 = E::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN as i32;
pub(crate) const RESOLVE: i32 = E::RD_KAFKA_RESP_ERR__RESOLVE as i32;
pub(crate) const AUTHENTICATION: i32 = E::RD_KAFKA_RESP_ERR__AUTHENTICATION as i32;
pub(crate) const SSL: i32 = E::RD_KAFKA_RESP_ERR__SSL as i32;
pub(crate) const SASL_AUTHENTICATION_FAILED: i32 = E::RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED as i32;
pub(crate) const TOPIC_AUTHORIZATION_FAILED: i32 = E::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as i32;
pub(crate) const GROUP_AUTHORIZATION_FAILED: i32 = E::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED as i32;
pub(crate) const CLUSTER_AUTHORIZATION_FAILED: i32 = E::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED as i32;
pub(crate) const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i32 =
    E::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED as i32;
pub(crate) const UNKNOWN_TOPIC_OR_PART: i32 = E::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART as i32;
pub(crate) const UNKNOWN_TOPIC_ID: i32 = E::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID as i32;
pub(crate) const UNKNOWN_TOPIC: i32 = E::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC as i32;
pub(crate) const UNKNOWN_PARTITION: i32 = E::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION as i32;
pub(crate) const NO_ENTRY: i32 = E::RD_KAFKA_RESP_ERR__NOENT as i32;
pub(crate) const OFFSET_OUT_OF_RANGE: i32 = E::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE as i32;
pub(crate) const AUTO_OFFSET_RESET: i32 = E::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET as i32;
pub(crate) const NOT_LEADER: i32 = E::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as i32;
pub(crate) const FENCED_LEADER_EPOCH: i32 = E::RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH as i32;
pub(crate) const UNKNOWN_LEADER_EPOCH: i32 = E::RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH as i32;
pub(crate) const NOT_COORDINATOR: i32 = E::RD_KAFKA_RESP_ERR_NOT_COORDINATOR as i32;
pub(crate) const UNSUPPORTED_FEATURE: i32 = E::RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE as i32;
pub(crate) const UNSUPPORTED_VERSION: i32 = E::RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION as i32;
pub(crate) const FENCED: i32 = E::RD_KAFKA_RESP_ERR__FENCED as i32;
pub(crate) const PRODUCER_FENCED: i32 = E::RD_KAFKA_RESP_ERR_PRODUCER_FENCED as i32;
pub(crate) const INVALID_PRODUCER_EPOCH: i32 = E::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH as i32;
pub(crate) const DESTROY: i32 = E::RD_KAFKA_RESP_ERR__DESTROY as i32;
pub(crate) const PARTITION_EOF: i32 = E::RD_KAFKA_RESP_ERR__PARTITION_EOF as i32;
pub(crate) const FATAL: i32 = E::RD_KAFKA_RESP_ERR__FATAL as i32;
pub(crate) const ASSIGN_PARTITIONS: i32 = E::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS as i32;
pub(crate) const TOPIC_ALREADY_EXISTS: i32 = E::RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS as i32;

/// Kafka's name for the code, such as `COORDINATOR_NOT_AVAILABLE`.
pub(crate) fn name(code: i32) -> String {
    let Ok(known) = E::try_from(code) else { return format!("code {code}") };
    // SAFETY: `known` is a value of the enum; the answer is a static string.
    unsafe { super::text(rdkafka_sys::rd_kafka_err2name(known)) }
}

/// Kafka's message for the code.
pub(crate) fn message(code: i32) -> String {
    let Ok(known) = E::try_from(code) else { return "an error that this client does not know".to_owned() };
    // SAFETY: `known` is a value of the enum; the answer is a static string.
    unsafe { super::text(rdkafka_sys::rd_kafka_err2str(known)) }
}
