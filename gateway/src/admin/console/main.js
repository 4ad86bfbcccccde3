// The page: a line to the gateway, and what to redraw when something comes in.

import { $, say, clock, rate, millis } from "./dom.js";
import { chart } from "./chart.js";
import * as api from "./api.js";
import * as actions from "./actions.js";
import { find } from "./find.js";
import { tables } from "./tables.js";
import * as views from "./views.js";

const KEPT = 300_000;
let points = [];
let lastHeard = 0;
let last = null;

const traffic = chart($("#chart-traffic"), "Traffic", [
  { name: "requests", ink: "one", of: (point) => point.requests, show: rate },
  { name: "refused", ink: "two", of: (point) => point.refusals, show: rate },
  { name: "errors", ink: "three", of: (point) => point.errors, show: rate },
], "/s");
const latency = chart($("#chart-latency"), "Latency", [
  { name: "p50", ink: "one", of: (point) => point.p50, show: millis },
  { name: "p95", ink: "ink", of: (point) => point.p95, show: millis },
  { name: "p99", ink: "soft", of: (point) => point.p99, show: millis },
], "ms");

function draw() {
  traffic(points);
  latency(points);
}

function show(fleet) {
  lastHeard = Date.now();
  if (!last) presetLevel(fleet);
  last = fleet;
  $("#notice").hidden = true;
  say($("#live"), "live");
  const { requests, errors, refusals, latency: { p50, p95, p99 } } = fleet.traffic;
  points = points.filter((point) => point.at > fleet.at - KEPT && point.at < fleet.at);
  points.push({ at: fleet.at, requests, errors, refusals, p50, p95, p99 });
  draw();
  views.verdict(fleet);
  views.stats(fleet);
  lists(fleet);
  views.logs(fleet);
}

// More names than a screen holds are looked for by typing.
const FEW = 12;

function lists(fleet) {
  const names = fleet.circuits.length + fleet.routes.length + fleet.limits.length + fleet.replicas.length;
  $("#find").hidden = names <= FEW;
  views.circuits(fleet);
  views.limits(fleet);
  tables(fleet);
}

$("#find").addEventListener("input", (event) => {
  find(event.target.value);
  if (last) lists(last);
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, select, dialog") || $("#find").hidden) return;
  event.preventDefault();
  $("#find").focus();
});

function lost(why) {
  say($("#live"), "not live");
  const notice = $("#notice");
  notice.hidden = false;
  const since = lastHeard ? `What you see is from ${new Date(lastHeard).toLocaleTimeString("en-GB")}. ` : "";
  say(notice, `No line to this replica: ${why}. ${since}Trying again.`);
  views.unknown();
}

const THEMES = ["auto", "light", "dark"];
function theme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  say($("#theme-name"), name);
  localStorage.setItem("gateway-theme", name);
}
theme(THEMES.includes(localStorage.getItem("gateway-theme")) ? localStorage.getItem("gateway-theme") : "auto");
$("#theme").addEventListener("click", () => {
  const now = localStorage.getItem("gateway-theme");
  theme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
});

// What is chosen at first is what holds: setting it by mistake changes nothing.
function presetLevel({ replicas, shown_by: own }) {
  const level = replicas.find((one) => one.id === own)?.log_level;
  const choices = [...$("#level-value").options].map((one) => one.value);
  if (choices.includes(level)) $("#level-value").value = level;
}

$("#level").addEventListener("submit", (event) => {
  event.preventDefault();
  actions.logLevel($("#level-value").value, $("#level-of").value === "all");
});
async function config() {
  try {
    const { toml, loaded_at: at, needs_restart: waiting, last_reload: last } = await api.get("config");
    say($("#config-text"), toml);
    say($("#config-since"), `In force since ${clock(at)}.${waiting.length ? ` Waiting for a restart: ${waiting.join(", ")}.` : ""}`);
    say($("#config-wrong"), last?.error ? `Reading it again failed at ${clock(last.at)}, and changed nothing:\n${last.error}` : "");
  } catch (error) {
    say($("#config-wrong"), error.message);
  }
}
$("#show-config").addEventListener("click", async () => {
  await config();
  $("#config").showModal();
});
$("#config-reload").addEventListener("submit", async (event) => {
  event.preventDefault();
  await actions.reload($("#config-of").value === "all");
  await config();
});
$("#config-close").addEventListener("click", () => $("#config").close());

api.onTokenNeeded(actions.askForToken);
api.follow({
  past(all) {
    points = all;
    draw();
  },
  fleet: show,
  lost,
});
