// Elements without markup in strings: what comes from the API only ever becomes text.

/** An element with properties and children; strings become text. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element && key !== "list") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** The same in SVG, with attributes. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Keeps one child of `container` for each item, in order: made once, then updated, so that focus stays where it is. */
export function keyed(container, items, key, make, update) {
  const known = container.known ?? (container.known = new Map());
  const wanted = new Set();
  let place = container.firstElementChild;
  for (const item of items) {
    const name = key(item);
    wanted.add(name);
    let child = known.get(name);
    if (!child) {
      child = make(item);
      known.set(name, child);
    }
    if (child !== place) container.insertBefore(child, place);
    else place = place.nextElementSibling;
    update(child, item);
  }
  for (const [name, child] of known) {
    if (wanted.has(name)) continue;
    child.remove();
    known.delete(name);
  }
}

/** Sets text only when it differs: a reader is not told the same twice. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const $ = (selector, from = document) => from.querySelector(selector);

// === Numbers and times, for people ===

export function rate(number) {
  if (!Number.isFinite(number)) return "–";
  if (number >= 10000) return `${(number / 1000).toFixed(1)}k`;
  if (number >= 100) return number.toFixed(0);
  return number >= 10 || number === 0 ? number.toFixed(0) : number.toFixed(1);
}

const SECONDS = { us: 0.000001, ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 };

/** How fast something comes, from "3/50ms" to "60/s": in the shortest of people's units in which it is one or more. */
export function pace(text) {
  const [, much, spans, unit] = /^([\d.]+)\/([\d.]+)(us|ms|s|m|h|d)$/.exec(text) ?? [];
  if (!much) return text;
  const perSecond = much / (spans * SECONDS[unit]);
  for (const [name, seconds] of [["s", 1], ["min", 60], ["h", 3600], ["day", 86400]]) {
    const number = perSecond * seconds;
    if (number >= 0.999) return `${Number(number.toFixed(2))}/${name}`;
  }
  return text;
}

export function share(part, whole) {
  return whole > 0 ? Math.min(100, (100 * part) / whole) : 0;
}

export function percent(value) {
  if (value === 0) return "0";
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}

/** Milliseconds; below the first bound of the histogram only that much is known. */
export function millis(value) {
  if (value === null || value === undefined) return "–";
  if (value < 5) return "<5";
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}

/** Milliseconds of what takes a fraction of one. */
export function fine(value) {
  if (value === null || value === undefined) return "–";
  return value < 1 ? value.toFixed(2) : value.toFixed(value < 10 ? 1 : 0);
}

export function count(number) {
  return number.toLocaleString("en").replaceAll(",", "\u202f");
}

export function span(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** The time of day; of another day the day as well. */
export function clock(at) {
  if (!at) return "–";
  const then = new Date(at);
  if (then.toDateString() === new Date().toDateString()) return then.toLocaleTimeString("en-GB");
  return then.toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).replace(",", "");
}
