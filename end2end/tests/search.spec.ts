// Records that are looked for, decoded by choice, masked and folded: with JavaScript and without.
import { env, test, expect, hydrated } from "./fixtures";
import { CLUSTER } from "./live";
import { createTopic, deleteTopic, send } from "./kafka";

const TOPIC = `search-${process.pid}`;
const page_of = (query = "") => `./c/${CLUSTER}/topics/${TOPIC}${query}`;
const inner = { items: [{ sku: "red-1" }], password: "hunter2" };

test.beforeAll(async ({ playwright }) => {
  test.setTimeout(120_000);
  createTopic(TOPIC);
  const hay = Array.from({ length: 200 }, (_, n) => ({ topic: TOPIC, key: `k${n}`, value: JSON.stringify({ n, kind: "hay" }) }));
  send([
    { topic: TOPIC, key: "first", value: JSON.stringify({ kind: "Needle", ...inner }) },
    ...hay,
    { topic: TOPIC, key: "packed", value: Buffer.from("82a46b696e64a66e6565646c65a16e01", "hex") },
  ]);
  const request = await playwright.request.newContext({ baseURL: `${env.url}/` });
  const known = async () => (await request.get(`./api/v1/clusters/${CLUSTER}/topics/${TOPIC}`)).status();
  await expect.poll(known, { timeout: 60_000 }).toBe(200);
  await request.dispose();
});

test.afterAll(() => deleteTopic(TOPIC));

test("a search finds text in any format, and by a path, and says what it scanned", async ({ page }) => {
  await page.goto(page_of());
  await hydrated(page);
  await page.getByLabel("Search").fill("NEEDLE");
  await page.getByRole("button", { name: "Fetch" }).click();
  const rows = page.locator(".messages tbody tr");
  await expect(rows).toHaveCount(2);
  await expect(page.getByText(/Scanned 202 records, 100 % of the partitions/)).toBeVisible();
  await page.locator(".more summary").click();
  await page.getByLabel("JSON path").fill("$.items[*].sku == red-1");
  await page.getByRole("button", { name: "Fetch" }).click();
  await expect(rows).toHaveCount(1);
});

test("a masked value is neither shown nor found", async ({ page }) => {
  await page.goto(page_of("?text=hunter2"));
  await hydrated(page);
  await expect(page.getByText("No record matches.")).toBeVisible();
  await page.goto(page_of("?text=red-1&valueDecoder=hex"));
  await page.locator(".messages tbody tr").first().click();
  const value = page.getByLabel("Value", { exact: true });
  await expect(value).toContainText('"password": "***"');
  await expect(page.locator(".record")).toContainText("1 value is masked");
});

test("a value folds", async ({ page }) => {
  await page.goto(page_of("?text=red-1"));
  await hydrated(page);
  await page.locator(".messages tbody tr").first().click();
  const items = page.locator(".record pre summary").filter({ hasText: '"items": [' });
  const sku = page.locator(".record pre").getByText('"red-1"');
  await expect(sku).toBeVisible();
  await items.click();
  await expect(sku).toBeHidden();
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("a search, a decoder and a download work by form and link", async ({ page }) => {
    await page.goto(page_of());
    await page.getByLabel("Search").fill("needle");
    await page.locator(".more summary").click();
    await page.getByLabel("Value as").selectOption("hex");
    await page.getByRole("button", { name: "Fetch" }).click();
    // The text is looked for in what is shown: in hexadecimal it is not there, and what is masked stays JSON.
    await expect(page.locator(".messages tbody tr")).toHaveCount(1);
    await page.goto(page_of("?text=needle"));
    await expect(page.locator(".messages tbody tr")).toHaveCount(2);
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: "CSV" }).click();
    expect((await download).suggestedFilename()).toBe(`${TOPIC}.csv`);
  });
});

test("an expression finds records, and a wrong one says where", async ({ page }) => {
  await page.goto(page_of("?cel=value.n+%3E%3D+198&from=earliest"));
  await hydrated(page);
  await expect(page.locator(".messages tbody tr")).toHaveCount(2);
  await expect(page.getByText(/could not be evaluated for 1 record/)).toBeVisible();
  await page.goto(page_of("?cel=value.n+%3D%3D"));
  await expect(page.getByText(/line 1, column 11/)).toBeVisible();
});

test("a topic is followed, paused and gone on with", async ({ page }) => {
  await page.goto(page_of());
  await hydrated(page);
  await page.getByRole("link", { name: "Live" }).click();
  await expect(page.locator("[data-state]")).toHaveText("Live", { timeout: 30_000 });
  const rows = page.locator(".messages tbody tr");
  const before = await rows.count();
  send([{ topic: TOPIC, key: "live", value: JSON.stringify({ live: 1, password: "hunter2" }) }]);
  await expect(rows.first()).toContainText('"live":1', { timeout: 30_000 });
  await expect(rows.first()).toContainText('"password":"***"');
  await expect(rows).toHaveCount(before + 1);
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.locator("[data-state]")).toHaveText("Paused");
  send([{ topic: TOPIC, key: "live", value: JSON.stringify({ live: 2 }) }]);
  await page.getByRole("button", { name: "Resume" }).click();
  await expect(rows.first()).toContainText('"live":2', { timeout: 30_000 });
  await rows.first().getByRole("link").click();
  await expect(page.getByLabel("Value", { exact: true })).toContainText('"live": 2');
});

test("a followed topic shows its newest records without JavaScript", async ({ browser }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: `${env.url}/` });
  const page = await context.newPage();
  await page.goto(`./c/${CLUSTER}/topics/${TOPIC}/live?text=needle`);
  await expect(page.locator(".messages tbody tr")).toHaveCount(2);
  await expect(page.getByText("Not live without JavaScript")).toBeVisible();
  await expect(page.getByRole("link", { name: "Reload" })).toBeVisible();
  await context.close();
});
