// A flood on the admin topic, by somebody who may write to it: twenty thousand instances, a million partitions,
// names of 200 KB, times in the year 9999, no message at all. Pages are quick meanwhile and say with numbers what
// they do not show; groups are what the brokers say; real instances are found and obey; memory has a bound.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { env, expect, hydrated, test } from "./fixtures";
import { Consumer, TOPIC, deleteGroups, encoded, resumeBeside } from "./live";
import { OwnServer } from "./own-server";
import { flood, send, type Given } from "./kafka";
import { asTelemetry, metric, telemetry } from "./telemetry";
import type { APIRequestContext, Page } from "@playwright/test";

/** Claimed by the flood, and left alone by it. */
const BUSY = `flooded ${process.pid}`;
const QUIET = `quiet ${process.pid}`;
const INSTANCES = 20_000;
/** A page while the flood comes in. */
const SOON = 5_000;
/** Megabytes that a flood may take for good, in a debug build; and another one after it. */
const GROWTH_MAX = 100;
const MORE = 30;
const SLOW = 60_000;

let server: OwnServer;
let consumers: Record<string, Consumer> = {};

test.skip(!env.server || !env.second, "FLOWDECK_BIN and KAFKA_BOOTSTRAP_SECOND name what is needed");
test.describe.configure({ mode: "serial", timeout: 240_000 });

const path = (group: string) => `/c/demo/groups/${encoded(group)}`;

async function api(request: APIRequestContext, group: string) {
  const answer = await request.get(`${server.url}/api/v1${path(group).replace("/c/", "/clusters/")}`);
  return answer.ok() ? await answer.json() : null;
}

type Instance = { instance: string; confirmed: boolean | null; lost: boolean; note: string | null };
const instances = (view: { consumers: { instances: Instance[] }[] } | null): Instance[] =>
  (view?.consumers ?? []).flatMap((consumer) => consumer.instances);
const real = async (request: APIRequestContext, group: string) =>
  instances(await api(request, group)).filter((one) => one.confirmed === true && !one.lost).map((one) => one.instance);

const numbered = (count: number, of: (n: number) => Given) => Array.from({ length: count }, (_, n) => of(n));
const range = (from: number, count: number) => Array.from({ length: count }, (_, n) => from + n);
const fake = { group: BUSY, consumer: BUSY, topic: TOPIC, instance: "fake" };

/** Two in five under the real consumer, one in five under others of the group, the rest in groups that are none. */
function crowd(name: string): Given[] {
  return numbered(INSTANCES, (n) => {
    const running = [3 + (n % 50)];
    const instance = `${name}-${n}`;
    if (n % 5 < 2) return telemetry({ ...fake, instance, running });
    if (n % 5 < 3) return telemetry({ ...fake, consumer: `other-${n % 200}`, instance, running, paused: [n % 3] });
    return telemetry({ ...fake, group: `ghost-${n % 10}`, instance, running: [0, 1, 2] });
  });
}

/** Together a million partitions and more, thousands of topics, one list that is longer than is read, and one record of what Kafka takes. */
function partitions(name: string): Given[] {
  const ghost = { ...fake, group: "ghost-wide" };
  return [
    telemetry({ ...ghost, instance: `${name}-huge`, running: range(0, 330_000) }),
    telemetry({ ...fake, instance: "wide", running: range(3, 30_000) }),
    ...numbered(5_000, (n) => telemetry({ ...fake, instance: `${name}-topics-${n % 20}`, topic: `claimed-${n}`, running: [0] })),
    ...numbered(110, (n) => telemetry({ ...(n % 2 ? fake : ghost), instance: `${name}-${n}`, running: range(n * 10_000, 10_000) })),
  ];
}

function names(): Given[] {
  const fields = ["group", "consumer", "instance", "topic"] as const;
  return [600, 100_000, 200_000].flatMap((length) =>
    fields.map((field) => telemetry({ ...fake, instance: "long", [field]: "n".repeat(length) })),
  );
}

