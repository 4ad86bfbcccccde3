// The pictures of docs/images: the console in the middle of an incident that is worth looking at.

import { launch, open } from "./browser.mjs";
import { Fleet, sleep } from "./fleet.mjs";

const folder = process.argv[2] ?? new URL("../../../docs/images/", import.meta.url).pathname;
const seconds = Number(process.argv[3] ?? 75);

const fleet = await Fleet.start(3, {
  RATE_LIMIT_CAPACITY: "4000", RATE_LIMIT_REFILL_RATE: "60", RATE_LIMIT_REFILL_INTERVAL_SECONDS: "1",
  CIRCUIT_BREAKER_FAILURE_THRESHOLD: "5", CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS: "10", GATEWAY__LIMITS__PER_CLIENT__LEASE_LIFETIME: "200ms",
});
const context = await launch();
try {
  const stop = fleet.load(160);
  await sleep(seconds * 400);
  await fleet.failing(true);
  await sleep(seconds * 120);
  await fleet.failing(false);
  await sleep(seconds * 300);
  for (const [path, body] of [
    ["limits/per-client/reset", { client: "198.51.100.7", author: "mara", reason: "ticket 4711: bursts are agreed" }],
    ["circuits/default/reset", { author: "jon", reason: "the upstream was rolled back" }],
  ]) {
    await fetch(`${fleet.gateways[1].admin}/api/v1/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    await sleep(1_500);
  }
  const page = await open(context, `${fleet.gateways[0].admin}/`);
  await page.waitForFunction(() => document.querySelector("#live").textContent === "live");
  await page.emulateMedia({ colorScheme: "light" });
  await sleep(4_000);
  await page.screenshot({ path: `${folder}/console-light.png`, fullPage: true });
  await page.emulateMedia({ colorScheme: "dark" });
  await fleet.failing(true);
  await sleep(3_000);
  await page.screenshot({ path: `${folder}/console-dark.png`, fullPage: true });
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 844 });
  await sleep(1_000);
  await page.screenshot({ path: `${folder}/console-narrow.png`, fullPage: true });
  console.log(page.wrong);
  await stop();
} finally {
  await context.close();
  await fleet.stop();
}
