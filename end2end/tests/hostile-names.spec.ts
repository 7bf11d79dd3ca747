// Names and words of somebody who means harm: of a group, a consumer, an instance, a client, of an owner of a hold
// that Flowdeck did not write, and a reason typed into the form. They are shown as data, with what is
// invisible in them written out, and none makes a line of its own in the server's log.
import { execFileSync } from "node:child_process";
import { env, expect, hydrated, test } from "./fixtures";
import { Consumer, TOPIC, deleteGroups, encoded, resumeBeside } from "./live";
import { OwnServer } from "./own-server";
import { hold, release, send } from "./kafka";
import type { Page } from "@playwright/test";

const evil = `"'><img src=x onerror="window.pwned=1"></title></script><script>window.pwned=1</script>`;
const hidden = "\u202e\x1b[31m\n2026-01-01T00:00:00Z ERROR forged";
const marked = "‹U+202E›‹U+001B›[31m‹U+000A›2026-01-01T00:00:00Z ERROR forged";
// A browser sends a line break in a form's field as two characters: a group with one is paused by the API only.
const GROUP = `group ${process.pid} ${evil}\u202e\x1b[31m${"w".repeat(200)}`;
const SHOWN = `group ${process.pid} ${evil}‹U+202E›‹U+001B›[31m`;
const INSTANCE = `instance ${evil}${hidden}`;
const CLIENT = `client ${evil}\u202e`;
const REASON = `reason ${evil}\u202e\x1b[2J`;
const FORGED = "11111111-2222-4333-8444-555555555555";

/** On a busy machine a page takes its time. */
const SLOW = 60_000;

let server: OwnServer;
let consumer: Consumer;

test.skip(!env.server || !env.second, "FLOWDECK_BIN and KAFKA_BOOTSTRAP_SECOND name what is needed");
test.use({ viewport: { width: 390, height: 844 } });
test.describe.configure({ timeout: 240_000 });

const path = `/c/demo/groups/${encoded(GROUP)}`;

test.beforeAll(async ({ playwright }) => {
  test.setTimeout(240_000);
  execFileSync(env.fleets, ["topics", "--bootstrap", env.second], { timeout: 60_000 });
  send([{ topic: TOPIC, value: "one" }], env.second);
  const more = ["--consumer", `consumer ${evil}${hidden}`, "--property", `client.id=${CLIENT}`];
  consumer = new Consumer(GROUP, INSTANCE, { bootstrap: env.second, more });
  await expect.poll(() => consumer.started(), { timeout: 90_000 }).toBeGreaterThan(0);
  const cluster = `[clusters.demo]\nmode = "control"\nbootstrap = "${env.second}"\nrefresh = "1s"\n`;
  server = await OwnServer.start(cluster);
  const request = await playwright.request.newContext();
  const heard = async () => {
    const answer = await request.get(`${server.url}/api/v1${path.replace("/c/", "/clusters/")}`);
    return answer.ok() ? (await answer.json()).consumers.length : 0;
  };
  await expect.poll(heard, { timeout: 90_000 }).toBe(1);
  await request.dispose();
});

test.afterAll(async () => {
  await server?.stop();
  await consumer?.stop();
  if (env.second) deleteGroups([GROUP], env.second);
});

async function harmless(page: Page) {
  expect(await page.evaluate(() => (window as unknown as { pwned?: number }).pwned)).toBeUndefined();
  expect(await page.locator("main img, main [onerror]").count()).toBe(0);
  expect(await page.evaluate(() => document.documentElement.scrollWidth), page.url()).toBeLessThanOrEqual(390);
  const text = (await page.locator("body").textContent()) ?? "";
  expect(/[\u202e\x1b\u200b]/.test(text), "nothing hides").toBe(false);
}

async function everyName(page: Page, ready: () => Promise<void>) {
  await page.goto(server.url);
  await ready();
  const link = page.locator("table.fleet a.name").filter({ hasText: SHOWN });
  await expect(link).toHaveCount(1);
  await harmless(page);
  await link.click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText(SHOWN);
  expect(page.url()).toBe(server.url + path);
  const text = (await page.locator("main").textContent()) ?? "";
  for (const name of [`consumer ${evil}${marked}`, `instance ${evil}${marked}`, `client ${evil}‹U+202E›`]) {
    expect(text.includes(name), name).toBe(true);
  }
  await harmless(page);
}

/** Typed into the form, shown on the command's page and on the group's, resumed from there. */
async function aReason(page: Page, ready: () => Promise<void>) {
  await page.goto(`${server.url}${path}?form=pause`);
  await ready();
  await page.getByLabel("Reason", { exact: true }).fill(REASON);
  await page.locator("#form button[type=submit]").click();
  await page.waitForURL(/\/commands\/[0-9a-f-]{36}$/);
  await expect(page.locator(".life")).toContainText(`reason ${evil}‹U+202E›‹U+001B›[2J`);
  await harmless(page);
  await page.goto(server.url + path);
  await ready();
  await expect(page.locator("section.holds")).toContainText(`reason ${evil}‹U+202E›‹U+001B›[2J`);
  await harmless(page);
  await resumeBeside(page);
}

/** Written to the topic by somebody else, in anybody's name. */
async function aForgedHold(page: Page, ready: () => Promise<void>) {
  send([hold(GROUP, FORGED, `ana ${evil}${hidden}`, `because ${evil}${hidden}`)], env.second);
  try {
    await page.goto(server.url + path);
    await expect(async () => {
      await page.reload();
      await expect(page.locator("section.holds")).toContainText(`ana ${evil}${marked}`, { timeout: 3_000 });
    }).toPass({ timeout: 60_000 });
    await ready();
    await expect(page.locator("section.holds")).toContainText(`because ${evil}${marked}`);
    await harmless(page);
    await page.goto(server.url);
    await ready();
    await expect(page.locator("table.fleet")).toContainText(`paused by ana ${evil}${marked}`);
    await harmless(page);
  } finally {
    send([release(GROUP, FORGED)], env.second);
  }
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled });
    const ready = (page: Page) => async () => {
      if (javaScriptEnabled) await hydrated(page, SLOW);
    };

    test("names are shown as data", async ({ page }) => everyName(page, ready(page)));
    test("a reason is shown as data", async ({ page }) => aReason(page, ready(page)));
    test("a hold that another client wrote is shown as data", async ({ page }) => aForgedHold(page, ready(page)));
  });
}

test("no name and no reason makes a line of its own in the log", async ({ page }) => {
  await aReason(page, () => hydrated(page, SLOW));
  await expect.poll(() => server.stderr).toContain("command.target");
  const lines = server.stderr.split("\n").filter((line) => line !== "");
  expect(lines.filter((line) => /^2026-01-01T00:00:00Z ERROR forged/.test(line))).toEqual([]);
  // What is no time at its start is no line of the log.
  expect(lines.filter((line) => !/^\d{4}-\d\d-\d\dT/.test(line))).toEqual([]);
  expect(/[\x00-\x09\x0b-\x1f\u202e]/.test(server.stderr)).toBe(false);
});
