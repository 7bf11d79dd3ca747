"""Makes registry.json: records as Confluent's own serializers write them, and what a real registry answers about their
schemas. Any registry with Confluent's API will do, an empty one:

    pip install 'confluent-kafka[avro,protobuf,json]' grpcio-tools
    python make.py http://127.0.0.1:8080/apis/ccompat/v7
"""

import importlib
import json
import os
import sys
import tempfile
import urllib.error
import urllib.request

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from grpc_tools import protoc

HERE = os.path.dirname(os.path.abspath(__file__))
URL = sys.argv[1].rstrip("/")
client = SchemaRegistryClient({"url": URL})
records, answers = [], {}


def record(name, raw, json_value, label):
    records.append({"name": name, "bytes": raw.hex(), "json": json_value, "decoder": label})


def of(topic):
    return SerializationContext(topic, MessageField.VALUE)


# Avro, with a type of another subject.
customer = {"type": "record", "name": "Customer", "namespace": "shop", "fields": [{"name": "name", "type": "string"}]}
client.register_schema("customer-value", Schema(json.dumps(customer), "AVRO"))
order = {"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "id", "type": "long"},
    {"name": "by", "type": "shop.Customer"},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
    {"name": "note", "type": ["null", "string"]},
    {"name": "prices", "type": {"type": "array", "items": "double"}},
]}
refers = [SchemaReference("shop.Customer", "customer-value", 1)]
avro = AvroSerializer(client, Schema(json.dumps(order), "AVRO", refers))
value = {"id": 4711, "by": {"name": "Zoë \"Z\""}, "state": "PAID", "note": None, "prices": [1.5, -2.0]}
record("avro with a reference", avro(value, of("orders")), value, "Avro shop.Order")
plain = AvroSerializer(client, json.dumps({"type": "string"}))
record("avro of one text", plain("hello", of("texts")), "hello", "Avro")

# Protobuf: nested messages, an import of another subject, one of Google's.
with tempfile.TemporaryDirectory() as made:
    for name in ("money.proto", "paid.proto"):
        protoc.main(["protoc", f"-I{HERE}", f"-I{os.path.join(os.path.dirname(protoc.__file__), '_proto')}", f"--python_out={made}", os.path.join(HERE, name)])
    sys.path.insert(0, made)
    money, paid = importlib.import_module("money_pb2"), importlib.import_module("paid_pb2")
for topic, kind, message, want, label in [
    ("payments", paid.Paid, paid.Paid(lines=[paid.Paid.Line(name="a-1", price=money.Money(cents=250, currency="EUR"))], at={"seconds": 1795270137}),
     {"lines": [{"name": "a-1", "price": {"cents": 250, "currency": "EUR"}}], "at": "2026-11-21T14:08:57Z"}, "Protobuf shop.Paid"),
    ("lines", paid.Paid.Line, paid.Paid.Line(name="b"), {"name": "b"}, "Protobuf shop.Paid.Line"),
    ("first", paid.First, paid.First(x=7), {"x": 7}, "Protobuf shop.First"),
]:
    serializer = ProtobufSerializer(kind, client, {"use.deprecated.format": False})
    record(f"protobuf {message.DESCRIPTOR.full_name}", serializer(message, of(topic)), want, label)

schema = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Shipped", "type": "object", "properties": {"id": {"type": "integer"}}}
value = {"id": 7, "to": "Straße 1"}
record("json schema", JSONSerializer(json.dumps(schema), client)(value, of("shipped")), value, "JSON Schema Shipped")


def ask(path):
    try:
        with urllib.request.urlopen(URL + path) as answer:
            answers[path] = [answer.status, json.load(answer)]
    except urllib.error.HTTPError as error:
        answers[path] = [error.code, json.load(error)]


for one in sorted({int.from_bytes(bytes.fromhex(it["bytes"])[1:5], "big") for it in records}):
    ask(f"/schemas/ids/{one}")
ask("/schemas/ids/999999")
waiting = [r for _, answer in list(answers.values()) for r in answer.get("references", [])]
while waiting:
    one = waiting.pop()
    path = f"/subjects/{one['subject']}/versions/{one['version']}"
    if path not in answers:
        ask(path)
        waiting += answers[path][1].get("references", [])
with open(os.path.join(HERE, "registry.json"), "w", encoding="utf-8") as out:
    json.dump({"records": records, "answers": answers}, out, indent=1, ensure_ascii=False)
    out.write("\n")
