// From the picture of the fleet to the page.

import { $, h, svg, keyed, say, rate, share, percent, millis, count, span, clock, pace } from "./dom.js";
import { strip } from "./chart.js";
import { found } from "./find.js";
import * as actions from "./actions.js";
import { get } from "./api.js";

const STATE = { closed: ["Closed", ""], half_open: ["Half-open", "warn"], open: ["Open", "bad"] };
const CAUSES = {
  failures: "too many failures", ratio: "too large a share of failures", slow: "too many slow calls", reset_elapsed: "time for a probe",
  probes_succeeded: "the probe succeeded", probe_failed: "the probe failed", forced: "an operator decided", reset: "an operator reset it",
};

const tone = (element, name) => {
  element.classList.toggle("warn", name === "warn");
  element.classList.toggle("bad", name === "bad");
};

/** The first few names, and how many more there are. */
const some = (names) => (names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`);

/** One sentence for three in the morning: is anything wrong, and what. */
export function verdict(fleet) {
  const open = fleet.circuits.filter((one) => one.state === "open").map((one) => one.upstream);
  const half = fleet.circuits.filter((one) => one.state === "half_open").map((one) => one.upstream);
  const errors = share(fleet.traffic.errors, fleet.traffic.requests);
  const people = `${fleet.replicas.length} ${fleet.replicas.length === 1 ? "replica" : "replicas"}`;
  const bad = [];
  const warn = [];
  const cut = fleet.replicas.filter((one) => !one.store.up).length;
  if (cut === fleet.replicas.length) bad.push("the store does not answer: each replica enforces its share of the limits");
  else if (cut) bad.push(`${cut} of ${people} do not reach the store, and enforce their share of the limits`);
  if (open.length) bad.push(`${open.length === 1 ? "the circuit of" : "the circuits of"} ${some(open)} ${open.length === 1 ? "is" : "are"} open`);
  if (errors >= 5) bad.push(`${percent(errors)} % of requests fail`);
  else if (errors >= 1) warn.push(`${percent(errors)} % of requests fail`);
  const refused = share(fleet.traffic.refusals, fleet.traffic.requests);
  if (refused >= 50) warn.push(`${percent(refused)} % of requests are refused`);
  if (half.length) warn.push(`the ${half.length === 1 ? "circuit" : "circuits"} of ${some(half)} ${half.length === 1 ? "is" : "are"} being probed`);
  const held = fleet.circuits.filter((one) => one.forced?.to === "closed").map((one) => one.upstream);
  if (held.length) warn.push(`the ${held.length === 1 ? "circuit" : "circuits"} of ${some(held)} ${held.length === 1 ? "is" : "are"} held closed`);
  for (const { name, members } of fleet.upstreams) {
    const out = members.filter((one) => one.state !== "healthy").length;
    if (out) warn.push(`${out} of ${members.length} endpoints of ${name} ${out === 1 ? "is" : "are"} left out`);
  }
  // Of an open circuit it was said already.
  const failing = fleet.routes.filter((one) => one.requests > 0.5 && share(one.errors, one.requests) >= 5 && !open.includes(one.upstream)).map((one) => one.name);
  if (failing.length && errors < 5) warn.push(`the ${failing.length === 1 ? "route" : "routes"} ${some(failing)} ${failing.length === 1 ? "fails" : "fail"} more than 5 % of requests`);
  for (const one of fleet.replicas) if (one.phase !== "serving") warn.push(`replica ${one.id} is ${one.phase}`);
  if (!fleet.whole && fleet.store.up) warn.push("the other replicas could not be heard");
  const words = bad.length ? bad : warn;
  const box = $("#verdict");
  box.className = `verdict ${bad.length ? "bad" : warn.length ? "warn" : "good"}`;
  const text = words.length ? words.join("; ") : `All is well: ${people}`;
  say($("#verdict-text"), text.charAt(0).toUpperCase() + text.slice(1) + ".");
  document.title = bad.length ? "● Gateway" : "Gateway";
}

/** While nothing is heard, nothing is well. */
export function unknown() {
  $("#verdict").className = "verdict";
  say($("#verdict-text"), "How the fleet fares is not known.");
  document.title = "○ Gateway";
}

export function stats(fleet) {
  const { requests, errors, refusals, in_flight: inFlight, latency } = fleet.traffic;
  const failing = share(errors, requests);
  const refused = share(refusals, requests);
  const put = (id, figure, aside, mood) => {
    const box = $(id);
    say($(".figure b", box), figure);
    say($(".aside", box), aside);
    tone(box, mood);
  };
  put("#stat-requests", rate(requests), `${count(inFlight)} in flight`, "");
  put("#stat-errors", percent(failing), `${rate(errors)} a second`, failing >= 5 ? "bad" : failing >= 1 ? "warn" : "");
  put("#stat-refusals", percent(refused), `${rate(refusals)} a second, by limits and circuits`, refused >= 50 ? "warn" : "");
  const within = (latency.p50 ?? null) === null ? "no requests lately" : `half within ${millis(latency.p50)} ms, 99 % within ${millis(latency.p99)} ms`;
  put("#stat-latency", millis(latency.p95), within, "");
}

/** Beyond this many the page gives each kind of thing its whole width. */
const MANY = 6;

export function circuits(fleet) {
  const isCalm = (one) => one.state === "closed" && !one.forced;
  const wanted = fleet.circuits.filter((one) => found(one.upstream));
  // Whoever is called at night should not look for the open one among twenty that are closed.
  const sorted = [...wanted.filter((one) => !isCalm(one)), ...wanted.filter(isCalm)];
  $("#main").classList.toggle("many", fleet.circuits.length > MANY || fleet.routes.length > 2 * MANY);
  const closed = fleet.circuits.filter(isCalm).length;
  say($("#h-circuits small"), fleet.circuits.length > MANY ? `${closed} of ${fleet.circuits.length} closed` : "");
  cards("#circuits", sorted, (one) => one.upstream, fleet.circuits.length ? "No circuit has that in its name." : "No route leads to an upstream.", makeCircuit, updateCircuit(fleet));
}

/** Cards, or a word where there are none. */
function cards(id, items, key, empty, make, update) {
  keyed($(id), items.length ? items : [{ empty }], (one) => one.empty ?? key(one),
    (one) => (one.empty ? h("p", { className: "empty" }, one.empty) : make(one)), (card, one) => one.empty || update(card, one));
}

function makeCircuit({ upstream }) {
  const button = (verb, text, aloud) => h("button", { type: "button", className: "quiet", "aria-label": aloud, onclick: () => actions.circuit(upstream, verb) }, text);
  const picture = svg("svg", { class: "strip", viewBox: "0 0 1000 14", preserveAspectRatio: "none", role: "img" });
  return h("article", { className: "card circuit", "data-upstream": upstream },
    h("div", { className: "head" }, h("h3", {}, upstream), h("span", { className: "badge" })),
    h("p", { className: "say" }), picture,
    h("div", { className: "ends", "aria-hidden": "true" }, h("span", {}, "10 min ago"), h("span", {}, "now")),
    h("div", { className: "orders", role: "group", "aria-label": `Orders for ${upstream}` },
      h("span", { "aria-hidden": "true" }, "Hold"), button("open", "open…", "Hold open…"), button("close", "closed…", "Hold closed…"), button("reset", "Reset…", "Reset…")));
}

const updateCircuit = (fleet) => (card, one) => {
  const [name, mood] = STATE[one.state] ?? [one.state, "warn"];
  const badge = $(".badge", card);
  say(badge, one.forced ? `${name} · held` : name);
  tone(badge, mood);
  tone(card, mood);
  say($(".say", card), circuitSentence(one, fleet));
  strip($(".strip", card), one, fleet.at);
};

function circuitSentence(one, fleet) {
  if (one.forced) return `Held ${one.forced.to} since ${clock(one.forced.at)} by ${one.forced.by}: “${one.forced.reason}”`;
  const odd = Object.entries(one.replicas).filter(([, state]) => state !== one.state);
  const apart = odd.length ? ` ${odd.map(([id, state]) => `${id} sees it ${state.replace("_", "-")}`).join(", ")}.` : "";
  const last = one.transitions.filter((move) => move.scope === "fleet").at(-1);
  if (one.state === "open") {
    const wait = one.retry_after > 0 ? ` Next probe in ${span(one.retry_after / 1000)}.` : "";
    const why = last ? ` for ${span((fleet.at - last.at) / 1000)}: ${CAUSES[last.cause] ?? last.cause}, found by ${last.by}` : "";
    return `Open${why}. ${rate(one.rejections)} refused per second.${wait}${apart}`;
  }
  if (one.state === "half_open") return `One probe for the whole fleet decides.${apart}`;
  const failing = one.failures ? `${one.failures} of ${one.threshold} failures in a row.` : "No recent failures.";
  const since = last ? ` Closed since ${clock(last.at)}.` : "";
  return failing + since + apart;
}

export function limits(fleet) {
  const wanted = fleet.limits.filter((one) => found(one.name, ...one.clients.map((client) => client.client)));
  cards("#limits", wanted, (one) => one.name, fleet.limits.length ? "No limit has that in its name, nor a client near it." : "Nothing is limited.", makeLimit, updateLimit);
}

function makeLimit({ name, key }) {
  const found = h("div", { className: "found", role: "status" });
  const client = h("input", { placeholder: key === "client" ? "client address" : key, "aria-label": `Client to look up in ${name}`, autocomplete: "off", required: true, maxLength: 180 });
  const look = async () => {
    const who = key === "global" ? "*" : client.value.trim();
    try {
      showBucket(found, name, await get(`limits/${encodeURIComponent(name)}/bucket?client=${encodeURIComponent(who)}`), look);
    } catch (error) {
      found.replaceChildren(error.message);
    }
  };
  const lookAt = (who) => {
    client.value = who;
    look();
  };
  const form = h("form", { className: "lookup", onsubmit: (event) => (event.preventDefault(), look()) }, client, h("button", { type: "submit", className: "quiet" }, key === "global" ? "Look at the bucket" : "Look up"));
  client.hidden = key === "global";
  client.required = key !== "global";
  const bar = (label, aloud) => h("div", { className: "meter" }, h("p", {}, h("span", {}, label), h("b")), h("progress", { max: 100, value: 0, "aria-label": aloud }));
  const card = h("article", { className: "card limit", "data-limit": name },
    h("div", { className: "head" }, h("h3", {}, name), h("span", { className: "badge plain" })),
    h("dl", { className: "facts" }), bar("Local", "Decided without asking the store"), bar("Leases used", "Leased tokens used"), h("ul", { className: "hot", "aria-label": `Clients near or over ${name}` }), form, found);
  card.lookAt = lookAt;
  return card;
}

// What a limit allows, in a few words.
function terms(one) {
  if (one.refill) return `${count(one.capacity)}, +${pace(one.refill)}`;
  return one.window ? `${count(one.capacity)} per ${one.window}` : `${count(one.capacity)} in flight`;
}

function updateLimit(card, one) {
  say($(".badge", card), `${terms(one)}${one.shadow ? ", shadow" : ""}`);
  const all = one.granted + one.denied;
  const facts = [
    ["Granted", `${rate(one.granted)}/s`],
    [one.shadow ? "Would deny" : "Denied", all > 0 ? `${rate(one.denied)}/s, ${percent(share(one.denied, all))} %` : `${rate(one.denied)}/s`],
    ["Store calls", `${rate(one.asked)}/s`],
  ];
  keyed($(".facts", card), facts.flatMap(([name, value]) => [{ name, dt: true }, { name, value }]), (part) => part.name + (part.dt ? "-t" : "-d"),
    (part) => h(part.dt ? "dt" : "dd"), (element, part) => say(element, part.dt ? part.name : part.value));
  const totals = one.totals;
  const decisions = ["granted", "denied", "degraded_granted", "degraded_denied", "shadow_denied"].reduce((sum, name) => sum + (totals[name] ?? 0), 0);
  const local = (totals.by_lease ?? 0) + (totals.by_denial_memory ?? 0);
  const meters = card.querySelectorAll(".meter");
  meter(meters[0], decisions, share(local, decisions), `${percent(share(totals.by_lease ?? 0, decisions))} % leases, ${percent(share(totals.by_denial_memory ?? 0, decisions))} % denials`);
  const leased = totals.leased ?? 0;
  const unused = (totals.given_back ?? 0) + (totals.lost ?? 0);
  hottest(card, one);
  // Only token buckets are leased.
  meters[1].hidden = leased === 0;
  meter(meters[1], leased, 100 - share(unused, leased), `${percent(100 - share(unused, leased))} % of ${count(leased)}`);
}

// Who is refused, or has least left: the first few.
const HOT = 5;

function hottest(card, { capacity, shadow, clients = [] }) {
  keyed($(".hot", card), clients.slice(0, HOT), (one) => one.client,
    (one) => h("li", {}, h("button", { type: "button", className: "link", title: "Look up", onclick: () => card.lookAt(one.client) }, one.client), h("span"),
      h("progress", { max: capacity, "aria-label": `Used by ${one.client}` })),
    (item, one) => {
      item.classList.toggle("bad", one.retry_after > 0 && !shadow);
      const refused = `${shadow ? "would be refused" : "refused"} for ${span(Math.ceil(one.retry_after / 1000))}`;
      const left = one.retry_after > 0 ? refused : `${count(one.remaining)} of ${count(capacity)} left`;
      say($("span", item), `${left}, ${rate(one.requests)}/s`);
      $("progress", item).value = capacity - Math.min(capacity, one.remaining);
    });
}

function meter(box, of, value, text) {
  $("progress", box).value = of ? value : 0;
  say($("b", box), of ? text : "nothing yet");
}

function showBucket(found, policy, bucket, again) {
  const full = bucket.remaining >= bucket.capacity ? "It is full." : `Full in ${span(bucket.full_after_ms / 1000)}.`;
  found.replaceChildren(
    h("p", {}, h("b", {}, bucket.client), ` has ${count(bucket.remaining)} of ${count(bucket.capacity)} tokens. ${full}`),
    h("progress", { max: bucket.capacity, value: bucket.remaining, "aria-label": "Tokens left" }),
    h("div", { className: "buttons" }, h("button", { type: "button", className: "quiet", onclick: async () => (await actions.resetBucket(policy, bucket.client)) && again() }, "Fill this bucket…")));
}

function log(id, items, empty, key, make) {
  const list = $(id);
  keyed(list, items.length ? items : [{ empty }], (one) => (one.empty ? "empty" : key(one)),
    (one) => (one.empty ? h("li", { className: "empty" }, one.empty) : make(one)), () => {});
}

export function logs(fleet) {
  log("#transitions", fleet.transitions, "No circuit has moved.", (one) => [one.upstream, one.scope, one.epoch, one.at, one.to, one.by].join(" "), (one) =>
    h("li", {}, h("time", {}, clock(one.at)),
      h("div", {}, h("b", {}, one.upstream), one.from === one.to ? ` stays ${one.to.replace("_", "-")}` : ` ${one.from.replace("_", "-")} → ${one.to.replace("_", "-")}`,
        h("small", {}, `${CAUSES[one.cause] ?? one.cause}, by ${one.by}${one.scope === "replica" ? " (its own view)" : ""}`))));
  log("#audit", fleet.audit, "Nobody has intervened.", (one) => `${one.replica} ${one.number}`, (one) =>
    h("li", {}, h("time", {}, clock(one.at)),
      h("div", {}, h("b", {}, one.action), ` ${one.target}${one.result === "ok" ? "" : `: ${one.result}`}`,
        h("small", {}, `${one.by}, through ${one.replica}${one.reason ? `: “${one.reason}”` : ""}`))));
}