const TIMES: [string, [number, number]][] = [
  ["the last tick of 9999", [1, 15]],
  ["the year 9999", [253_402_300_799, 3]],
  ["the year 1", [-1, 15]],
  ["1938", [-1_000_000_000, 3]],
  ["beyond time", [4_000_000_000_000, 3]],
];

const garbage = (): Given[] => [
  ...[null, Buffer.alloc(0), Buffer.from("{}"), randomBytes(1_000), randomBytes(1_000_000)].map(asTelemetry),
  { topic: "kafkaflow.admin", value: randomBytes(500) },
  { topic: "kafkaflow.admin", value: metric(fake), headers: [["Message-Type", "no type at all"]] },
  asTelemetry(metric({ ...fake, running: [-1] })),
];

test.beforeAll(async ({ playwright }) => {
  test.setTimeout(240_000);
  execFileSync(env.fleets, ["topics", "--bootstrap", env.second], { timeout: 60_000 });
  send(Array.from({ length: 30 }, (_, n) => ({ topic: TOPIC, value: `record ${n}` })), env.second);
  consumers = {
    "busy-1": new Consumer(BUSY, "busy-1", { bootstrap: env.second }),
    "quiet-1": new Consumer(QUIET, "quiet-1", { bootstrap: env.second }),
  };
  server = await OwnServer.start(`[clusters.demo]\nmode = "control"\nbootstrap = "${env.second}"\nrefresh = "1s"\n`);
  const request = await playwright.request.newContext();
  await expect.poll(() => real(request, BUSY), { timeout: 90_000 }).toEqual(["busy-1"]);
  await expect.poll(() => real(request, QUIET), { timeout: 90_000 }).toEqual(["quiet-1"]);
  await request.dispose();
});

test.afterAll(async () => {
  await server?.stop();
  await Promise.all(Object.values(consumers).map((consumer) => consumer.stop()));
  if (env.second) deleteGroups([BUSY, QUIET], env.second);
});

