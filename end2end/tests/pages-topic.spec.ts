// Topics, and the messages of one.
import { test, expect, hydrated } from "./fixtures";
import type { Page } from "@playwright/test";

const topic = "./c/demo/topics/dev-audio-events";

test("topics are searched and opened", async ({ page }) => {
  await page.goto("./c/demo/topics");
  await hydrated(page);
  await page.getByRole("searchbox").fill("audio-ev");
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await page.getByRole("link", { name: "dev-audio-events" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("dev-audio-events");
  await page.getByRole("link", { name: /^Consumer groups/ }).click();
  await expect(page.getByRole("link", { name: "dev-audio-processor" })).toBeVisible();
  await page.getByRole("link", { name: /^Configuration/ }).click();
  await expect(page.getByRole("cell", { name: "retention.ms", exact: true })).toBeVisible();
});

test("what was read once says how long ago, and goes on saying it", async ({ page }) => {
  for (const [path, age] of [
    ["./c/demo/topics", ".title time"],
    [topic, ".pager time"],
  ] as const) {
    await page.goto(path);
    await hydrated(page);
    const time = page.locator(age);
    const first = (await time.textContent()) ?? "";
    expect(first).toMatch(/^\s*\d+ s/);
    await expect(time).not.toHaveText(first);
  }
});

test("a record opens beside the list, laid out, and has a link that lasts", async ({ page }) => {
  await page.goto(topic);
  await hydrated(page);
  const rows = page.locator(".messages tbody tr");
  await expect(rows).not.toHaveCount(0);
  const value = await rows.nth(2).locator("td.preview").boundingBox();
  expect(value?.width, "the value has the space that is left").toBeGreaterThan(300);
  await rows.nth(2).click();
  await expect(page).toHaveURL(/open=\d+:\d+/);
  const record = page.locator(".record");
  await expect(record.locator("pre .k").first()).toBeVisible();
  await expect(rows.nth(2)).toHaveClass(/sel/);
  const text = await record.locator("pre").textContent();
  expect(() => JSON.parse(text ?? "")).not.toThrow();
  await record.getByRole("link", { name: "Permalink" }).click();
  await expect(page).toHaveURL(/from=offset/);
  await page.reload();
  await expect(record.locator("pre")).toHaveText(text ?? "");
  await record.getByRole("link", { name: "Close" }).click();
  await expect(record).toHaveCount(0);
});

/** Partition and offset of each row. */
const places = async (page: Page) => {
  const rows = page.locator(".messages tbody tr");
  await expect(rows).not.toHaveCount(0);
  return rows.evaluateAll((all) => all.map((row) => `${row.querySelector('[data-l="partition"]')?.textContent}:${row.querySelector('[data-l="offset"]')?.textContent?.trim()}`));
};

/** The pages of one list do not overlap, and going back shows what was shown. */
async function pagesBackAndForth(page: Page, query: string) {
  await page.goto(`${topic}?limit=4&${query}`);
  const first = await places(page);
  await page.getByRole("link", { name: "Older", exact: true }).click();
  await expect(page).toHaveURL(/from=before/);
  await expect.poll(async () => (await places(page)).some((place) => first.includes(place))).toBe(false);
  const second = await places(page);
  await page.getByRole("link", { name: "Older", exact: true }).click();
  await expect.poll(async () => (await places(page)).some((place) => second.includes(place))).toBe(false);
  const third = await places(page);
  await page.getByRole("link", { name: "Newer", exact: true }).click();
  await expect(page).toHaveURL(/from=offset/);
  await expect.poll(async () => (await places(page)).some((place) => third.includes(place))).toBe(false);
  // Of several partitions' records of one time, others may come first the other way round.
  if (query) expect(await places(page)).toEqual(second);
}

test("pages go back and forth in one partition and in all", async ({ page }) => {
  for (const query of ["partition=0", ""]) await pagesBackAndForth(page, query);
});

test("Latest reads again where it is shown already", async ({ page }) => {
  await page.goto(topic);
  await hydrated(page);
  const read = page.waitForResponse((answer) => answer.url().includes("dev-audio-events"));
  await page.getByRole("link", { name: "Latest" }).click();
  await read;
  await expect(page.getByRole("link", { name: "Latest" })).toHaveAttribute("aria-current", "true");
});

test("a start is a time, an offset of one partition, or refused in our own words", async ({ page }) => {
  await page.goto(topic);
  await hydrated(page);
  const start = page.getByRole("textbox", { name: "Start" });
  const fetch = async (text: string) => {
    await start.fill(text);
    await page.getByRole("button", { name: "Fetch" }).click();
  };
  await fetch("2020-01-01");
  await expect(page).toHaveURL(/from=2020-01-01/);
  await expect(page.locator(".messages tbody tr")).not.toHaveCount(0);
  await fetch("17");
  await expect(page.getByRole("alert")).toContainText("choose the partition");
  await expect(start).toHaveValue("17");
  await page.locator("select[name=partition]").selectOption("0");
  await fetch("0");
  await expect(page.locator('.messages tbody [data-l="partition"]').first()).toHaveText("0");
  await fetch("noon");
  await expect(page.getByRole("alert")).toContainText("latest, earliest, offset:N");
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("pages go back and forth", async ({ page }) => pagesBackAndForth(page, ""));

  test("messages are read from an offset and opened by links", async ({ page }) => {
    await page.goto(topic);
    await expect(page.locator(".messages tbody tr")).not.toHaveCount(0);
    await page.locator("select[name=partition]").selectOption("0");
    await page.locator("input[name=from]").fill("offset:0");
    await page.getByRole("button", { name: "Fetch" }).click();
    const first = page.locator(".messages tbody tr").first();
    await expect(first.locator('[data-l="partition"]')).toHaveText("0");
    await first.getByRole("link").click();
    await expect(page.locator(".record pre")).toBeVisible();
  });
});
