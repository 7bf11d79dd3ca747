// Kafka, by any client that may write to it, also one that means harm: records byte by byte, on any topic.
import { execFileSync, spawn } from "node:child_process";
import { Readable } from "node:stream";
import { env } from "./fixtures";

export type Given = {
  topic: string;
  key?: string | Buffer | null;
  value?: string | Buffer | null;
  headers?: [string, string | Buffer | null][];
};

const hex = (bytes: string | Buffer | null | undefined) => (bytes == null ? null : Buffer.from(bytes).toString("hex"));

const line = ({ topic, key, value, headers = [] }: Given) =>
  `${JSON.stringify({ topic, key: hex(key), value: hex(value), headers: headers.map(([name, value]) => [name, hex(value)]) })}\n`;

/** Writes records to partition 0 of their topics; their offsets. */
export function send(records: Given[], bootstrap = env.bootstrap, ...options: string[]): number[] {
  const input = records.map(line).join("");
  const said = execFileSync(env.fleets, ["send", "--bootstrap", bootstrap, ...options], { input, timeout: 60_000 });
  return said.toString().trim().split("\n").map(Number);
}

/** The same while the test goes on. */
export async function flood(records: Given[], bootstrap = env.bootstrap): Promise<void> {
  const child = spawn(env.fleets, ["send", "--bootstrap", bootstrap], { stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (data) => (said += String(data)));
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  Readable.from(records.map(line)).pipe(child.stdin);
  const code = await ended;
  if (code !== 0) throw new Error(`not written: ${said}`);
}

function topics(...args: string[]): void {
  const tool = "org.apache.kafka.tools.TopicCommand";
  const java = ["-Xmx64m", "-cp", `${env.kafkaLibs}/*`, tool, "--bootstrap-server", env.bootstrap, ...args];
  execFileSync("java", java, { stdio: ["ignore", "ignore", "pipe"], timeout: 120_000 });
}

export function createTopic(name: string, ...settings: string[]): void {
  const configs = settings.flatMap((setting) => ["--config", setting]);
  topics("--create", "--topic", name, "--partitions", "1", "--replication-factor", "1", ...configs);
}

export function deleteTopic(name: string): void {
  topics("--delete", "--topic", name);
}

/** The record of a hold, as Flowdeck writes it: of anybody who may write to the topic. */
export function hold(group: string, id: string, owner: string, reason: string, more: object = {}): Given {
  return {
    topic: "flowdeck.holds",
    key: JSON.stringify({ scope: { group, ...more }, id }),
    value: JSON.stringify({ owner, reason, since: Date.now(), except: [] }),
    headers: [["Flowdeck-Version", "1"]],
  };
}

/** Its release. */
export function release(group: string, id: string, more: object = {}): Given {
  return { topic: "flowdeck.holds", key: JSON.stringify({ scope: { group, ...more }, id }), value: null, headers: [["Flowdeck-Version", "1"]] };
}
