// Signing in and out, with a person's means: forms, the bar, the Back button; with JavaScript and without.
// The server is one of its own, with users; it needs no Kafka.
import { execFileSync } from "node:child_process";

import type { Page } from "@playwright/test";

import { env, expect, hydrated, test } from "./fixtures";
import { OwnServer } from "./own-server";

const password = "correct horse battery";
const deep = "/c/demo/topics?x=1";

let server: OwnServer;
let base: string;
/** Of a script that reads the server's figures. */
let token: string;

test.skip(!env.server, "FLOWDECK_BIN names the server's program");
// The browser itself logs an answer of 401, 404 or 429.
test.use({ allowedErrors: [/the server responded with a status of (401|403|404|429)/] });

test.beforeAll(async () => {
  const hash = execFileSync(env.server, ["hash-password"], { input: `${password}\n` }).toString().trim();
  const users = ["ana", "ben", "cleo"].map(
    (name) => `[[auth.users]]\nname = "${name}"\npassword_hash = "${hash}"\nroles = ["viewer"]\n`,
  );
  const made = execFileSync(env.server, ["new-token"]).toString();
  token = /token:\s*(\S+)/.exec(made)![1]!;
  users.push(`[[auth.tokens]]\nname = "figures"\nhash = "${/hash:\s*(\S+)/.exec(made)![1]}"\nroles = ["viewer"]\n`);
  const cluster = `[clusters.demo]\nbootstrap = "127.0.0.1:1"\n`;
  server = await OwnServer.start(`[auth]\nmode = "local"\n${users.join("")}${cluster}`);
  base = server.url;
});

test.afterAll(async () => server?.stop());

async function signIn(page: Page, name: string, word = password) {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(word);
  await page.getByRole("button", { name: "Sign in" }).click();
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled });

    test("a deep link leads to the form, and back to the same URL", async ({ page }) => {
      await page.goto(base + deep);
      await expect(page).toHaveURL(/\/login\?next=/);
      await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
      await signIn(page, "ana", "wrong");
      await expect(page.getByRole("alert")).toHaveText("This name and password do not belong together.");
      await expect(page.getByLabel("Name")).toHaveValue("ana");
      await signIn(page, "ana");
      await expect(page).toHaveURL(base + deep);
      const me = page.getByText("ana", { exact: true });
      await expect(me).toBeVisible();

      await me.click();
      await page.getByRole("button", { name: "Log out", exact: true }).click();
      await expect(page).toHaveURL(`${base}/login`);
      await page.goto(base + deep);
      await expect(page).toHaveURL(/\/login\?next=/);
    });
  });
}

test("log-out shows nothing to who goes back", async ({ page }) => {
  await page.goto(base);
  await signIn(page, "ben");
  await expect(page).toHaveURL(base);
  await page.getByText("ben", { exact: true }).click();
  await page.getByRole("button", { name: "Log out", exact: true }).click();
  await expect(page).toHaveURL(`${base}/login`);
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

test("a page that is open says that nobody is signed in any more", async ({ page, browser }) => {
  await page.goto(base);
  await signIn(page, "cleo");
  await hydrated(page);
  await expect(page.getByRole("status").filter({ hasText: "live" }).first()).toBeVisible();

  const elsewhere = await browser.newContext();
  const other = await elsewhere.newPage();
  await other.goto(base);
  await signIn(other, "cleo");
  await other.getByText("cleo", { exact: true }).click();
  await other.getByRole("button", { name: "Log out everywhere" }).click();
  await expect(other).toHaveURL(`${base}/login`);
  await elsewhere.close();

  // The session of a stream is checked every 15 s.
  await expect(page.getByText("You are no longer signed in.")).toBeVisible({ timeout: 20_000 });
  await page.getByRole("link", { name: "Sign in" }).click();
  await expect(page).toHaveURL(/\/login$/);
  await signIn(page, "cleo");
  await expect(page).toHaveURL(base);
});

// All of them in view at once, say side by side: a browser has six connections to a host, and five streams leave one.
test("of nine windows in view five are live, and all of them work", async ({ context }) => {
  test.setTimeout(240_000);
  const streams = async () => {
    const headers = { authorization: `Bearer ${token}` };
    const text = await (await context.request.get(new URL("/metrics", base).href, { headers })).text();
    return Number(/^flowdeck_streams_open (\d+)$/m.exec(text)?.[1]);
  };
  const state = (page: Page) => page.locator(".live");
  const windows = [await context.newPage()];
  await windows[0]!.goto(base);
  await signIn(windows[0]!, "ben");
  await expect(windows[0]!).toHaveURL(base);
  await hydrated(windows[0]!, 60_000);
  await expect(state(windows[0]!)).toHaveText("live");
  while (windows.length < 9) {
    const page = await context.newPage();
    await page.goto(base);
    await hydrated(page, 60_000);
    await expect(state(page)).toHaveText("live");
    expect(await streams()).toBeLessThanOrEqual(5);
    windows.push(page);
  }
  await expect.poll(streams).toBe(5);
  for (const page of windows.slice(0, 4)) await expect(page.getByText("this one is not updated")).toBeVisible();
  for (const page of windows.slice(4)) await expect(state(page)).toHaveText("live");

  const first = windows[0]!;
  await first.evaluate(() => window.dispatchEvent(new Event("focus")));
  await expect(state(first)).toHaveText("live");
  await expect(first.getByText("this one is not updated")).toBeHidden();
  await expect(windows[4]!.getByText("this one is not updated")).toBeVisible();
  await windows[4]!.getByText("ben", { exact: true }).click();
  await windows[4]!.getByRole("button", { name: "Log out", exact: true }).click();
  await expect(windows[4]!).toHaveURL(`${base}/login`);

  for (const page of windows) await page.close();
  await expect.poll(streams).toBe(0);
});

test("a form on another site signs nobody in", async ({ page, context }) => {
  const forged = `<form method="post" action="${base}/login"><input name="name" value="ana">
    <input name="password" value="${password}"><button>win</button></form>`;
  await page.route("http://evil.example/", (route) => route.fulfill({ contentType: "text/html", body: forged }));
  await page.goto("http://evil.example/");
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url().endsWith("/login")),
    page.getByRole("button").click(),
  ]);
  expect(answer.status()).toBe(403);
  expect(await context.cookies(base)).toEqual([]);
});
