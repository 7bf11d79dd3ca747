// The fleet page: from the server, taken over, live; search, chips, sort in the URL; rows that keep their place.
import { test, expect, hydrated } from "./fixtures";
import { fleetView, stream } from "./streams";
import type { Page } from "@playwright/test";

const rows = (page: Page) => page.locator("table.fleet tbody tr");
const names = (page: Page) => page.locator("table.fleet tbody a.name").allTextContents();

test("rows come from the server and live on without a reload", async ({ page }) => {
  await page.goto("./");
  await hydrated(page);
  await expect(page.locator(".live")).toHaveText("live");
  const row = rows(page).filter({ hasText: "dev-royalty-report" });
  const lag = row.locator('td[data-l="lag"]');
  const before = await lag.textContent();
  // The same element: an update loses neither focus nor scroll.
  const element = await row.elementHandle();
  await expect(lag).not.toHaveText(before ?? "");
  expect(await element?.evaluate((node) => node.isConnected)).toBe(true);
});

test("the search follows the typing, in the URL, and a reload shows the same", async ({ page }) => {
  await page.goto("./");
  await hydrated(page);
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox")).toBeFocused();
  await page.keyboard.type("royalty");
  await expect(rows(page)).toHaveCount(1);
  await expect(page).toHaveURL(/search=royalty/);
  await expect(page.getByRole("searchbox")).toBeFocused();
  await page.reload();
  await expect(rows(page)).toHaveCount(1);
  await page.getByRole("searchbox").fill("no such group");
  await expect(page.getByText("No group matches")).toBeVisible();
  await page.getByRole("link", { name: "Show all groups" }).click();
  await expect(rows(page)).not.toHaveCount(1);
});

/** Stopped, where Flowdeck was there before its only member left. */
async function verdictOfTheGroupThatIsLeft(page: Page): Promise<string> {
  const cell = rows(page).filter({ hasText: "dev-royalty-report" }).locator("td").first();
  const verdict = (await cell.innerText()).trim();
  expect(["No active members", "Stopped"]).toContain(verdict);
  return verdict;
}

test("a verdict chip toggles, a heading sorts", async ({ page }) => {
  await page.goto("./");
  await hydrated(page);
  const verdict = await verdictOfTheGroupThatIsLeft(page);
  await page.locator(".chip", { hasText: verdict }).click();
  await expect(page).toHaveURL(/verdict=(noActiveMembers|stopped)/);
  await expect.poll(() => names(page)).toEqual(["dev-royalty-report"]);
  await page.locator(".chip", { hasText: verdict }).click();
  await expect(page).not.toHaveURL(/verdict=/);
  const heading = page.getByRole("columnheader", { name: "Group" });
  await heading.getByRole("link").click();
  await expect(heading).toHaveAttribute("aria-sort", "ascending");
  await expect.poll(async () => JSON.stringify(await names(page))).toEqual(JSON.stringify((await names(page)).sort()));
  await heading.getByRole("link").click();
  await expect(heading).toHaveAttribute("aria-sort", "descending");
});

test("the order stays under the pointer, and so does every row", async ({ page }) => {
  const full = await fleetView(page, "sort=group");
  await stream(page, [["beat", { now: full.now }]]);
  await page.goto("./?sort=group");
  await hydrated(page);
  const shown = await names(page);
  const hovered = rows(page).nth(2);
  await hovered.hover();
  const places = async () => Promise.all((await rows(page).all()).map((row) => row.boundingBox()));
  const before = await places();
  // Each stream ends, is opened anew, and says the same.
  await stream(page, [["snapshot", { ...full, groups: [...full.groups].reverse() }]]);
  await expect(page.getByText(/rows? would move/)).toBeVisible();
  expect(await names(page)).toEqual(shown);
  expect(await places()).toEqual(before);
  expect(await hovered.evaluate((row) => row.matches(":hover"))).toBe(true);
  await page.getByRole("button", { name: "Move now" }).click();
  await expect.poll(() => names(page)).toEqual([...shown].reverse());
});

test.describe("without contact", () => {
  // An aborted request is an error in the console: here it is the test.
  test.use({ allowedErrors: [/net::ERR_FAILED/] });

  test("silence greys the page, and says since when", async ({ page }) => {
    await page.route("**/events?*", (route) => route.abort());
    await page.goto("./");
    await hydrated(page);
    await expect(page.locator(".live")).toHaveText("connection lost", { timeout: 20_000 });
    await expect(page.locator("main")).toHaveClass(/old/);
    await page.unroute("**/events?*");
    await expect(page.locator(".live")).toHaveText("live", { timeout: 40_000 });
    await expect(page.locator("main")).not.toHaveClass(/old/);
  });
});

