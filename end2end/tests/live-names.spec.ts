// Groups with names that URLs, HTML or routers might trip over: the same group by link, click and reload, with
// and without scripts; the same name as a topic is 404 and named. Their lag grows while nobody reads.
import { env, test, expect, hydrated } from "./fixtures";
import { CLUSTER, Consumer, TOPIC, deleteGroups, encoded, group, groupPath } from "./live";
import type { Page } from "@playwright/test";

const NAMES = ["a%2Fb", "..", "a/b", "with two  spaces", `quo"te's <b>&amp;`, "päyments 🦀"];

/** As a browser shows it: white space folded. */
const shown = (name: string) => name.replace(/\s+/g, " ");

test.beforeAll(async ({ playwright }) => {
  test.setTimeout(120_000);
  const consumers = NAMES.map((name) => new Consumer(name, "before"));
  await Promise.all(consumers.map((consumer) => consumer.reads()));
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  const request = await playwright.request.newContext({ baseURL: `${env.url}/` });
  for (const name of NAMES) await expect.poll(async () => (await group(request, name))?.members, { timeout: 20_000 }).toBe(0);
  await request.dispose();
});

test.afterAll(() => deleteGroups(NAMES));

/** Six groups, three pages each: on a busy machine each takes seconds. */
test.describe.configure({ timeout: 150_000 });

const title = (page: Page) => page.getByRole("heading", { level: 1 });

async function sameByLinkClickAndReload(page: Page, name: string, ready: () => Promise<void>) {
  await page.goto(groupPath(name));
  await ready();
  await expect(title(page)).toHaveText(shown(name));
  const direct = page.url();
  await page.goto("./?limit=1000");
  await ready();
  const link = page.locator("table.fleet tbody a.name").filter({ hasText: new RegExp(`^\\s*${escaped(name)}\\s*$`) });
  await expect(link).toHaveCount(1);
  await link.click();
  await expect(title(page)).toHaveText(shown(name));
  expect(page.url()).toBe(direct);
  await expect(page.getByRole("row", { name: new RegExp(TOPIC) })).not.toHaveCount(0);
  await page.reload();
  await ready();
  await expect(title(page)).toHaveText(shown(name));
}

const escaped = (name: string) => name.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&").replace(/\s+/g, "\\s+");

for (const name of NAMES) {
  test(`group ${name} is the same by link, click and reload`, async ({ page }) => {
    await sameByLinkClickAndReload(page, name, () => hydrated(page, 30_000));
  });
}

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("every group is the same by link, click and reload", async ({ page }) => {
    for (const name of NAMES) await sameByLinkClickAndReload(page, name, async () => {});
  });
});

test.describe("as topics", () => {
  test.use({ allowedErrors: [/404 \(Not Found\)/] });

  test("names that no topic has are 404 and named", async ({ page }) => {
    for (const name of NAMES) {
      const answer = await page.goto(`./c/${CLUSTER}/topics/${encoded(name)}`);
      expect(answer?.status(), name).toBe(404);
      const said = await page.getByRole("alert").innerText();
      expect(said.replace(/\\(["'])/g, "$1").replace(/\s+/g, " "), name).toContain(shown(name));
    }
  });
});

test("the lag of a group that nobody reads grows on its page and on the fleet's, live, by what was produced", async ({ page }) => {
  await page.goto(groupPath("a/b"));
  await hydrated(page);
  await expect(page.locator(".live")).toHaveText("live");
  const number = (text: string | null) => Number((text ?? "").replace(/[^0-9]/g, ""));
  // Both columns at one moment: an update between two reads would make them of two snapshots.
  const sums = () =>
    page.evaluate(() => {
      const sum = (column: string) =>
        [...document.querySelectorAll(`table.partitions td[data-l="${column}"]`)]
          // A lag has its time beside it.
          .map((cell) => Number((cell.textContent ?? "").trim().split(" ")[0]?.replace(/[^0-9]/g, "")))
          .reduce((all, one) => all + one, 0);
      return { lag: sum("lag"), end: sum("end") };
    });
  await page.evaluate(() => ((window as unknown as { same: boolean }).same = true));
  const before = await sums();
  await expect.poll(async () => (await sums()).lag, { timeout: 15_000 }).toBeGreaterThan(before.lag);
  // Lag and end move together, since nobody commits.
  const after = await sums();
  expect(after.end - after.lag).toBe(before.end - before.lag);
  expect(await page.evaluate(() => (window as unknown as { same?: boolean }).same)).toBe(true);
  await page.goto("./?search=a%2Fb");
  await hydrated(page);
  const cell = page.locator("table.fleet tbody tr", { hasText: "a/b" }).first().locator('td[data-l="lag"]');
  const first = number(await cell.textContent());
  await expect.poll(async () => number(await cell.textContent()), { timeout: 15_000 }).toBeGreaterThan(first);
});
