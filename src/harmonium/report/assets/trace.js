// The energy of the large chain over time.

import { el, written } from "./dom.js";

const KEPT = 400;

export class Trace {
  /** `reference`: {low, high, label} of the data, or null. */
  constructor(session, reference) {
    Object.assign(this, { session, reference, values: [] });
    this.canvas = el("canvas", { role: "img", className: "trace" });
    this.canvas.setAttribute("aria-label", "Free energy of the first chain over its sweeps");
    this.now = el("output");
    this.element = el("figure", { className: "energy" },
      el("figcaption", {}, "Free energy of the first chain, nats: ", this.now,
        ...(reference ? [el("br"), `band: ${reference.label}`] : [])),
      this.canvas);
  }

  record() {
    const { model, chains } = this.session;
    this.values.push(model.freeEnergy(chains[0].state));
    if (this.values.length > KEPT) this.values.shift();
  }

  draw() {
    const { canvas, values, reference } = this;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !values.length) return;
    const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`);
    // The fall from noise would flatten all that follows: it may leave the frame.
    const sorted = Float64Array.from(values).sort();
    const rank = (share) => sorted[Math.round(share * (sorted.length - 1))];
    let [low, high] = [rank(0.02), rank(0.95)];
    if (reference) [low, high] = [Math.min(low, reference.low), Math.max(high, reference.high)];
    const margin = 0.1 * (high - low) || 1;
    [low, high] = [low - margin, high + margin];
    const digits = high - low < 10 ? 1 : 0;
    context.font = "12px system-ui, sans-serif";
    const labels = [written(high, digits), written(low, digits)];
    const left = 12 + Math.max(40, ...labels.map((label) => context.measureText(label).width));
    const y = (value) => height * (1 - Math.min(1, Math.max(0, (value - low) / (high - low))));
    const x = (k) => left + (k / (KEPT - 1)) * (width - left);
    if (reference) {
      context.fillStyle = colour("band");
      context.fillRect(left, y(reference.high), width - left, y(reference.low) - y(reference.high));
    }
    context.fillStyle = colour("quiet");
    context.textAlign = "right";
    context.fillText(labels[0], left - 6, 11);
    context.fillText(labels[1], left - 6, height - 2);
    context.strokeStyle = colour("rule");
    context.strokeRect(left + 0.5, 0.5, width - left - 1, height - 1);
    context.strokeStyle = colour("accent");
    context.lineWidth = 1.5;
    context.beginPath();
    values.forEach((value, k) => context.lineTo(x(k), y(value)));
    context.stroke();
    this.now.value = written(values.at(-1), 1);
  }
}
