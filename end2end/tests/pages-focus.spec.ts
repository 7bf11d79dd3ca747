// What opens is in view and has the focus; Escape closes it, and the focus returns to the link that opened it.
import { test, expect, hydrated } from "./fixtures";
import type { Page } from "@playwright/test";

const TOPIC = "dev-audio-events";
const list = `./c/demo/topics/${TOPIC}?limit=200`;
const group = "./c/demo/groups/dev-audio-processor";
const SIZES = [[1440, 900], [1280, 720], [390, 844]] as const;

/** Enough records to scroll. */
async function manyRecords(page: Page) {
  const count = async () => {
    const answer = await page.request.get(`./api/v1/clusters/demo/topics/${TOPIC}/messages?limit=200`);
    return (await answer.json()).records.length;
  };
  await expect.poll(count, { timeout: 60_000 }).toBeGreaterThan(60);
}

const links = (page: Page) => page.locator(".messages tbody a.name");
const scrolled = (page: Page) => page.evaluate(() => Math.round(window.scrollY));

async function openDown(page: Page, n: number) {
  const link = links(page).nth(n);
  await link.scrollIntoViewIfNeeded();
  const before = await scrolled(page);
  expect(before).toBeGreaterThan(300);
  await link.click();
  return { link, before };
}

for (const [width, height] of SIZES) {
  test(`a record opened far down the list is in view and has the focus at ${width} px`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    await manyRecords(page);
    await page.goto(list);
    await hydrated(page);
    const { link, before } = await openDown(page, 55);
    const heading = page.locator("#record");
    await expect(heading).toBeFocused();
    await expect(heading).toBeInViewport({ ratio: 1 });
    await expect(page.getByRole("link", { name: "Close" })).toBeInViewport({ ratio: 1 });
    await expect(page.locator(".record pre")).toBeInViewport();
    expect(Math.abs((await scrolled(page)) - before), "the list stays where it was").toBeLessThan(3);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);

    await page.keyboard.press("Escape");
    await expect(page.locator(".record")).toHaveCount(0);
    await expect(link).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(heading).toBeFocused();
    // The next record from here, not from the top of the list.
    await page.keyboard.press("j");
    await expect(links(page).nth(56)).toBeFocused();
    await page.getByRole("link", { name: "Close" }).click();
    await expect(page.locator(".record")).toHaveCount(0);
    await expect(link).toBeFocused();
  });
}

test("a record that cannot be read is in view too, and closes", async ({ page }) => {
  await manyRecords(page);
  await page.goto(`${list}&open=0:999999999`);
  await hydrated(page);
  await expect(page.locator("#record")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.locator(".record")).toHaveCount(0);
});

test("the focus stays where the reader went meanwhile", async ({ page }) => {
  await manyRecords(page);
  await page.goto(list);
  await hydrated(page);
  await links(page).nth(3).click();
  await expect(page.locator("#record")).toBeFocused();
  const oldest = page.locator(".tools .chip").nth(1);
  await oldest.click();
  await expect(page.locator(".record")).toHaveCount(0);
  await expect(links(page).nth(3)).not.toBeFocused();
});

for (const [width, height] of [[1440, 500], [390, 700]] as const) {
  test(`a form opened far down the page is in view and has the focus at ${width} px`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    await page.goto(group);
    await hydrated(page);
    const link = page.locator('section[aria-label^="Consumer"] header a.btn:not([rel])').first();
    await link.scrollIntoViewIfNeeded();
    await link.click();
    const form = page.locator("#form");
    await expect(form.locator("input[name=reason]")).toBeFocused();
    await expect(page.locator("#form-title")).toBeInViewport({ ratio: 1 });
    await expect(form.locator("input[name=reason]")).toBeInViewport({ ratio: 1 });
    await page.keyboard.type("half");
    await page.keyboard.press("Escape");
    await expect(form).toHaveCount(0);
    await expect(link).toBeFocused();
    await expect(link).toBeInViewport();
    await link.press("Enter");
    await expect(form.locator("input[name=reason]")).toBeFocused();
    await form.getByRole("link", { name: "Close" }).click();
    await expect(link).toBeFocused();
  });
}

// Its members take no commands.
test("a form with nothing to fill in has the focus on its heading", async ({ page }) => {
  await page.goto("./c/demo/groups/dev-audit-export");
  await hydrated(page);
  await page.keyboard.press("p");
  await expect(page.locator("#form-title")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.locator("[data-key=pause-page]")).toBeFocused();
});

test("Escape in a field elsewhere closes nothing", async ({ page }) => {
  await manyRecords(page);
  await page.goto(list);
  await hydrated(page);
  await links(page).nth(3).click();
  await expect(page.locator("#record")).toBeFocused();
  await page.locator(".from input, .from select").first().focus();
  await page.keyboard.press("Escape");
  await expect(page.locator(".record")).toHaveCount(1);
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  for (const [width, height] of SIZES) {
    test(`an opened record is in view at ${width} px`, async ({ page }) => {
      await page.setViewportSize({ width, height });
      await manyRecords(page);
      await page.goto(list);
      await links(page).nth(55).click();
      await expect(page.locator("#record")).toBeInViewport({ ratio: 1 });
      await page.getByRole("link", { name: "Close" }).click();
      await expect(page.locator(".record")).toHaveCount(0);
    });
  }
});
