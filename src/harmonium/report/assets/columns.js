// Tables: every column a control that shows the large chain, or holds the column at a value in all of them.

import { el } from "./dom.js";

const ROWS_AT_ONCE = 40;

export class Columns {
  constructor(session, columns) {
    this.session = session;
    const layer = session.model.layers[0];
    this.rows = [];
    this.list = el("div", { className: "columns" });
    const more = el("button", { type: "button", className: "quiet", onclick: () => show() });
    const show = () => {
      const from = this.rows.length;
      columns.slice(from, from + ROWS_AT_ONCE).forEach((column, k) => this.add(column, layer.variables[from + k]));
      const left = columns.length - this.rows.length;
      more.hidden = left === 0;
      more.textContent = `Show ${Math.min(ROWS_AT_ONCE, left)} more of ${left} columns`;
      this.draw();
    };
    this.element = el("div", { className: "table" }, this.list, more);
    show();
  }

  add(column, variable) {
    const row = new Column(this.session, column, variable, this.rows.length);
    this.rows.push(row);
    this.list.append(row.element);
  }

  draw() {
    const average = this.session.average();
    for (const row of this.rows) row.draw(average);
  }
}

class Column {
  constructor(session, column, variable, index) {
    Object.assign(this, { session, column, variable });
    const id = `column-${index}`;
    this.control = this.makeControl(id);
    this.value = el("output", { className: "value" });
    this.check = el("input", { type: "checkbox", onchange: () => this.toggle(),
      disabled: !session.model.clamps, "aria-label": `Hold ${column.name}` });
    this.bars = this.makeBars();
    this.element = el("div", { className: "column" },
      el("label", { className: "name", htmlFor: id, title: column.name }, column.name),
      el("div", { className: "set" }, this.control, this.value),
      el("label", { className: "hold" }, this.check, " hold"),
      el("div", { className: "bars" }, ...this.bars.map(({ element }) => element)));
  }

  makeControl(id) {
    const { column } = this;
    const oninput = () => this.hold();
    const disabled = !this.session.model.clamps;
    if (!column.labels) {
      const { low, high, mean, scale } = column;
      const step = (high - low) / 200;
      return el("input", { id, type: "range", min: low * scale + mean, max: high * scale + mean, step: step * scale, oninput, disabled });
    }
    if (column.labels.length === 2) return el("input", { id, type: "checkbox", role: "switch", className: "switch", oninput, disabled });
    return el("select", { id, oninput, disabled }, ...column.labels.map((label, k) => el("option", { value: String(k) }, label)));
  }

  /** One bar per state; for numbers the mean on the scale of the slider. */
  makeBars() {
    const labels = this.column.labels ?? [""];
    const shown = labels.length === 2 ? labels.slice(1) : labels;
    return shown.map((label) => {
      const [fill, number] = [el("i"), el("output")];
      return { fill, number, element: el("div", { className: "bar" }, el("span", {}, label), el("div", {}, fill), number) };
    });
  }

  /** Values of the units of this variable when the control is as it is. */
  chosen() {
    const { column, variable, control } = this;
    if (!column.labels) return [(Number(control.value) - column.mean) / column.scale];
    const code = column.labels.length === 2 ? Number(control.checked) : Number(control.value);
    if (variable.states === 1) return [column.states[code]];
    return Array.from({ length: variable.states }, (_, k) => Number(k === code));
  }

  hold() {
    this.check.checked = true;
    this.chosen().forEach((value, k) => this.session.hold(0, this.variable.start + k, value));
    this.draw(this.session.average());
  }

  toggle() {
    if (this.check.checked) this.hold();
    else for (let i = this.variable.start; i < this.variable.end; i++) this.session.hold(0, i, undefined);
  }

  draw(average) {
    const { column, variable, control, bars } = this;
    const { start, end, states } = variable;
    const held = this.session.isHeld(0, start);
    this.element.classList.toggle("held", held);
    this.check.checked = held;
    const s = this.session.chains[0].state[0];
    if (!column.labels) {
      const outside = (value) => value * column.scale + column.mean;
      // As many as the steps of the slider have, 200 over the range.
      const digits = Math.min(20, Math.max(0, Math.ceil(-Math.log10((column.scale * (column.high - column.low)) / 200))));
      const written = (value) => {
        const text = value.toFixed(digits);
        return text.length > 9 ? value.toExponential(3) : text; // as many as fit
      };
      if (!held) control.value = outside(s[start]);
      this.value.value = written(outside(s[start]));
      const share = (average[start] - column.low) / (column.high - column.low);
      bars[0].fill.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
      bars[0].number.value = `mean ${written(outside(average[start]))}`;
      return;
    }
    const code = states === 1 ? Number(s[start] > 0) : s.subarray(start, end).indexOf(1);
    if (control.type === "checkbox") control.checked = code === 1;
    else control.value = String(code);
    this.value.value = control.type === "checkbox" ? column.labels[code] : "";
    bars.forEach(({ fill, number }, k) => {
      // Of a unit with two states the bar is the upper one's.
      const [low, high] = column.states ?? [0, 1];
      const p = states === 1 ? (average[start] - low) / (high - low) : average[start + (bars.length === 1 ? 1 : k)];
      fill.style.width = `${100 * p}%`;
      number.value = `${(100 * p).toFixed(0)} %`;
    });
  }
}
