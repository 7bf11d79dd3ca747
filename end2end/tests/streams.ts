// Event streams that a test answers itself.
import type { Page, Route } from "@playwright/test";

export type Events = [string, unknown][];

const EVENTS = "**/events?*";

/** Text that is no JSON is sent as it is. */
const body = (events: Events) =>
  events.map(([event, data]) => `event: ${event}\ndata: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`).join("");

/** Every stream answers with these events, then ends; the page asks again. `events` is called for each connection. */
export async function stream(page: Page, events: Events | ((connection: number) => Events)) {
  let connections = 0;
  await page.unroute(EVENTS);
  await page.route(EVENTS, (route: Route) => {
    const now = typeof events === "function" ? events(++connections) : events;
    return route.fulfill({ contentType: "text/event-stream", body: body(now) });
  });
}

/** The server's own streams again. */
export async function ownStream(page: Page) {
  await page.unroute(EVENTS);
}

/** The fleet as its page gets it. */
export async function fleetView(page: Page, query = "") {
  return (await page.request.get(`./fn/fleet?query=${encodeURIComponent(query)}`)).json();
}

/** A group as its page gets it. */
export async function groupView(page: Page, group: string, cluster = "demo") {
  return (await page.request.get(`./fn/group?cluster=${cluster}&group=${encodeURIComponent(group)}`)).json();
}