/** The sum of a figure, of the lines that hold `label`. */
async function metrics(request: APIRequestContext, name: string, label = ""): Promise<number> {
  const text = await (await request.get(new URL("/metrics", server.url).href)).text();
  const found = text.split("\n").filter((line) => line.startsWith(`flowdeck_${name}`) && line.includes(label));
  return found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** Pages while something goes on; the slowest in milliseconds. */
async function looks(request: APIRequestContext, going: Promise<void>): Promise<number> {
  let [slowest, done] = [0, false];
  const ended = going.finally(() => (done = true));
  while (!done) {
    for (const page of [server.url, server.url + path(BUSY), server.url + path(QUIET)]) {
      const began = Date.now();
      expect((await request.get(page)).status(), page).toBe(200);
      slowest = Math.max(slowest, Date.now() - began);
    }
  }
  await ended;
  return slowest;
}

/** Everything that `floods` wrote is taken in or counted, but who had a place and lost it to the group's own. An empty queue alone may be one that Kafka has yet to fill. */
async function settled(request: APIRequestContext, floods: number) {
  const refused = () => metrics(request, "instances_dropped_total");
  await expect.poll(refused, { timeout: SLOW }).toBeGreaterThan(floods * INSTANCES - 4_096 - 2_048);
  await expect.poll(() => metrics(request, "queue_depth", 'queue="records"'), { timeout: SLOW }).toBe(0);
}

test("pages are quick while it comes in, memory has a bound, and real instances keep their place", async ({ request }) => {
  for (let n = 0; n < 5; n++) await request.get(server.url + path(BUSY));
  const before = server.megabytes();
  const one = [...partitions("wide"), ...names(), ...garbage(), ...crowd("fake")];
  for (const [instance, sentAt] of TIMES) one.push(telemetry({ ...fake, group: QUIET, consumer: QUIET, instance, sentAt }));
  const slowest = await looks(request, flood(one, env.second));
  expect(slowest, "the slowest page").toBeLessThan(SOON);
  await settled(request, 1);
  const first = server.megabytes();
  const second = await looks(request, flood([...crowd("again"), ...partitions("again")], env.second));
  expect(second, "the slowest page").toBeLessThan(SOON);
  await settled(request, 2);
  const after = server.megabytes();
  console.log(`memory ${before} MB, after one flood ${first} MB, after another ${after} MB; slowest page ${slowest} and ${second} ms`);
  expect(first - before, "megabytes for good").toBeLessThan(GROWTH_MAX);
  expect(after - first, "megabytes for another flood").toBeLessThan(MORE);

  expect(await metrics(request, "instances_heard")).toBeLessThanOrEqual(4_096);
  for (const why of ["too_many_instances_of_consumer", "too_many_partitions", "name_too_long", "too_long", "malformed_message"]) {
    await expect.poll(() => metrics(request, "records_dropped", `reason="${why}"`), { message: why, timeout: SLOW }).toBeGreaterThan(0);
  }
  await expect.poll(() => real(request, BUSY), { timeout: SLOW }).toEqual(["busy-1"]);
  // It comes when every place of its group and of its consumer is taken.
  consumers["busy-2"] = new Consumer(BUSY, "busy-2", { bootstrap: env.second });
  await expect.poll(async () => (await real(request, BUSY)).sort(), { timeout: SLOW }).toEqual(["busy-1", "busy-2"]);
  const told = async () => {
    const view = await api(request, BUSY);
    const owners = new Set(view.partitions.map((row: { owner: string }) => row.owner));
    return [view.lag, view.members, view.verdict, ...[...owners].sort()];
  };
  // An instance tells that it lost a partition with its next word.
  await expect.poll(told, { timeout: SLOW }).toEqual([0, 2, "ok", "busy-1", "busy-2"]);
});

/** What a person reads of it. */
async function isSaid(page: Page, ready: () => Promise<void>) {
  const fits = async () => expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await page.goto(server.url);
  await ready();
  const capped = page.locator(".note.capped");
  await expect(capped).toContainText(/3\d,\d{3} more instances are heard than are kept \(4,096 in all, 2,048 of a group, 1,280 of a consumer\)/);
  await expect(capped).toContainText(/[\d,]+ instances say that they are in \d+ groups that Kafka does not list\. No page shows them\./, { timeout: SLOW });
  for (const why of ["a name is too long", "longer than is read", "malformed KafkaFlow message", "too many partitions"]) {
    await expect(capped).toContainText(new RegExp(`[1-9][\\d,]* \\(${why}\\)`));
  }
  for (const group of [BUSY, QUIET]) {
    await expect(page.locator("table.fleet tbody tr").filter({ hasText: group }).locator('[data-l="lag"]')).toHaveText("0");
  }
  await expect(page.locator("table.fleet")).not.toContainText("ghost-");
  await fits();
  await page.goto(server.url + path(BUSY));
  await ready();
  const panel = page.getByLabel(`Consumer ${BUSY}`, { exact: true });
  await expect(panel.locator("li .body").nth(0)).toContainText("busy-1");
  await expect(panel.locator("li .body").nth(1)).toContainText("busy-2");
  await expect(panel.locator("header")).toContainText(/\d+ not confirmed/);
  await expect(panel.locator(".steps li").nth(2)).toContainText(/fake-\d+/);
  await expect(panel.locator(".steps")).toContainText("Not confirmed: Kafka lists no member that owns these partitions.");
  await expect(page.locator("main")).toContainText(/[\d,]+ instances that say they are in this group are not shown: more are heard than are kept\./);
  await expect(page.locator("main")).toContainText(/\d+ more instances of \d+ more consumers are not listed/);
  await expect(page.locator("main")).toContainText(/Kafka lists 2 members with partitions, and [\d,]+ instances say that they own what is not theirs/);
  await expect(page.locator(".steps li")).not.toHaveCount(0);
  await expect(page.locator("main")).toContainText(/\d,\d{3} topics that telemetry names are not shown: there are too many, or only instances name them/);
  await expect(panel.locator(".topics")).toContainText(TOPIC);
  expect(await page.locator("main li").count()).toBeLessThan(150);
  await fits();
}

/** Keeps the flood's instances alive while something is looked at. */
async function whileTheySpeak(work: () => Promise<void>) {
  let over = false;
  const speaking = (async () => {
    while (!over) {
      await flood(numbered(600, (n) => telemetry({ ...fake, instance: `fake-${5 * n}`, running: [3 + n] })), env.second);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
    }
  })();
  try {
    await work();
  } finally {
    over = true;
    await speaking;
  }
}

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 } });

  for (const javaScriptEnabled of [true, false]) {
    test.describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", () => {
      test.use({ javaScriptEnabled });

      test("the pages say what they do not show, and which instances Kafka does not confirm", async ({ page, request }) => {
        await whileTheySpeak(async () => {
          const said = async () => (await api(request, BUSY)).warnings.join();
          await expect.poll(said, { timeout: SLOW }).toContain("own what is not theirs");
          await isSaid(page, async () => {
            if (javaScriptEnabled) await hydrated(page, SLOW);
          });
        });
      });
    });
  }
});

