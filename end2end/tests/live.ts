// Services that the live tests start themselves, and what Kafka's own tool does for them.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import type { APIRequestContext, Page } from "@playwright/test";
import { env, expect } from "./fixtures";

/** The demo's topic that is written to all the time. */
export const TOPIC = "dev-audio-events";
export const CLUSTER = "demo";

/** One instance on the agent, as a process. */
export class Consumer {
  private readonly child: ChildProcess;
  private out = "";

  constructor(group: string, instance: string, { bootstrap = env.bootstrap, more = [] as string[] } = {}) {
    const args = ["consume", "--bootstrap", bootstrap, "--topics", TOPIC, "--group", group, "--instance", instance];
    this.child = spawn(env.fleets, [...args, "--trace", "--handle-ms", "5", ...more], { stdio: ["ignore", "pipe", "ignore"] });
    this.child.stdout!.on("data", (data) => (this.out += String(data)));
  }

  /** Records that were handed to its handler. */
  started(): number {
    return this.out.split("\n").filter((line) => line.startsWith("started ")).length;
  }

  /** Partitions that run and that are paused. */
  assigned(): [number, number] {
    const last = this.out.split("\n").filter((line) => line.startsWith("assigned ")).at(-1);
    const [, running, paused] = last?.split(" ") ?? [];
    return [Number(running ?? 0), Number(paused ?? 0)];
  }

  async reads(): Promise<void> {
    const before = this.started();
    await expect.poll(() => this.started(), { timeout: 20_000 }).toBeGreaterThan(before);
  }

  /** SIGTERM: it commits and leaves its group. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await ended;
  }
}

/** Groups that were left stay on the cluster: other tests count groups. */
export function deleteGroups(groups: string[], bootstrap = env.bootstrap): void {
  groupTool(groups, bootstrap, "--delete");
}

function groupTool(groups: string[], bootstrap: string, ...args: string[]): void {
  const tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
  const named = groups.flatMap((group) => ["--group", group]);
  const java = ["-Xmx64m", "-cp", `${env.kafkaLibs}/*`, tool, "--bootstrap-server", bootstrap, ...args, ...named];
  execFileSync("java", java, { stdio: ["ignore", "ignore", "pipe"], timeout: 60_000 });
}

/** A name as it is written in a URL, by the rule that docs/API.md gives. */
export function encoded(name: string): string {
  if (/^[A-Za-z0-9._-]+$/.test(name) && name !== "." && name !== "..") return name;
  return `~${Buffer.from(name, "utf8").toString("base64url")}`;
}

export function groupPath(group: string, cluster = CLUSTER): string {
  return `./c/${cluster}/groups/${encoded(group)}`;
}

/** The API's view of a group. */
export async function group(request: APIRequestContext, name: string) {
  const answer = await request.get(`./api/v1/clusters/${CLUSTER}/groups/${encoded(name)}`);
  return answer.ok() ? await answer.json() : null;
}

/** Where flowdeck.holds ends: what was written there cannot be hidden. */
export async function holdsEnd(request: APIRequestContext): Promise<number> {
  const answer = await request.get(`./api/v1/clusters/${CLUSTER}/topics/flowdeck.holds`);
  return answer.ok() ? (await answer.json()).partitions[0].end : 0;
}

/** Groups without members that have committed this offset of the topic, once Flowdeck knows them. */
export async function committed(request: APIRequestContext, groups: string[], topic: string, offset: number): Promise<void> {
  groupTool(groups, env.bootstrap, "--reset-offsets", "--topic", topic, "--to-offset", String(offset), "--execute");
  for (const name of groups) await expect.poll(() => group(request, name), { timeout: 60_000 }).not.toBeNull();
}

/** By the button beside a pause; where another one lies there too, the form comes first. */
export async function resumeBeside(page: Page): Promise<void> {
  await page.locator(".holds form button").first().click();
  await page.waitForURL(/\/commands\/|form=resume/);
  if (!page.url().includes("form=resume")) return;
  await page.locator("#form button[type=submit]").click();
  await page.waitForURL(/\/commands\//);
}
