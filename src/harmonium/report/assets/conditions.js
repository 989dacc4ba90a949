// The playground: columns as controls, beside what follows from them.

import { percent } from "./bins.js";
import { el, svg } from "./dom.js";

const [WIDTH, HEIGHT] = [240, 44];
const BUDGET = 14; // milliseconds of a frame in which chains may run

export class Conditions {
  constructor(root, columns, answers, variables) {
    Object.assign(this, { columns, answers, variables });
    this.cards = columns.filter(({ size }) => size).map((column) => new Card(column, () => this.ask()));
    this.state = el("output", { className: "note" });
    const clear = el("button", { type: "button", onclick: () => {
      for (const card of this.cards) card.clear();
      this.ask();
    } }, "All unknown");
    root.replaceChildren(el("div", { className: "row" }, clear, this.state),
      el("div", { className: "cards conditions" }, ...this.cards.map(({ element }) => element)));
    this.ask();
  }

  /** The state of each variable, -1 where it is not known. */
  evidence() {
    const states = new Array(this.variables).fill(-1);
    for (const { column, state } of this.cards) {
      if (state < 0) continue;
      const [from, to] = column.variables;
      // Of a date its period is known; of an empty cell every variable is.
      const whole = column.missing && state === column.states - 1;
      for (let i = from; i < (whole ? to : from + 1); i++) states[i] = i === from ? state : column.last[i - from];
    }
    return states;
  }

  ask() {
    this.answers.ask(this.evidence());
    this.known ??= this.answers.done;
    this.draw();
    if (!this.answers.done && !this.running) {
      this.running = true;
      requestAnimationFrame(() => this.frame());
    }
  }

  frame() {
    const until = performance.now() + BUDGET;
    while (!this.answers.done && performance.now() < until) this.answers.refine();
    this.draw();
    this.running = !this.answers.done;
    if (this.running) requestAnimationFrame(() => this.frame());
  }

  draw() {
    const { p, done } = this.answers;
    const none = this.cards.every(({ state }) => state < 0);
    if (none && done) this.base = p.slice();
    for (const card of this.cards) card.draw(p, this.base ?? null);
    this.state.value = done ? "" : "chains are running \u2026";
  }
}

class Card {
  constructor(column, changed) {
    Object.assign(this, { column, changed, state: -1 });
    this.control = column.cells && column.edges ? this.slider() : this.select();
    this.follows = el("div", { className: "follows" });
    this.element = el("article", { className: "card" }, el("h3", { title: column.name }, column.name), this.control, this.follows);
  }

  set(state) {
    this.state = state;
    this.changed();
  }

  /** Labels, and numbers of a few values. */
  select() {
    const { column } = this;
    const names = column.options ?? column.bars;
    const states = names.map((name, k) => [k, name]).slice(0, column.values);
    if (column.missing) states.push([column.states - 1, "(empty)"]);
    const select = el("select", { "aria-label": column.name, onchange: () => this.set(Number(select.value)) },
      el("option", { value: "-1" }, "unknown"), ...states.map(([k, name]) => el("option", { value: String(k) }, name)));
    this.clear = () => ([this.state, select.value] = [-1, "-1"]);
    return el("div", { className: "set" }, select);
  }

  /** Numbers and dates: a slider over the cells, which are as many where values are dense, and the number itself. */
  slider() {
    const { column } = this;
    const cells = column.cells.low.length;
    const range = el("input", { type: "range", min: 0, max: cells - 1, step: 1, value: cells >> 1, "aria-label": column.name,
      oninput: () => show(Number(range.value)) });
    const number = el("input", { type: column.dates ? "date" : "number", step: "any", "aria-label": `${column.name}, a value`,
      onchange: () => (number.value === "" ? forget() : take(column.dates ? Date.parse(number.value) / 864e5 : Number(number.value))) });
    const empty = el("button", { type: "button", className: "quiet", hidden: !column.missing, onclick: () => {
      say("", "empty");
      this.set(column.states - 1);
    } }, "empty");
    const say = (text, instead) => ([number.value, number.placeholder] = [text, instead]);
    const drop = el("button", { type: "button", className: "quiet drop", title: "unknown again", "aria-label": `${column.name}: unknown again`,
      onclick: () => forget() }, "\u00d7");
    const show = (cell) => {
      const value = column.valueIn(cell, 0.5);
      say(column.dates ? column.text(value) : String(Number(value.toPrecision(6))), "unknown");
      this.set(cell);
    };
    const take = (value) => {
      if (Number.isNaN(value)) return;
      const cell = column.find(value);
      range.value = String(cell);
      this.set(cell);
    };
    this.clear = () => {
      this.state = -1;
      say("", "unknown");
    };
    this.clear();
    const forget = () => {
      this.clear();
      this.changed();
    };
    return el("div", { className: "set" }, range, number, empty, drop);
  }

