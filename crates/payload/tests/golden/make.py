"""Makes vectors.json and shop.desc with other implementations of each format.

    pip install msgpack cbor2 fastavro confluent-kafka protobuf grpcio-tools lz4 zstandard python-snappy
    python make.py
"""

import datetime
import decimal
import gzip
import importlib
import json
import os
import struct
import sys
import tempfile
import uuid

import cbor2
import fastavro
import lz4.frame
import msgpack
import snappy
import zstandard
from confluent_kafka.serialization import DoubleSerializer, IntegerSerializer, StringSerializer
from google.protobuf import json_format
from grpc_tools import protoc

HERE = os.path.dirname(os.path.abspath(__file__))
vectors = []


def vector(name, decoder, raw, *, value=None, text=None, schema=None, headers=None):
    one = {"name": name, "decoder": decoder, "bytes": raw.hex()}
    one |= {"json": value} if text is None else {"text": text}
    one |= {"schema": schema} if schema else {}
    one |= {"headers": headers} if headers else {}
    vectors.append(one)


order = {
    "id": 4711,
    "customer": "Zoë \"Z\" \\ \n",
    "items": [{"sku": "a-1", "count": 2}, {"sku": "", "count": -70000}],
    "price": 12.5,
    "paid": True,
    "note": None,
    "large": 2**63,
    "small": -(2**63),
    "many": list(range(40)),
    "long": "x" * 300,
    "empty": {},
}
vector("msgpack order", "messagepack", msgpack.packb(order), value=order)
vector("msgpack detected", "auto", msgpack.packb(order), value=order)
vector("msgpack bin", "messagepack", msgpack.packb({"b": b"\x00\xff"}), value={"b": "0x00ff"})
vector("msgpack float32", "messagepack", msgpack.packb([0.5], use_single_float=True), value=[0.5])
vector("msgpack keys", "messagepack", msgpack.packb({1: "a", -2: "b"}), value={"1": "a", "-2": "b"})
vector("msgpack extension", "messagepack", msgpack.packb(msgpack.ExtType(5, b"\x01\x02")), value={"$extension": 5, "$data": "0x0102"})
for name, at, want in [
    ("32", msgpack.Timestamp(1, 0), "1"),
    ("64", msgpack.Timestamp(1795270137, 5), "1795270137.000000005"),
    ("96", msgpack.Timestamp(-5, 7), "-5.000000007"),
]:
    vector(f"msgpack timestamp {name}", "messagepack", msgpack.packb(at), value={"$timestamp": want})

vector("cbor order", "cbor", cbor2.dumps(order), value=order)
vector("cbor detected", "auto", cbor2.dumps(order), value=order)
vector("cbor canonical halves", "cbor", cbor2.dumps([1.5, 0.1, -2.0, 65504.0, 5.960464477539063e-08], canonical=True), value=[1.5, 0.1, -2.0, 65504.0, 5.960464477539063e-08])
vector("cbor special", "cbor", cbor2.dumps([float("nan"), float("inf"), cbor2.undefined, b"\x01"], canonical=True), value=["NaN", "Infinity", {"$simple": "undefined"}, "0x01"])
vector("cbor big", "cbor", cbor2.dumps([2**70, -(2**70)]), value=[2**70, -(2**70)])
vector("cbor tags", "cbor", cbor2.dumps([uuid.UUID(int=7), datetime.datetime(2026, 11, 21, 14, 8, 57, tzinfo=datetime.timezone.utc), cbor2.CBORTag(4000, "x")]),
       value=["00000000-0000-0000-0000-000000000007", "2026-11-21T14:08:57Z", {"$tag": 4000, "$value": "x"}])
vector("cbor open lengths", "cbor", bytes.fromhex("bf61618201029f0304ffff".replace("61618201029f0304ff", "61619f0102ff61627f61786179ff")), value={"a": [1, 2], "b": "xy"})

avsc = {
    "type": "record", "name": "Order", "namespace": "shop", "fields": [
        {"name": "id", "type": "long"},
        {"name": "customer", "type": ["null", "string"]},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
        {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
            {"name": "sku", "type": "string"}, {"name": "count", "type": "int"}]}}},
        {"name": "prices", "type": {"type": "map", "values": "double"}},
        {"name": "first", "type": ["null", "Item"]},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "key", "type": {"type": "fixed", "name": "Key", "size": 4}},
        {"name": "trace", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "weight", "type": "float"},
        {"name": "gift", "type": "boolean"},
        {"name": "next", "type": ["null", "shop.Order"]},
    ],
}
parsed = fastavro.parse_schema(json.loads(json.dumps(avsc)))
trace = uuid.UUID(int=9)


