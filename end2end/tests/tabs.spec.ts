// Many tabs of one person. A browser has six connections to a host: a page that is not looked at has none of them.
// Playwright tells every page that it is in view; a browser of our own tells the truth.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium, type Browser, type BrowserContext, type Page } from "@playwright/test";

import { env, expect, hydrated, test } from "./fixtures";

const TABS = 8;

let child: ChildProcess;
let profile: string;
let browser: Browser;

/** Nine pages: on a busy machine each takes seconds. */
test.describe.configure({ timeout: 240_000 });

test.beforeAll(async ({}, info) => {
  const { executablePath, args = [] } = info.project.use.launchOptions ?? {};
  profile = mkdtempSync(join(tmpdir(), "flowdeck-tabs-"));
  const own = ["--headless", "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"];
  // A group of its own, ended when this process closes the pipe or dies: whatever ends the test ends the browser.
  const script = 'exec 3<&0 </dev/null; ("$@" 3<&-; kill -KILL 0) & read -r _ <&3; kill -KILL 0';
  const browserAndWatch = ["-c", script, "sh", executablePath!, ...args, ...own];
  child = spawn("sh", browserAndWatch, { detached: true, stdio: ["pipe", "ignore", "pipe"] });
  const address = await new Promise<string>((resolve, reject) => {
    let said = "";
    child.stderr!.on("data", (data) => {
      const found = /ws:\/\/\S+/.exec((said += String(data)));
      if (found) resolve(found[0]);
    });
    child.once("exit", () => reject(new Error(`the browser did not start: ${said}`)));
  });
  browser = await chromium.connectOverCDP(address, { noDefaults: true });
});

test.afterAll(async () => {
  await browser?.close();
  if (child?.pid) await endGroup(child.pid);
  // Walked anew each time: what a process wrote while it was killed may lie in a folder that was already emptied.
  if (profile) await expect(() => rmSync(profile, { recursive: true, force: true })).toPass({ timeout: 10_000 });
});

/** Ends a browser with all its processes: those for the network and the disk outlive the first one, and write into the profile. */
async function endGroup(leader: number): Promise<void> {
  const ended = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
  await ended;
}

/** Streams that the server has open. */
async function streams(page: Page): Promise<number> {
  const text = await (await page.request.get(new URL("/metrics", env.url).href)).text();
  return Number(/^flowdeck_streams_open (\d+)$/m.exec(text)?.[1]);
}

async function opened(context: BrowserContext, seen: string[]): Promise<Page> {
  const page = await context.newPage();
  page.on("pageerror", (error) => seen.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") seen.push(message.text());
  });
  await page.goto(env.url);
  await hydrated(page, 60_000);
  return page;
}

const live = (page: Page) => expect(page.locator(".live")).toHaveText("live");

test("eight tabs are live when they are looked at, and hold one stream", async () => {
  const context = browser.contexts()[0]!;
  const seen: string[] = [];
  const tabs: Page[] = [];
  for (let n = 0; n < TABS; n++) {
    const tab = await opened(context, seen);
    await live(tab);
    tabs.push(tab);
  }
  const hidden = await Promise.all(tabs.map((tab) => tab.evaluate(() => document.hidden)));
  expect(hidden.filter(Boolean), "all but the last one are in the background").toHaveLength(TABS - 1);
  await expect.poll(() => streams(tabs[0]!)).toBe(1);

  for (const tab of tabs) {
    // It does not say "live" of what it showed long ago.
    await expect(tab.locator(".live")).toHaveText("connecting");
    await tab.bringToFront();
    await live(tab);
    await expect.poll(() => streams(tab)).toBe(1);
  }

  const ninth = await opened(context, seen);
  await live(ninth);
  await ninth.locator("table.fleet tbody a.name").first().click();
  await expect(ninth).toHaveURL(/\/groups\//);
  await live(ninth);
  await expect.poll(() => streams(ninth)).toBe(1);
  const last = tabs[0]!;
  await ninth.close();
  for (const tab of tabs.slice(1)) await tab.close();
  await last.goto("about:blank");
  await expect.poll(() => streams(last)).toBe(0);
  expect(seen).toEqual([]);
});
