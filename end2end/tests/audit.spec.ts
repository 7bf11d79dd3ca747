// The audit: who asked for what, found, paged and taken away as a file, with JavaScript and without.
import { randomUUID } from "node:crypto";
import { env, expect, hydrated, test } from "./fixtures";
import { CLUSTER, Consumer, deleteGroups, groupPath } from "./live";

const GROUP = `audit-${process.pid}`;
const REASON = "INC-9 <b>disk</b>";

let consumer: Consumer;

test.beforeAll(async ({ playwright }) => {
  test.setTimeout(180_000);
  consumer = new Consumer(GROUP, "audit-1");
  const request = await playwright.request.newContext({ baseURL: `${env.url}/` });
  const give = async (action: string) => {
    const id = randomUUID();
    const data = { id, action, target: { group: GROUP }, reason: REASON };
    await expect(async () => {
      const sent = await request.post(`./api/v1/clusters/${CLUSTER}/commands`, { data });
      expect(sent.status()).toBe(202);
    }).toPass({ timeout: 90_000 });
    const state = async () => (await (await request.get(`./api/v1/clusters/${CLUSTER}/commands/${id}`)).json()).state;
    await expect.poll(state, { timeout: 60_000 }).toBe("confirmed");
  };
  await give("pause");
  await give("resume");
  // Its outcome is written after it is known.
  const states = async () => {
    const audit = await (await request.get(`./api/v1/clusters/${CLUSTER}/audit?group=${GROUP}`)).json();
    return audit.entries.map((entry: { state: string }) => entry.state);
  };
  await expect.poll(states, { timeout: 60_000 }).toEqual(["confirmed", "confirmed"]);
  // Commands go by what agents report; the page comes with the brokers' next list of groups.
  const listed = async () => (await request.get(`./api/v1/clusters/${CLUSTER}/groups/${GROUP}`)).status();
  await expect.poll(listed, { timeout: 60_000 }).toBe(200);
  await request.dispose();
});

test.afterAll(async () => {
  await consumer.stop();
  deleteGroups([GROUP]);
});

for (const scripts of [true, false]) {
  test.describe(scripts ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled: scripts });

    test("from the group to its operations, filtered, and to one of them", async ({ page }) => {
      await page.goto(groupPath(GROUP));
      if (scripts) await hydrated(page);
      await page.getByRole("link", { name: "All commands of this group" }).click();
      await expect(page.getByRole("heading", { name: "Audit" })).toBeVisible();
      const rows = page.locator(".audit tbody tr");
      await expect(rows).toHaveCount(2);
      // An operation is listed where its last change was written.
      await expect(rows.filter({ hasText: `Resume ${GROUP}` })).toContainText(REASON);
      await page.getByLabel("Action").selectOption("pause");
      await page.getByRole("button", { name: "Filter" }).click();
      await expect(rows).toHaveCount(1);
      await expect(page.getByRole("textbox", { name: "Group" })).toHaveValue(GROUP);
      const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "CSV" }).click()]);
      expect(file.suggestedFilename()).toBe(`audit-${CLUSTER}.csv`);
      await rows.first().getByRole("link", { name: `Pause ${GROUP}` }).click();
      await expect(page.locator(".finding strong")).toHaveText("Paused.");
    });
  });
}

test("page by page each operation is there once", async ({ page }) => {
  const titles: string[] = [];
  await page.goto(`./c/${CLUSTER}/audit?group=${GROUP}&limit=1`);
  for (let pages = 0; pages < 5; pages++) {
    titles.push(...(await page.locator(".audit tbody .name").allTextContents()));
    const older = page.getByRole("link", { name: "Older" });
    if ((await older.count()) === 0) break;
    await older.click();
    await page.waitForURL(/before=/);
  }
  expect(titles.sort()).toEqual([`Pause ${GROUP}`, `Resume ${GROUP}`]);
});