  draw(p, base) {
    const { column, follows } = this;
    const held = this.state >= 0;
    this.element.classList.toggle("held", held);
    const { shares, empty } = column.distribution(p);
    const before = base ? column.distribution(base) : null;
    const parts = [];
    if (held) {
      follows.replaceChildren(el("p", { className: "note" }, this.heldText()));
      return;
    }
    const bars = shares.subarray(0, column.bars.length);
    const most = Math.max(0.25, ...bars);
    bars.forEach((share, k) => parts.push(bar(this.barText(k, p, share), share, before?.shares[k], most)));
    if (column.edges) parts.push(density(column, shares.subarray(column.bars.length), before?.shares.subarray(column.bars.length)),
      el("p", { className: "note" }, this.middle(p)));
    if (column.missing) parts.push(bar("(empty)", empty, before?.empty, 1));
    follows.replaceChildren(...parts);
  }

  /** What is known: of numbers that are not single values, the cell that holds them. */
  heldText() {
    const { column, state } = this;
    if (column.missing && state === column.states - 1) return "set: empty";
    if (!column.cells) return "set";
    const [low, high] = [column.cells.low[state], column.cells.high[state]];
    return low === high ? `set: ${column.text(low)}` : `set: between ${column.text(low)} and ${column.text(high)}`;
  }

  /** The text of a bar; of the rest, with its most probable label if there is one that matters. */
  barText(k, p, share) {
    const { column } = this;
    if (!column.options || k < column.bars.length - 1 || column.options.length <= column.bars.length) return column.bars[k];
    let [most, best] = [0, -1];
    column.weights.forEach((row, state) => row[0] === k && p[column.first + state] > most && ([most, best] = [p[column.first + state], state]));
    return most > 0.05 && most > 0.3 * share ? `${column.bars[k]} (${column.options[best]} ${percent(most)})` : column.bars[k];
  }

  middle(p) {
    const { column } = this;
    const [low, middle, high] = [0.05, 0.5, 0.95].map((share) => column.text(column.quantile(p, share)));
    return `median ${middle}, 90\u00a0% between ${low} and ${high}`;
  }
}

/** A bar with a thin mark where it was when nothing was known. */
function bar(text, share, before, most) {
  const marks = before === undefined ? [] : [el("b", { style: `left:${Math.min(100, (100 * before) / most)}%` })];
  return el("div", { className: "twin one" }, el("span", { title: text }, text),
    el("div", { className: "tracks" }, el("i", { style: `width:${(100 * share) / most}%` }), ...marks),
    el("output", {}, percent(share)));
}

/** The density of numbers over the bins, and a line for that when nothing was known. */
function density(column, shares, before) {
  const most = Math.max(...shares, ...(before ?? []), 1e-12);
  const step = WIDTH / shares.length;
  const outline = (values) => Array.from(values, (share, k) =>
    `V${(HEIGHT * (1 - share / most)).toFixed(1)}H${(step * (k + 1)).toFixed(1)}`).join("");
  return el("div", {},
    svg("svg", { class: "hist", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `Density of ${column.name}` },
      svg("path", { class: "area", d: `M0 ${HEIGHT}${outline(shares)}V${HEIGHT}Z` }),
      ...(before ? [svg("path", { class: "before", d: `M0 ${HEIGHT}${outline(before)}V${HEIGHT}` })] : [])),
    el("div", { className: "marks" }, ...column.ends.map((text) => el("span", {}, text))));
}
