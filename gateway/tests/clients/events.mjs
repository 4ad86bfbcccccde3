// A browser's EventSource through the gateway: every event, one by one as they are sent, and again after the stream has ended.

import assert from "node:assert/strict";
import { launch } from "../console/browser.mjs";

const base = process.argv[2];
const context = await launch();
try {
  const page = await context.newPage();
  await page.goto(`${base}/proxy/ok`);
  const heard = await page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const events = [];
        let opened = 0;
        const source = new EventSource("/proxy/events?count=5&ms=100");
        source.onopen = () => (opened += 1);
        source.onmessage = (event) => {
          events.push({ data: event.data, id: event.lastEventId, at: performance.now() });
          if (opened === 2 && events.length >= 10) {
            source.close();
            resolve({ events, opened });
          }
        };
        setTimeout(() => reject(new Error(`only ${events.length} events, ${opened} streams`)), 20000);
      }),
  );
  assert.equal(heard.opened, 2);
  assert.equal(heard.events.length, 10);
  const [first, , , , last] = heard.events;
  assert.ok(last.at - first.at > 200, `five events within ${last.at - first.at} ms were kept back`);
  console.log(`Chromium ${context.browser()?.version() ?? ""} agrees`);
} finally {
  await context.close();
}
