// Single partitions of a group are paused until a time and resumed, by forms alone, with JavaScript and without.
import type { Page } from "@playwright/test";
import { env, expect, hydrated, test } from "./fixtures";
import { CLUSTER, Consumer, TOPIC, deleteGroups, groupPath } from "./live";

const GROUP = `partitions-${process.pid}`;

let consumer: Consumer;

// One group: what one test does to it is awaited before the next.
test.describe.configure({ mode: "serial", timeout: 240_000 });

test.beforeAll(() => {
  consumer = new Consumer(GROUP, "instance-a");
});

test.afterAll(async () => {
  await consumer.stop();
  deleteGroups([GROUP]);
});

/** In a form: `2026-01-31T12:00`. */
function inMinutes(minutes: number): string {
  return new Date(Date.now() + minutes * 60_000).toISOString().slice(0, 16);
}

for (const scripts of [true, false]) {
  test.describe(scripts ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled: scripts, allowedErrors: [/status of 400/] });

    /** Once the command that a form sent is confirmed. */
    const confirmed = async (page: Page) => {
      await page.waitForURL(/\/commands\/[0-9a-f-]{36}$/);
      const id = new URL(page.url()).pathname.split("/").at(-1);
      const state = async () =>
        (await (await page.request.get(`${env.url}/api/v1/clusters/${CLUSTER}/commands/${id}`)).json()).state;
      await expect.poll(state, { timeout: 60_000 }).toBe("confirmed");
    };

    test("one partition is paused until a time, and resumed", async ({ page }) => {
      // Its agent is heard, and owns what it is to pause.
      await expect.poll(() => consumer.assigned()[0], { timeout: 60_000 }).toBeGreaterThan(1);
      const all = consumer.assigned()[0];
      const group = async () => (await page.request.get(groupPath(GROUP))).text();
      await expect.poll(group, { timeout: 60_000 }).toContain("instance-a");
      await page.goto(groupPath(GROUP));
      if (scripts) await hydrated(page);
      await page.getByRole("link", { name: "Partitions…" }).click();
      await page.getByRole("combobox", { name: "Topic" }).selectOption(TOPIC);
      await page.getByRole("button", { name: "Show partitions" }).click();
      await page.getByLabel("1", { exact: true }).check();
      await page.getByRole("button", { name: "Preview" }).click();
      const preview = page.locator("section[aria-labelledby=chosen]");
      await expect(preview).toContainText(`topic ${TOPIC}, partition 1`);
      await expect(preview).toContainText("Reaches 1 instance");

      // A time that is over is refused, and what was typed stays.
      await preview.getByLabel("Reason", { exact: true }).fill("INC-4711");
      await preview.getByRole("radio", { name: "until", exact: true }).check();
      await preview.getByLabel("Until, in UTC").fill(inMinutes(-10));
      await preview.locator("form[method=post] button.hold").click();
      await expect(page.getByText(/ is past: it is /)).toBeVisible();
      await expect(page.getByLabel("Reason", { exact: true })).toHaveValue("INC-4711");
      await page.getByLabel("Until, in UTC").fill(inMinutes(30));
      await page.locator("form[method=post]", { has: page.getByLabel("Until, in UTC") }).getByRole("button").last().click();
      await confirmed(page);
      await expect.poll(() => consumer.assigned(), { timeout: 20_000 }).toEqual([all - 1, 1]);

      await page.goto(`${groupPath(GROUP)}/pause?action=resume&topic=${TOPIC}&partition=1`);
      await page.locator("section[aria-labelledby=chosen] form[method=post] button.primary").click();
      await confirmed(page);
      await expect.poll(() => consumer.assigned(), { timeout: 20_000 }).toEqual([all, 0]);
    });
  });
}

test("a topic without a partition of that number is said", async ({ page }) => {
  await page.goto(`${groupPath(GROUP)}/pause?topic=${TOPIC}&partition=999`);
  await expect(page.locator("section[aria-labelledby=chosen]")).toContainText("999");
  await expect(page.locator("section[aria-labelledby=chosen] form[method=post]")).toHaveCount(0);
});
