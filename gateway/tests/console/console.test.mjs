// The console in a real browser, on a real fleet.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, afterEach, before, test } from "node:test";
import { launch, open } from "./browser.mjs";
import { Fleet, eventually, sleep } from "./fleet.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const TOKEN = "correct-horse-battery-staple";
const CONFIG = `
[[routes]]
name = "proxy"
path = "/proxy/{*path}"
rewrite = "/{path}"
upstream = "default"
limits = ["per-client"]

[[routes]]
name = "kept"
path = "/kept/{*path}"
rewrite = "/{path}"
upstream = "default"
cache = { ttl = "1h" }
`;
let fleet, context;

before(async () => {
  fleet = await Fleet.start(2, {
    CIRCUIT_BREAKER_FAILURE_THRESHOLD: "3",
    CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS: "600",
    RATE_LIMIT_CAPACITY: "100000",
  }, async () => CONFIG);
  context = await launch();
});

after(async () => {
  await context?.close();
  await fleet?.stop();
});

afterEach(async () => {
  await Promise.all(context.pages().map((page) => page.close()));
});

const shown = (index = 0) => open(context, `${fleet.gateways[index].admin}/`);
const text = (page, selector) => page.locator(selector).first().textContent();
const until = (page, selector, pattern, patience = 20_000) =>
  eventually(`${selector} says ${pattern}`, async () => pattern.test(await text(page, selector)), patience);

test("the page loads by itself, without an error, and shows every replica", async () => {
  const page = await shown();
  await until(page, "#live", /^live$/);
  await until(page, "#verdict-text", /All is well: 2 replicas/);
  assert.equal(await page.locator("#replicas tbody tr").count(), 2);
  assert.deepEqual(page.wrong, []);
});

test("charts move under load", async () => {
  const page = await shown();
  await until(page, "#live", /^live$/);
  const line = () => page.locator("#chart-traffic path.line.one").getAttribute("d");
  const stop = fleet.load(60);
  try {
    await eventually("requests per second are shown", async () => Number.parseFloat(await text(page, "#stat-requests .figure b")) > 10);
    const first = await line();
    await eventually("the line moves", async () => (await line()) !== first);
    await until(page, "#chart-latency .legend .ink b", /\d/);
    await until(page, "#limits .facts dd", /^[1-9]/);
  } finally {
    await stop();
  }
  assert.deepEqual(page.wrong, []);
});

