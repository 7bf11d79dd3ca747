// Dead letters and their way back: pages that the server alone renders, the same with JavaScript and without.
import { env, expect, test } from "./fixtures";
import { CLUSTER } from "./live";
import { createTopic, deleteTopic, send } from "./kafka";

const ORIGINAL = `letters-${process.pid}`;
const LETTERS = `${ORIGINAL}.dlq`;
const path = `./c/${CLUSTER}/dead-letters`;

const letter = (message: unknown, error: string) =>
  JSON.stringify({ OriginalTopic: ORIGINAL, OriginalMessage: message, ErrorMessage: error, FailedAt: "2026-11-21T14:08:57Z" });

test.beforeAll(async ({ playwright }) => {
  test.setTimeout(240_000);
  for (const topic of [ORIGINAL, LETTERS]) createTopic(topic);
  send([
    { topic: LETTERS, value: letter({ n: 1, password: "hunter2" }, "no card <b>4711</b>") },
    { topic: LETTERS, value: letter({ n: 2 }, "no card <b>4712</b>") },
    { topic: LETTERS, value: letter({ n: 3 }, "too late") },
    { topic: LETTERS, value: "says nothing" },
  ]);
  const request = await playwright.request.newContext({ baseURL: `${env.url}/` });
  const known = async () => (await request.get(`./api/v1/clusters/${CLUSTER}/dead-letters/${LETTERS}`)).status();
  await expect.poll(known, { timeout: 60_000 }).toBe(200);
  await request.dispose();
});

test.afterAll(() => [ORIGINAL, LETTERS].forEach((topic) => deleteTopic(topic)));

for (const javaScriptEnabled of [true, false]) {
  test.describe(`with JavaScript ${javaScriptEnabled ? "on" : "off"}`, () => {
    test.use({ javaScriptEnabled });

    test("dead letters are listed, grouped and opened", async ({ page }) => {
      await page.goto(`./c/${CLUSTER}/topics`);
      await page.getByRole("link", { name: "Dead letters" }).click();
      const row = page.locator("tbody tr").filter({ hasText: LETTERS });
      await expect(row.locator("td[data-l=records]")).toHaveText("4");
      await row.getByRole("link").click();
      const groups = page.locator(".letter-groups tbody tr");
      await expect(groups).toHaveCount(3);
      await expect(groups.first()).toContainText("no card <b>#</b>");
      await groups.first().getByRole("link").click();
      const letters = page.locator("table.letters tbody tr");
      await expect(letters).toHaveCount(2);
      await letters.last().getByRole("link").click();
      await expect(page.getByRole("heading", { name: "Why it is here" })).toBeVisible();
      const original = page.locator("section.record").filter({ hasText: "The original" });
      await expect(original.locator("pre")).toContainText('"password": "***"');
      await expect(page.locator("body")).not.toContainText("hunter2");
    });
  });
}

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("a dead letter is re-driven once, by preview and form", async ({ page }) => {
    await page.goto(`${path}/${LETTERS}`);
    await page.getByLabel("Select record 0@2").check();
    await page.getByRole("button", { name: "Re-drive the selected ones" }).click();
    await expect(page.getByText("1 record would be copied.")).toBeVisible();
    await expect(page.getByText("nobody would get the copies", { exact: false })).toBeVisible();
    await page.getByLabel("Reason").fill("INC-1");
    await page.getByRole("button", { name: "Re-drive" }).click();
    await expect(page).toHaveURL(/\/redrives\/[0-9a-f-]{36}$/);
    await expect(async () => {
      await page.reload();
      await expect(page.getByRole("heading", { name: "Done" })).toBeVisible({ timeout: 1_000 });
    }).toPass({ timeout: 60_000 });
    await expect(page.locator("dd").filter({ hasText: "1 record" }).first()).toBeVisible();
    // The rest, and what was copied before is passed over.
    await page.goto(`${path}/${LETTERS}`);
    await expect(page.getByRole("heading", { name: "Re-drives" })).toBeVisible();
    await page.getByRole("link", { name: "Re-drive all of these" }).click();
    await expect(page.getByText("2 records would be copied.")).toBeVisible();
    await expect(page.getByText("1 record would not be copied: re-driven before")).toBeVisible();
    await expect(page.getByText("1 record would not be copied: original topic unknown")).toBeVisible();
  });
});
