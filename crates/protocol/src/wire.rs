//! Flowdeck's own records, version 1: holds, acks, the audit and samples, and the headers that mark what is ours.
//! Frozen once released: a change is a version 2 beside it.

mod acks;
mod agent;
mod audit;
pub mod dead_letters;
mod holds;
mod ledger;
pub mod retries;
mod samples;
mod set_offsets;

use flowdeck_model::view::InstanceHolds;
use flowdeck_model::{CommandId, Incarnation, Partition, Timestamp};

pub use acks::{Ack, AckRecord, MovedOffset, TopicPartition, ack_record, read_ack};
pub use agent::{
    AGENT_TELEMETRY, AgentTelemetry, AgentTelemetryRecord, REPORT_MAX, agent_telemetry_record,
    read_agent_telemetry,
};
pub use audit::{
    AuditRecord, BulkEvent, BulkRecord, LeftOut, LogIn, LogInOutcome, Look, LookFilter, LookKind,
    MustBeEnded, Operation, OperationInstance, ProduceEvent, ProduceRecord, ProduceRequested, REQUEST_MAX,
    RedriveEvent, RedriveRecord, Request, RetentionEvent, RetentionRecord, RetentionStatus, bulk_record,
    check_bulk, log_in_record, look_record, operation_record, produce_record, read_audit, redrive_record,
    retention_record,
};
pub use holds::{EXCEPTIONS_MAX, HoldRecord, check_hold, hold_record, read_hold, release_record};
pub use ledger::{
    LedgerEntry, LedgerKey, LedgerRecord, LedgerTopic, REDRIVE_GROUP, REDRIVE_ID, ledger_begun,
    ledger_record, read_ledger,
};
pub use samples::{
    GroupMinute, Minute, MinuteEvent, MinuteEventKind, SampleRecord, minute_records, read_sample,
};
pub use set_offsets::{SetOffset, SetOffsets, read_set_offsets, set_offsets_record};

use crate::Headers;

/// The longest key and the longest value on Flowdeck's own topics, in bytes. One bound for all who write
/// and all who read them: what only some of them took would hold for those alone.
pub const LONGEST: usize = 128 * 1024;

/// On every record of Flowdeck's own topics.
pub const VERSION: &str = "Flowdeck-Version";
/// The command behind a record: on the admin topic it tells ours from external ones, on
/// `flowdeck.holds` it names the command that wrote or released the hold.
pub const COMMAND: &str = "Flowdeck-Command";
/// On telemetry: it comes from an agent and not from KafkaFlow.
pub const AGENT: &str = "Flowdeck-Agent";
/// On an agent's telemetry: what it knows of the holds, as one of [`InstanceHolds`]' words.
pub const HOLDS: &str = "Flowdeck-Holds";

/// On an agent's telemetry: the handler that has run longest for the record's topic, where that is long.
pub const IN_FLIGHT: &str = "Flowdeck-In-Flight";

const VERSION_1: &[u8] = b"1";

/// Who sent a telemetry record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    KafkaFlow,
    Agent(Incarnation),
    /// An agent whose header is of a newer version or malformed.
    OtherAgent,
}

pub fn sender(headers: &Headers<'_>) -> Sender {
    if headers.last(AGENT).is_none() {
        return Sender::KafkaFlow;
    }
    let incarnation = headers.last_text(AGENT).and_then(|text| text.strip_prefix("1;")?.parse().ok());
    incarnation.map_or(Sender::OtherAgent, Sender::Agent)
}

/// What an agent says of the holds. `None`: nothing, or a word that is not known here.
pub fn holds_of(headers: &Headers<'_>) -> Option<InstanceHolds> {
    let word = headers.last_text(HOLDS)?;
    InstanceHolds::ALL.into_iter().find(|one| one.word() == word)
}

/// A handler that runs for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    pub since: Timestamp,
    pub partition: Partition,
    pub offset: i64,
}

/// `<epoch ms>;<partition>;<offset>`.
pub fn in_flight_header(one: InFlight) -> Vec<u8> {
    format!("{};{};{}", one.since.millis(), one.partition, one.offset).into_bytes()
}

pub fn in_flight_of(headers: &Headers<'_>) -> Option<InFlight> {
    let mut parts = headers.last_text(IN_FLIGHT)?.split(';');
    let mut number = || parts.next()?.parse::<i64>().ok();
    let (since, partition, offset) = (number()?, number()?, number()?);
    let partition = Partition::new(i32::try_from(partition).ok()?)?;
    Some(InFlight { since: Timestamp::from_millis(since), partition, offset })
}

/// The command that a record carries in its header. On the admin topic `None` means external.
pub fn command_of(headers: &Headers<'_>) -> Option<CommandId> {
    headers.last_text(COMMAND)?.parse().ok()
}

pub(crate) fn agent_header(incarnation: Incarnation) -> Vec<u8> {
    format!("1;{incarnation}").into_bytes()
}

fn is_version_1(headers: &Headers<'_>) -> bool {
    headers.last(VERSION) == Some(VERSION_1)
}

fn own_headers() -> Vec<(String, Vec<u8>)> {
    vec![(VERSION.to_owned(), VERSION_1.to_vec())]
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("structs of strings, integers and lists always serialise")
}
