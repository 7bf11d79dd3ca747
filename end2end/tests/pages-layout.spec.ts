// What the pages look like whatever they contain: long names, many partitions, columns, bars, the way back.
import { test, expect, hydrated } from "./fixtures";
import { fleetView, groupView, stream } from "./streams";
import { createTopic, deleteTopic } from "./kafka";
import type { Page } from "@playwright/test";

const GROUP = "dev-audio-processor";
const group = `./c/demo/groups/${GROUP}`;
/** As long as Kafka permits, and told apart by its end only. */
const long = (end: string) => `${"a-name-that-goes-on-".repeat(13).slice(0, 249 - end.length)}${end}`;

const widths = (page: Page) =>
  page.evaluate(() => ({ page: document.documentElement.scrollWidth, window: document.documentElement.clientWidth }));

async function nothingIsWider(page: Page) {
  const { page: wide, window } = await widths(page);
  expect(wide).toBeLessThanOrEqual(window);
}

/** What scrolls sideways can be scrolled by keyboard. */
async function scrollersTakeFocus(page: Page) {
  const without = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("main *")]
      .filter((element) => element.scrollWidth > element.clientWidth + 1)
      .filter((element) => /auto|scroll/.test(getComputedStyle(element).overflowX))
      .filter((element) => element.tabIndex < 0 && !element.querySelector("a, button, [tabindex]"))
      .map((element) => element.outerHTML.slice(0, 80)),
  );
  expect(without).toEqual([]);
}

/** The fleet with names of 249 characters, from a stream of the test's own. */
async function longFleet(page: Page) {
  const full = await fleetView(page, "sort=group");
  const reason = `${"a very long reason, ".repeat(20)}at its end`;
  const groups = full.groups.map((row: Record<string, unknown>, n: number) => ({
    ...row,
    group: long(`-${n}`),
    topics: [long(`.topic-${n}`)],
    topicCount: 1,
    why: n === 0 ? reason : row.why,
  }));
  await stream(page, [["snapshot", { ...full, groups }]]);
}

for (const width of [360, 390, 768, 1280, 1440, 1920]) {
  test(`names of 249 characters fit the fleet at ${width} px, whole on hover and when copied`, async ({ page }) => {
    await page.setViewportSize({ width, height: 900 });
    await longFleet(page);
    await page.goto("./?sort=group");
    await hydrated(page);
    const name = page.locator("table.fleet tbody a.name .mid").first();
    await expect(name).toHaveAttribute("title", long("-0"));
    await nothingIsWider(page);
    const section = (await page.locator("section[aria-label=Groups]").boundingBox())!;
    const table = (await page.locator("table.fleet").boundingBox())!;
    expect(table.width).toBeLessThanOrEqual(section.width + 1);
    // The end is what tells them apart: it is in view.
    const tail = await name.evaluate((element) => getComputedStyle(element, "::before").content);
    expect(tail).toContain("-0");
    const copied = await name.evaluate((element) => {
      getSelection()!.selectAllChildren(element);
      return getSelection()!.toString();
    });
    expect(copied).toBe(long("-0"));
    await expect(page.getByRole("link", { name: long("-0"), exact: true })).toBeVisible();
  });
}

test("a tap shows the whole name", async ({ browser }) => {
  const context = await browser.newContext({ hasTouch: true, viewport: { width: 390, height: 844 }, baseURL: test.info().project.use.baseURL });
  const page = await context.newPage();
  const full = await groupView(page, GROUP);
  const partitions = full.partitions.map((row: object) => ({ ...row, owner: long("-owner") }));
  await stream(page, [["snapshot", { ...full, partitions }]]);
  await page.goto(group);
  await hydrated(page);
  const owner = page.locator('td[data-l="owner"] .mid').first();
  await expect(owner).toHaveAttribute("title", long("-owner"));
  await owner.tap();
  await expect(owner).toHaveAttribute("data-open", "");
  const bubble = await owner.evaluate((element) => getComputedStyle(element, "::after").content);
  expect(bubble).toContain("-owner");
  await nothingIsWider(page);
  await context.close();
});

