import { defineConfig } from "@playwright/test";

// `cargo xtask test` sets these; by hand: start `cargo xtask demo` and name its addresses.
const url = process.env.FLOWDECK_URL ?? "http://127.0.0.1:8077/kafkaflow";

const OWN_SERVER = ["hostile-names.spec.ts", "sign-in.spec.ts"].map((name) => `**/${name}`);

export default defineConfig({
  testDir: "./tests",
  // One server and one Kafka for most: these tests take turns. Beside them run some that have a server of their own, time nothing
  // and leave the shared Kafka alone.
  workers: 2,
  fullyParallel: false,
  projects: [
    { name: "shared", testIgnore: OWN_SERVER, workers: 1 },
    { name: "own", testMatch: OWN_SERVER, workers: 1 },
  ],
  // Far more than anything takes: a wait ends as soon as what it waits for is there, and a slow machine is no fault.
  timeout: 120_000,
  expect: { timeout: 30_000 },
  forbidOnly: !!process.env.CI,
  retries: 0,
  // Its own for each run: two may stand side by side.
  outputDir: process.env.FLOWDECK_TEST_RESULTS ?? "test-results",
  use: {
    // With the slash, `page.goto("./audit")` stays under the base path.
    baseURL: `${url.replace(/\/$/, "")}/`,
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
