// What the pages do with the event stream: what is announced, what the window's title says, and what happens to a
// snapshot that cannot be read.
import { test, expect, hydrated } from "./fixtures";
import { fleetView, groupView, ownStream, stream } from "./streams";
import type { Page } from "@playwright/test";

const GROUP = "dev-audio-processor";
const group = `./c/demo/groups/${GROUP}`;

for (const [view, path] of [["fleet", "./"], ["group", group]] as const) {
  test(`an unreadable snapshot makes the ${view} page stale and is asked for less and less often`, async ({ page }) => {
    const times: number[] = [];
    await stream(page, () => {
      times.push(Date.now());
      return [["snapshot", '{"version":"1.1","nonsense":']];
    });
    await page.goto(path);
    await hydrated(page);
    await expect(page.locator(".live")).toHaveText("stale");
    await expect(page.locator("main")).toHaveClass(/old/);
    await expect(page.getByText("This page cannot decode the updates that Flowdeck sends")).toBeVisible();
    await expect.poll(() => times.length).toBeGreaterThanOrEqual(4);
    const gaps = times.slice(1).map((time, n) => time - times[n]!);
    [1_000, 2_000, 5_000].forEach((least, n) => expect(gaps[n], `gap ${n + 1}`).toBeGreaterThan(least * 0.9));
    // The server's silence is not what is wrong.
    await expect(page.locator(".live")).toHaveText("stale");
    await ownStream(page);
    await expect(page.locator(".live")).toHaveText("live", { timeout: 40_000 });
    await expect(page.locator("main")).not.toHaveClass(/old/);
  });
}

test("deltas that never fit are not answered without a pause", async ({ page }) => {
  const full = await fleetView(page);
  const delta = { ...full, epoch: 1, base: "1.1", upsert: [], remove: [], order: null, header: { ...full, groups: [] } };
  const times: number[] = [];
  await stream(page, () => {
    times.push(Date.now());
    return [["snapshot", full], ["delta", delta]];
  });
  await page.goto("./");
  await hydrated(page);
  await expect.poll(() => times.length).toBeGreaterThanOrEqual(4);
  expect(times[3]! - times[1]!).toBeGreaterThan(2_700);
});

/** Counts what changes in the regions that are announced. */
async function countAnnouncements(page: Page) {
  await page.evaluate(() => {
    const counted = window as unknown as { announced: string[] };
    counted.announced = [];
    const observer = new MutationObserver((changes) => {
      for (const { target } of changes) {
        const element = target instanceof Element ? target : target.parentElement;
        const region = element?.closest("[role=status], [aria-live]:not([aria-live=off])");
        if (region) counted.announced.push(region.textContent ?? "");
      }
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}

const announced = (page: Page) => page.evaluate(() => (window as unknown as { announced: string[] }).announced);

test("a change of verdict is announced, and nothing else of the group", async ({ page }) => {
  const full = await groupView(page, GROUP);
  let verdict = "ok";
  let lag = 0;
  await stream(page, () => {
    lag += 1;
    const level = verdict === "behind" ? "warning" : "ok";
    return [["snapshot", { ...full, verdict, level, why: null, holds: [], lag, lagAtLeast: lag, now: new Date(Date.parse(full.now) + lag * 1_000).toISOString() }]];
  });
  await page.goto(group);
  await hydrated(page);
  const said = page.locator("main > .unseen[role=status]");
  await expect(said).toHaveText("OK");
  const sentence = page.locator(".finding");
  await expect(sentence).toContainText(/\b[1-9]/);
  await countAnnouncements(page);
  for (let n = 0; n < 3; n++) {
    const before = (await sentence.textContent()) ?? "";
    await expect(sentence).not.toHaveText(before);
  }
  expect(await announced(page)).toEqual([]);
  verdict = "behind";
  await expect(said).toHaveText("Behind");
  expect(new Set(await announced(page))).toEqual(new Set(["Behind"]));
  await expect(page).toHaveTitle(`▲ ${GROUP} · demo · Flowdeck`);
});

test("a count of rows that would move is announced once, not with every update", async ({ page }) => {
  const full = await fleetView(page, "sort=group");
  let groups = full.groups;
  await stream(page, () => [["snapshot", { ...full, groups }]]);
  await page.goto("./?sort=group");
  await hydrated(page);
  await page.locator("table.fleet tbody tr").nth(1).hover();
  const [first, second, ...rest] = full.groups;
  groups = [second, first, ...rest];
  await expect(page.getByText("2 rows would move")).toBeVisible();
  await countAnnouncements(page);
  groups = [...full.groups].reverse();
  await expect(page.getByText("2 rows would move")).toBeHidden();
  await expect(page.getByText(/rows would move/)).toBeVisible();
  expect(await announced(page)).toEqual([]);
});

test("the fleet's title counts the groups that need a person, live, and names the cluster", async ({ page }) => {
  const full = await fleetView(page);
  const counts = (behind: number) => [
    { verdict: "behind", groups: behind },
    { verdict: "ok", groups: 4 },
  ];
  let behind = 2;
  await stream(page, () => [["snapshot", { ...full, counts: counts(behind) }]]);
  await page.goto("./");
  await hydrated(page);
  await expect(page).toHaveTitle("2 ▲ Fleet · demo · Flowdeck");
  behind = 3;
  await expect(page).toHaveTitle("3 ▲ Fleet · demo · Flowdeck");
  behind = 0;
  await expect(page).toHaveTitle("Fleet · demo · Flowdeck");
});

test("every page's title names its cluster", async ({ page }) => {
  for (const [path, title] of [
    [group, new RegExp(`^(▲ )?${GROUP} · demo · Flowdeck$`)],
    ["./c/demo/topics", /^Topics · demo · Flowdeck$/],
    ["./c/demo/topics/dev-audio-events", /^dev-audio-events · demo · Flowdeck$/],
  ] as const) {
    await page.goto(path);
    await expect(page).toHaveTitle(title);
  }
});
