// The table of all groups: with JavaScript all its pages are one, read as they come into view; without it there are links.
import type { Page } from "@playwright/test";
import { env, expect, test } from "./fixtures";
import { createTopic, deleteTopic } from "./kafka";
import { committed, deleteGroups } from "./live";

/** Groups of its own: the demo's may still be starting. */
const NAME = `all-groups-${process.pid}`;
const GROUPS = Array.from({ length: 12 }, (_, n) => `${NAME}-${String(n).padStart(2, "0")}`);
/** Small pages of tall rows, so that they are more than a screen and its surroundings. */
const TABLE = `./all-groups?search=${NAME}&limit=3&sort=group`;

test.beforeAll(async ({ playwright }) => {
  test.setTimeout(240_000);
  createTopic(NAME);
  const request = await playwright.request.newContext({ baseURL: `${env.url}/` });
  await committed(request, GROUPS, NAME, 0);
  await request.dispose();
});

test.afterAll(() => {
  deleteGroups(GROUPS);
  deleteTopic(NAME);
});

const names = (page: Page) => page.locator(".groups-table tbody a.name").allTextContents();

test.describe("with JavaScript", () => {
  test.use({ allowedErrors: [/net::ERR_FAILED/] });

  test("groups far away are not in the page, and are read when they come into view", async ({ page }) => {
    await page.setViewportSize({ width: 1440, height: 600 });
    await page.route("**/*.css", async (route) => {
      const answer = await route.fetch();
      const body = `${await answer.text()} .groups-table tbody tr { height: 400px }`;
      await route.fulfill({ response: answer, body });
    });
    await page.goto(TABLE);
    const table = page.locator("table.groups-table");
    const total = GROUPS.length;
    await expect(table).toHaveAttribute("data-total", String(total));
    await expect(table).toHaveAttribute("aria-rowcount", String(total + 1));
    const [first] = await names(page);
    await expect.poll(async () => (await names(page)).length).toBeLessThan(total);
    const pager = page.locator(".pager");
    await expect(pager.getByRole("link")).toHaveCount(0);
    await expect(pager).toContainText(`of ${total}`);

    // A group that is ticked stays, wherever the reader is.
    const tick = page.locator(".groups-table input[name=group]").first();
    await tick.check();
    await page.locator(".groups-table tbody").last().scrollIntoViewIfNeeded();
    await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
    await expect(page.locator(`.groups-table tbody tr[aria-rowindex="${total + 1}"] a.name`)).toBeVisible();
    await expect(tick).toBeChecked();
    await expect(page).toHaveURL(/offset=/);

    // What cannot be read is said in its place, and can be tried again.
    await page.route("**/all-groups?**", (route) => route.abort());
    await tick.uncheck();
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
    await expect.poll(async () => (await names(page)).includes(first!)).toBe(false);
    await page.evaluate(() => window.scrollTo(0, 0));
    await expect(page.getByText("These groups could not be read.").first()).toBeVisible();
    await page.unroute("**/all-groups?**");
    await page.getByRole("button", { name: "Try again" }).first().click();
    await expect(page.locator(".groups-table a.name", { hasText: first! }).first()).toBeVisible();
  });
});

test("without JavaScript each page of groups is a link away, and each group is there once", async ({ browser, baseURL }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL });
  const page = await context.newPage();
  await page.goto(TABLE);
  const total = GROUPS.length;
  const all: string[] = [];
  for (let pages = 0; pages < total; pages++) {
    all.push(...(await names(page)));
    const following = page.getByRole("link", { name: "Next", exact: true });
    if ((await following.count()) === 0) break;
    await following.click();
    await page.waitForURL(new RegExp(`offset=${(pages + 1) * 3}`));
  }
  expect(all).toEqual(GROUPS);
  await context.close();
});