test("a circuit opened by real failures shows within a second on every replica's page, and its reset closes it", async () => {
  const [page, other] = [await shown(0), await shown(1)];
  await until(page, "#circuits .badge", /^Closed$/);
  await until(other, "#circuits .badge", /^Closed$/);
  await fleet.failing(true);
  let answer;
  do {
    answer = await fetch(`${fleet.gateways[1].proxy}/proxy/ok`);
  } while (answer.headers.get("retry-after") === null);
  assert.equal(answer.status, 503);
  await Promise.all([until(page, "#circuits .badge", /^Open$/, 1_000), until(other, "#circuits .badge", /^Open$/, 1_000)]);
  await until(page, "#verdict-text", /circuit of default is open/);
  await until(page, "#transitions", /closed → open/);
  await fleet.failing(false);

  // With the keyboard alone.
  await page.getByRole("button", { name: "Reset…" }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.type("the upstream was mended");
  await page.keyboard.press("Tab");
  await page.keyboard.type("mara");
  await page.keyboard.press("Enter");
  await until(page, "#circuits .badge", /^Closed$/);
  await until(other, "#circuits .badge", /^Closed$/);
  await eventually("it is served again", async () => (await fetch(`${fleet.gateways[1].proxy}/proxy/ok`)).status === 200);
  await until(page, "#audit", /circuit\.reset default.*mara \(loopback\).*the upstream was mended/);
  await until(other, "#audit", /circuit\.reset default.*mara/);
  assert.deepEqual([page.wrong, other.wrong], [[], []]);
});

test("a circuit held open on one replica's page makes the other refuse within a second; it needs a reason, and both say who holds it", async () => {
  const [page, other] = [await shown(0), await shown(1)];
  const asked = async () => (await fetch(`${fleet.gateways[1].proxy}/proxy/ok`)).status;
  assert.equal(await asked(), 200);
  await page.getByRole("button", { name: "Hold open…" }).click();
  await page.getByRole("button", { name: "Hold open", exact: true }).click();
  assert.ok(await page.locator("#dialog").isVisible(), "a reason is required");
  await page.locator("#dialog-reason").fill("maintenance");
  await page.getByRole("button", { name: "Hold open", exact: true }).click();
  await eventually("the other replica refuses", async () => (await asked()) === 503, 1_000);
  for (const one of [page, other]) {
    await until(one, "#circuits .badge", /^Open · held$/);
    await until(one, "#circuits .say", /“maintenance”/);
    await until(one, "#audit", /circuit\.open default.*“maintenance”/);
  }
  await page.getByRole("button", { name: "Reset…" }).click();
  await page.getByRole("button", { name: "Reset", exact: true }).click();
  await until(page, "#circuits .badge", /^Closed$/);
});

test("a client's bucket can be looked up and filled", async () => {
  await fetch(`${fleet.gateways[0].proxy}/proxy/ok`);
  const page = await shown();
  await page.getByLabel("Client to look up in per-client").fill("127.0.0.1");
  await page.getByRole("button", { name: "Look up" }).click();
  await until(page, "#limits .found", /127\.0\.0\.1 has .* tokens/);
  await until(page, "#limits .badge", /^100.000, \+10\/min$/);
  await page.getByRole("button", { name: "Fill this bucket…" }).click();
  await page.getByRole("button", { name: "Fill", exact: true }).click();
  await until(page, "#audit", /limit\.reset per-client 127\.0\.0\.1/);
  await until(page, "#limits .found", /It is full/);
});

test("who has used most of a limit is listed, and looked up by a click", async () => {
  const stop = fleet.load(40);
  const page = await shown(1);
  try {
    await until(page, "#limits .hot", /127\.0\.0\.1.* of 100.000 left, .*\/s/);
    await page.locator("#limits .hot button").first().click();
    await until(page, "#limits .found", /127\.0\.0\.1 has .* tokens/);
  } finally {
    await stop();
  }
  assert.deepEqual(page.wrong, []);
});

test("what a route keeps is purged on every replica, for a reason that both write down", async () => {
  const status = async (index) => (await fetch(`${fleet.gateways[index].proxy}/kept/users`)).headers.get("cache-status");
  for (const index of [0, 1]) {
    await status(index);
    await eventually("it is kept", async () => / hit/.test((await status(index)).replaceAll(";", " ")));
  }
  const [page, other] = [await shown(0), await shown(1)];
  const row = page.locator("#routes tr", { hasText: "/kept/{*path}" });
  assert.equal(await page.locator("#routes").getByRole("button").count(), 1, "only where something is kept");
  await row.getByRole("button", { name: "Purge…" }).click();
  await until(page, "#dialog-title", /Purge what kept keeps/);
  await page.getByRole("button", { name: "Purge", exact: true }).click();
  assert.ok(await page.locator("#dialog").isVisible(), "a reason is required");
  await page.locator("#dialog-reason").fill("wrong prices");
  await page.getByRole("button", { name: "Purge", exact: true }).click();
  await until(page, "#audit", /cache\.purge route kept.*“wrong prices”/);
  await until(other, "#audit", /cache\.purge route kept.*“wrong prices”/);
  assert.match(await status(0), /fwd=/, "asked for anew");
  assert.deepEqual([page.wrong, other.wrong], [[], []]);
});

test("a configuration is read again on every replica, and mistakes in it are shown", async () => {
  const page = await shown();
  const reload = async () => {
    await page.locator("#config-of").selectOption("all");
    await page.getByRole("button", { name: "Reload…" }).click();
    await page.getByRole("button", { name: "Reload", exact: true }).click();
  };
  await page.getByRole("button", { name: "Configuration" }).click();
  await until(page, "#config-since", /In force since \d/);
  fleet.write(`${CONFIG}\n[[routes]]\nname = "new"\npath = "/new"\nrespond = { status = 204 }\n`);
  await reload();
  await until(page, "#config-text", /name = "new"/);
  await eventually("it is in force on the other replica", async () => (await fetch(`${fleet.gateways[1].proxy}/new`)).status === 204);
  await eventually("each replica's entry", async () => (await page.locator("#audit li", { hasText: "reload" }).count()) === 2);
  fleet.write(`${CONFIG}\nnonsense = 1\n`);
  await reload();
  await until(page, "#dialog-wrong", /nonsense/);
  await page.locator("#dialog-cancel").click();
  await page.locator("#config-close").click();
  fleet.write(CONFIG);
  assert.deepEqual(page.wrong.filter((one) => !one.includes("400")), []);
});

test("endpoints say how they fare", async () => {
  const page = await shown();
  await until(page, "#upstreams .endpoint", /^http:\/\/127\.0\.0\.1:\d+healthy/);
  await until(page, "#routes small", /to default · limited by per-client/);
});

test("the log level is set on every replica, which each of them writes down", async () => {
  const page = await shown();
  await page.locator("#level-of").selectOption("all");
  await page.locator("#level-value").selectOption("debug");
  await page.getByRole("button", { name: "Set", exact: true }).first().click();
  await until(page, "#dialog-text", /Every replica/);
  await page.locator("#dialog-reason").fill("ticket 4711");
  await page.locator("#dialog").getByRole("button", { name: "Set", exact: true }).click();
  const entries = () => page.locator("#audit li", { hasText: "log-level" }).allTextContents();
  await eventually("each replica's entry", async () => (await entries()).length === 2);
  const told = await entries();
  assert.ok(told.every((one) => one.includes("ticket 4711")), told.join());
  assert.equal(told.filter((one) => one.includes("ordered through")).length, 1, told.join());
});

test("what operators say is shown as text, never as markup", async () => {
  const reason = "<img src=x onerror=alert(1)>";
  const headers = { "Content-Type": "application/json" };
  const said = await fetch(`${fleet.gateways[0].admin}/api/v1/circuits/default/reset`, { method: "POST", headers, body: JSON.stringify({ reason }) });
  assert.equal(said.status, 200);
  const page = await shown();
  await until(page, "#audit", /<img src=x/);
  assert.equal(await page.locator("#audit img").count(), 0);
  assert.deepEqual(page.wrong, []);
});

test("nothing overflows on a phone, and colours can be chosen", async () => {
  const page = await shown();
  await until(page, "#live", /^live$/);
  await page.setViewportSize({ width: 360, height: 740 });
  await sleep(100);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
  // Nor is anything of a table hidden beyond its card.
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll(".scroll")].filter((one) => one.scrollWidth > one.clientWidth).length), 0);
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await paper();
  await page.locator("#theme").click();
  await page.locator("#theme").click();
  assert.notEqual(await paper(), before);
});

