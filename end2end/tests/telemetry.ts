// Telemetry as KafkaFlow writes it (docs/WIRE.md), by hand: with whatever any client may write into it.
import { randomBytes } from "node:crypto";
import type { Given } from "./kafka";

export type Said = {
  group: string;
  consumer: string;
  topic: string;
  instance: string;
  running?: number[];
  paused?: number[];
  /** `bcl.DateTime`: a number and its scale (3: seconds since 1970; 15: the ends of .NET's range). */
  sentAt?: [number, number];
};

function varint(number: number | bigint): Buffer {
  const bytes: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(number)); ; rest >>= 7n) {
    if (rest < 128n) return Buffer.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 127n) | 128);
  }
}

const zigzag = (number: number) => (number < 0 ? -2n * BigInt(number) - 1n : 2n * BigInt(number));
const bytes = (tag: number, value: Buffer) => Buffer.concat([varint(tag * 8 + 2), varint(value.length), value]);
const text = (tag: number, value: string) => bytes(tag, Buffer.from(value));
const numbers = (tag: number, all: number[]) => (all.length ? bytes(tag, Buffer.concat(all.map(varint))) : Buffer.alloc(0));

/** The value of a record. */
export function metric({ group, consumer, topic, instance, running = [], paused = [], sentAt = [Math.floor(Date.now() / 1000), 3] }: Said): Buffer {
  const time = Buffer.concat([varint(8), varint(zigzag(sentAt[0])), varint(16), varint(sentAt[1])]);
  return Buffer.concat([
    text(1, group),
    text(2, consumer),
    text(3, topic),
    text(4, instance),
    numbers(5, running),
    numbers(6, paused),
    bytes(7, time),
    Buffer.from([8 * 8, 3, 9 * 8, 1]),
  ]);
}

const TYPE = "KafkaFlow.Admin.Messages.ConsumerTelemetryMetric, KafkaFlow.Admin";

/** Any bytes, under the header that makes them telemetry. */
export function asTelemetry(value: Buffer | null): Given {
  return { topic: "kafkaflow.admin", key: randomBytes(16), value, headers: [["Message-Type", TYPE]] };
}

export const telemetry = (said: Said): Given => asTelemetry(metric(said));
