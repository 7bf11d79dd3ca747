#!/usr/bin/env python3
"""Writes kafkaflow.json: golden vectors made by Google's protobuf from kafkaflow.proto.

What a message must say is in plain JSON beside its bytes; the tests compare the codec with
both. Malformed vectors are made by damaging good bytes. See README.md.
"""

import importlib
import json
import pathlib
import sys
import tempfile
from datetime import datetime, timedelta

from grpc_tools import protoc

HERE = pathlib.Path(__file__).parent
NAMESPACE = "KafkaFlow.Admin.Messages."


def compiled():
    out = tempfile.mkdtemp()
    code = protoc.main(["protoc", f"-I{HERE}", f"--python_out={out}", str(HERE / "kafkaflow.proto")])
    if code != 0:
        sys.exit(code)
    sys.path.insert(0, out)
    return importlib.import_module("kafkaflow_pb2")


pb = compiled()
EPOCH = datetime(1970, 1, 1)
DAY = 864_000_000_000  # in ticks of 100 ns


def ticks_of(moment, extra=0):
    """Ticks since 0001-01-01, as .NET's DateTime.Ticks."""
    delta = moment - datetime(1, 1, 1)
    return (delta.days * 86_400 + delta.seconds) * 10_000_000 + delta.microseconds * 10 + extra


MIN, MAX = 0, ticks_of(datetime(9999, 12, 31), DAY - 1)
EPOCH_TICKS = ticks_of(EPOCH)


