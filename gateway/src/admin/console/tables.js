// Upstreams, routes, replicas and the store, in rows: those in trouble first.

import { $, h, keyed, say, rate, share, percent, millis, fine, count, span, clock } from "./dom.js";
import { found } from "./find.js";
import * as actions from "./actions.js";

// Each cell knows its column's name: on a phone there is no line of names above it.
function rows(id, items, key, empty, cells) {
  const names = [...$(`${id} thead tr`).children].map((one) => one.textContent);
  $(`${id} thead`).hidden = items.length === 0;
  keyed($(`${id} tbody`), items.length ? items : [{ empty }], (item) => item.empty ?? key(item), () => h("tr"), (row, item) => {
    if (item.empty) {
      if (!row.firstChild) row.append(h("td", { className: "empty", colSpan: names.length }, item.empty));
      return;
    }
    keyed(row, cells(item).map((cell, index) => ({ cell, index })), (one) => one.index,
      ({ cell, index }) => h("td", { className: cell.n ? "n" : cell.node ? "do" : cell.list ? "long" : "", "data-name": names[index] }),
      (element, { cell }) => {
        element.classList.toggle("bad", Boolean(cell.bad));
        if (cell.node) {
          if (!element.firstChild) element.append(cell.node());
          cell.turn?.(element.firstChild);
        } else if (cell.list) {
          keyed(element, cell.list, (one) => one.url, (one) => h("div", { className: "endpoint" }, h("code", {}, one.url), h("small")), (line, one) => {
            line.classList.toggle("bad", Boolean(one.bad));
            say(line.lastChild, one.text);
          });
        } else if (cell.small) {
          if (!element.firstChild) element.append(h("span"), ...cell.small.map((part) => h(part.code ? "code" : "small")));
          say(element.firstChild, cell.text);
          cell.small.forEach((part, index) => say(element.children[index + 1], part.code ?? part));
        } else say(element, cell.text ?? cell.n);
      });
  });
}

const worstFirst = (items, isBad) => [...items.filter(isBad), ...items.filter((one) => !isBad(one))];
const isOut = (member) => member.state !== "healthy";

// Endpoints shown of one upstream: those in trouble, and as many of the others; the rest as a count.
const SHOWN = 3;