test("a reason given by the server is shown; another build is offered, not forced", async ({ page }) => {
  const now = new Date().toISOString();
  await stream(page, [["beat", { now, build: "another" }], ["bye", { reason: "Flowdeck is stopping" }]]);
  await page.goto("./");
  await hydrated(page);
  await expect(page.getByText("Flowdeck is stopping")).toBeVisible();
  await expect(page.getByText("A newer version of Flowdeck is running.")).toBeVisible();
});

test("keys: rows, the pause form and no more, the list of keys, off", async ({ page }) => {
  await page.goto("./?sort=group");
  await hydrated(page);
  await page.keyboard.press("j");
  const first = page.locator("table.fleet tbody a.name").first();
  await expect(first).toBeFocused();
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await expect(first).toBeFocused();
  const posts: string[] = [];
  page.on("request", (request) => request.method() === "POST" && posts.push(request.url()));
  await page.keyboard.press("p");
  await expect(page).toHaveURL(/\/groups\/[^/?]+\?form=pause/);
  await expect(page.locator("#form")).toBeVisible();
  expect(posts).toEqual([]);
  await page.goto("./");
  await hydrated(page);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keys" })).toBeVisible();
  await page.getByLabel("Use single keys").uncheck();
  await page.getByRole("button", { name: "Close" }).click();
  await page.keyboard.press("j");
  await expect(page.locator("table.fleet tbody a.name:focus")).toHaveCount(0);
  await page.reload();
  await hydrated(page);
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox")).not.toBeFocused();
});

test("the theme switches at once and stays", async ({ page }) => {
  await page.goto("./");
  await hydrated(page);
  await page.getByRole("button", { name: "Dark" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await hydrated(page);
  await page.getByRole("button", { name: "As the system" }).click();
  await expect(page.locator("html")).not.toHaveAttribute("data-theme", /./);
});

test("one stream a page, closed while the tab is hidden", async ({ page }) => {
  let opened = 0;
  page.on("request", (request) => {
    if (request.url().includes("/events?")) opened += 1;
  });
  await page.goto("./");
  await hydrated(page);
  await expect(page.locator(".live")).toHaveText("live");
  expect(opened).toBe(1);
  const hide = (hidden: boolean) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    }, hidden);
  const closed = page.waitForEvent("requestfailed", (request) => request.url().includes("/events?"));
  await hide(true);
  await closed;
  await hide(false);
  await expect.poll(() => opened).toBe(2);
  await expect(page.locator(".live")).toHaveText("live");
});

test("a link to a group is a step within the page, and back again", async ({ page }) => {
  await page.goto("./");
  await hydrated(page);
  await page.evaluate(() => ((window as unknown as { same: boolean }).same = true));
  await page.getByRole("link", { name: "dev-audio-processor" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("dev-audio-processor");
  await expect(page).toHaveTitle(/dev-audio-processor · demo · Flowdeck$/);
  await page.goBack();
  await expect(rows(page)).not.toHaveCount(0);
  expect(await page.evaluate(() => (window as unknown as { same: boolean }).same)).toBe(true);
});

for (const width of [360, 768, 1440]) {
  test(`nothing is wider than ${width} px`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    for (const path of ["./", "./c/demo/groups/dev-audio-processor?form=pause", "./c/demo/topics", "./c/demo/topics/dev-audio-events"]) {
      await page.goto(path);
      await hydrated(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(width);
    }
  });
}

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("search, chips, sort and theme are links and forms", async ({ page }) => {
    await page.goto("./");
    await expect(rows(page)).not.toHaveCount(0);
    await expect(page.locator(".bar noscript")).toBeVisible();
    await page.getByRole("searchbox").fill("royalty");
    await page.locator(".search noscript button").click();
    await expect(rows(page)).toHaveCount(1);
    await expect(page).toHaveURL(/search=royalty/);
    await page.goto("./");
    await page.locator(".chip", { hasText: await verdictOfTheGroupThatIsLeft(page) }).click();
    await expect(rows(page)).toHaveCount(1);
    await page.getByRole("columnheader", { name: "Lag", exact: true }).getByRole("link").click();
    await expect(page).toHaveURL(/sort=-lag/);
    await page.getByRole("button", { name: "Dark" }).click();
    await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
    await expect(page).toHaveURL(/sort=-lag/);
  });
});