def date_time(ticks):
    """protobuf-net's choice: the ends have a scale of their own, else the largest that is exact."""
    if ticks in (MIN, MAX):
        return pb.DateTime(value=-1 if ticks == MIN else 1, scale=pb.DateTime.MINMAX)
    value = ticks - EPOCH_TICKS
    for scale, unit in enumerate([DAY, DAY // 24, DAY // 1440, 10_000_000, 10_000, 1]):
        if value % unit == 0:
            message = pb.DateTime()
            if value:
                message.value = value // unit
            if scale:
                message.scale = scale
            return message
    raise AssertionError


def header(name, assembly="KafkaFlow.Admin"):
    return f"{NAMESPACE}{name}, {assembly}"


VECTORS = []


def vector(name, kind, message, says, canonical=True, message_type=None):
    """`canonical`: these are protobuf-net's own bytes, so encoding must give them too."""
    data = message if isinstance(message, bytes) else message.SerializeToString()
    VECTORS.append({
        "name": name,
        "type": message_type or header(kind),
        "hex": data.hex(),
        "canonical": canonical,
        "message": {"kind": kind, **says} if says is not None else None,
    })
    return data


def with_topics(kind, field, name, topics, title, canonical=True):
    message = getattr(pb, kind)(**{field: name}, topics=topics)
    return vector(title, kind, message, {"name": name, "topics": topics}, canonical)


def commands():
    for kind, field in [
        ("PauseConsumerByName", "consumerName"),
        ("ResumeConsumerByName", "consumerName"),
        ("PauseConsumersByGroup", "groupId"),
        ("ResumeConsumersByGroup", "groupId"),
        ("ResetConsumerOffset", "consumerName"),
    ]:
        with_topics(kind, field, "orders", [], f"{kind}, all topics")
        with_topics(kind, field, "orders", ["dev-orders", "dev.orders_2"], f"{kind}, two topics")
    kind = "PauseConsumerByName"
    with_topics(kind, "consumerName", "", [], "an empty name is a name")
    with_topics(kind, "consumerName", "a/b ü 🦀 \u0000 \"", [], "a name of any characters")
    with_topics(kind, "consumerName", "n" * 1024, ["t" * 249], "the longest names")
    for kind in ["RestartConsumerByName", "StartConsumerByName", "StopConsumerByName"]:
        vector(kind, kind, getattr(pb, kind)(consumerName="orders"), {"name": "orders"})
    kind = "ChangeConsumerWorkersCount"
    for count in [0, 1, 300, -1, 2**31 - 1, -(2**31)]:
        message = pb.ChangeConsumerWorkersCount(consumerName="orders")
        if count:
            message.workersCount = count
        vector(f"{kind} {count}", kind, message, {"name": "orders", "workers": count})


def times():
    kind = "RewindConsumerOffsetToDateTime"
    now = datetime(2026, 11, 21, 14, 8, 57)
    for title, ticks in [
        ("min", MIN),
        ("one tick after min", 1),
        ("max", MAX),
        ("one tick before max", MAX - 1),
        ("the epoch", EPOCH_TICKS),
        ("days", ticks_of(datetime(2026, 11, 21))),
        ("days before the epoch", ticks_of(datetime(1969, 7, 20))),
        ("the last day", ticks_of(datetime(9999, 12, 31))),
        ("hours", ticks_of(datetime(2026, 11, 21, 14))),
        ("hours before the epoch", ticks_of(datetime(1969, 7, 20, 20))),
        ("minutes", ticks_of(datetime(2026, 11, 21, 14, 8))),
        ("seconds", ticks_of(now)),
        ("milliseconds", ticks_of(now + timedelta(milliseconds=123))),
        ("ticks", ticks_of(now, 1_234_567)),
        ("ticks before the epoch", EPOCH_TICKS - 1),
    ]:
        message = pb.RewindConsumerOffsetToDateTime(consumerName="orders", topics=["dev-orders"])
        message.dateTime.CopyFrom(date_time(ticks))
        message.dateTime.SetInParent()
        says = {"name": "orders", "ticks": ticks, "topics": ["dev-orders"]}
        vector(f"{kind}, {title}", kind, message, says)
    for title, sent, ticks in [
        ("milliseconds where days would do", pb.DateTime(value=86_400_000, scale=4), EPOCH_TICKS + DAY),
        ("zeros written out", pb.DateTime(value=0, scale=0, kind=0), EPOCH_TICKS),
        ("a kind", pb.DateTime(value=1, kind=pb.DateTime.UTC), EPOCH_TICKS + DAY),
    ]:
        message = pb.RewindConsumerOffsetToDateTime(consumerName="orders", dateTime=sent)
        vector(f"{kind}, {title}", kind, message, {"name": "orders", "ticks": ticks, "topics": []}, False)


def telemetry_of(running, paused, ticks, workers, status, lag, topic="dev-orders", make=None):
    message = (make or pb.ConsumerTelemetryMetric)(
        groupId="payments", consumerName="orders", topic=topic, instanceName="web-1-42",
        runningPartitions=running, pausedPartitions=paused,
    )
    message.sentAt.CopyFrom(date_time(ticks))
    message.sentAt.SetInParent()
    for field, number in [("workersCount", workers), ("status", status), ("lag", lag)]:
        if number:
            setattr(message, field, number)
    says = {
        "group": "payments", "consumer": "orders", "topic": topic, "instance": "web-1-42",
        "running": running, "paused": paused, "ticks": ticks, "workers": workers,
        "status": status, "lag": lag, "dropped": 0,
    }
    return message, says


def telemetry():
    kind = "ConsumerTelemetryMetric"
    now = ticks_of(datetime(2026, 11, 21, 14, 8, 57), 1_234_567)
    for title, args in [
        ("running", ([0, 1, 2, 300], [], now, 4, 1, 1234)),
        ("paused", ([], [0, 70_000, 2**31 - 1], now, 4, 3, 1234)),
        ("partly", ([1, 0], [2], now, 1, 2, 0)),
        ("without partitions", ([], [], now, 10, 0, 0)),
        ("a regex subscription", ([], [], now, 10, 0, 0, "^dev-.*")),
        ("the year 9999", ([5], [], MAX - 1, 1, 1, 2**63 - 1)),
        ("a negative lag", ([5], [], EPOCH_TICKS, 1, 1, -(2**63))),
    ]:
        vector(f"{kind}, {title}", kind, *telemetry_of(*args))
    message, says = telemetry_of([0, 1, 300], [70_000], now, 4, 2, 7, make=pb.PackedTelemetry)
    vector(f"{kind}, packed", kind, message, says, False)
    message, says = telemetry_of([], [], now, 4, 9, 7, make=pb.PackedTelemetry)
    vector(f"{kind}, a status of tomorrow", kind, message, says)
    message, says = telemetry_of([0], [], now, 4, 1, 7)
    message.lag, message.status = 0, 0
    says.update(lag=0, status=0)
    vector(f"{kind}, zeros written out", kind, message, says, False)
    message.ClearField("sentAt")
    says.update(ticks=0)
    vector(f"{kind}, without a time", kind, message, says, False)


def odd_but_good():
    kind = "PauseConsumerByName"
    tomorrow = pb.PauseConsumerByNameOfTomorrow(
        consumerName="orders", topics=["dev-orders"], small=1, large=2, number=-3)
    tomorrow.inner.text = "x"
    tomorrow.old.number = 4
    says = {"name": "orders", "topics": ["dev-orders"]}
    data = vector("unknown fields", kind, tomorrow, says, False)
    good = pb.PauseConsumerByName(consumerName="orders", topics=["dev-orders"]).SerializeToString()
    last = pb.PauseConsumerByName(consumerName="first").SerializeToString() + good
    vector("the last name counts", kind, last, says, False)
    topics_first = pb.PauseConsumerByName(topics=["dev-orders"]).SerializeToString()
    name_last = pb.PauseConsumerByName(consumerName="orders").SerializeToString()
    vector("fields in another order", kind, topics_first + name_last, says, False)
    full = f"{header(kind)}, Version=4.1.0.0, Culture=neutral, PublicKeyToken=null"
    vector("an assembly's full name", kind, good, says, True, full)
    # The same varint with a needless byte is still a varint.
    vector("a padded varint", kind, b"\x8a\x00" + good[1:], says, False)
    return data


def not_ours():
    good = pb.PauseConsumerByName(consumerName="orders").SerializeToString()
    for title, message_type in [
        ("an application's own type", "Shop.Orders.OrderPlaced, Shop.Contracts"),
        ("an unknown type", header("PauseEverything")),
        ("another case", header("pauseconsumerbyname")),
        ("no assembly", NAMESPACE + "PauseConsumerByName"),
        ("another assembly", header("PauseConsumerByName", "KafkaFlow")),
        ("nothing", ""),
    ]:
        VECTORS.append({"name": f"not ours: {title}", "type": message_type, "hex": good.hex(),
                        "canonical": False, "notOurs": True})


def malformed(name, kind, data, why):
    VECTORS.append({"name": f"malformed: {name}", "type": header(kind), "hex": data.hex(),
                    "canonical": False, "malformed": why})


def damaged():
    kind = "PauseConsumerByName"
    good = pb.PauseConsumerByName(consumerName="orders", topics=["dev-orders"]).SerializeToString()
    for cut in [1, 2, 5, len(good) - 1]:
        malformed(f"truncated at {cut}", kind, good[:cut], "Protobuf")
    malformed("empty", kind, b"", "Missing")
    malformed("only topics", kind, pb.PauseConsumerByName(topics=["t"]).SerializeToString(), "Missing")
    malformed("a number for a name", kind, b"\x08\x01", "WireType")
    malformed("a fixed32 for a name", kind, b"\x0d\x01\x02\x03\x04", "WireType")
    malformed("a group for a name", kind, b"\x0b\x0c", "WireType")
    malformed("not UTF-8", kind, b"\x0a\x02\xc3\x28", "Utf8")
    malformed("a varint of eleven bytes", kind, b"\xff" * 10 + b"\x01", "Protobuf")
    malformed("a varint over 64 bits", kind, b"\x0a" + b"\xff" * 9 + b"\x7f", "Protobuf")
    malformed("a length of 2 GiB", kind, b"\x0a\xff\xff\xff\xff\x07orders", "Protobuf")
    malformed("a length of 2^63", kind, b"\x0a" + b"\x80" * 9 + b"\x01orders", "Protobuf")
    malformed("field number 0", kind, b"\x02\x00", "Protobuf")
    malformed("wire type 6", kind, b"\x0e\x00", "Protobuf")
    malformed("an end without its group", kind, b"\xa4\x01", "Protobuf")
    malformed("a group without its end", kind, b"\xa3\x01", "Protobuf")
    malformed("groups in groups in groups", kind, b"\xa3\x01" * 5_000, "Protobuf")
    malformed("a topic with a slash", kind,
              pb.PauseConsumerByName(consumerName="o", topics=["a/b"]).SerializeToString(), "Topic")
    malformed("an empty topic", kind,
              pb.PauseConsumerByName(consumerName="o", topics=[""]).SerializeToString(), "Topic")
    malformed("a topic of 250 characters", kind,
              pb.PauseConsumerByName(consumerName="o", topics=["t" * 250]).SerializeToString(), "Topic")
    malformed("a name of 1025 bytes", kind,
              pb.PauseConsumerByName(consumerName="n" * 1025).SerializeToString(), "NameTooLong")
    malformed("1001 topics", kind,
              pb.PauseConsumerByName(consumerName="o", topics=["t"] * 1001).SerializeToString(), "TooManyTopics")
    malformed("JSON", kind, b'{"consumerName":"orders"}', "Protobuf")
    kind = "ConsumerTelemetryMetric"
    malformed("no names", kind, b"\x40\x04", "Missing")
    malformed("a negative partition", kind, telemetry_of([-1], [], MIN, 1, 1, 0)[0].SerializeToString(), "Partition")
    malformed("a topic with a slash", kind,
              telemetry_of([], [], MIN, 1, 1, 0, "a/b")[0].SerializeToString(), "Topic")
    packed = telemetry_of([1, 300], [], MIN, 1, 1, 0, make=pb.PackedTelemetry)[0].SerializeToString()
    malformed("a packed list that ends in a varint", kind, packed.replace(b"\x2a\x03\x01\xac\x02", b"\x2a\x02\x01\xac"), "Protobuf")
    kind = "RewindConsumerOffsetToDateTime"
    for title, sent in [
        ("an unknown scale", pb.DateTime(value=1).SerializeToString() + b"\x10\x06"),
        ("an unknown kind", b"\x18\x03"),
        ("a third end", pb.DateTime(value=2, scale=15).SerializeToString()),
        ("no end", pb.DateTime(scale=15).SerializeToString()),
        ("days that overflow", pb.DateTime(value=2**63 - 1).SerializeToString()),
        ("days that overflow, before", pb.DateTime(value=-(2**63)).SerializeToString()),
        ("ticks that overflow", pb.DateTime(value=2**63 - 1, scale=5).SerializeToString()),
        ("the year 10000", pb.DateTime(value=2_932_897).SerializeToString()),
        ("the year 0", pb.DateTime(value=-719_163).SerializeToString()),
    ]:
        data = pb.RewindConsumerOffsetToDateTime(consumerName="o").SerializeToString()
        # 0x12: field 2, length-delimited. All are shorter than 128 bytes.
        malformed(title, kind, data + b"\x12" + bytes([len(sent)]) + sent, "Time")
    malformed("no time", kind, pb.RewindConsumerOffsetToDateTime(consumerName="o").SerializeToString(), "Missing")
    malformed("a number for a time", kind, b"\x0a\x01o\x10\x01", "WireType")
    malformed("garbage for a time", kind, b"\x0a\x01o\x12\x03\xff\xff\xff", "Protobuf")
    malformed("a negative scale", kind, b"\x0a\x01o\x12\x0b\x10" + b"\xff" * 9 + b"\x01", "Time")


commands()
times()
telemetry()
odd_but_good()
not_ours()
damaged()
names = [one["name"] + one["type"] for one in VECTORS]
assert len(set(names)) == len(names), "two vectors of one name"
with open(HERE / "kafkaflow.json", "w", encoding="utf-8") as out:
    out.write("[\n" + ",\n".join(json.dumps(one, ensure_ascii=True) for one in VECTORS) + "\n]\n")
print(f"{len(VECTORS)} vectors")