function endpoints({ endpoints: configured, members }) {
  if (!members?.length) return configured.map((url) => ({ url, text: "" }));
  const out = members.filter(isOut);
  const well = members.filter((one) => !isOut(one));
  const shown = [...out.slice(0, 4 * SHOWN), ...(well.length > SHOWN ? [] : well)].map((one) => ({ url: one.url, bad: isOut(one), text: health(one) }));
  if (out.length > 4 * SHOWN) shown.push({ url: `and ${count(out.length - 4 * SHOWN)} more`, bad: true, text: "left out" });
  if (well.length > SHOWN) {
    const busy = well.reduce((sum, one) => sum + one.in_flight, 0);
    shown.push({ url: `${count(well.length)} endpoints`, text: `healthy${busy ? ` · ${count(busy)} in flight` : ""}` });
  }
  return shown;
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

const part = (some, all) => (all > 0 ? `${percent(share(some, all))} %` : "–");
const wait = (latency) => (latency.p95 === null || latency.p95 === undefined ? "–" : `${millis(latency.p95)} ms`);

export function tables(fleet) {
  upstreams(fleet);
  routes(fleet);
  replicas(fleet);
  store(fleet);
  say($("#shown-by"), `Shown by ${fleet.shown_by}${fleet.whole ? "" : ", alone"}`);
}

function upstreams(fleet) {
  const items = fleet.upstreams.filter((one) => found(one.name, ...one.endpoints));
  const empty = fleet.upstreams.length ? "No upstream has that in its name." : "There are no upstreams: every route answers by itself.";
  rows("#upstreams", worstFirst(items, (one) => one.members?.some(isOut)), (one) => one.name, empty, (one) => [
    { text: one.name }, { list: endpoints(one) }, { n: rate(one.attempts) },
    { n: part(one.failures, one.attempts), bad: share(one.failures, one.attempts) >= 5 }, { n: wait(one.latency) }]);
}

// What routes do that lead to no upstream.
const ITSELF = { "": "answers itself", "(respond)": "answers itself", "(redirect)": "redirects" };

function routes(fleet) {
  const items = fleet.routes.filter((one) => found(one.name, one.path, one.upstream));
  const empty = fleet.routes.length ? "No route has that in its name." : "There are no routes.";
  rows("#routes", items, (one) => one.name, empty, (one) => {
    const leads = ITSELF[one.upstream] ?? `to ${one.upstream}`;
    const bound = one.limits.length ? `limited by ${one.limits.join(", ")}` : "unlimited";
    return [
      { text: one.name, small: [{ code: one.path }, `${leads} · ${bound}`] }, { n: rate(one.requests) },
      { n: part(one.errors, one.requests), bad: share(one.errors, one.requests) >= 5 }, { n: part(one.refusals, one.requests) },
      { n: count(one.in_flight) }, { n: wait(one.latency) },
      { node: () => (one.cached ? h("button", { type: "button", className: "quiet", "aria-label": `Purge… ${one.name}`, onclick: () => actions.purge(one.name) }, "Purge…") : h("span")) }];
  });
}

function replicas(fleet) {
  const items = fleet.replicas.filter((one) => found(one.id, one.proxy));
  rows("#replicas", items, (one) => one.id, "No replica has that in its name.", (one) => [
    { text: one.id, small: [[...(one.id === fleet.shown_by ? ["this one"] : []), one.proxy, `version ${one.version}`, ...(["", "info"].includes(one.log_level ?? "") ? [] : [`logs ${one.log_level}`])].join(" · ")] },
    { text: one.phase, bad: one.phase !== "serving" }, { text: one.store.up ? "answers" : "lost", bad: !one.store.up },
    { n: rate(one.traffic.requests) }, { n: wait(one.traffic.latency) }, { n: `${(one.memory / 1048576).toFixed(0)} MiB` }, { n: span(one.uptime) },
    { turn: (node) => rotation(node.firstChild, one), node: () => h("div", { className: "row" },
      h("button", { type: "button", className: "quiet" }),
      ...(one.id === fleet.shown_by ? [] : [h("a", { href: `http://${one.admin}/`, title: "Works where that address can be reached", "aria-label": `open the console of ${one.id}` }, "open")])) }]);
}

// Out of rotation, or back into it.
function rotation(button, { id, phase }) {
  const isOut = phase === "leaving";
  say(button, isOut ? "Put back…" : "Take out…");
  button.setAttribute("aria-label", `${button.textContent} ${id}`);
  button.onclick = () => (isOut ? actions.undrain(id) : actions.drain(id));
  button.hidden = phase === "draining";
}

function store({ store: one, replicas: all }) {
  const box = $("#store");
  box.classList.toggle("down", !one.up);
  const lost = all.filter((replica) => !replica.store.up).length;
  say($(".state b", box), one.up ? "Answers" : lost === all.length ? "Does not answer" : `Lost by ${lost} of ${all.length} replicas`);
  const time = (value) => (value === null || value === undefined ? "–" : `${fine(value)} ms`);
  const facts = [["Address", one.name], ["Calls", `${rate(one.calls)}/s`], ["Failed", `${rate(one.failures)}/s`],
    ["Half within", time(one.latency.p50)], ["99 % within", time(one.latency.p99)]];
  keyed($(".facts", box), facts.flatMap(([name, value]) => [{ name, dt: true }, { name, value }]), (fact) => fact.name + (fact.dt ? "-t" : "-d"),
    (fact) => h(fact.dt ? "dt" : "dd"), (element, fact) => say(element, fact.dt ? fact.name : fact.value));
}
