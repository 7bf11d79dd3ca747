// Several clusters in one Flowdeck: a group of the same name on two of them, one of which is only observed, and
// a third that does not respond. What is done to one touches no other.
import { execFileSync } from "node:child_process";
import { env, expect, hydrated, test } from "./fixtures";
import { Consumer, TOPIC, deleteGroups, encoded } from "./live";
import { OwnServer } from "./own-server";
import { send } from "./kafka";
import type { Page } from "@playwright/test";

const GROUP = "the same/on both";
let server: OwnServer;
let consumers: Consumer[] = [];

test.skip(!env.server || !env.second, "FLOWDECK_BIN and KAFKA_BOOTSTRAP_SECOND name what is needed");
// The browser itself logs an answer of 503.
test.use({ allowedErrors: [/the server responded with a status of (403|404|503)/] });
test.describe.configure({ timeout: 120_000 });

function config(): string {
  const one = (name: string, label: string, colour: string, mode: string, bootstrap: string) =>
    `[clusters.${name}]\nlabel = "${label}"\ncolour = "${colour}"\nmode = "${mode}"\nbootstrap = "${bootstrap}"\nrefresh = "1s"\n`;
  return [
    // The machinery's own server writes there: another writer would fence it.
    one("west", "PROD WEST", "red", "observe", env.bootstrap),
    one("east", "PROD EAST", "blue", "control", env.second),
    one("away", "AWAY", "purple", "control", "127.0.0.1:1"),
  ].join("");
}

const api = async (page: Page, cluster: string) => {
  const answer = await page.request.get(`${server.url}/api/v1/clusters/${cluster}/groups/${encoded(GROUP)}`);
  return answer.ok() ? await answer.json() : null;
};

const groupUrl = (cluster: string) => `${server.url}/c/${cluster}/groups/${encoded(GROUP)}`;

test.beforeAll(async ({ playwright }) => {
  test.setTimeout(180_000);
  execFileSync(env.fleets, ["topics", "--bootstrap", env.second], { timeout: 60_000 });
  send(Array.from({ length: 30 }, (_, n) => ({ topic: TOPIC, value: `record ${n}` })), env.second);
  consumers = [new Consumer(GROUP, "west-1"), new Consumer(GROUP, "east-1", { bootstrap: env.second })];
  await Promise.all(consumers.map((consumer) => expect.poll(() => consumer.started(), { timeout: 60_000 }).toBeGreaterThan(0)));
  server = await OwnServer.start(config());
  const request = await playwright.request.newContext();
  for (const cluster of ["west", "east"]) {
    const heard = async () => {
      const answer = await request.get(`${server.url}/api/v1/clusters/${cluster}/groups/${encoded(GROUP)}`);
      return answer.ok() ? JSON.stringify((await answer.json()).consumers) : "";
    };
    await expect.poll(heard, { timeout: 60_000 }).toContain(`"${cluster}-1"`);
  }
  await request.dispose();
});

test.afterAll(async () => {
  await server?.stop();
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  deleteGroups([GROUP]);
  if (env.second) deleteGroups([GROUP], env.second);
});

const rows = (page: Page) => page.locator("table.fleet tbody tr").filter({ hasText: GROUP });