test("columns stay where they are between filters", async ({ page }) => {
  await page.setViewportSize({ width: 1440, height: 900 });
  const places = async () =>
    page.locator("table.fleet th").evaluateAll((cells) => cells.map((cell) => Math.round(cell.getBoundingClientRect().left)));
  await page.goto("./");
  await hydrated(page);
  const first = await places();
  for (const path of ["./?verdict=noActiveMembers", "./?search=royalty", "./?search=no-such-group", "./?sort=-lag"]) {
    await page.goto(path);
    await hydrated(page);
    expect(await places(), path).toEqual(first);
  }
});

for (const width of [1280, 1440, 1920]) {
  test(`a long name or reason hides no button of a group at ${width} px`, async ({ page }) => {
    await page.setViewportSize({ width, height: 900 });
    const full = await groupView(page, GROUP);
    const partitions = full.partitions.map((row: object) => ({
      ...row,
      topic: long(".topic"),
      owner: long("-owner"),
      lag: null,
      unknown: "outOfRange",
    }));
    await stream(page, [["snapshot", { ...full, partitions }]]);
    await page.goto(group);
    await hydrated(page);
    await expect(page.locator(".partitions a.name .mid").first()).toHaveAttribute("title", long(".topic"));
    await nothingIsWider(page);
    const panel = (await page.locator('section[aria-labelledby="partitions"]').boundingBox())!;
    for (const button of await page.locator(".partitions a.btn").all()) {
      const box = (await button.boundingBox())!;
      expect(box.x + box.width).toBeLessThanOrEqual(panel.x + panel.width);
    }
  });
}

test("a topic's configuration is readable at 360 px", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 780 });
  await page.goto("./c/demo/topics/dev-audio-events?tab=configuration");
  await hydrated(page);
  const value = page.getByRole("row", { name: /retention\.ms/ }).first().locator("td").nth(1);
  const box = (await value.boundingBox())!;
  expect(box.width).toBeGreaterThan(200);
  await nothingIsWider(page);
  for (const path of ["./c/demo/topics/dev-audio-events?tab=configuration", "./c/demo/topics/dev-audio-events?tab=partitions", group, "./"]) {
    await page.goto(path);
    await hydrated(page);
    await scrollersTakeFocus(page);
  }
});