def avro_order(number, following):
    return {
        "id": number, "customer": "Zoë", "state": "PAID",
        "items": [{"sku": "a", "count": -3}, {"sku": "b", "count": 70000}],
        "prices": {"eur": 1.25}, "first": None if following else {"sku": "a", "count": 1},
        "total": decimal.Decimal("-12.05"), "at": datetime.datetime(2026, 11, 21, 14, 8, 57, 123000, tzinfo=datetime.timezone.utc),
        "key": b"\x00\x01\xfe\xff", "trace": trace, "weight": 0.5, "gift": True, "next": following,
    }


def shown(avro):
    if avro is None:
        return None
    return avro | {"total": str(avro["total"]), "at": int(avro["at"].timestamp() * 1000), "key": "0x" + avro["key"].hex(), "trace": str(trace), "next": shown(avro["next"])}


class Sink(list):
    def write(self, piece):
        self.append(bytes(piece))


def avro_bytes(value):
    sink = Sink()
    fastavro.schemaless_writer(sink, parsed, value)
    return b"".join(sink)


nested = avro_order(-(2**40), avro_order(2, None))
vector("avro order", "schema:order", avro_bytes(nested), value=shown(nested), schema=avsc)
vector("avro in a frame", "schema:order", b"\0" + struct.pack(">I", 7) + avro_bytes(nested), value=shown(nested), schema=avsc)

with tempfile.TemporaryDirectory() as out:
    arguments = ["protoc", f"-I{HERE}", f"--python_out={out}", "--include_imports", f"--descriptor_set_out={HERE}/shop.desc", "shop.proto"]
    assert protoc.main(arguments) == 0
    sys.path.insert(0, out)
    shop = importlib.import_module("shop_pb2")
message = shop.Order(id=-5, customer="Zoë", items=[shop.Item(sku="a", count=2)], state=1, prices={"eur": 1.5}, token=b"\0\xff", changes=[-1, 70000], crc=7, card="visa")
want = json_format.MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
want["id"] = int(want["id"])
vector("protobuf order", "schema:shop.Order", message.SerializeToString(), value=want)
vector("protobuf in a frame", "schema:shop.Order", b"\0" + struct.pack(">I", 7) + b"\0" + message.SerializeToString(), value=want)
raw = shop.Order(id=-5, customer="Zoë", items=[shop.Item(sku="a", count=2), shop.Item(sku="b")], token=b"\0\xff", crc=0x3F800000)
vector("protobuf raw", "protobuf", raw.SerializeToString(),
       value={"1": -5, "2": "Zoë", "3": [{"1": "a", "2": 2}, {"1": "b"}], "6": "0x00ff", "8": {"$fixed32": 0x3F800000, "$float": 1.0}})

vector("int", "int", IntegerSerializer()(-70000, None), text="-70000")
vector("double", "double", DoubleSerializer()(-0.125, None), text="-0.125")
vector("long", "long", struct.pack(">q", 2**40), text=str(2**40))
vector("short", "short", struct.pack(">h", -2), text="-2")
vector("float", "float", struct.pack(">f", 0.5), text="0.5")
vector("uuid", "uuid", trace.bytes, text=str(trace))
vector("uuid as text", "uuid", str(trace).encode(), text=str(trace))
for codec in ["windows-1252", "utf-16le", "utf-16be", "shift_jis", "iso-8859-2"]:
    words = "カタ" if codec == "shift_jis" else "Zoë 5"
    vector(codec, f"text:{codec}", StringSerializer(codec)(words, None), text=words)
vector("utf-16 with a mark", "auto", "Zoë 5".encode("utf-16"), text="Zoë 5")
vector("charset", "auto", "caf\xe9".encode("latin-1"), text="caf\xe9", headers={"Content-Type": "text/plain; charset=ISO-8859-1"})

inner = json.dumps({"n": 1, "text": "x" * 2000}).encode()
seen = json.loads(inner)
vector("gzip", "auto", gzip.compress(inner, mtime=0), value=seen)
vector("zstd", "auto", zstandard.compress(inner), value=seen)
vector("lz4", "auto", lz4.frame.compress(inner), value=seen)
vector("snappy framed", "auto", snappy.StreamCompressor().add_chunk(inner), value=seen)
vector("snappy block", "snappy", snappy.compress(inner), value=seen)
hadoop = b"\x82SNAPPY\0" + struct.pack(">II", 1, 1) + struct.pack(">I", len(snappy.compress(inner))) + snappy.compress(inner)
vector("snappy of java", "auto", hadoop, value=seen)
vector("gzip of msgpack", "auto", gzip.compress(msgpack.packb(seen), mtime=0), value=seen)
vector("zstd of avro", "schema:order", zstandard.compress(avro_bytes(nested)), value=shown(nested), schema=avsc)
vector("cbor by header", "auto", cbor2.dumps("text"), value="text", headers={"content-type": "application/cbor"})

with open(f"{HERE}/vectors.json", "w") as file:
    json.dump(vectors, file, indent=1, ensure_ascii=False)
    file.write("\n")
