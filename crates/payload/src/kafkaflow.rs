//! KafkaFlow's `Message-Type` header: the .NET type, and the fields of KafkaFlow's own admin messages, which are
//! Protobuf without descriptors.

use crate::protobuf::Names;

pub(crate) const MESSAGE_TYPE: &str = "Message-Type";

/// `Orders.Created` of `Orders.Created, Orders.Contracts, Version=1.0.0.0`.
pub(crate) fn type_name(header: &str) -> &str {
    header.split(',').next().unwrap_or_default().trim()
}

/// The fields of KafkaFlow's own messages; empty: it is not one of them.
pub(crate) fn fields(type_name: &str) -> Names {
    const BY_NAME: Names = &[(1, "consumerName"), (2, "topics")];
    match type_name.strip_prefix("KafkaFlow.Admin.Messages.").unwrap_or_default() {
        "PauseConsumerByName"
        | "ResumeConsumerByName"
        | "ResetConsumerOffset"
        | "RestartConsumerByName"
        | "StartConsumerByName"
        | "StopConsumerByName" => BY_NAME,
        "PauseConsumersByGroup" | "ResumeConsumersByGroup" => &[(1, "groupId"), (2, "topics")],
        "RewindConsumerOffsetToDateTime" => &[(1, "consumerName"), (2, "dateTime"), (3, "topics")],
        "ChangeConsumerWorkersCount" => &[(1, "consumerName"), (2, "workersCount")],
        "ConsumerTelemetryMetric" => &[
            (1, "groupId"),
            (2, "consumerName"),
            (3, "topic"),
            (4, "instanceName"),
            (5, "runningPartitions"),
            (6, "pausedPartitions"),
            (7, "sentAt"),
            (8, "workersCount"),
            (9, "status"),
            (10, "lag"),
        ],
        _ => &[],
    }
}