test.describe("a topic with the longest name", () => {
  const name = long(".end");
  test.beforeAll(() => {
    test.setTimeout(180_000);
    createTopic(name);
  });
  test.afterAll(() => deleteTopic(name));

  test("fits its page and the list of topics", async ({ page }) => {
    for (const width of [360, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      const path = `./c/demo/topics/${name}`;
      await expect.poll(async () => (await page.request.get(path)).status()).toBe(200);
      await page.goto(path);
      await hydrated(page);
      await expect(page.locator("h1 .mid")).toHaveAttribute("title", name);
      await nothingIsWider(page);
      await page.goto("./c/demo/topics?search=goes-on");
      await hydrated(page);
      await expect(page.getByRole("link", { name, exact: true })).toBeVisible();
      await nothingIsWider(page);
    }
  });
});

test("28 groups are in view at 1080 px, under a heading that stays", async ({ page }) => {
  await page.setViewportSize({ width: 1920, height: 1080 });
  const full = await fleetView(page, "sort=group");
  const groups = Array.from({ length: 100 }, (_, n) => ({ ...full.groups[n % full.groups.length], group: `group-${String(n).padStart(3, "0")}` }));
  await stream(page, [["snapshot", { ...full, total: 300, groups }]]);
  await page.goto("./?sort=group");
  await hydrated(page);
  const rows = page.locator("table.fleet tbody tr");
  await expect(rows).toHaveCount(100);
  const bottom = (await rows.nth(27).boundingBox())!;
  expect(bottom.y + bottom.height).toBeLessThanOrEqual(1080);
  const panel = (await page.locator("section[aria-label=Groups]").boundingBox())!;
  expect(panel.width, "the width is used").toBeGreaterThan(1800);
  await rows.nth(80).scrollIntoViewIfNeeded();
  await page.mouse.wheel(0, 500);
  await expect(page.getByRole("columnheader", { name: "Group" })).toBeInViewport({ ratio: 1 });
});

test("back from a group shows the fleet as it was left: scrolled, and with the focus on the group", async ({ page }) => {
  await page.setViewportSize({ width: 1440, height: 300 });
  await page.goto("./?sort=group");
  await hydrated(page);
  const link = page.locator("table.fleet tbody a.name").last();
  await link.scrollIntoViewIfNeeded();
  await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
  const scrolled = () => page.evaluate(() => Math.round(window.scrollY));
  const before = await scrolled();
  expect(before).toBeGreaterThan(50);
  const name = (await link.textContent()) ?? "";
  await link.click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  await expect.poll(scrolled).toBe(0);
  await page.goBack();
  await expect(link).toBeFocused();
  await expect.poll(scrolled).toBe(before);
  // A way that is no way back begins at the top.
  await link.click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  await page.getByRole("link", { name: "Fleet" }).first().click();
  await expect(link).toBeVisible();
  await expect.poll(scrolled).toBe(0);
  await expect(link).not.toBeFocused();
});

test("what is below the verdict stays while its sentence comes and goes", async ({ page }) => {
  const full = await groupView(page, GROUP);
  const rows = (lag: number) =>
    full.partitions.map((row: object, n: number) => ({ ...row, lag: n === 0 ? lag : 0, unknown: null }));
  let lag = 0;
  await stream(page, () => [["snapshot", { ...full, verdict: "ok", holds: [], why: null, lag, unknownPartitions: 0, partitions: rows(lag) }]]);
  await page.goto(group);
  await hydrated(page);
  const sentence = page.locator(".finding .more");
  await expect(sentence).toHaveText(/^\s*$/);
  const place = async () => (await page.locator('section[aria-labelledby="partitions"]').boundingBox())!.y;
  const before = await place();
  lag = 40;
  await expect(sentence).not.toHaveText(/^\s*$/);
  expect(await place()).toBe(before);
});

test("a lag of 1 is no full bar, and nothing blinks", async ({ page }) => {
  const full = await groupView(page, GROUP);
  let lag = 1;
  const partitions = () => full.partitions.map((row: object, n: number) => ({ ...row, lag: n === 0 ? lag : 0, unknown: null }));
  await stream(page, () => [["snapshot", { ...full, partitions: partitions() }]]);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(group);
  await hydrated(page);
  const bar = page.locator(".partitions .meter rect").first();
  await expect(bar).toHaveAttribute("width", "1");
  lag = 5_000;
  await expect(bar).toHaveAttribute("width", "120");
  const animations = await page.evaluate(() => document.getAnimations().length);
  expect(animations).toBe(0);
});

/** 500 partitions: 10 with lag, 3 paused, 2 without an owner. */
async function manyPartitions(page: Page) {
  const full = await groupView(page, GROUP);
  const partitions = Array.from({ length: 500 }, (_, n) => ({
    ...full.partitions[0],
    partition: n,
    lag: n % 50 === 7 ? n : 0,
    unknown: null,
    holds: [],
    paused: n < 3,
    owner: n >= 498 ? null : `web-${n % 4}`,
  }));
  await stream(page, [["snapshot", { ...full, partitions }]]);
}

test("500 partitions are sorted, filtered and searched in the URL, under a heading that stays", async ({ page }) => {
  await page.setViewportSize({ width: 1440, height: 900 });
  await manyPartitions(page);
  await page.goto(group);
  await hydrated(page);
  const rows = page.locator(".partitions tbody tr");
  await expect(rows).toHaveCount(500);
  const chips = page.getByRole("group", { name: "Show" });
  await expect(chips).toContainText(/All\s*500\s*With lag\s*10\s*Paused\s*3\s*No owner\s*2/);
  const lag = page.getByRole("columnheader", { name: "Lag", exact: true });
  await lag.getByRole("link").click();
  await expect(page).toHaveURL(/sort=-lag/);
  await expect(lag).toHaveAttribute("aria-sort", "descending");
  await expect(rows.first().locator('[data-l="lag"]')).toContainText("457");
  await rows.nth(300).scrollIntoViewIfNeeded();
  await expect(lag).toBeInViewport({ ratio: 1 });
  await page.evaluate(() => window.scrollTo(0, 0));
  await chips.getByRole("link", { name: /With lag/ }).click();
  await expect(rows).toHaveCount(10);
  await expect(page).toHaveURL(/show=lag&sort=-lag/);
  await page.getByRole("searchbox").fill("web-1");
  await expect(page).toHaveURL(/search=web-1/);
  await expect(rows.first().locator('[data-l="owner"]')).toContainText("web-1");
  // A form opened and closed leaves the list as it is.
  await page.locator("[data-key=pause-page]").click();
  await expect(page.locator("#form")).toBeVisible();
  await expect(page).toHaveURL(/form=pause&show=lag&sort=-lag&search=web-1/);
  await page.keyboard.press("Escape");
  await expect(page.locator("#form")).toHaveCount(0);
  await expect(page).toHaveURL(/groups\/[^?]+\?show=lag&sort=-lag&search=web-1$/);
  await page.getByRole("searchbox").fill("nobody-of-this-name");
  await expect(page.getByText("No partition matches")).toBeVisible();
  await page.getByRole("link", { name: "Show all partitions" }).click();
  await expect(rows).toHaveCount(500);
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("partitions are sorted and filtered by links and a form", async ({ page }) => {
    await page.goto(`${group}?show=unowned`);
    await expect(page.getByText("No partition matches")).toBeVisible();
    await page.getByRole("searchbox").fill("dev-audio");
    await page.locator(".search noscript button").click();
    await expect(page).toHaveURL(/search=dev-audio/);
    await expect(page).toHaveURL(/show=unowned/);
    await page.getByRole("group", { name: "Show" }).getByRole("link", { name: /^All/ }).click();
    await expect(page.locator(".partitions tbody tr")).toHaveCount(3);
    await page.getByRole("columnheader", { name: "Owner" }).getByRole("link").click();
    await expect(page).toHaveURL(/sort=owner/);
    await expect(page.getByRole("columnheader", { name: "Owner" })).toHaveAttribute("aria-sort", "ascending");
  });
});

test("a topic that is paused offers to resume it, one that runs to pause it", async ({ page }) => {
  const full = await groupView(page, GROUP);
  const consumer = full.consumers[0];
  const topics = ["dev-audio-events", "dev-audio-retries"];
  const hold = (scope: object) => ({
    id: "00000000-0000-4000-8000-000000000001", scope: { group: GROUP, ...scope }, owner: "ana", reason: "INC-1",
    since: full.now, until: null, except: [],
  });
  let holds = [hold({ topic: topics[1] })];
  await stream(page, () => [["snapshot", { ...full, holds, consumers: [{ ...consumer, topics }] }]]);
  await page.goto(group);
  await hydrated(page);
  const card = page.locator(`section[aria-label="Consumer ${consumer.name}"]`);
  const action = (words: string) => card.getByRole("link", { name: `${words} in ${consumer.name}`, exact: true });
  await expect(action("Resume topic dev-audio-retries")).toBeVisible();
  await expect(action("Pause topic dev-audio-retries")).toHaveCount(0);
  await expect(action("Pause topic dev-audio-events")).toBeVisible();
  await expect(action("Resume topic dev-audio-events")).toHaveCount(0);
  await action("Resume topic dev-audio-retries").click();
  await expect(page.locator("#form-title")).toContainText("Resume");
  await expect(page.locator("#form-title")).toContainText("dev-audio-retries");
  await expect(page.locator("#form input[name=topic]")).toHaveValue("dev-audio-retries");
  // All of it: the consumer itself is resumed.
  holds = [hold({})];
  await expect(card.getByRole("link", { name: /^Pause/ })).toHaveCount(0);
  await expect(card.locator("header a.btn:not([rel])")).toHaveText(/Resume…/);
});
