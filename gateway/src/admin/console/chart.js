// Lines over the last five minutes, in SVG, with a readout under the pointer.

import { h, say, svg, clock } from "./dom.js";

const SPAN = 300_000;
const WIDTH = 600;
const HEIGHT = 170;

/** A chart in `box`. `series` is a list of {name, ink, of: point → number or null, show: number → text}; the first stands on an area. */
export function chart(box, label, series, unit) {
  const lines = series.map((one) => svg("path", { class: `line ${one.ink}` }));
  const ground = svg("path", { class: `area ${series[0].ink}` });
  const cursor = svg("line", { class: "cursor", y1: 0, y2: HEIGHT });
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
    ...[0.02, 0.5, 1].map((y) => svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: y * HEIGHT, y2: y * HEIGHT })),
    ground,
    ...lines,
    cursor,
  );
  const top = h("span", { className: "top-label" });
  const values = series.map(() => h("b"));
  const legend = series.map((one, index) => h("span", { className: one.ink }, h("i"), `${one.name} `, values[index]));
  const time = h("time");
  box.append(top, picture, h("div", { className: "legend" }, ...legend, time));

  let points = [];
  let pointer = null;

  const read = () => {
    const end = points.at(-1)?.at ?? Date.now();
    const wanted = pointer === null ? end : end - SPAN + pointer * SPAN;
    const near = points.reduce((best, one) => (Math.abs(one.at - wanted) < Math.abs(best.at - wanted) ? one : best), points[0] ?? { at: end });
    box.classList.toggle("reading", pointer !== null);
    const x = WIDTH * (1 - (end - near.at) / SPAN);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    series.forEach((one, index) => say(values[index], one.show(one.of(near) ?? null)));
    say(time, pointer === null ? "" : clock(near.at));
    return near;
  };

  picture.addEventListener("pointermove", (event) => {
    const { left, width } = picture.getBoundingClientRect();
    pointer = Math.min(1, Math.max(0, (event.clientX - left) / width));
    read();
  });
  picture.addEventListener("pointerleave", () => {
    pointer = null;
    read();
  });

  return (all) => {
    points = all;
    const end = points.at(-1)?.at ?? Date.now();
    const highest = nice(Math.max(1, ...points.flatMap((point) => series.map((one) => one.of(point) ?? 0))));
    say(top, `${highest.toLocaleString("en")} ${unit}`);
    const x = (point) => WIDTH * (1 - (end - point.at) / SPAN);
    const y = (value) => HEIGHT * (1 - (0.98 * value) / highest);
    series.forEach((one, index) => {
      const { line, area } = path(points, x, (point) => one.of(point), y);
      lines[index].setAttribute("d", line);
      if (index === 0) ground.setAttribute("d", area);
    });
    const near = read();
    picture.setAttribute("aria-label", `${label}: ${series.map((one) => `${one.name} ${one.show(one.of(near) ?? null)}`).join(", ")}`);
  };
}

/** A line that is interrupted where nothing was measured, and the area under it. */
function path(points, x, of, y) {
  let line = "";
  let area = "";
  let start = null;
  let last = null;
  const close = () => {
    if (start !== null) area += `L${last} ${HEIGHT}L${start} ${HEIGHT}Z`;
    start = null;
  };
  let before = null;
  for (const point of points) {
    const value = of(point);
    const here = x(point);
    if (value === null || value === undefined || here < 0) {
      close();
      continue;
    }
    if (before !== null && point.at - before > 15_000) close();
    before = point.at;
    const step = `${start === null ? "M" : "L"}${here.toFixed(1)} ${y(value).toFixed(1)}`;
    line += step;
    area += step;
    start ??= here.toFixed(1);
    last = here.toFixed(1);
  }
  close();
  return { line, area };
}

/** The next round number: the scale should not twitch with every request. */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value);
}

/** The states of a circuit over the last ten minutes, from its transitions. */
export function strip(element, circuit, now) {
  const span = 600_000;
  const begin = now - span;
  const moves = circuit.transitions.filter((one) => one.scope === "fleet" && one.at);
  const parts = [];
  let state = moves[0]?.from ?? circuit.state;
  let from = begin;
  for (const move of moves) {
    if (move.at > from) parts.push([state, from, Math.min(move.at, now)]);
    from = Math.max(from, move.at);
    state = move.to;
  }
  parts.push([circuit.state, from, now]);
  element.replaceChildren(
    ...parts.map(([name, start, end]) =>
      svg("rect", { class: name, x: (1000 * (start - begin)) / span, y: 0, width: Math.max(2, (1000 * (end - start)) / span), height: 14 }),
    ),
  );
  element.setAttribute("aria-label", `last ten minutes: ${parts.map(([name]) => name.replace("_", "-")).join(", then ")}`);
}
