// The chart of a group's history: without scripts, by keyboard, by pointer, by dragging, and as time goes on.
import { env, test, expect, hydrated } from "./fixtures";
import { Consumer, deleteGroups } from "./live";
import type { Page } from "@playwright/test";

const CLUSTER = "demo";
const GROUP = "dev-audio-processor";
const page_url = `./c/${CLUSTER}/groups/${GROUP}`;

/** A chart with few points has nothing to choose from. */
async function withHistory(page: Page) {
  const points = async () => {
    const answer = await page.request.get(`${env.url}/api/v1/clusters/${CLUSTER}/groups/${GROUP}/history`);
    return answer.ok() ? (await answer.json()).points.length : 0;
  };
  await expect.poll(points, { timeout: 90_000 }).toBeGreaterThan(4);
}

const chart = (page: Page) => page.locator(".history .chart");
const reading = (page: Page) => page.locator(".history .reading");

test.describe("without scripts", () => {
  test.use({ javaScriptEnabled: false });

  test("the chart is a picture with links and a table", async ({ page }) => {
    await withHistory(page);
    await page.goto(page_url);
    await expect(page.getByRole("img", { name: /^Lag from .* UTC: at the end [\d,]+, highest/ })).toBeVisible();
    await expect(page.locator(".picture path.line.lag")).toHaveAttribute("d", /^M[\d.]+ [\d.]+/);
    await expect(reading(page)).toBeHidden();

    await page.getByRole("link", { name: "1 h", exact: true }).click();
    await expect(page).toHaveURL(/[?&]range=1h(&|$)/);
    await expect(page.getByRole("link", { name: "1 h", exact: true })).toHaveAttribute("aria-current", "true");
    await expect(page.locator(".history .below")).toContainText("each 1 min");

    await page.getByRole("link", { name: "Show as table" }).click();
    const table = page.getByRole("table", { name: "History, newest first" });
    await expect(table.getByRole("columnheader", { name: "Lag", exact: true })).toBeVisible();
    await expect(table.getByRole("row")).not.toHaveCount(1);

    await page.getByRole("link", { name: "Permalink" }).click();
    await expect(page).toHaveURL(/[?&]from=\d{4}-\d\d-\d\dT.*&to=\d{4}-\d\d-\d\dT/);
    await expect(page.locator(".history .chips [aria-current]")).toHaveCount(0);
    await expect(page.locator(".picture path.line.lag")).toHaveAttribute("d", /^M/);
  });
});

test("values are read by keyboard", async ({ page }) => {
  await withHistory(page);
  await page.goto(page_url);
  await hydrated(page);
  const slider = page.getByRole("slider", { name: "History: values by arrow keys" });
  await slider.focus();
  await page.keyboard.press("End");
  const last = await slider.getAttribute("aria-valuetext");
  expect(last).toMatch(/^\d\d:\d\d:\d\d · lag [\d,]+/);
  await expect(reading(page)).toHaveText(last ?? "");
  await expect(page.locator(".over .cursor")).toHaveCount(1);
  await page.keyboard.press("ArrowLeft");
  await expect(slider).not.toHaveAttribute("aria-valuetext", last ?? "");
  await page.keyboard.press("Home");
  await expect(slider).toHaveAttribute("aria-valuenow", "0");
  await page.keyboard.press("Escape");
  await expect(page.locator(".over .cursor")).toHaveCount(0);

  // A time is chosen with Enter at its beginning and at its end.
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await page.keyboard.press("End");
  await expect(page.locator(".over .chosen")).toHaveCount(1);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/[?&]from=.*&to=/);
});

test("values are read under the pointer, and a time is chosen by dragging", async ({ page }) => {
  await withHistory(page);
  await page.goto(`${page_url}?show=lag`);
  await hydrated(page);
  const box = await chart(page).boundingBox();
  if (!box) throw new Error("the chart has no place");
  const at = (part: number) => [box.x + box.width * part, box.y + box.height / 2] as const;
  await page.mouse.move(...at(0.98));
  await expect(reading(page)).toHaveText(/lag [\d,]+/);
  await page.mouse.down();
  await page.mouse.move(...at(0.7));
  await page.mouse.move(...at(0.5));
  await expect(page.locator(".over .chosen")).toHaveCount(1);
  await page.mouse.up();
  await expect(page).toHaveURL(/[?&]show=lag&from=.*&to=/);
  const query = new URL(page.url()).searchParams;
  const length = Date.parse(query.get("to") ?? "") - Date.parse(query.get("from") ?? "");
  // 48 % of 15 minutes.
  expect(length / 1000).toBeGreaterThan(400);
  expect(length / 1000).toBeLessThan(470);
  await expect(page.locator(".history .chips [aria-current]")).toHaveCount(0);
  // The same chart for whoever gets the link.
  await page.reload();
  await expect(page.locator(".picture path.line.lag")).toHaveAttribute("d", /^M/);
  await page.goBack();
  await expect(page).toHaveURL(/\?show=lag$/);
  await expect(page.getByRole("link", { name: "15 min", exact: true })).toHaveAttribute("aria-current", "true");
});