test("nobody lives by a time in the future or in the past", async ({ page, request }) => {
  const there = async () => instances(await api(request, QUIET)).map((one) => `${one.instance}: ${one.lost}`).sort();
  const told = TIMES.filter(([name]) => name !== "beyond time").map(([name]) => `${name}: true`);
  await expect.poll(there, { timeout: SLOW }).toEqual([...told, "quiet-1: false"].sort());
  await page.goto(server.url + path(QUIET));
  await hydrated(page, SLOW);
  const line = page.locator(".steps li").filter({ hasText: "the year 9999" });
  await expect(line).toContainText("no longer reporting");
  await expect(line).not.toContainText(/9999-|253402/);
});

async function pause(page: Page, group: string) {
  await page.goto(`${server.url}${path(group)}?form=pause`);
  await page.getByLabel("Reason", { exact: true }).fill("INC-9");
  await page.locator("#form button[type=submit]").click();
  await page.waitForURL(/\/commands\/[0-9a-f-]{36}$/);
}

async function resume(page: Page, group: string) {
  await page.goto(server.url + path(group));
  await resumeBeside(page);
  await expect.poll(async () => (await api(page.request, group))?.holds.length, { timeout: 20_000 }).toBe(0);
}

test("a pause is obeyed by the real ones, in the group that is claimed as in the one that is not", async ({ page }) => {
  await pause(page, QUIET);
  await expect(page.locator(".finding")).toContainText("Paused.", { timeout: 30_000 });
  await resume(page, QUIET);
  await whileTheySpeak(async () => {
    await pause(page, BUSY);
    for (const name of ["busy-1", "busy-2"]) {
      await expect(page.locator(".life li").filter({ hasText: name }).first()).toContainText("drained", { timeout: 30_000 });
    }
    const before = ["busy-1", "busy-2"].map((name) => consumers[name]!.started());
    send(range(0, 30).map((n) => ({ topic: TOPIC, value: `more ${n}` })), env.second);
    await expect.poll(async () => (await api(page.request, BUSY)).lag, { timeout: 30_000 }).toBe(30);
    expect(["busy-1", "busy-2"].map((name) => consumers[name]!.started())).toEqual(before);
  });
  await resume(page, BUSY);
  await expect.poll(async () => (await api(page.request, BUSY)).lag, { timeout: 30_000 }).toBe(0);
});

test("who claims just what a member owns cannot be told apart, and that is said", async ({ page, request }) => {
  let over = false;
  const forging = (async () => {
    while (!over) {
      const forged = { ...fake, group: QUIET, consumer: QUIET, running: [0, 1, 2] };
      await flood(numbered(3, (n) => telemetry({ ...forged, instance: `forged-${n}` })), env.second);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
    }
  })();
  try {
    await page.goto(server.url + path(QUIET));
    await hydrated(page, SLOW);
    await expect(page.locator("main")).toContainText(/Kafka lists 1 member with partitions, and 4 instances say that they are it/, { timeout: SLOW });
    expect(await real(request, QUIET)).toContain("quiet-1");
    expect((await api(request, QUIET)).lag).toBe(0);
  } finally {
    over = true;
    await forging;
  }
});
