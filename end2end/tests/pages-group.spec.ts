// The group page and the command's: what is wrong, the pause form, a pause that is seen to be obeyed, the resume.
import { test, expect, hydrated } from "./fixtures";
import type { Page } from "@playwright/test";
import { resumeBeside } from "./live";

const group = "./c/demo/groups/dev-audio-processor";

/** Whatever earlier tests left held is released, by the page's own forms. */
async function release(page: Page) {
  await page.goto(group);
  for (let i = 0; i < 5; i++) {
    const resume = page.locator(".holds form button");
    if ((await resume.count()) === 0 || !(await resume.first().isVisible())) return;
    await resumeBeside(page);
    await page.goto(group);
  }
}

test.afterEach(async ({ page }) => release(page));

test("a group says what is wrong with it, on what evidence", async ({ page }) => {
  await page.goto("./c/demo/groups/dev-royalty-report");
  await hydrated(page);
  await expect(page.locator(".finding")).toContainText(/No active members\.|Stopped\./);
  await expect(page.getByRole("row", { name: /dev-audio-events/ })).not.toHaveCount(0);
  await expect(page.getByText("No telemetry received from this group")).toBeVisible();
  // Nobody hears it: a pause waits for who starts, and says so.
  await page.keyboard.press("p");
  await expect(page.locator("#form")).toContainText("No active instance receives commands");
  await expect(page.locator("#form")).toContainText("nothing is paused now");
  await expect(page.locator("#form button[type=submit]")).toBeVisible();
});

