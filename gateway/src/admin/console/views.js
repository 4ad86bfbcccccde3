// From the picture of the fleet to the page.

import { $, h, svg, keyed, say, rate, share, percent, millis, fine, count, span, clock, pace } from "./dom.js";
import { strip } from "./chart.js";
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

/** One sentence for three in the morning: is anything wrong, and what. */
export function verdict(fleet) {
  const open = fleet.circuits.filter((one) => one.state === "open").map((one) => one.upstream);
  const half = fleet.circuits.filter((one) => one.state === "half_open").map((one) => one.upstream);
  const errors = share(fleet.traffic.errors, fleet.traffic.requests);
  const people = `${fleet.replicas.length} ${fleet.replicas.length === 1 ? "replica" : "replicas"}`;
  const bad = [];
  const warn = [];
  if (!fleet.store.up) bad.push("the store does not answer: limits are enforced locally");
  if (open.length) bad.push(`${open.length === 1 ? "the circuit of" : "the circuits of"} ${open.join(", ")} ${open.length === 1 ? "is" : "are"} open`);
  if (errors >= 5) bad.push(`${percent(errors)} % of requests fail`);
  else if (errors >= 1) warn.push(`${percent(errors)} % of requests fail`);
  if (half.length) warn.push(`${half.join(", ")} ${half.length === 1 ? "is" : "are"} being probed`);
  for (const one of fleet.replicas) if (one.phase !== "serving") warn.push(`${one.id} is ${one.phase}`);
  if (!fleet.whole && fleet.store.up) warn.push("the other replicas could not be heard");
  const words = bad.length ? bad : warn;
  const box = $("#verdict");
  box.className = `verdict ${bad.length ? "bad" : warn.length ? "warn" : "good"}`;
  const text = words.length ? words.join("; ") : `All is well: ${people}`;
  say($("#verdict-text"), text.charAt(0).toUpperCase() + text.slice(1) + ".");
  document.title = bad.length ? "● Gateway" : "Gateway";
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
  put("#stat-latency", millis(latency.p95), `half within ${millis(latency.p50)} ms, 99 % within ${millis(latency.p99)} ms`, "");
}

export function circuits(fleet) {
  keyed($("#circuits"), fleet.circuits, (one) => one.upstream, makeCircuit, updateCircuit(fleet));
}

function makeCircuit({ upstream }) {
  const button = (verb, text) => h("button", { type: "button", className: "quiet", onclick: () => actions.circuit(upstream, verb) }, text);
  const picture = svg("svg", { class: "strip", viewBox: "0 0 1000 14", preserveAspectRatio: "none", role: "img" });
  return h("article", { className: "card circuit", "data-upstream": upstream },
    h("div", { className: "head" }, h("h3", {}, upstream), h("span", { className: "badge" })),
    h("p", { className: "say" }), picture,
    h("div", { className: "ends" }, h("span", {}, "10 min ago"), h("span", {}, "now")),
    h("div", { className: "buttons" }, button("open", "Hold open…"), button("close", "Hold closed…"), button("reset", "Reset…")));
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
  keyed($("#limits"), fleet.limits, (one) => one.name, makeLimit, updateLimit);
}

