// A topic's retention is raised from the page of a group, previewed, and put back. Pages that the server alone renders.
import { env, expect, hydrated, test } from "./fixtures";
import { CLUSTER, committed, deleteGroups } from "./live";
import { createTopic, deleteTopic, send } from "./kafka";

const TOPIC = `kept-${process.pid}`;
const GROUP = `kept-group-${process.pid}`;

test.beforeAll(async ({ playwright }) => {
  test.setTimeout(240_000);
  createTopic(TOPIC);
  send([{ topic: TOPIC, key: "k-1", value: "1" }]);
  const request = await playwright.request.newContext({ baseURL: `${env.url}/` });
  await committed(request, [GROUP], TOPIC, 0);
  await request.dispose();
});

test.afterAll(() => {
  deleteGroups([GROUP]);
  deleteTopic(TOPIC);
});

for (const javaScriptEnabled of [true, false]) {
  test.describe(`with JavaScript ${javaScriptEnabled ? "on" : "off"}`, () => {
    test.use({ javaScriptEnabled });

    test("retention is raised beside the form of a pause, and put back", async ({ page }) => {
      test.setTimeout(180_000);
      await page.goto(`./c/${CLUSTER}/groups/${GROUP}?form=pause`);
      if (javaScriptEnabled) await hydrated(page);
      await expect(page.getByText("Retention continues")).toBeVisible();
      await page.getByRole("link", { name: "Partitions…" }).click();
      await page.getByRole("link", { name: "Keep unread records meanwhile…" }).click();
      await expect(page.getByRole("heading", { name: "Keep unread records" })).toBeVisible();
      await page.getByRole("row", { name: TOPIC }).getByRole("link", { name: "Raise…" }).click();
      await expect(page.getByRole("heading", { name: `Retention of ${TOPIC}` })).toBeVisible();
      await page.getByLabel("4 h", { exact: true }).check();
      await page.getByRole("button", { name: "Preview" }).click();
      await expect(page).toHaveURL(/length=14400/);
      const row = page.getByRole("row", { name: "retention.ms" });
      await expect(row).toContainText("the brokers' default");
      await page.getByLabel("Reason").fill("INC-1 <b>");
      await page.getByRole("button", { name: `Raise the retention of ${TOPIC}` }).click();
      await expect(page).toHaveURL(/\/retentions\/[0-9a-f-]{36}$/);
      const status = page.locator("main").getByRole("status");
      // The page asks for itself again until it is over.
      await expect(status).toContainText("Raised: Kafka has the new values.", { timeout: 60_000 });
      await expect(page.locator("dd").filter({ hasText: "INC-1 <b>" })).toBeVisible();
      await page.getByRole("button", { name: "Put back now" }).click();
      await expect(status).toContainText("Put back: the values are as they were before.", { timeout: 60_000 });
      await expect(async () => {
        await page.goto(`./c/${CLUSTER}/audit`);
        const entry = page.locator("tbody tr").filter({ hasText: `Raise the retention of ${TOPIC}` });
        await expect(entry.first()).toContainText("put back", { timeout: 1_000 });
      }).toPass({ timeout: 60_000 });
    });
  });
}
