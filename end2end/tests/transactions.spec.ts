// Records of an aborted transaction: marked in the list and in the record, left out where only committed ones are read.
import { env, expect, hydrated, test } from "./fixtures";
import { CLUSTER } from "./live";
import { createTopic, deleteTopic, send } from "./kafka";

const TOPIC = `transactions-${process.pid}`;
const path = `./c/${CLUSTER}/topics/${TOPIC}`;

let aborted: number;

test.beforeAll(async ({ playwright }) => {
  test.setTimeout(240_000);
  createTopic(TOPIC);
  send([{ topic: TOPIC, value: "before" }]);
  [aborted] = send([{ topic: TOPIC, value: "rolled back" }], env.bootstrap, "--abort") as [number];
  send([{ topic: TOPIC, value: "after" }]);
  const request = await playwright.request.newContext({ baseURL: `${env.url}/` });
  const known = async () => (await request.get(`./api/v1/clusters/${CLUSTER}/topics/${TOPIC}`)).status();
  await expect.poll(known, { timeout: 60_000 }).toBe(200);
  await request.dispose();
});

test.afterAll(() => deleteTopic(TOPIC));

test("a record of an aborted transaction is marked", async ({ page }) => {
  await page.goto(path);
  await hydrated(page);
  const rows = page.locator(".messages tbody tr");
  await expect(rows).toHaveCount(3);
  await expect(rows.filter({ hasText: "rolled back" }).locator(".tag")).toHaveText("aborted");
  await expect(page.locator(".messages .tag")).toHaveCount(1);

  await rows.filter({ hasText: "rolled back" }).getByRole("link").click();
  const record = page.locator("section.record");
  await expect(record.getByRole("heading")).toContainText(`offset ${aborted}`);
  await expect(record.locator("dt", { hasText: "Transaction" }).locator("xpath=following-sibling::dd[1]")).toHaveText("aborted");
});

test("read_committed leaves it out", async ({ page }) => {
  await page.goto(path);
  await hydrated(page);
  await page.getByLabel("Isolation").selectOption("read_committed");
  await page.getByRole("button", { name: "Fetch" }).click();
  await expect(page).toHaveURL(/isolation=read_committed/);
  await expect(page.locator(".messages tbody tr")).toHaveCount(2);
  await expect(page.locator(".messages")).not.toContainText("rolled back");
});

test("an offset beyond the end is said to be one", async ({ page }) => {
  // The transaction's marker takes an offset too.
  await page.goto(`${path}?open=0:999`);
  await expect(page.locator("section.record")).toContainText("Offset beyond the end (end = 4)");
  await page.goto(`${path}?open=0:${aborted + 1}`);
  await expect(page.locator("section.record")).toContainText("the offset belongs to a transaction marker");
});
