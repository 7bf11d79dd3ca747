// A pause that an instance does not obey: it commits on, and that is the headline of its group, on its page and in the
// fleet, until it is resumed.
import { spawn, type ChildProcess } from "node:child_process";
import { env, expect, hydrated, test } from "./fixtures";
import { CLUSTER, TOPIC, deleteGroups, groupPath } from "./live";
import { createTopic, deleteTopic } from "./kafka";

const GROUP = `does-not-obey-${process.pid}`;
/** Commands go to kafkaflow.admin: an instance that reads them here never gets one. */
const ELSEWHERE = `elsewhere-${process.pid}`;

let consumer: ChildProcess;

test.describe.configure({ timeout: 240_000 });

test.beforeAll(() => {
  createTopic(ELSEWHERE);
  const named = ["--group", GROUP, "--consumer", "deaf", "--instance", "deaf-1", "--topic", TOPIC];
  const topics = ["--admin-topic", ELSEWHERE, "--telemetry-topic", "kafkaflow.admin"];
  const often = ["--commit-ms", "500", "--telemetry-ms", "1000", "--buffer", "1"];
  const args = ["kafkaflow", "--bootstrap", env.bootstrap, ...named, ...topics, ...often];
  consumer = spawn(env.fleets, args, { stdio: "ignore" });
});

test.afterAll(async () => {
  if (consumer.exitCode === null && consumer.signalCode === null) {
    const ended = new Promise((resolve) => consumer.once("exit", resolve));
    consumer.kill("SIGTERM");
    await ended;
  }
  deleteGroups([GROUP]);
  deleteTopic(ELSEWHERE);
});

test("a pause that is not obeyed is the headline", async ({ page, request }) => {
  await expect.poll(async () => (await request.get(groupPath(GROUP))).text(), { timeout: 90_000 }).toContain("deaf-1");
  await page.goto(`${groupPath(GROUP)}?form=pause`);
  await hydrated(page);
  await page.getByLabel("Reason", { exact: true }).fill("INC-4711");
  await page.locator("#form button[type=submit]").click();
  await page.getByRole("link", { name: "Back to the group" }).click();

  const finding = page.locator(".finding");
  await expect(finding.locator("strong")).toHaveText("Pause not obeyed.", { timeout: 120_000 });
  await expect(finding).toHaveClass(/\bbad\b/);
  await expect(finding).toContainText(/deaf-1 runs \d+ partitions? for \d+ s \(dev-audio-events partition \d committed [\d,]+\)/);
  await expect(finding).toContainText("should be paused (hold by anonymous: “INC-4711”)");
  await expect(page).toHaveTitle(new RegExp(`^▲ ${GROUP}`));

  await page.goto("./");
  await expect(page.locator("table.fleet tbody tr", { hasText: GROUP })).toContainText("Pause not obeyed");
  await expect(page.getByRole("group", { name: "Verdicts" })).toContainText("Pause not obeyed 1");

  await page.goto(groupPath(GROUP));
  await page.locator(".holds form button").click();
  await page.getByRole("link", { name: "Back to the group" }).click();
  await expect(finding.locator("strong")).not.toHaveText("Pause not obeyed.", { timeout: 30_000 });
  expect((await (await request.get(`./api/v1/clusters/${CLUSTER}/groups/${GROUP}`)).json()).holds).toEqual([]);
});
