// Offsets of a group without members: previewed, set and taken back, with JavaScript and without.
import { env, test, expect, hydrated } from "./fixtures";
import { CLUSTER, committed, deleteGroups, groupPath } from "./live";
import { createTopic, deleteTopic, send } from "./kafka";
import type { Page } from "@playwright/test";

const TOPIC = `offsets-${process.pid}`;
const groups = [true, false].map((scripts) => `offsets-${process.pid}-${scripts}`);
const [STUCK, LETTER] = [`offsets-${process.pid}-stuck`, `offsets-${process.pid}-letter`];
const LETTERS = `${TOPIC}.dlq`;

test.beforeAll(() => {
  test.setTimeout(120_000);
  for (const topic of [TOPIC, LETTERS]) createTopic(topic);
  send(Array.from({ length: 50 }, (_, n) => ({ topic: TOPIC, key: "k", value: String(n) })));
});

test.afterAll(() => {
  deleteGroups([...groups, STUCK, LETTER]);
  for (const topic of [TOPIC, LETTERS]) deleteTopic(topic);
});

async function until_confirmed(page: Page, scripts: boolean): Promise<void> {
  await page.waitForURL(/\/commands\//);
  await expect(async () => {
    if (!scripts) await page.reload();
    await expect(page.locator(".finding")).toContainText("Offsets set.", { timeout: 1_000 });
  }).toPass({ timeout: 60_000 });
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled, allowedErrors: [/status of 400/] });

    test("offsets are previewed, set and taken back", async ({ page, playwright }) => {
      test.setTimeout(240_000);
      const group = groups[javaScriptEnabled ? 0 : 1]!;
      const request = await playwright.request.newContext({ baseURL: `${env.url}/` });
      await committed(request, [group], TOPIC, 40);
      await request.dispose();
      await page.goto(groupPath(group));
      if (javaScriptEnabled) await hydrated(page);
      await page.getByRole("link", { name: "Offsets…" }).click();
      await expect(page.getByRole("heading", { name: `Offsets of ${group}` })).toBeVisible();
      // Nothing is chosen beforehand.
      await expect(page.locator("input:checked")).toHaveCount(0);
      await page.getByLabel("Latest: the end of each log").check();
      await page.getByLabel(TOPIC).check();
      await page.getByRole("button", { name: "Preview" }).click();
      const row = page.locator("table.plan tbody tr");
      await expect(row).toHaveCount(1);
      await expect(row).toContainText(/40.*50.*10 skipped/);
      await expect(page.locator("pre.command")).toContainText("--to-latest");
      if (process.env.FLOWDECK_SCREENSHOT && javaScriptEnabled) {
        for (const [width, scheme] of [[1440, "light"], [1440, "dark"], [390, "light"], [390, "dark"]] as const) {
          await page.setViewportSize({ width, height: 900 });
          await page.emulateMedia({ colorScheme: scheme });
          await page.screenshot({ path: `/tmp/offsets-${width}-${scheme}.png`, fullPage: true });
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
        }
        await page.setViewportSize({ width: 1280, height: 800 });
      }
      // Who skips records says how many.
      await page.getByLabel("Reason").fill("poison pill");
      await page.getByLabel(/records that are skipped/).fill("9");
      await page.getByRole("button", { name: "Set these offsets" }).click();
      await expect(page.getByText("10 records are skipped: give that number")).toBeVisible();
      await expect(page.getByLabel("Reason")).toHaveValue("poison pill");
      await page.getByLabel(/records that are skipped/).fill("10");
      await page.getByRole("button", { name: "Set these offsets" }).click();
      await until_confirmed(page, javaScriptEnabled);
      await page.getByRole("link", { name: "Undo…" }).click();
      await expect(row).toContainText(/50.*40.*10 again/);
      await page.getByLabel("Reason").fill("it was no pill");
      await page.getByRole("button", { name: "Set these offsets" }).click();
      await until_confirmed(page, javaScriptEnabled);
    });
  });
}

test("the record at which a group waits is skipped", async ({ page, playwright }) => {
  test.setTimeout(240_000);
  const request = await playwright.request.newContext({ baseURL: `${env.url}/` });
  await committed(request, [STUCK], TOPIC, 40);
  await request.dispose();
  await page.goto(groupPath(STUCK));
  await hydrated(page);
  await page.getByRole("link", { name: "40", exact: true }).click();
  await expect(page.getByRole("heading", { name: `Next record of ${TOPIC}, partition 0` })).toBeVisible();
  await expect(page.locator(".record")).toContainText("40");
  await expect(page.getByText("No agent reports")).toBeVisible();
  await page.getByRole("link", { name: "Skip it: set offset 41" }).click();
  await page.getByLabel(/number of records that are skipped/).fill("1");
  await page.getByLabel("Reason").fill("it cannot be handled");
  await page.getByRole("button", { name: "Set these offsets" }).click();
  await until_confirmed(page, true);
  await page.goto(groupPath(STUCK));
  await expect(page.getByRole("link", { name: "41", exact: true })).toBeVisible({ timeout: 60_000 });
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("the record at which a group waits becomes a dead letter, and then is skipped", async ({ page, playwright }) => {
    test.setTimeout(240_000);
    const request = await playwright.request.newContext({ baseURL: `${env.url}/` });
    await committed(request, [LETTER], TOPIC, 40);
    const known = async () => (await request.get(`./api/v1/clusters/${CLUSTER}/dead-letters/${LETTERS}`)).status();
    await expect.poll(known, { timeout: 60_000 }).toBe(200);
    await request.dispose();
    await page.goto(`${groupPath(LETTER)}/stuck?topic=${TOPIC}&partition=0`);
    await page.getByRole("link", { name: `Copy it to ${LETTERS}, then skip` }).click();
    await expect(page.getByRole("heading", { name: `Produce to ${LETTERS}` })).toBeVisible();
    await expect(page.getByLabel("Value", { exact: true })).toHaveValue("40");
    await expect(page.getByLabel("Headers")).toHaveValue(new RegExp(`Flowdeck-Original-Topic: ${TOPIC}\\n`));
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByLabel("Reason").fill("it cannot be handled");
    await page.getByRole("button", { name: "Produce", exact: true }).click();
    await expect(page.getByRole("status").filter({ hasText: "Written." })).toContainText("Kafka confirmed it");
    await page.getByRole("link", { name: "Skip it: set offset 41" }).click();
    await page.getByLabel(/number of records that are skipped/).fill("1");
    await page.getByLabel("Reason").fill("it is a dead letter");
    await page.getByRole("button", { name: "Set these offsets" }).click();
    await until_confirmed(page, false);
    // As an agent would have written it: it can be re-driven.
    await page.goto(`./c/${CLUSTER}/dead-letters/${LETTERS}`);
    await page.locator("table.letters tbody tr").getByRole("link").first().click();
    await expect(page.getByText("given up by an operator").first()).toBeVisible();
    await expect(page.locator("section.record").filter({ hasText: "The original" }).locator("pre")).toHaveText("40");
  });
});
