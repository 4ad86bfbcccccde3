// The pictures of docs/images: the console in the middle of an incident that is worth looking at.

import { launch, open } from "./browser.mjs";
import { Fleet, sleep } from "./fleet.mjs";

const folder = process.argv[2] ?? new URL("../../../docs/images/", import.meta.url).pathname;
const seconds = Number(process.argv[3] ?? 75);

const config = ({ mock }, steady) => `
[limits.per-client]
capacity = 20000
refill = "60/1s"
lease_lifetime = "200ms"

[limits.checkout]
algorithm = "sliding_window"
limit = 300
window = "10s"

[upstreams.orders]
endpoints = ["${mock}"]
circuit = { failures = 5, reset = "10s" }

[upstreams.catalogue]
endpoints = ["${steady[0]}", "${steady[1]}"]

[[routes]]
name = "orders"
path = "/orders/{*path}"
rewrite = "/{path}"
upstream = "orders"
limits = ["per-client", "checkout"]

[[routes]]
name = "catalogue"
path = "/catalogue/{*path}"
rewrite = "/{path}"
upstream = "catalogue"
limits = ["per-client"]
cache = { ttl = "1s" }
`;

const fleet = await Fleet.start(3, { UPSTREAM_URL: undefined }, async (one) => config(one, [await one.upstream(), await one.upstream()]));
const context = await launch();
try {
  const loads = [fleet.load(36, "/orders/ok"), fleet.load(110, "/catalogue/users?page=1"), fleet.load(24, "/catalogue/slow?ms=12")];
  const stop = () => Promise.all(loads.map((end) => end()));
  await sleep(seconds * 400);
  await fleet.failing(true);
  await sleep(seconds * 120);
  await fleet.failing(false);
  await sleep(seconds * 300);
  for (const [path, body] of [
    ["limits/per-client/reset", { client: "198.51.100.7", author: "mara", reason: "ticket 4711: bursts are agreed" }],
    ["circuits/orders/reset", { author: "jon", reason: "the upstream was rolled back" }],
    ["cache/purge", { route: "catalogue", author: "mara", reason: "wrong prices" }],
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