test("the chart grows while the page stays", async ({ page }) => {
  await withHistory(page);
  await page.goto(page_url);
  await hydrated(page);
  const slider = page.getByRole("slider");
  await slider.evaluate((element) => element.setAttribute("data-same", "yes"));
  const first = await slider.getAttribute("aria-valuetext");
  await expect(slider).not.toHaveAttribute("aria-valuetext", first ?? "");
  await expect(slider).toHaveAttribute("data-same", "yes");
});

test.describe("another version, and failures", () => {
  test.use({ javaScriptEnabled: false });
  test.describe.configure({ timeout: 240_000 });
  const group = `deployed-${process.pid}`;
  const history = `./api/v1/clusters/${CLUSTER}/groups/${group}`;
  let consumer: Consumer | undefined;

  test.afterAll(async () => {
    await consumer?.stop();
    deleteGroups([group]);
  });

  test("are marks in the picture, under it and in the table", async ({ page }) => {
    const reported = async (version: string) => {
      const agents = async () => (await page.request.get(`${history}/agents`)).text();
      await expect.poll(agents, { timeout: 60_000 }).toContain(`"version":"${version}"}`);
      await expect.poll(agents, { timeout: 60_000 }).toContain(`"confirmed":true`);
    };
    consumer = new Consumer(group, "deployed-1", { more: ["--label", "version=1.4"] });
    await reported("1.4");
    // Each refresh looks at what was reported.
    await page.waitForTimeout(5_000);
    await consumer.stop();
    consumer = new Consumer(group, "deployed-1", { more: ["--label", "version=1.5", "--fail-every", "5"] });
    await reported("1.5");
    const kinds = async () => {
      const { events } = await (await page.request.get(`${history}/history`)).json();
      return events.map((event: { kind: string }) => event.kind);
    };
    await expect.poll(kinds, { timeout: 60_000 }).toEqual(expect.arrayContaining(["deployment", "errors"]));

    await page.goto(`./c/${CLUSTER}/groups/${group}?table=true`);
    const deployment = `Deployment of ${group}: version 1.5 after 1.4`;
    const errors = /[\d,]+ calls? of (a handler|handlers) failed/;
    await expect(page.locator(".picture g.mark.deployment title")).toHaveText(deployment);
    await expect(page.locator(".picture g.mark.errors title")).toHaveText(errors);
    const listed = page.getByRole("list", { name: "Events" });
    await expect(listed).toContainText(deployment);
    await expect(listed).toContainText(errors);
    const table = page.getByRole("table", { name: "History, newest first" });
    await expect(table.getByRole("columnheader", { name: "Events" })).toBeVisible();
    await expect(table.getByRole("cell", { name: deployment })).toBeVisible();
    await expect(table.getByRole("cell", { name: errors })).toBeVisible();
  });
});

test.describe("in another zone", () => {
  test.use({ timezoneId: "Asia/Kolkata" });

  test("times are those of the browser", async ({ page }) => {
    await withHistory(page);
    await page.goto(page_url);
    await hydrated(page);
    await expect(page.locator(".history .below")).toContainText("times in UTC+05:30");
  });
});

test("fleet and partitions show the course of each lag", async ({ page }) => {
  await withHistory(page);
  await page.goto("./");
  await hydrated(page);
  const row = page.locator("table.fleet tbody tr", { hasText: "dev-royalty-report" });
  await expect(row.locator("svg.spark path")).toHaveAttribute("d", /^M\d+ \d+/);
  await page.goto(page_url);
  await hydrated(page);
  await expect(page.locator("table.partitions svg.spark path").first()).toHaveAttribute("d", /^M\d+ \d+/);
});

// FLOWDECK_SCREENSHOT=1 writes the pictures of docs/images.
for (const colorScheme of ["light", "dark"] as const) {
  for (const [width, height] of [[1440, 1000], [390, 844], [360, 780]] as const) {
    test.describe(`${colorScheme}, ${width} px`, () => {
      test.use({ colorScheme, viewport: { width, height } });

      test("fleet and group are as wide as the window", async ({ page }) => {
        await withHistory(page);
        for (const [name, url] of [["fleet", "./"], ["group", page_url]] as const) {
          await page.goto(url);
          await hydrated(page);
          await expect(page.locator("svg.spark").first()).toBeVisible();
          const wide = await page.evaluate(() => document.documentElement.scrollWidth);
          expect(wide).toBeLessThanOrEqual(width);
          if (process.env.FLOWDECK_SCREENSHOT && width !== 360) {
            await page.screenshot({ path: `../docs/images/${name}-${width}-${colorScheme}.png` });
          }
        }
      });
    });
  }
}
