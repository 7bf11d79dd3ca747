// The picture of the README: the fleet page as the demo shows it. FLOWDECK_SCREENSHOT=1 writes it; else the page
// is only looked at.
import { env, test, expect, hydrated } from "./fixtures";
import { CLUSTER } from "./live";

const PICTURE = "../docs/images/fleet.png";
const HELD = "dev-audio-processor";

test.use({ viewport: { width: 1440, height: 900 }, colorScheme: "light" });

test("the fleet page shows what the README's picture shows", async ({ page }) => {
  // Run alone, this test is there before the services are.
  const members = async () => {
    const answer = await page.request.get(`${env.url}/api/v1/clusters/${CLUSTER}/groups/${HELD}`);
    return answer.ok() ? (await answer.json()).members : null;
  };
  await expect.poll(members, { timeout: 60_000 }).toBe(2);
  await page.goto(`./c/${CLUSTER}/groups/${HELD}?form=pause`);
  await page.getByLabel("Reason", { exact: true }).fill("INC-2291, poison record");
  await page.getByLabel("1 h", { exact: true }).check();
  await page.locator("#form button[type=submit]").click();
  await page.waitForURL(/\/commands\//);
  await expect(page.locator(".finding")).toContainText("Paused.");
  await page.goto("./");
  await hydrated(page);
  await expect(page.locator(".live")).toHaveText("live");
  const row = (name: string) => page.locator("table.fleet tbody tr", { hasText: name });
  await expect(row(HELD)).toContainText("paused by anonymous until");
  // Stopped, where Flowdeck was there before its only member left.
  await expect(row("dev-royalty-report")).toContainText(/No active members|Stopped/);
  for (const name of ["deletion-processor", "storage-indexer", "search-indexer", "audit-export"]) {
    await expect(row(`dev-${name}`)).toBeVisible();
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide).toBeLessThanOrEqual(1440);
  if (process.env.FLOWDECK_SCREENSHOT) await page.screenshot({ path: PICTURE });

  await page.goto(`./c/${CLUSTER}/groups/${HELD}`);
  await page.locator(".holds form button").click();
  await page.waitForURL(/\/commands\//);
  await expect(page.locator(".finding")).toContainText("Resumed.");
});
