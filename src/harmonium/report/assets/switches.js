// Hidden units: what each has learned, whether it is on, and a switch: free, on, off.

import { el, moreOf } from "./dom.js";
import { paintStates, paintWeights } from "./ink.js";

const UNITS_AT_ONCE = 48;
const NEXT = { free: "on", on: "off", off: "free" };

export class Switches {
  constructor(session, image) {
    Object.assign(this, { session, image, layer: 1, tiles: [] });
    this.grid = el("div", { className: "units", role: "group" });
    this.strips = session.model.layers.slice(1).map(({ name, size }) => {
      const across = Math.ceil(Math.sqrt(size * 4));
      const canvas = el("canvas", { width: across, height: Math.ceil(size / across), role: "img" });
      canvas.setAttribute("aria-label", `States of ${size} units of ${name}`);
      return el("figure", { className: "strip" }, el("figcaption", {}, `${name}: ${size} units`), canvas);
    });
    this.more = el("button", { type: "button", className: "quiet", onclick: () => this.show(UNITS_AT_ONCE) });
    const names = session.model.layers.slice(1).map(({ name }, k) => el("option", { value: String(k + 1) }, name));
    this.select = el("select", { "aria-label": "Hidden layer", hidden: names.length < 2,
      onchange: () => this.open(Number(this.select.value)) }, ...names);
    this.release = el("button", { type: "button", className: "quiet", onclick: () => this.free() }, "Free all units");
    this.open(1);
  }

  /** Show the units of a layer, largest weights first. */
  open(layer) {
    this.layer = layer;
    this.filters = filtersOf(this.session.model, layer);
    const norm = this.filters.map((filter) => filter.reduce((sum, w) => sum + w * w, 0));
    this.ranked = norm.map((_, j) => j).sort((j, k) => norm[k] - norm[j]);
    const largest = this.filters[this.ranked[0]];
    const sizes = Float64Array.from(largest, Math.abs).sort();
    this.limit = sizes[Math.floor(0.98 * (sizes.length - 1))] || 1;
    this.grid.setAttribute("aria-label", `Units of ${this.session.model.layers[layer].name}, largest weights first`);
    this.grid.replaceChildren();
    this.tiles = [];
    this.show(UNITS_AT_ONCE);
  }

  show(count) {
    const from = this.tiles.length;
    for (const unit of this.ranked.slice(from, from + count)) this.add(unit);
    const left = this.ranked.length - this.tiles.length;
    this.more.hidden = left === 0;
    this.more.textContent = moreOf(UNITS_AT_ONCE, left, "unit");
    this.draw();
  }

  add(unit) {
    const filter = this.filters[unit];
    const [rows, columns] = this.image ? this.image.shape : [1, filter.length];
    const canvas = el("canvas", { width: columns, height: rows });
    paintWeights(canvas, filter, this.limit);
    const button = el("button", { type: "button", className: this.image ? "unit" : "unit wide", onclick: () => this.toggle(tile) },
      canvas, el("span"));
    const tile = { unit, button, mark: button.lastChild, canvas };
    this.tiles.push(tile);
    this.grid.append(button);
  }

  state(unit) {
    if (!this.session.isHeld(this.layer, unit)) return "free";
    return this.session.held[this.layer].values[unit] === this.values(unit)[1] ? "on" : "off";
  }

  /** What a unit is held at when switched off and on. */
  values(unit) {
    const { parts } = this.session.model.layers[this.layer];
    const { name } = parts.find(({ end }) => unit < end);
    return { Spin: [-1, 1], Gaussian: [-2, 2], ReLU: [0, 2] }[name] ?? [0, 1];
  }

  toggle({ unit }) {
    const layer = this.session.model.layers[this.layer];
    const { start, end, states } = layer.variables.find((variable) => unit < variable.end);
    if (states > 1) {
      // One state of a variable is on and all others are off: they are held together, or let go.
      const on = this.state(unit) !== "on";
      for (let j = start; j < end; j++) this.session.hold(this.layer, j, on ? Number(j === unit) : undefined);
    } else {
      const [off, on] = this.values(unit);
      this.session.hold(this.layer, unit, { free: undefined, on, off }[NEXT[this.state(unit)]]);
    }
    this.draw();
  }

  free() {
    this.session.model.layers.forEach((_, layer) => layer && this.session.release(layer));
    this.draw();
  }

  draw() {
    const { state, means } = this.session.chains[0];
    for (const { unit, button, mark } of this.tiles) {
      const held = this.state(unit);
      button.classList.toggle("lit", state[this.layer][unit] > 0);
      button.dataset.held = held;
      mark.textContent = held === "free" ? "" : held;
      button.setAttribute("aria-label", `Hidden unit ${unit}: ${held}`);
      button.title = `unit ${unit}, ${held === "free" ? `p = ${means[this.layer][unit].toFixed(3)}` : `held ${held}`}`;
    }
    this.strips.forEach((figure, k) => {
      const values = state[k + 1];
      const [part] = this.session.model.layers[k + 1].parts;
      const [low, high] = { Spin: [-1, 1], Gaussian: [-3, 3], ReLU: [0, 3] }[part.name] ?? [0, 1];
      paintStates(figure.lastChild, values, { low, high, held: this.session.held[k + 1] });
    });
  }

  repaint() {
    for (const { unit, canvas } of this.tiles) paintWeights(canvas, this.filters[unit], this.limit);
    this.draw();
  }
}

/** What every unit of a layer adds to the input of the visible units: W, and W_1 W_2 ... for higher layers. */
function filtersOf(model, layer) {
  const between = (a, b) => model.couplings.find((coupling) => coupling.a === a && coupling.b === b);
  const first = between(0, 1);
  const width = model.layers[0].size;
  let filters = Array.from({ length: model.layers[1].size }, (_, j) => first.turned.subarray(j * width, (j + 1) * width));
  for (let k = 1; k < layer; k++) {
    const { turned } = between(k, k + 1);
    const n = model.layers[k].size;
    filters = Array.from({ length: model.layers[k + 1].size }, (_, j) => {
      const sum = new Float32Array(width);
      // The strongest few say what a unit is about; all of them would take a second in a large model.
      const strongest = Array.from({ length: n }, (_, i) => i)
        .sort((i, l) => Math.abs(turned[j * n + l]) - Math.abs(turned[j * n + i])).slice(0, 40);
      for (const i of strongest) for (let p = 0; p < width; p++) sum[p] += turned[j * n + i] * filters[i][p];
      return sum;
    });
  }
  return filters;
}
