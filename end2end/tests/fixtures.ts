// What every test starts from. `test` fails a test whose page logs an error, throws, or is refused something
// by the Content-Security-Policy; hydration warnings count.
import { test as base, expect, type ConsoleMessage, type Page } from "@playwright/test";

/** What tests may use of the machinery around them. */
export const env = {
  url: (process.env.FLOWDECK_URL ?? "http://127.0.0.1:8077/kafkaflow").replace(/\/$/, ""),
  bootstrap: process.env.KAFKA_BOOTSTRAP ?? "",
  /** Another Kafka, with nothing on it. */
  second: process.env.KAFKA_BOOTSTRAP_SECOND ?? "",
  /** The server's binary, for tests that need one of their own. */
  server: process.env.FLOWDECK_BIN ?? "",
  fleets: process.env.FLEETS_BIN ?? "",
  site: process.env.FLOWDECK_SITE ?? "",
  kafkaLibs: process.env.FLOWDECK_KAFKA_LIBS ?? "",
};

type Options = {
  /** Console errors that a test expects, for example a page that answers 404. */
  allowedErrors: RegExp[];
};

type Guards = { guard: void };

export const test = base.extend<Options & Guards>({
  allowedErrors: [[], { option: true }],
  guard: [
    async ({ context, allowedErrors }, use) => {
      const seen: string[] = [];
      const note = (text: string) => {
        if (!allowedErrors.some((allowed) => allowed.test(text))) seen.push(text);
      };
      const watch = (page: Page) => {
        page.on("pageerror", (error) => note(String(error)));
        page.on("console", (message: ConsoleMessage) => {
          const hydration = message.type() === "warning" && /hydrat/i.test(message.text());
          if (message.type() === "error" || hydration) note(message.text());
        });
      };
      context.on("page", watch);
      context.pages().forEach(watch);
      await use();
      expect(seen, "errors in the browser's console").toEqual([]);
    },
    { auto: true },
  ],
});

/** Waits until the wasm has taken the page over: `hydrate` sets `data-hydrated` on <html> when it is done. */
export async function hydrated(page: Page, timeout?: number): Promise<void> {
  await expect(page.locator("html[data-hydrated]")).toBeAttached({ timeout });
}

export { expect };
