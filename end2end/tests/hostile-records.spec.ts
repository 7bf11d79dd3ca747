// Records of somebody who means harm, on a real topic: each is shown as data. Nothing of it runs, nothing is
// wider than a phone, no page takes long; with JavaScript and without.
import { env, test, expect, hydrated } from "./fixtures";
import { CLUSTER } from "./live";
import { createTopic, deleteTopic, send, type Given } from "./kafka";
import type { Page } from "@playwright/test";

const TOPIC = `hostile-${process.pid}`;
/** A page with the worst of them: so long, or so many times what a harmless one takes on a busy machine. */
const SOON = 10_000;
const TIMES = 10;
/** On a busy machine a page takes its time. */
const SLOW = 60_000;

type Case = {
  name: string;
  record: Omit<Given, "topic">;
  /** What the opened record must show, and must not. */
  shows?: string[];
  hides?: string[];
};

const script = "<script>window.pwned=1</script>";
const deep = "[".repeat(100_000) + "]".repeat(100_000);

const cases: Case[] = [
  { name: "script", record: { value: script }, shows: [script] },
  { name: "the end of a script", record: { value: `</script>${script}<!--<script>` }, shows: [`</script>${script}`] },
  { name: "the end of a title", record: { value: `</title></pre></td>${script}` }, shows: ["</title></pre></td>"] },
  { name: "an image with a handler", record: { value: `<img src=x onerror="window.pwned=1">` }, shows: ["<img src=x onerror="] },
  { name: "the end of an attribute", record: { value: `"' autofocus onfocus=window.pwned=1 x='"` }, shows: ["onfocus=window.pwned=1"] },
  { name: "a link that is a script", record: { value: "javascript:window.pwned=1" }, shows: ["javascript:window.pwned=1"] },
  { name: "an override of the direction", record: { value: "invoice\u202egnp.exe" }, shows: ["invoice‹U+202E›gnp.exe"], hides: ["\u202e"] },
  { name: "letters that nobody sees", record: { value: "pay\u200bments\ufeff" }, shows: ["pay‹U+200B›ments‹U+FEFF›"], hides: ["\u200b"] },
  { name: "NUL in a text", record: { value: "a text\0with a zero" }, shows: ["a text‹U+0000›with a zero"] },
  { name: "terminal escapes", record: { value: "\x1b[2J\x1b]0;owned\x07 all is well" }, shows: ["‹U+001B›[2J"], hides: ["\x1b"] },
  { name: "bytes that are no UTF-8", record: { value: Buffer.from("fffe00c328f0288cbc", "hex") }, shows: ["fffe00c328f0288cbc", "hexadecimal"] },
  { name: "a few bytes that are no UTF-8", record: { value: Buffer.from("Stra\xdfe 7, M\xfcnchen, caf\xe9", "latin1") }, shows: ["Stra\\xdfe 7, M\\xfcnchen, caf\\xe9", "3 bytes not UTF-8"] },
  { name: "10 MB", record: { value: Buffer.alloc(10 * 1024 * 1024, "x") }, shows: ["Only its beginning is shown", "10"] },
  { name: "1 MB of one word", record: { value: Buffer.alloc(1_000_000, "w") }, shows: ["wwww"] },
  { name: "JSON 100,000 deep", record: { value: deep }, shows: ["Shown as JSON: it parses."] },
  { name: "JSON of a million commas", record: { value: `${"[".repeat(50)}1${",1".repeat(400_000)}${"]".repeat(50)}` }, shows: ["it parses"] },
  { name: "JSON with script", record: { value: `{"a":"${script}","</script>":1}` }, shows: [`"${script}"`, `"</script>"`] },
  { name: "large numbers", record: { value: '{"n":9007199254740993,"e":1e400,"f":0.10000000000000000001}' }, shows: ["9007199254740993", "1e400", "0.10000000000000000001"] },
  { name: "doubled keys", record: { value: '{"role":"user","role":"admin"}' }, shows: ['"role": "user"', '"role": "admin"'] },
  { name: "a tombstone", record: { key: "gone", value: null }, shows: ["No value", "tombstone"] },
  { name: "an empty value", record: { key: "", value: "" }, shows: ["0 B value"] },
  { name: "a hostile key", record: { key: `${script}\u202e\x1b[31m`, value: "v" }, shows: [`${script}‹U+202E›‹U+001B›[31m`] },
  {
    name: "thousands of headers",
    record: { value: "v", headers: Array.from({ length: 3_000 }, (_, n): [string, string] => [`h${n}`, "x"]) },
    shows: ["h99", "100 of 3,000 headers shown"],
    hides: ["h100"],
  },
  {
    name: "hostile headers",
    record: { value: "v", headers: [[`${script}\u202e`, `"><img src=x onerror=window.pwned=1>\x1b[0m`], ["", null], ["n".repeat(100_000), "long"]] },
    shows: [`${script}‹U+202E›`, `"><img src=x onerror=window.pwned=1>‹U+001B›[0m`],
  },
  { name: "a tower of accents", record: { value: `z${"\u0336\u0310".repeat(500)}` }, shows: ["‹U+0310›"] },
  { name: "right to left", record: { value: "שלום 123" }, shows: ["שלום"] },
];

