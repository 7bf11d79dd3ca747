//! What pages, API and stream show: plain data, serialised as camelCase JSON. One set of types for
//! all three, so that they cannot disagree.

pub mod agent;
pub mod audit;
mod both;
pub mod brokers;
pub mod bulk;
pub mod canary;
pub mod cluster;
pub mod command;
pub mod dead_letters;
pub mod fleet;
pub mod group;
pub mod history;
pub mod messages;
pub mod offsets;
pub mod preview;
pub mod produce;
pub mod redrive;
pub mod retention;
pub mod telemetry;
pub mod topic;

pub use agent::{
    AgentCounts, AgentReport, AgentView, AgentsView, CircuitBreakerView, CircuitState, HandlerFailure,
    ProcessingTimes, RunningHandler,
};
pub use audit::{AuditEntry, AuditLogIn, AuditLook, AuditOperation, AuditRun, AuditView, LogInOutcome};
pub use brokers::BrokersView;
pub use bulk::{BulkGroupView, BulkPlan, BulkPreview, BulkView};
pub use canary::{CanaryPartition, CanaryView};
pub use cluster::{ClusterView, Mode};
pub use command::{
    CommandView, InstanceKind, InstanceOutcome, OffsetChange, OffsetTarget, SentAgain, SentRecord, Submitted,
};
pub use dead_letters::{
    DeadLetterGroup, DeadLetterOrigin, DeadLetterRow, DeadLetterShape, DeadLetterTopic, DeadLetterTopicsView,
    DeadLetterView, DeadLettersView, FoundBy,
};
#[cfg(not(target_family = "wasm"))]
pub use fleet::GroupLabels;
pub use fleet::{FleetView, FlowView, GroupRow, VerdictCount};
pub use group::{
    ConsumerView, GroupView, InstanceHolds, InstanceView, MemberView, PartitionRow, TopicPartitions,
};
pub use history::{HistoryEvent, HistoryEventKind, HistoryPoint, HistoryStorage, HistoryView};
pub use messages::{
    DecodeProblem, DecodersView, HeaderView, MessageView, MessagesView, Payload, PayloadKind, RecordReader,
    SearchView, TailView,
};
pub use offsets::{CatchUp, OffsetPlan, OffsetsPreview, OffsetsWay, RecordAt};
pub use preview::{HoldChangeKind, HoldPreview, MessagePreview, PreviewView};
pub use produce::{ProducePreview, ProduceView};
pub use redrive::{RedrivePreview, RedriveRow, RedriveTargetPreview, RedriveView};
pub use retention::{DiskGrowth, RetentionPreview, RetentionRow, RetentionView};
pub use telemetry::{
    AssignmentView, ConsumerStatus, ConsumerTelemetryView, GroupTelemetryView, TelemetryView,
};
pub use topic::{ConfigRow, ReaderRow, TopicPartitionRow, TopicRow, TopicView, TopicsView};
