// Restart, workers and rewind of a KafkaFlow consumer from the group's page: the preview before, the evidence after,
// with JavaScript and without.
import { spawn, type ChildProcess } from "node:child_process";
import type { Page } from "@playwright/test";
import { env, expect, hydrated, test } from "./fixtures";
import { TOPIC, deleteGroups, groupPath } from "./live";

const GROUP = `consumer-actions-${process.pid}`;
const CONSUMER = `bills-${process.pid}`;

let consumer: ChildProcess;

// One consumer: what one test does to it is awaited before the next.
test.describe.configure({ mode: "serial", timeout: 240_000 });

test.beforeAll(() => {
  const named = ["--group", GROUP, "--consumer", CONSUMER, "--instance", "bills-1", "--topic", TOPIC];
  const often = ["--commit-ms", "500", "--telemetry-ms", "1000", "--workers", "2"];
  consumer = spawn(env.fleets, ["kafkaflow", "--bootstrap", env.bootstrap, ...named, ...often], { stdio: "ignore" });
});

test.afterAll(async () => {
  if (consumer.exitCode === null && consumer.signalCode === null) {
    const ended = new Promise((resolve) => consumer.once("exit", resolve));
    consumer.kill("SIGTERM");
    await ended;
  }
  deleteGroups([GROUP]);
});

/** From the group's page to the form of an action. */
async function open(page: Page, action: string, scripts: boolean) {
  await expect.poll(async () => (await page.request.get(groupPath(GROUP))).text(), { timeout: 90_000 }).toContain("bills-1");
  await page.goto(groupPath(GROUP));
  if (scripts) await hydrated(page);
  await page.getByRole("link", { name: `${action}…` }).click();
  await expect(page.locator("#form")).toBeVisible();
}

/** The command's page, once it is confirmed. */
async function confirmed(page: Page, words: string, scripts: boolean) {
  await page.waitForURL(/\/commands\/[0-9a-f-]{36}$/);
  await expect(async () => {
    if (!scripts) await page.reload();
    await expect(page.locator(".finding strong")).toHaveText(words, { timeout: scripts ? 90_000 : 1_000 });
  }).toPass({ timeout: 90_000 });
}

for (const scripts of [true, false]) {
  test.describe(scripts ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled: scripts });

    test("a restart is previewed, needs a reason and is confirmed", async ({ page }) => {
      await open(page, "Restart", scripts);
      await expect(page.locator("#form .preview")).toContainText(`Sends RestartConsumerByName (${CONSUMER})`);
      await expect(page.locator("#form .preview")).toContainText("Reaches 1 instance: 1 of KafkaFlow");
      const reason = page.getByLabel("Reason", { exact: true });
      await expect(reason).toHaveAttribute("required", "");
      await reason.fill("INC-4711");
      await page.locator("#form form[method=post] button").click();
      await confirmed(page, "Restarted.", scripts);
      await expect(page.locator(".life")).toContainText("left the group and joined it again");
    });

    test("workers are chosen, previewed and seen in telemetry", async ({ page }) => {
      const count = scripts ? "3" : "4";
      await open(page, "Change workers", scripts);
      await expect(page.locator("#form form[method=post]")).toHaveCount(0);
      await page.getByLabel(/^Workers of each instance/).fill(count);
      await page.getByRole("button", { name: "Preview" }).click();
      await expect(page.locator("#form .preview")).toContainText(`Sends ChangeConsumerWorkersCount (${CONSUMER}, ${count})`);
      await page.getByLabel("Reason", { exact: true }).fill("INC-4711");
      await page.locator("#form form[method=post] button").click();
      await confirmed(page, "Workers changed.", scripts);
      await expect(page.locator(".life")).toContainText(`${count} workers`);
      await page.getByRole("link", { name: "Back to the group" }).click();
      await expect(page.getByText(`KafkaFlow · ${count} workers`)).toBeVisible({ timeout: 20_000 });
    });

    test("a rewind shows each partition and its zone before, and commits that moved after", async ({ page }) => {
      const to = new Date(Date.now() - 20_000).toISOString().slice(0, 19);
      await open(page, "Rewind offsets", scripts);
      await expect(page.locator("#form")).toContainText("in the zone of the consumer's hosts, UTC");
      await page.getByLabel(/^Time \(UTC\)/).fill(to);
      await page.getByRole("button", { name: "Preview" }).click();
      const offsets = page.locator("#form table.offsets tbody tr");
      await expect(offsets.first()).toContainText(`${TOPIC} partition 0`);
      await expect(page.locator("#form .preview")).toContainText("which is UTC by the configuration");
      await page.getByLabel("Reason", { exact: true }).fill("INC-4711");
      await page.locator("#form form[method=post] button").click();
      await confirmed(page, "Offsets rewound.", scripts);
      await expect(page.locator("table.offsets tbody tr").first()).toContainText(`${TOPIC} partition 0`);
    });
  });
}

test("a start of a consumer that runs is refused, and restart is named instead", async ({ page }) => {
  await page.goto(`${groupPath(GROUP)}?form=start&consumer=${CONSUMER}`);
  await expect(page.locator("#form")).toContainText("It would be refused");
  await expect(page.locator("#form")).toContainText("restart it instead");
  await expect(page.locator("#form form[method=post]")).toHaveCount(0);
});
