// Two columns against each other: points, boxes or a table, real rows beside sampled ones.

import { percent } from "./bins.js";
import { el, labelled, svg } from "./dom.js";

const [ACROSS, UP] = [320, 240];
const ORIGINS = [["real", "real", ""], ["sampled", "sampled", "second"]];

export class Pairs {
  constructor(root, columns, rows, chosen) {
    Object.assign(this, { columns, rows, shown: el("div", { className: "pairing" }) });
    const options = (picked) => columns.flatMap(({ name, size }, k) =>
      size ? [el("option", { value: String(k), selected: k === picked }, name)] : []);
    this.selects = chosen.map((picked) => el("select", { onchange: () => this.draw() }, ...options(picked)));
    const turn = el("button", { type: "button", onclick: () => {
      [this.selects[0].value, this.selects[1].value] = [this.selects[1].value, this.selects[0].value];
      this.draw();
    } }, "swap");
    root.replaceChildren(
      el("div", { className: "choosing" }, labelled("across", this.selects[0]), labelled("by", this.selects[1]), turn),
      this.shown);
    this.draw();
  }

  draw() {
    const [a, b] = this.selects.map(({ value }) => Number(value));
    const [x, y] = [this.columns[a], this.columns[b]];
    const pairs = (kind) => this.rows[kind][a].flatMap((value, k) =>
      value === null || this.rows[kind][b][k] === null ? [] : [[value, this.rows[kind][b][k]]]);
    const data = ORIGINS.map(([kind, , className]) => ({ kind, className, pairs: pairs(kind) }));
    const draw = x.edges && y.edges ? points : x.edges ? (each) => boxes(each, x, y)
      : y.edges ? (each) => boxes(each.map(({ pairs: found, ...rest }) => ({ ...rest, pairs: found.map(([u, v]) => [v, u]) })), y, x)
      : tables;
    this.shown.replaceChildren(...draw(data, x, y));
  }
}

/** The range that the bins of a column cover, and where a number lies in it, from 0 to 1. */
function scale({ edges, log, points: own }) {
  const all = [edges[0], edges.at(-1), ...own];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const warp = log ? (value) => Math.asinh(value) : (value) => value;
  const [from, to] = [warp(low), warp(high)];
  return { low, high, at: (value) => Math.min(1, Math.max(0, (warp(value) - from) / (to - from || 1))) };
}

/** Numbers against numbers: a point for each row. */
function points(data, x, y) {
  const [across, up] = [scale(x), scale(y)];
  const wiggle = spread();
  return data.map(({ kind, className, pairs }) => {
    const [dx, dy] = [jitter(x, across), jitter(y, up)];
    const dots = pairs.map(([a, b]) => svg("circle", { r: 2.4,
      cx: (ACROSS * (across.at(a) + dx * wiggle())).toFixed(1), cy: (UP * (1 - up.at(b) - dy * wiggle())).toFixed(1) }));
    return el("figure", {},
      el("figcaption", {}, `${kind}, ${pairs.length} rows`),
      el("div", { className: "plot" },
        el("span", { className: "upper" }, endText(y, up.high)), el("span", { className: "lower" }, endText(y, up.low)),
        svg("svg", { class: `points ${className}`, viewBox: `-4 -4 ${ACROSS + 8} ${UP + 8}`, role: "img",
          "aria-label": `${y.name} by ${x.name}, ${kind}` }, ...dots)),
      marks(x, across), el("p", { className: "note" }, `across: ${x.name}${x.log ? ", logarithmic" : ""}; up: ${y.name}${y.log ? ", logarithmic" : ""}`));
  });
}

/** Whole numbers of a short range lie on top of each other: how far they are moved, as a share of the range. */
function jitter({ decimals, dates, log }, { low, high }) {
  const steps = (high - low) * 10 ** (decimals ?? 9);
  return !dates && !log && steps < 80 ? 0.6 / Math.max(1, steps) : 0;
}

/** Numbers in (-1/2, 1/2) that are the same every time. */
function spread() {
  let u = 0.5;
  return () => (u = (u + 0.618034) % 1) - 0.5;
}

function marks(column, { low, high }) {
  return el("div", { className: "marks" }, el("span", {}, endText(column, low)), el("span", {}, endText(column, high)));
}

/** An end of the range as text: what the bins say of their ends, or the number itself. */
function endText(column, value) {
  const k = [column.edges[0], column.edges.at(-1)].indexOf(value);
  return k < 0 ? column.text(value) : column.ends[k];
}

/** Numbers by label: the middle half, nine tenths and the median of each. */
function boxes(data, number, label) {
  const along = scale(number);
  const found = data.map(({ className, pairs }) => ({ className, all: pairs.length, by: label.bars.map((_, k) =>
    pairs.filter(([, code]) => code === k).map(([value]) => value).sort((a, b) => a - b)) }));
  const rows = label.bars.map((text, k) => {
    if (found.every(({ by }) => !by[k].length)) return null;
    const lines = found.map(({ className, by }) => box(by[k], number, along, className));
    const counts = found.map(({ by, all }) => el("b", {}, percent(by[k].length / Math.max(1, all))));
    return el("div", { className: "twin boxed" }, el("span", { title: text }, text),
      el("div", { className: "lines" }, ...lines), el("output", { title: "share of the rows" }, ...counts));
  });
  return [el("figure", { className: "whole" },
    el("figcaption", {}, `${number.name} by ${label.name}: median, the middle half, and nine in ten rows; at the right, the share of rows`),
    el("div", { className: "twins" }, ...rows.filter(Boolean),
      el("div", { className: "twin boxed" }, el("span"), marks(number, along), el("span"))))];
}

function box(values, column, along, className) {
  if (!values.length) return el("div", { className: `line ${className}` });
  const at = (share) => values[Math.min(values.length - 1, Math.floor(share * values.length))];
  const [low, quarter, middle, upper, high] = [0.05, 0.25, 0.5, 0.75, 0.95].map(at);
  const part = (from, to, name) => el("i", { className: name,
    style: `left:${100 * along.at(from)}%;width:${100 * (along.at(to) - along.at(from))}%` });
  return el("div", { className: `line ${className}`,
    title: `median ${column.text(middle)}, half between ${column.text(quarter)} and ${column.text(upper)}` },
    part(low, high, "reach"), part(quarter, upper, "half"), part(middle, middle, "median"));
}

/** Labels against labels: shares of the rows, as a table. */
function tables(data, x, y) {
  const counts = data.map(({ pairs }) => {
    const table = y.bars.map(() => new Float64Array(x.bars.length));
    for (const [a, b] of pairs) table[b][a] += 1 / pairs.length;
    return table;
  });
  const most = Math.max(...counts.flat().map((row) => Math.max(...row)));
  return data.map(({ kind, className, pairs }, k) => el("figure", {},
    el("figcaption", {}, `${kind}, ${pairs.length} rows: ${y.name} (down) by ${x.name} (across), shares of all rows`),
    el("div", { className: "scroll pinned" }, el("table", { className: `shares ${className}` },
      el("thead", {}, el("tr", {}, el("th", { "aria-label": y.name }), ...x.bars.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...y.bars.map((text, j) => el("tr", {}, el("th", { scope: "row" }, text),
        ...Array.from(counts[k][j], (share) => el("td", { style: `--share:${Math.round(100 * Math.sqrt(share / most))}%` },
          share ? percent(share) : ""))))))))); 
}