test("nothing on the page breaks a rule of WCAG 2.2 AA, light, dark, in dialogs and on a phone", async () => {
  const page = await shown();
  await until(page, "#live", /^live$/);
  const broken = async (where) => {
    // What fades in has to have arrived.
    await sleep(400);
    await page.evaluate(AXE);
    const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations, passes } = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), rules);
    assert.ok(passes.length > 10, where);
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target).join(", ")}`), [], where);
  };
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await broken(colorScheme);
  }
  await page.getByRole("button", { name: "Hold open…" }).click();
  await broken("the question before an order");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Configuration" }).click();
  await until(page, "#config-text", /\[server\]/);
  await broken("the configuration");
  await page.keyboard.press("Escape");
  await page.setViewportSize({ width: 360, height: 740 });
  await broken("a phone");
});

test("of many circuits the open one comes first, and typing narrows the page", async () => {
  const names = Array.from({ length: 9 }, (_, index) => `service-${index + 1}`);
  const config = ({ mock }) => names.map((name) => `
[upstreams.${name}]
endpoints = ["${mock}"]
[[routes]]
name = "${name}"
path = "/${name}"
upstream = "${name}"
`).join("");
  const large = await Fleet.start(1, { UPSTREAM_URL: undefined }, async (one) => config(one));
  try {
    const { admin } = large.gateways[0];
    const page = await open(context, `${admin}/`);
    const cards = () => page.locator("#circuits h3").allTextContents();
    await eventually("a card for each", async () => (await cards()).length === names.length);
    assert.ok(await page.locator("main.many").count());
    const headers = { "Content-Type": "application/json" };
    await fetch(`${admin}/api/v1/circuits/service-7/open`, { method: "POST", headers, body: JSON.stringify({ reason: "a test" }) });
    await eventually("the open one is first", async () => (await cards())[0] === "service-7");
    await until(page, "#h-circuits", /8 of 9 closed/);
    await page.keyboard.press("/");
    await page.keyboard.type("SERVICE-3");
    assert.deepEqual(await cards(), ["service-3"]);
    assert.equal(await page.locator("#routes tbody tr").count(), 1);
    assert.equal(await page.locator("#upstreams tbody tr").count(), 1);
    await page.locator("#find").fill("nothing like it");
    await until(page, "#circuits .empty", /No circuit has that in its name/);
    await until(page, "#routes .empty", /No route has that in its name/);
    await page.locator("#find").fill("");
    assert.equal((await cards()).length, names.length);
    assert.deepEqual(page.wrong, []);
  } finally {
    await large.stop();
  }
});

test("a replica is taken out of rotation and put back", async () => {
  const page = await shown();
  const ready = async () => (await fetch(`${fleet.gateways[1].admin}/readyz`)).status;
  await page.getByRole("button", { name: "Take out… edge-2" }).click();
  await page.getByRole("button", { name: "Take out", exact: true }).click();
  await eventually("it is not ready", async () => (await ready()) === 503);
  await until(page, "#verdict-text", /Replica edge-2-\w+ is leaving/);
  await page.getByRole("button", { name: "Put back… edge-2" }).click();
  await page.getByRole("button", { name: "Put back", exact: true }).click();
  await eventually("it is ready", async () => (await ready()) === 200);
  await until(page, "#verdict-text", /All is well/);
  await eventually("what was done is written down", async () => (await page.locator("#audit li", { hasText: "undrain" }).count()) > 0);
  assert.deepEqual(page.wrong, []);
});

test("a page that hears nothing does not say that all is well", async () => {
  const lonely = await fleet.gateway(8, {});
  const page = await open(context, `${lonely.admin}/`);
  await until(page, "#live", /^live$/);
  fleet.children.at(-1).kill("SIGKILL");
  await until(page, "#verdict-text", /not known/);
  await until(page, "#notice", /No line to this replica.*What you see is from \d/);
});

test("with a token the page asks for it, and keeps it to itself", async () => {
  const guarded = await fleet.gateway(9, { GATEWAY__ADMIN__TOKEN: TOKEN });
  const page = await open(context, `${guarded.admin}/`);
  await page.locator("#dialog-token").fill("wrong-wrong-wrong-wrong");
  await page.getByRole("button", { name: "Continue" }).click();
  await until(page, "#dialog-text", /not accepted/);
  await page.locator("#dialog-token").fill(TOKEN);
  await page.getByRole("button", { name: "Continue" }).click();
  await until(page, "#live", /^live$/);
  assert.equal(await page.evaluate(() => localStorage.length + document.cookie.length > 0 && JSON.stringify(localStorage).includes("horse")), false);
});
