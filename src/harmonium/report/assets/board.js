// Images: the large chain, on which one draws, and the small ones beside it.

import { el } from "./dom.js";
import { paintStates } from "./ink.js";

export class Board {
  constructor(session, { shape, low, high }) {
    Object.assign(this, { session, low, high, show: "states", brush: "on", radius: 0 });
    [this.rows, this.columns] = shape;
    this.radius = Math.min(...shape) >= 20 ? 1.2 : 0;
    this.cursor = [this.rows >> 1, this.columns >> 1];
    this.canvas = el("canvas", { width: this.columns, height: this.rows, tabIndex: 0, className: "board", role: "img" });
    this.canvas.setAttribute("aria-label", "State of the visible units of the large chain");
    this.canvas.setAttribute("aria-describedby", "board-help");
    this.marker = el("div", { className: "marker", hidden: true });
    this.small = session.chains.slice(1).map((_, k) =>
      el("button", { type: "button", className: "chain", title: "Bring this chain to the front",
        "aria-label": `Small chain ${k + 1}: bring to the front`, onclick: () => this.front(k + 1) },
        el("canvas", { width: this.columns, height: this.rows })));
    this.element = el("div", { className: "boards" },
      el("div", { className: "stage" }, this.canvas, this.marker),
      el("div", { className: "chains", role: "group", "aria-label": "Small chains" }, ...this.small));
    this.listen();
  }

  listen() {
    const { canvas } = this;
    let last = null;
    const at = ({ clientX, clientY }) => {
      const box = canvas.getBoundingClientRect();
      return [((clientY - box.top) / box.height) * this.rows - 0.5, ((clientX - box.left) / box.width) * this.columns - 0.5];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.session.model.clamps || event.button) return;
      canvas.setPointerCapture(event.pointerId);
      this.dab((last = at(event)));
      event.preventDefault();
      canvas.focus({ preventScroll: true });
      this.marker.hidden = true;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (last === null) return;
      const now = at(event);
      const steps = Math.max(1, Math.ceil(2 * Math.hypot(now[0] - last[0], now[1] - last[1])));
      for (let k = 1; k <= steps; k++) this.dab(last.map((from, c) => from + (k / steps) * (now[c] - from)));
      last = now;
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => (this.marker.hidden = true));
    canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && this.mark());
  }

  key(event) {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (move) {
      this.cursor = [
        Math.min(this.rows - 1, Math.max(0, this.cursor[0] + move[0])),
        Math.min(this.columns - 1, Math.max(0, this.cursor[1] + move[1])),
      ];
      if (event.shiftKey && this.session.model.clamps) this.dab(this.cursor);
    } else if ((event.key === " " || event.key === "Enter") && this.session.model.clamps) this.dab(this.cursor);
    else return;
    event.preventDefault();
    this.mark();
  }

  mark() {
    const [row, column] = this.cursor;
    this.marker.hidden = false;
    const percent = (part, whole) => `${(100 * part) / whole}%`;
    Object.assign(this.marker.style, {
      top: percent(row, this.rows), left: percent(column, this.columns),
      width: percent(1, this.columns), height: percent(1, this.rows),
    });
  }

  /** Touch the pixels around a place with the brush. */
  dab([row, column]) {
    const [near, r] = [Math.max(0.5, this.radius), Math.ceil(this.radius)];
    const [i0, j0] = [Math.round(row), Math.round(column)];
    for (let i = i0 - r; i <= i0 + r; i++) {
      for (let j = j0 - r; j <= j0 + r; j++) {
        if (i < 0 || j < 0 || i >= this.rows || j >= this.columns || Math.hypot(i - i0, j - j0) > near) continue;
        const value = { on: this.high, off: this.low, free: undefined }[this.brush];
        this.session.hold(0, i * this.columns + j, value);
      }
    }
    this.draw();
  }

  /** Hold part of what the large chain shows: the pixels for which `inside(row, column)` is true. */
  holdPart(inside) {
    const v = this.session.chains[0].state[0].slice();
    v.forEach((value, k) => inside(Math.floor(k / this.columns), k % this.columns) && this.session.hold(0, k, value));
    this.draw();
  }

  front(k) {
    const { chains } = this.session;
    [chains[0], chains[k]] = [chains[k], chains[0]];
    this.draw();
  }

  draw() {
    const { session, low, high, show } = this;
    const held = session.held[0];
    const shown = (chain) => (show === "means" ? chain.means[0] : chain.state[0]);
    paintStates(this.canvas, show === "average" ? session.average() : shown(session.chains[0]), { low, high, held });
    this.small.forEach((button, k) =>
      paintStates(button.firstChild, shown(session.chains[k + 1]), { low, high, held }));
  }
}