test("a pause is shown once there is evidence, is in force on the group, and is resumed", async ({ page }) => {
    test.slow();
  await page.goto(group);
  await hydrated(page);
  await expect(page.getByText(/agent · /).first()).toBeVisible();
  await page.keyboard.press("p");
  await expect(page.getByLabel("Reason", { exact: true })).toBeFocused();
  // Single keys rest where one types.
  await page.keyboard.type("jk? p/ in a test");
  await expect(page.getByLabel("Reason", { exact: true })).toHaveValue("jk? p/ in a test");
  await page.getByLabel("15 min").check();
  const send = page.locator("#form button[type=submit]");
  await expect(send).toHaveText(/Pause dev-audio-processor on demo, [1-9]\d* instances?/);
  await send.click();
  await page.waitForURL(/\/commands\/[0-9a-f-]{36}$/);
  await hydrated(page);
  await expect(page.locator(".finding")).toContainText("Paused.");
  await expect(page.getByText(/acknowledged|fetch stopped|drained/).first()).toBeVisible();
  await page.getByRole("link", { name: "Back to the group" }).click();
  await expect(page.locator(".holds")).toContainText("jk? p/ in a test");
  await expect(page.locator(".finding")).toContainText("Paused.");
  await expect(page.locator(".partitions .tag.hold").first()).toBeVisible();
  await page.goto("./");
  await expect(page.locator("table.fleet tr", { hasText: "dev-audio-processor" })).toContainText("Paused");

  await page.goto(group);
  await page.locator(".holds form button").click();
  await page.waitForURL(/\/commands\//);
  await expect(page.locator(".finding")).toContainText("Resumed.");
});

test("a resume form in which one types is not made anew by an update", async ({ page }) => {
  await page.goto(`${group}?form=pause`);
  await page.getByLabel("Reason", { exact: true }).fill("to type under");
  await page.locator("#form button[type=submit]").click();
  await page.waitForURL(/\/commands\//);
  await page.goto(group);
  await hydrated(page);
  const why = page.locator(".holds input[name=reason]");
  await why.fill("half a sent");
  const version = await page.locator("td[data-l=end]").first().textContent();
  await expect(page.locator("td[data-l=end]").first()).not.toHaveText(version ?? "");
  await expect(why).toHaveValue("half a sent");
  await expect(why).toBeFocused();
});

test("the same form sent twice is one command", async ({ page }) => {
  await page.goto(`${group}?form=pause`);
  const fields = await page.locator("#form form").evaluate((form: HTMLFormElement) =>
    Object.fromEntries([...new FormData(form).entries()].map(([name, value]) => [name, String(value)])),
  );
  const action = await page.locator("#form form").getAttribute("action");
  const form = { ...fields, reason: "sent twice" };
  const origin = new URL(page.url()).origin;
  const send = () => page.request.post(action!, { form, maxRedirects: 0, headers: { origin } });
  const [first, second] = [await send(), await send()];
  expect([first.status(), second.status()]).toEqual([303, 303]);
  expect(second.headers().location).toBe(first.headers().location);
  expect(first.headers().location).toContain(fields.id);
});

test.describe("a form that is refused", () => {
  test.use({ allowedErrors: [/400 \(Bad Request\)/] });

  test("keeps what was typed", async ({ page }) => {
    await page.goto(`${group}?form=pause`);
    await hydrated(page);
    const why = page.getByLabel("Reason", { exact: true });
    const own = page.getByLabel("other", { exact: true });
    await why.fill("INC-7, a long one");
    await page.getByLabel("Minutes").fill("99999");
    await expect(own).toBeChecked();
    // As a browser would that knows nothing of the field's bounds.
    await page.locator("#form form").evaluate((form) => form.setAttribute("novalidate", ""));
    await page.locator("#form button[type=submit]").click();
    await expect(page.getByText("Nothing was done")).toBeVisible();
    await expect(why).toHaveValue("INC-7, a long one");
    await expect(own).toBeChecked();
    await expect(page.getByLabel("Minutes")).toHaveValue("99999");
  });
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("a pause has a length of one's own, and the fleet gives its reason", async ({ page }) => {
    test.slow();
    await page.goto(group);
    await page.locator("[data-key=pause-page]").click();
    await page.getByLabel("Reason", { exact: true }).fill("INC-2291, poison record");
    await page.getByLabel("other", { exact: true }).check();
    await page.getByLabel("Minutes").fill("90");
    await page.locator("#form button[type=submit]").click();
    await page.waitForURL(/\/commands\//);
    await expect(page.locator(".finding")).toContainText("Resumes at");
    await expect(async () => {
      await page.goto("./");
      const row = page.locator("table.fleet tr", { hasText: "dev-audio-processor" });
      await expect(row.locator(".reason")).toHaveText("“INC-2291, poison record”", { timeout: 500 });
      await expect(row.locator(".tag.hold")).toContainText("until ", { timeout: 500 });
      await expect(row.locator(".tag.hold")).not.toContainText("until resumed", { timeout: 500 });
    }).toPass();
  });

  test("pause and resume are plain forms", async ({ page }) => {
    // Evidence has its own deadlines, and each look is a reload.
    test.slow();
    await page.goto(group);
    await page.locator("[data-key=pause-page]").click();
    await page.getByLabel("Reason", { exact: true }).fill("without a script");
    await page.locator("#form button[type=submit]").click();
    await page.waitForURL(/\/commands\//);
    await expect(async () => {
      await page.reload();
      await expect(page.locator(".finding")).toContainText("Paused.", { timeout: 500 });
    }).toPass();
    await page.goto(group);
    await page.locator(".holds form button").click();
    await page.waitForURL(/\/commands\//);
    await expect(async () => {
      await page.reload();
      await expect(page.locator(".finding")).toContainText("Resumed.", { timeout: 500 });
    }).toPass();
  });
});

test.describe("what is not there", () => {
  test.use({ allowedErrors: [/404 \(Not Found\)/] });

  for (const [path, words] of [
    ["./c/demo/groups/nobody", "nobody"],
    ["./c/demo/groups/~YS9i", "a/b"],
    ["./c/demo/topics/~YS9i", "a/b"],
    ["./c/demo/commands/00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000000"],
    ["./c/nowhere/topics", "nowhere"],
  ]) {
    test(`${path} is 404 and named`, async ({ page }) => {
      const response = await page.goto(path);
      expect(response?.status()).toBe(404);
      await expect(page.getByRole("alert")).toContainText(words);
    });
  }
});