let offsets: number[] = [];
let soon = SOON;

test.beforeAll(async ({ playwright }) => {
  test.setTimeout(240_000);
  createTopic(TOPIC, "max.message.bytes=20000000");
  offsets = send(cases.map(({ record }) => ({ topic: TOPIC, ...record })));
  // The list of topics is read every 10 s.
  const request = await playwright.request.newContext({ baseURL: `${env.url}/` });
  const known = async () => (await request.get(`./api/v1/clusters/${CLUSTER}/topics/${TOPIC}`)).status();
  await expect.poll(known, { timeout: 60_000 }).toBe(200);
  await request.dispose();
});

test.afterAll(() => deleteTopic(TOPIC));

test.beforeEach(async ({ request }) => {
  const began = Date.now();
  await request.get(`./c/${CLUSTER}/topics`);
  soon = Math.max(SOON, TIMES * (Date.now() - began));
});

test.use({ viewport: { width: 390, height: 844 } });
test.describe.configure({ timeout: 120_000 });

/** Nothing ran, nothing was let in, nothing is wider than the phone. */
async function harmless(page: Page) {
  expect(await page.evaluate(() => (window as unknown as { pwned?: number }).pwned)).toBeUndefined();
  expect(await page.locator('main img, main iframe, main [onerror], main [onfocus], a[href^="javascript"]').count()).toBe(0);
  const nonces = await page.locator("script").evaluateAll((all) => all.filter((one) => !(one as HTMLScriptElement).nonce).length);
  expect(nonces, "scripts without our nonce").toBe(0);
  expect(await page.evaluate(() => document.documentElement.scrollWidth), "wider than the phone").toBeLessThanOrEqual(390);
}

async function opened(page: Page, at: number, ready: () => Promise<void>) {
  const { name, shows = [], hides = [] } = cases[at]!;
  const began = Date.now();
  await page.goto(`./c/${CLUSTER}/topics/${TOPIC}?partition=0&from=offset:${offsets[at]}&limit=20&open=0:${offsets[at]}`);
  expect(Date.now() - began, `${name}: the page's time`).toBeLessThan(soon);
  await ready();
  const record = page.locator("section.record");
  await expect(record.getByRole("heading")).toContainText("offset");
  const text = (await record.textContent()) ?? "";
  for (const shown of shows) expect(text.includes(shown), `${name}: shows ${shown} in ${text.slice(0, 600)}`).toBe(true);
  for (const hidden of hides) expect(text.includes(hidden), `${name}: hides ${JSON.stringify(hidden)}`).toBe(false);
  await harmless(page);
}

async function listed(page: Page, ready: () => Promise<void>) {
  for (const query of ["limit=50", "partition=0&from=earliest&limit=50"]) {
    const began = Date.now();
    await page.goto(`./c/${CLUSTER}/topics/${TOPIC}?${query}`);
    expect(Date.now() - began).toBeLessThan(soon);
    await ready();
    await expect(page.locator("table.messages tbody tr").first()).toBeVisible();
    await harmless(page);
  }
}

test.describe("with JavaScript", () => {
  const ready = (page: Page) => () => hydrated(page, SLOW);

  test("a list of hostile records is a list", async ({ page }) => listed(page, ready(page)));

  for (const [at, { name }] of cases.entries()) {
    test(`${name} is shown as data`, async ({ page }) => opened(page, at, ready(page)));
  }

  test("opened by a click, where the browser draws it, they are data too", async ({ page }) => {
    test.setTimeout(600_000);
    await page.goto(`./c/${CLUSTER}/topics/${TOPIC}?partition=0&from=earliest&limit=50`);
    await hydrated(page, SLOW);
    const rows = page.locator("table.messages tbody tr");
    for (const at of cases.keys()) {
      const offset = String(offsets[at]);
      await rows.filter({ has: page.locator('[data-l="offset"]', { hasText: new RegExp(`^\\s*${offset}\\s*$`) }) }).getByRole("link").first().click();
      await expect(page.locator("section.record h2")).toHaveText(new RegExp(`offset ${offset}$`));
      const text = (await page.locator("section.record").textContent()) ?? "";
      for (const shown of cases[at]!.shows ?? []) expect(text.includes(shown), `${cases[at]!.name}: ${shown} in ${text.slice(0, 400)}`).toBe(true);
      await harmless(page);
    }
  });

  test("a copy is the value itself", async ({ page, context }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const at = cases.findIndex(({ name }) => name === "an override of the direction");
    await opened(page, at, () => hydrated(page, SLOW));
    await page.getByRole("button", { name: "Copy value" }).click();
    await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("invoice\u202egnp.exe");
  });
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("a list of hostile records is a list", async ({ page }) => listed(page, async () => {}));

  test("each is shown as data", async ({ page }) => {
    test.setTimeout(600_000);
    for (const at of cases.keys()) await opened(page, at, async () => {});
  });
});
