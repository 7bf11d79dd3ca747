// A pause in the browser with services of the test's own: obeyed, kept over a rebalance, resumed;
// Back and reload on form and command page make no second command.
import { test, expect, hydrated } from "./fixtures";
import { Consumer, deleteGroups, group, groupPath, holdsEnd } from "./live";
import type { Page } from "@playwright/test";

// A group of its own for each test: its commands are counted.
let tests = 0;
let named = "";
let consumers: Consumer[] = [];

test.beforeEach(async ({ page }, info) => {
  // After a failure another worker goes on and counts anew.
  named = `live pause/${info.workerIndex}.${++tests}`;
  consumers = [new Consumer(named, "one")];
  await consumers[0].reads();
  await expect
    .poll(async () => JSON.stringify((await group(page.request, named))?.consumers ?? ""), { timeout: 20_000 })
    .toContain('"one"');
});

test.afterEach(async ({ page }) => {
  const origin = new URL(page.url()).origin;
  const held = (await group(page.request, named))?.holds ?? [];
  if (held.length > 0) {
    const data = { action: "resume", target: { group: named }, reason: "the test is over" };
    await page.request.post("./api/v1/clusters/demo/commands", { data, headers: { origin } });
    await expect.poll(async () => (await group(page.request, named))?.holds.length).toBe(0);
  }
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  deleteGroups([named]);
});

async function pause(page: Page, why: string) {
  await page.goto(`${groupPath(named)}?form=pause`);
  await page.getByLabel("Reason", { exact: true }).fill(why);
  await page.locator("#form button[type=submit]").click();
  await page.waitForURL(/\/commands\/[0-9a-f-]{36}$/);
}

/** Nothing is handed to a handler while the producers write on. The ends tell: the lag may still fall by a commit. */
async function expectPaused(page: Page) {
  const ends = async () => {
    const rows: { end: number | null }[] = (await group(page.request, named)).partitions;
    return rows.reduce((sum, row) => sum + (row.end ?? 0), 0);
  };
  const [started, end] = [consumers.map((one) => one.started()), await ends()];
  await expect.poll(ends, { timeout: 20_000 }).toBeGreaterThan(end);
  expect(consumers.map((one) => one.started())).toEqual(started);
}

test("a pause is obeyed, kept over a rebalance, and resumed", async ({ page }) => {
  test.setTimeout(240_000);
  await pause(page, "INC-7");
  await hydrated(page);
  await expect(page.locator(".finding")).toContainText("Paused.");
  await expect(page.locator(".life")).toContainText("drained");
  await expectPaused(page);

  await page.goto(groupPath(named));
  await hydrated(page);
  const tags = page.locator(".partitions .tag.hold", { hasText: "paused by" });
  await expect(tags).toHaveCount(3);
  // A rebalance: partitions move to one that has just started.
  consumers.push(new Consumer(named, "two"));
  await expect.poll(() => consumers[1].assigned()[1], { timeout: 30_000 }).toBeGreaterThan(0);
  await expect(page.getByRole("cell", { name: "two", exact: true }).first()).toBeVisible({ timeout: 20_000 });
  await expect(tags).toHaveCount(3);
  await expectPaused(page);
  expect(consumers[1].started()).toBe(0);
  await page.locator(".holds form button").click();
  await page.waitForURL(/\/commands\//);
  await expect(page.locator(".finding")).toContainText("Resumed.");
  await Promise.all(consumers.map((one) => one.reads()));
  await page.getByRole("link", { name: "Back to the group" }).click();
  await expect(tags).toHaveCount(0);
});

async function noSecondCommand(page: Page) {
  await pause(page, "once only");
  const command = page.url();
  await expect
    .poll(async () => (await group(page.request, named)).holds.length, { timeout: 20_000 })
    .toBe(1);
  const end = await holdsEnd(page.request);
  const commands = async () => (await group(page.request, named)).commands.length;
  expect(await commands()).toBe(1);
  await page.reload();
  await page.goBack();
  await page.reload();
  await page.goForward();
  await page.reload();
  expect(page.url()).toBe(command);
  expect(await commands()).toBe(1);
  // The form once more, after Back: it leads to the command that is in force.
  await page.goBack();
  await page.getByLabel("Reason", { exact: true }).fill("once only");
  await page.locator("#form button[type=submit]").click();
  await page.waitForURL(/\/commands\/[0-9a-f-]{36}$/);
  expect(page.url()).toBe(command);
  expect(await commands()).toBe(1);
  // The same from another tab.
  const tab = await page.context().newPage();
  await tab.goto(`${groupPath(named)}?form=pause`);
  await tab.getByLabel("Reason", { exact: true }).fill("from another tab");
  await tab.locator("#form button[type=submit]").click();
  await tab.waitForURL(/\/commands\/[0-9a-f-]{36}$/);
  expect(tab.url()).toBe(command);
  await tab.close();
  expect(await commands()).toBe(1);
  expect(await holdsEnd(page.request)).toBe(end);
}

test("back, reload and another tab make no second command", async ({ page }) => {
  await noSecondCommand(page);
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("back, reload and another tab make no second command", async ({ page }) => {
    await noSecondCommand(page);
  });
});
