// The playground: reads the model from the page, builds the controls, runs the chains.

import { Board } from "./board.js";
import { Columns } from "./columns.js";
import { choice, el, labelled } from "./dom.js";
import { readFloats } from "./floats.js";
import { onTheme } from "./ink.js";
import { Machine } from "./machine.js";
import { Session } from "./session.js";
import { Stack } from "./stack.js";
import { Switches } from "./switches.js";
import { Trace } from "./trace.js";

const BUDGET = 12; // milliseconds of a frame that sweeps may take
const UNHELD =
  "Visible units of a deep belief network cannot be held: given some of them, its directed layers depend on each other in a way that no sweep draws from. Switch hidden units instead.";

function play(root) {
  const spec = JSON.parse(document.getElementById("model").textContent);
  const floats = readFloats();
  const model = spec.machines.length > 1 ? new Stack(spec, floats) : new Machine(spec.machines[0], floats);
  const size = model.layers[0].size;
  const states = (start, count) => Array.from({ length: count }, (_, k) => floats(start + k * size, size));
  const starts = { samples: states(spec.samples.start, spec.samples.count), data: states(spec.data.start, spec.data.count), noise: null };
  const session = new Session(model, starts.samples, spec.image ? 9 : 32);

  const view = spec.image ? new Board(session, spec.image) : new Columns(session, spec.columns);
  const switches = model.layers.length > 1 ? new Switches(session, spec.image) : null;
  const trace = new Trace(session, spec.reference);
  trace.record();
  const parts = [view, trace, ...(switches ? [switches] : [])];
  const draw = () => parts.forEach((part) => part.draw());

  // ---- running

  const rate = el("output");
  let [running, speed, due, before, mark, marked] = [false, spec.image ? 10 : 20, 0, 0, 0, 0];
  const sweep = () => {
    session.sweep();
    trace.record();
  };
  const frame = (now) => {
    if (!running) return;
    due = speed === Infinity ? Infinity : Math.min(due + (speed * (now - before)) / 1000, speed);
    before = now;
    const until = performance.now() + BUDGET;
    let swept = false;
    while (due >= 1 && performance.now() < until) {
      sweep();
      [due, swept] = [due - 1, true];
    }
    if (swept) draw();
    if (now - marked > 1000) {
      rate.value = `${Math.round((1000 * (session.sweeps - mark)) / (now - marked))} sweeps/s`;
      [mark, marked] = [session.sweeps, now];
    }
    requestAnimationFrame(frame);
  };
  const run = el("button", { type: "button", className: "primary", onclick: () => start(!running) }, "Run");
  const start = (on) => {
    running = on;
    run.textContent = on ? "Pause" : "Run";
    [due, before, mark, marked] = [1, performance.now(), session.sweeps, performance.now()];
    if (!on) rate.value = "";
    if (on) requestAnimationFrame(frame);
  };
  const step = el("button", { type: "button", onclick: () => (sweep(), draw()) }, "One sweep");
  const pace = el("select", { onchange: () => ((speed = Number(pace.value)), (due = 0)) },
    ...[[1, "1 a second"], [5, "5 a second"], [10, "10 a second"], [20, "20 a second"], [60, "60 a second"], [Infinity, "as fast as can be"]]
      .map(([value, text]) => el("option", { value: String(value), selected: value === speed }, text)));

  // ---- conditions

  const shown = el("output", {}, "1.00");
  const temperature = el("input", { type: "range", min: -2, max: 2, step: 0.05, value: 0,
    oninput: () => warm(2 ** Number(temperature.value)) });
  temperature.setAttribute("aria-label", "Temperature");
  const warm = (T) => {
    shown.value = T.toFixed(2);
    session.setTemperature(T);
  };
  const restart = (from) => {
    session.begin(starts[from]);
    trace.record();
    draw();
  };
  const begin = [["samples", "sample"], ...(starts.data.length ? [["data", "data"]] : []), ["noise", "noise"]]
    .map(([from, text]) => el("button", { type: "button", onclick: () => {
      if (starts[from]) starts[from].push(starts[from].shift());
      restart(from);
    } }, text));
  const release = el("button", { type: "button", onclick: () => (session.release(0), draw()) }, "Let all go");

  const controls = [
    el("div", { className: "row" }, run, step, rate),
    labelled("Speed", pace),
    labelled("Temperature", el("span", { className: "row" }, temperature, shown,
      el("button", { type: "button", className: "quiet", onclick: () => ((temperature.value = 0), warm(1)) }, "reset"))),
    group("Begin again at", begin),
  ];
  if (spec.image) {
    const show = choice("Show", [["states", "states"], ["means", "p(v | h)"], ["average", "average"]], "states",
      (value) => ((view.show = value), draw()));
    controls.push(group("Show", [show.element]));
    if (model.clamps) controls.push(...drawing(view, release));
    else controls.push(el("p", { className: "note", id: "board-help" },
      UNHELD));
  } else {
    if (model.clamps) controls.push(group("Columns", [release]));
    controls.push(el("p", { className: "note" },
      `${model.clamps ? "Move a control to hold its column; the rest is drawn given it." : UNHELD} Bars are means over all chains since the conditions last changed.`));
  }
  root.replaceChildren(
    el("div", { className: "desk" }, view.element, el("div", { className: "controls" }, ...controls),
      el("div", { className: "below" }, trace.element, ...(switches ? [el("div", { className: "strips" }, ...switches.strips)] : []))),
    ...(switches
      ? [el("div", { className: "bench" },
          el("div", { className: "row" }, el("h3", {}, "Hidden units"), switches.select, switches.release),
          el("p", { className: "note" }, `Each picture is what a unit adds to the ${spec.image ? "pixels" : "columns, from left to right"}. A lit frame: the unit is on. Press it to hold it on, again to hold it off, once more to let it go.`),
          switches.grid, switches.more)]
      : []));
  draw();
  onTheme(() => (switches?.repaint(), draw()));
  addEventListener("resize", () => trace.draw());
  return { spec, model, session, sweep, draw, start, ...(model instanceof Machine ? functionsOf(model) : {}) };
}

function group(text, children) {
  return el("div", { className: "group", role: "group", "aria-label": text }, el("span", {}, text), el("div", { className: "row" }, ...children));
}

function drawing(board, release) {
  const brush = choice("Brush", [["on", "draw"], ["off", "erase"], ["free", "let go"]], "on", (value) => (board.brush = value));
  const half = (text, inside) => el("button", { type: "button", onclick: () => board.holdPart(inside) }, text);
  return [
    group("Brush", [brush.element]),
    group("Hold", [
      half("left half", (row, column) => column < board.columns / 2),
      half("top half", (row) => row < board.rows / 2),
      release,
    ]),
    el("p", { className: "note", id: "board-help" },
      "Draw on the large picture: what you draw or erase is held, in all chains, and the model completes the rest. With the keyboard: arrows move, space paints, shift and arrows draw."),
  ];
}

/** The functions of a machine, of values as they stand in the data, for comparison with the library. */
function functionsOf(model) {
  const state = (...values) =>
    model.layers.map((layer, k) => (values[k] ? layer.encode(values[k]) : new Float32Array(layer.size)));
  return {
    hiddenMean: (v) => model.mean(1, state(v)),
    visibleMean: (h) => model.mean(0, state(null, h)),
    freeEnergy: (...values) => model.freeEnergy(state(...values)),
    energy: (...values) => model.energy(state(...values)),
  };
}

const root = document.getElementById("playground");
if (root) {
  window.harmonium = play(root);
  window.harmonium.ready = performance.now();
}
