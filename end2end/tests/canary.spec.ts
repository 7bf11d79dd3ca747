// A canary resume: one partition of a paused group runs first, then the rest, or back. Pages that the server alone renders.
import { test, expect, hydrated } from "./fixtures";
import { CLUSTER, Consumer, TOPIC, deleteGroups, group, groupPath } from "./live";

for (const javaScriptEnabled of [true, false]) {
  test.describe(`with JavaScript ${javaScriptEnabled ? "on" : "off"}`, () => {
    test.use({ javaScriptEnabled });

    test("a part is resumed, paused again, resumed once more, and then the rest", async ({ page }) => {
      test.setTimeout(240_000);
      const named = `canary-${process.pid}-${javaScriptEnabled}`;
      const consumer = new Consumer(named, "one");
      try {
        await consumer.reads();
        const known = async () => JSON.stringify((await group(page.request, named))?.consumers ?? "");
        await expect.poll(known, { timeout: 60_000 }).toContain('"one"');
        const path = `./api/v1/clusters/${CLUSTER}/commands`;
        const data = { action: "pause", target: { group: named }, reason: "INC-1" };
        const sent = await page.request.post(path, { data });
        expect(sent.status(), await sent.text()).toBe(202);
        const state = async () => (await (await page.request.get(`${path}/${(await sent.json()).id}`)).json()).state;
        await expect.poll(state, { timeout: 60_000 }).toBe("confirmed");

        const status = page.locator("main").getByRole("status");
        const begin = async (partition: number) => {
          await page.goto(`${groupPath(named)}`);
          if (javaScriptEnabled) await hydrated(page);
          await page.getByRole("link", { name: "Partitions…" }).click();
          await page.getByRole("combobox", { name: "Topic" }).selectOption(TOPIC);
          await page.getByRole("button", { name: "Show partitions" }).click();
          await page.getByLabel("Resume", { exact: true }).check();
          await page.getByLabel(String(partition), { exact: true }).check();
          await page.getByRole("button", { name: "Preview" }).click();
          await page.getByRole("button", { name: "Resume as a canary" }).click();
          await expect(page).toHaveURL(/\/canaries\/[0-9a-f-]{36}$/);
          await expect(status).toContainText("The part is resumed; the rest is paused.", { timeout: 60_000 });
        };
        const order = async (name: string, reason: string) => {
          await page.getByRole("link", { name: `${name}…` }).click();
          await page.getByLabel("Reason").fill(reason);
          await page.getByRole("button", { name, exact: true }).click();
        };
        await begin(0);
        await order("Pause the part again", "it fails");
        await expect(status).toContainText("The part is paused again.", { timeout: 60_000 });
        await begin(1);
        // The part that was paused again is a pause of its own: the rest would end it unseen, so it has to be resumed first.
        await page.getByRole("link", { name: "Resume the rest…" }).click();
        await expect(page.getByText("release that one first")).toBeVisible();
        const part = { action: "resume", target: { group: named, topics: [TOPIC], partitions: [0] }, reason: "mended" };
        const released = await page.request.post(path, { data: part });
        expect(released.status(), await released.text()).toBe(202);
        await expect.poll(async () => (await group(page.request, named))?.holds.length, { timeout: 60_000 }).toBe(1);
        // The address is the same but for what was asked there.
        await page.goto(page.url().replace(/[?#].*/, ""));
        await order("Resume the rest", "it works");
        await expect(status).toContainText("All is resumed.", { timeout: 60_000 });
        await expect.poll(async () => (await group(page.request, named))?.holds.length, { timeout: 60_000 }).toBe(0);
      } finally {
        await consumer.stop();
        deleteGroups([named]);
      }
    });
  });
}