async function fleet(page: Page, ready: () => Promise<void>) {
  await page.goto(`${server.url}?search=${encodeURIComponent(GROUP)}&sort=cluster`);
  await ready();
  await expect(rows(page)).toHaveCount(2);
  await expect(rows(page).locator(".cluster")).toHaveText(["PROD EAST", "PROD WEST"]);
  await expect(rows(page).nth(0).locator(".cluster")).toHaveClass(/cl-blue/);
  await expect(rows(page).nth(1).locator(".cluster")).toHaveClass(/cl-red/);
  // What is missing is said: one cluster does not respond.
  await expect(page.getByText("AWAY does not respond.")).toBeVisible();
  await expect(page.getByText("incomplete", { exact: true })).toBeVisible();
  await page.getByRole("group", { name: "Clusters" }).getByRole("link", { name: "PROD EAST" }).click();
  await expect(page).toHaveURL(/cluster=east/);
  await expect(rows(page)).toHaveCount(1);
  await rows(page).getByRole("link", { name: GROUP }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(GROUP);
  expect(page.url()).toBe(groupUrl("east"));
  await expect(page.locator("main .title .cluster")).toHaveText("PROD EAST");
  await expect(page.getByText("east-1").first()).toBeVisible();
  await expect(page.getByText("west-1")).toHaveCount(0);
}

async function pauseInTheEast(page: Page) {
  await page.goto(`${groupUrl("east")}?form=pause`);
  const form = page.locator("#form");
  await expect(form.locator(".cluster")).toHaveText("PROD EAST");
  await page.getByLabel("Reason", { exact: true }).fill("only the east");
  await expect(form.locator("button[type=submit]")).toContainText("on PROD EAST, 1 instance");
  await form.locator("button[type=submit]").click();
  await page.waitForURL(/\/c\/east\/commands\/[0-9a-f-]{36}$/);
  await expect.poll(async () => (await api(page, "east"))?.verdict, { timeout: 40_000 }).toBe("paused");
}

async function resumeInTheEast(page: Page) {
  await page.goto(groupUrl("east"));
  await page.locator(".holds form button").click();
  await page.waitForURL(/\/c\/east\/commands\//);
  await expect.poll(async () => (await api(page, "east"))?.holds.length, { timeout: 20_000 }).toBe(0);
}

/** A pause in the east is in force there, and the west runs on. */
async function oneIsTouched(page: Page) {
  const before = consumers[0]!.started();
  await pauseInTheEast(page);
  expect((await api(page, "west")).holds).toEqual([]);
  expect((await api(page, "west")).commands).toEqual([]);
  await expect.poll(() => consumers[0]!.started(), { timeout: 20_000 }).toBeGreaterThan(before);
  await page.goto(groupUrl("west"));
  await expect(page.locator(".tag.hold")).toHaveCount(0);
  await page.goto(groupUrl("east"));
  await expect(page.locator("section.holds")).toContainText("only the east");
  await resumeInTheEast(page);
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled });
    const ready = (page: Page) => async () => {
      if (javaScriptEnabled) await hydrated(page);
    };

    test("the fleet tells them apart, the filter keeps one, a link leads to that one", async ({ page }) => fleet(page, ready(page)));
    test("a pause on one touches no other", async ({ page }) => oneIsTouched(page));

    test("a cluster that is away is said to be, and the others' pages are as quick", async ({ page }) => {
      const began = Date.now();
      expect((await page.goto(groupUrl("away")))?.status()).toBe(503);
      await expect(page.getByRole("alert")).toContainText("The cluster does not respond");
      await page.goto(`${server.url}/c/away/topics`);
      await expect(page.locator("main")).toContainText("AWAY");
      await page.goto(groupUrl("west"));
      await ready(page)();
      await expect(page.getByRole("heading", { level: 1 })).toHaveText(GROUP);
      expect(Date.now() - began).toBeLessThan(20_000);
    });

    test("an observed cluster has no way to write", async ({ page }) => {
      await page.goto(`${groupUrl("west")}?form=pause`);
      await expect(page.locator("#form")).toContainText("Flowdeck only observes PROD WEST");
      await expect(page.locator("#form form")).toHaveCount(0);
      const data = { action: "pause", target: { group: GROUP }, reason: "no" };
      const answer = await page.request.post(`${server.url}/api/v1/clusters/west/commands`, { data });
      expect(answer.status()).toBe(403);
      expect((await answer.json()).type).toContain("observe-mode");
    });
  });
}

test("every cluster is a chip, and the same group has a page on each", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(server.url);
  await hydrated(page);
  await expect(page.getByRole("group", { name: "Clusters" }).getByRole("link")).toHaveCount(3);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  const seen = new Set<string>();
  for (const cluster of ["west", "east"]) {
    await page.goto(groupUrl(cluster));
    await hydrated(page);
    seen.add((await page.locator("main .title .cluster").textContent()) ?? "");
  }
  expect([...seen]).toEqual(["PROD WEST", "PROD EAST"]);
});
