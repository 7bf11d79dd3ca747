"""Makes dead_letters.json: dead letters as their producers write them.

Spring for Apache Kafka's DeadLetterPublishingRecoverer writes texts in UTF-8 and numbers by ByteBuffer.putInt and putLong
(big-endian); Kafka Connect (KIP-298) all values as text; KafkaFlow's retry extension texts; Convex System.Text.Json.

    python dead_letters.py
"""

import json
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
vectors = []


def vector(name, headers, value, letter, original):
    raw = [[key, None if text is None else (text if isinstance(text, bytes) else str(text).encode()).hex()] for key, text in headers]
    one = {"name": name, "headers": raw, "value": None if value is None else value.hex(), "letter": letter, "original": original}
    vectors.append(one)


def original(value, headers):
    return {"value": None if value is None else value.hex(), "headers": headers}


trace = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
agent = [
    ("Flowdeck-Original-Topic", "orders"),
    ("Flowdeck-Original-Partition", "2"),
    ("Flowdeck-Original-Offset", "1042"),
    ("Flowdeck-Original-Timestamp", "1795270137123"),
    ("Flowdeck-Original-Group", "billing"),
    ("Flowdeck-Error", "no card 4711"),
    ("Flowdeck-Attempts", "3"),
    ("Flowdeck-Failed-At", "1795270140000"),
]
agent_letter = {
    "shape": "Agent", "topic": "orders", "partition": 2, "offset": 1042, "timestamp": 1795270137123, "group": "billing",
    "error": "no card 4711", "attempts": 3, "failed_at": "1795270140000",
}
vector("agent", [trace] + agent, b"\x00\xff", agent_letter, original(b"\x00\xff", ["traceparent"]))
vector("agent, a tombstone", agent, None, agent_letter, original(None, []))
vector("agent, re-driven before", [("Flowdeck-Redrive-Id", "x"), trace] + agent, b"1", agent_letter, original(b"1", ["traceparent"]))
second = [("Flowdeck-Original-Topic", "orders.dlq"), ("Flowdeck-Original-Partition", "0"), ("Flowdeck-Error", "again")]
vector(
    "agent, of a dead letter", agent + second, b"1",
    agent_letter | {"topic": "orders.dlq", "partition": 0, "error": "again"},
    original(b"1", [key for key, _ in agent]),
)


def convex(message, **more):
    return json.dumps({"OriginalTopic": "orders", "OriginalMessage": message, "ErrorMessage": "no card 4711",
                       "FailedAt": "2026-11-21T14:09:00.000Z"} | more, separators=(",", ":")).encode()


convex_letter = {"shape": "Convex", "topic": "orders", "error": "no card 4711", "failed_at": "2026-11-21T14:09:00.000Z"}
vector("convex, an object", [], convex({"id": 7, "big": 1.50}), convex_letter, original(b'{"id":7,"big":1.5}', []))
vector("convex, a text", [], convex("a \"b\" \u00e9 {"), convex_letter, original("a \"b\" \u00e9 {".encode(), []))
vector("convex, a tombstone", [], convex(None), convex_letter, original(None, []))
vector("convex, with an agent's headers", [trace] + agent, convex({"id": 7}), agent_letter | {"shape": "Convex"}, original(b'{"id":7}', ["traceparent"]))
failed = convex({"id": 7})
vector(
    "agent, of a convex letter", agent[:5] + [("Flowdeck-Error", "cannot")], failed,
    {"shape": "Agent", "topic": "orders", "partition": 2, "offset": 1042, "timestamp": 1795270137123, "group": "billing", "error": "cannot"},
    original(failed, []),
)

spring = [
    ("kafka_dlt-original-topic", "orders"),
    ("kafka_dlt-original-partition", struct.pack(">i", 2)),
    ("kafka_dlt-original-offset", struct.pack(">q", 1042)),
    ("kafka_dlt-original-timestamp", struct.pack(">q", 1795270137123)),
    ("kafka_dlt-original-timestamp-type", "CreateTime"),
    ("kafka_dlt-original-consumer-group", "billing"),
    ("kafka_dlt-exception-fqcn", "org.springframework.kafka.listener.ListenerExecutionFailedException"),
    ("kafka_dlt-exception-cause-fqcn", "java.lang.IllegalStateException"),
    ("kafka_dlt-exception-message", "no card 4711"),
    ("kafka_dlt-exception-stacktrace", "java.lang.IllegalStateException: no card\n\tat Shop.pay(Shop.java:7)"),
]
spring_letter = {
    "shape": "Spring", "topic": "orders", "partition": 2, "offset": 1042, "timestamp": 1795270137123, "group": "billing",
    "error": "java.lang.IllegalStateException: no card 4711",
}
vector("spring", [trace] + spring, b"{}", spring_letter, original(b"{}", ["traceparent"]))
vector(
    "spring, a retry topic", [("kafka_original-topic", "orders"), ("retry_topic-attempts", struct.pack(">i", 4))] + spring, b"{}",
    spring_letter | {"attempts": 4}, original(b"{}", []),
)
connect = [
    ("__connect.errors.topic", "orders"),
    ("__connect.errors.partition", "2"),
    ("__connect.errors.offset", "1042"),
    ("__connect.errors.connector.name", "s3-sink"),
    ("__connect.errors.task.id", "0"),
    ("__connect.errors.stage", "VALUE_CONVERTER"),
    ("__connect.errors.class.name", "io.confluent.connect.avro.AvroConverter"),
    ("__connect.errors.exception.class.name", "org.apache.kafka.connect.errors.DataException"),
    ("__connect.errors.exception.message", "Failed to deserialize data"),
    ("__connect.errors.exception.stacktrace", "org.apache.kafka…"),
]
vector(
    "connect", connect + [trace], b"\x00\x01",
    {"shape": "Connect", "topic": "orders", "partition": 2, "offset": 1042, "group": "connect-s3-sink",
     "error": "org.apache.kafka.connect.errors.DataException: Failed to deserialize data"},
    original(b"\x00\x01", ["traceparent"]),
)
vector(
    "kafkaflow retry",
    [("Kafka-Flow-Retry-Durable-Attempts-Count", "2"), ("Kafka-Flow-Retry-Durable-Queue-Id", "0d9c1f2f"),
     ("Kafka-Flow-Retry-Durable-Item-Id", "7b8f4f6e"), ("Kafka-Flow-Retry-Durable-Sort", "0")],
    b"\x1f\x8b", {"shape": "KafkaFlowRetry", "attempts": 2}, None,
)
vector("says nothing", [trace], b'{"OriginalTopic":"orders"}', {"shape": "Unknown"}, original(b'{"OriginalTopic":"orders"}', ["traceparent"]))
vector("says nothing, no value", [], None, {"shape": "Unknown"}, original(None, []))

with open(os.path.join(HERE, "dead_letters.json"), "w") as file:
    json.dump(vectors, file, indent=1)
    file.write("\n")
