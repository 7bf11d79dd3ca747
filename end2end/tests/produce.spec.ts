// A record is republished: an edited copy, previewed, produced and confirmed by Kafka. Pages that the server alone renders.
import { env, expect, hydrated, test } from "./fixtures";
import { CLUSTER } from "./live";
import { createTopic, deleteTopic, send } from "./kafka";

const TOPIC = `produced-${process.pid}`;
const page_of_topic = `./c/${CLUSTER}/topics/${TOPIC}`;

test.beforeAll(async ({ playwright }) => {
  test.setTimeout(240_000);
  createTopic(TOPIC);
  send([
    { topic: TOPIC, key: "k-1", value: '{"total": 12, "note": "<b>old</b>"}' },
    { topic: TOPIC, key: "k-2", value: '{"password": "hunter2"}' },
  ]);
  const request = await playwright.request.newContext({ baseURL: `${env.url}/` });
  const known = async () => (await request.get(`./api/v1/clusters/${CLUSTER}/topics/${TOPIC}`)).status();
  await expect.poll(known, { timeout: 60_000 }).toBe(200);
  await request.dispose();
});

test.afterAll(() => deleteTopic(TOPIC));

for (const javaScriptEnabled of [true, false]) {
  test.describe(`with JavaScript ${javaScriptEnabled ? "on" : "off"}`, () => {
    test.use({ javaScriptEnabled });

    test("a record is edited, previewed and produced", async ({ page }) => {
      test.setTimeout(120_000);
      await page.goto(`${page_of_topic}?from=offset:0&partition=0&open=0:0`);
      if (javaScriptEnabled) await hydrated(page);
      await page.getByRole("link", { name: "Republish…" }).click();
      await expect(page.getByRole("heading", { name: `Produce to ${TOPIC}` })).toBeVisible();
      await expect(page.getByText(`An edited copy of ${TOPIC} 0@0`)).toBeVisible();
      // Byte for byte, and not as it is laid out on the topic's page.
      await expect(page.getByLabel("Value", { exact: true })).toHaveValue('{"total": 12, "note": "<b>old</b>"}');
      const note = `new-${javaScriptEnabled}`;
      await page.getByLabel("Value", { exact: true }).fill(`\n{"total": 13, "note": "${note}"}`);
      await page.getByRole("button", { name: "Preview" }).click();
      await expect(page.getByRole("heading", { name: "Preview" })).toBeVisible();
      await expect(page.getByText("a record cannot be taken back")).toBeVisible();
      const shots = process.env.FLOWDECK_PRODUCE_SHOTS;
      const shoot = async (name: string) => {
        for (const width of [1440, 390])
          for (const scheme of ["light", "dark"] as const) {
            await page.setViewportSize({ width, height: 900 });
            await page.emulateMedia({ colorScheme: scheme });
            await page.screenshot({ path: `${shots}/${name}-${width}-${scheme}.png`, fullPage: true });
          }
      };
      if (shots) await shoot("preview");
      await page.getByLabel("Reason").fill("INC-1 <b>");
      await page.getByRole("button", { name: "Produce", exact: true }).click();
      await expect(page).toHaveURL(/\/produced\/[0-9a-f-]{36}$/);
      const status = page.getByRole("status").filter({ hasText: "Written." });
      await expect(status).toContainText("Kafka confirmed it at partition 0, offset ");
      await expect(page.locator("dd").filter({ hasText: "INC-1 <b>" })).toBeVisible();
      if (shots) await shoot("produced");
      // There it is.
      await status.getByRole("link").click();
      await expect(page.locator("body")).toContainText(note);
      await expect(async () => {
        await page.goto(`./c/${CLUSTER}/audit`);
        const row = page.locator("tbody tr").filter({ hasText: `Produce a record to ${TOPIC}, edited from ${TOPIC} 0@0` });
        await expect(row.first()).toContainText("INC-1 <b>", { timeout: 1_000 });
      }).toPass({ timeout: 60_000 });
    });
  });
}

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false, allowedErrors: [/status of 422/] });

  test("what is masked is not copied", async ({ page }) => {
    const answer = await page.goto(`${page_of_topic}/produce?source=${TOPIC}+0@1`);
    expect(answer?.status()).toBe(422);
    await expect(page.locator("body")).toContainText("masked for you");
    await expect(page.locator("body")).not.toContainText("hunter2");
  });
});