function makeLimit({ name, key }) {
  const found = h("div", { className: "found", role: "status" });
  const client = h("input", { placeholder: "client address", "aria-label": `Client to look up in ${name}`, autocomplete: "off", required: true, maxLength: 180 });
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
  const form = h("form", { className: "lookup", onsubmit: (event) => (event.preventDefault(), look()) }, client, h("button", { type: "submit", className: "quiet" }, "Look up"));
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
    ["Denied", all > 0 ? `${rate(one.denied)}/s, ${percent(share(one.denied, all))} %` : `${rate(one.denied)}/s`],
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

function hottest(card, { capacity, clients = [] }) {
  keyed($(".hot", card), clients.slice(0, HOT), (one) => one.client,
    (one) => h("li", {}, h("button", { type: "button", className: "link", title: "Look up", onclick: () => card.lookAt(one.client) }, one.client), h("span"),
      h("progress", { max: capacity, "aria-label": `Used by ${one.client}` })),
    (item, one) => {
      item.classList.toggle("bad", one.retry_after > 0);
      const left = one.retry_after > 0 ? `refused for ${span(one.retry_after / 1000)}` : `${count(one.remaining)} of ${count(capacity)} left`;
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

// Each cell knows its column's name: on a phone there is no line of names above it.
function rows(id, items, key, cells) {
  const names = [...$(`${id} thead tr`).children].map((one) => one.textContent);
  keyed($(`${id} tbody`), items, key, () => h("tr"), (row, item) => {
    keyed(row, cells(item).map((cell, index) => ({ cell, index })), (one) => one.index,
      ({ cell, index }) => h("td", { className: cell.n ? "n" : cell.node ? "do" : cell.list || cell.code ? "long" : "", "data-name": names[index] }),
      (element, { cell }) => {
        if (cell.node) {
          if (!element.firstChild) element.append(cell.node());
        } else if (cell.list) {
          keyed(element, cell.list, (one) => one.url, (one) => h("div", { className: "endpoint" }, h("code", {}, one.url), h("small")), (line, one) => {
            line.classList.toggle("bad", Boolean(one.bad));
            say(line.lastChild, one.text);
          });
        } else if (cell.code) {
          const texts = [].concat(cell.code);
          keyed(element, texts, (text) => text, (text) => h("div", {}, h("code", {}, text)), () => {});
        } else if (cell.small !== undefined) {
          if (!element.firstChild) element.append(h("span"), h("small"));
          say(element.firstChild, cell.text);
          say(element.lastChild, cell.small);
        } else say(element, cell.text ?? cell.n);
      });
  });
}

// Endpoints shown of one upstream: those in trouble first, and the rest as a count.
const SHOWN = 12;

function endpoints({ endpoints: configured, members }) {
  if (!members?.length) return configured.map((url) => ({ url, text: "" }));
  const told = members.map((one) => ({ url: one.url, bad: one.state !== "healthy", text: health(one) }));
  const sorted = [...told.filter((one) => one.bad), ...told.filter((one) => !one.bad)];
  return sorted.length <= SHOWN ? sorted : [...sorted.slice(0, SHOWN), { url: `and ${count(sorted.length - SHOWN)} more`, text: "" }];
}

// How an endpoint fares: in words, so that no colour is needed.
function health({ state, since, error, weight, in_flight: inFlight, ejections }) {
  const facts = [since ? `${state} since ${clock(since)}` : state];
  if (error && state !== "healthy") facts.push(error);
  if (inFlight) facts.push(`${count(inFlight)} in flight`);
  if (weight > 1) facts.push(`weight ${weight}`);
  if (ejections) facts.push(`left out ${count(ejections)} ${ejections === 1 ? "time" : "times"}`);
  return facts.join(" · ");
}

export function tables(fleet) {
  rows("#upstreams", fleet.upstreams, (one) => one.name, (one) => [
    { text: one.name }, { list: endpoints(one) }, { n: rate(one.attempts) }, { n: `${percent(share(one.failures, one.attempts))} %` }, { n: `${millis(one.latency.p95)} ms` }]);
  rows("#routes", fleet.routes, (one) => one.name, (one) => [
    { text: one.name, small: [one.upstream ? `to ${one.upstream}` : "answered here", one.limits.length ? `limited by ${one.limits.join(", ")}` : "unlimited"].join(" · ") }, { code: one.path }, { n: rate(one.requests) }, { n: count(one.in_flight) }, { n: `${millis(one.latency.p95)} ms` },
    { node: () => (one.cached ? h("button", { type: "button", className: "quiet", onclick: () => actions.purge(one.name) }, "Purge…") : h("span")) }]);
  rows("#replicas", fleet.replicas, (one) => one.id, (one) => [
    { text: one.id, small: one.id === fleet.shown_by ? `this one · ${one.proxy} · version ${one.version}` : `${one.proxy} · version ${one.version}` },
    { text: one.phase }, { text: one.store.up ? "answers" : "lost" }, { n: rate(one.traffic.requests) }, { n: `${(one.memory / 1048576).toFixed(0)} MiB` }, { n: span(one.uptime) },
    { node: () => h("div", { className: "row" },
      h("button", { type: "button", className: "quiet", onclick: () => actions.drain(one.id) }, "Take out…"),
      ...(one.id === fleet.shown_by ? [] : [h("a", { href: `http://${one.admin}/`, title: "Works where that address can be reached" }, "open")])) }]);
  store(fleet);
  say($("#shown-by"), `Shown by ${fleet.shown_by}${fleet.whole ? "" : ", alone"}`);
}

function store({ store: one, replicas }) {
  const box = $("#store");
  box.classList.toggle("down", !one.up);
  const lost = replicas.filter((replica) => !replica.store.up).length;
  say($(".state b", box), one.up ? "Answers" : lost === replicas.length ? "Does not answer" : `Lost by ${lost} of ${replicas.length} replicas`);
  const facts = [["Address", one.name], ["Calls", `${rate(one.calls)}/s`], ["Failed", `${rate(one.failures)}/s`],
    ["Half within", `${fine(one.latency.p50)} ms`], ["99 % within", `${fine(one.latency.p99)} ms`]];
  keyed($(".facts", box), facts.flatMap(([name, value]) => [{ name, dt: true }, { name, value }]), (part) => part.name + (part.dt ? "-t" : "-d"),
    (part) => h(part.dt ? "dt" : "dd"), (element, part) => say(element, part.dt ? part.name : part.value));
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
