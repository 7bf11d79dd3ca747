//! `FROM_KAFKAFLOW.md` has a line for each public method of KafkaFlow 4.2's builders.

const GUIDE: &str = include_str!("../../FROM_KAFKAFLOW.md");

/// Of `IKafkaConfigurationBuilder`, `IClusterConfigurationBuilder`, `IConsumerConfigurationBuilder`,
/// `IProducerConfigurationBuilder`, the middlewares' builders, `TypedHandlerConfigurationBuilder`, and all their public
/// extension methods.
const METHODS: &str = "AddCluster UseLogHandler SubscribeGlobalEvents UseConsoleLog UseMicrosoftLog \
    AddOpenTelemetryInstrumentation AddKafkaFlowHostedService UseKafkaFlowDashboard WithBrokers WithName \
    WithSecurityInformation AddProducer AddConsumer OnStopping OnStarted CreateTopicIfNotExists EnableAdminMessages \
    EnableTelemetry WithSchemaRegistry Topic Topics ManualAssignPartitions DisableManagement WithGroupId \
    WithAutoOffsetReset WithAutoCommitIntervalMs WithMaxPollIntervalMs WithWorkersCount WithBufferSize \
    WithWorkerStopTimeout WithWorkerDistributionStrategy WithManualMessageCompletion WithoutStoringOffsets \
    WithInitialState AddMiddlewares WithStatisticsHandler WithStatisticsIntervalMs WithConsumerConfig \
    WithPartitionsAssignedHandler WithPartitionsRevokedHandler WithPendingOffsetsStatisticsHandler WithCustomFactory \
    WithConsumerLagWorkerBalancer DefaultTopic WithAcks WithLingerMs WithProducerConfig WithCompression Add \
    AddAtBeginning AddTypedHandlers AddDecompressor AddCompressor AddDeserializer AddSerializer \
    AddSingleTypeDeserializer AddSingleTypeSerializer AddSchemaRegistryAvroDeserializer \
    AddSchemaRegistryAvroSerializer AddSchemaRegistryJsonSerializer AddSchemaRegistryProtobufDeserializer \
    AddSchemaRegistryProtobufSerializer AddBatching Throttle OnConsumerLag AddMetric WithInterval AddAction ApplyDelay \
    AddHandler AddHandlers AddHandlersFromAssemblyOf WhenNoHandlerFound WithHandlerLifetime ProduceAsync Produce \
    BatchProduceAsync GetMessagesBatch";

#[test]
fn every_public_method_of_the_builders_has_its_line() {
    // The left cells of the tables, and the sections' own code.
    let rows = GUIDE.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let said: String = rows.collect::<Vec<_>>().join(" ") + " UseKafkaFlowDashboard";
    let words: Vec<&str> = said.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let missing: Vec<&str> = METHODS.split_whitespace().filter(|method| !words.contains(method)).collect();
    assert_eq!(missing, [""; 0], "without a line");
    assert!(GUIDE.contains("app.UseKafkaFlowDashboard()"));
}
