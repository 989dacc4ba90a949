// Tables: every column a control that shows the large chain, or holds the column at a value in all of them.

import { el, moreOf, written } from "./dom.js";

const ROWS_AT_ONCE = 40;
const LONG = 8; // letters: a longer label stands above its bar

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
      more.textContent = moreOf(ROWS_AT_ONCE, left, "column");
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
      const { low, high, mean, scale, decimals } = column;
      let [min, max, step] = [low * scale + mean, high * scale + mean, ((high - low) * scale) / 200];
      if (decimals !== null) {
        // Every value of the slider is one that the column can have.
        const unit = 10 ** -decimals;
        step = Math.max(1, Math.round(step / unit)) * unit;
        [min, max] = [this.observed(min), this.observed(max)];
      }
      return el("input", { id, type: "range", min, max, step, oninput, disabled });
    }
    if (column.labels.length === 2) return el("input", { id, type: "checkbox", role: "switch", className: "switch", oninput, disabled });
    return el("select", { id, oninput, disabled }, ...column.labels.map((label, k) => el("option", { value: String(k) }, label)));
  }

  /** A value of this column, within the range and the rounding that were observed in the data. */
  observed(value) {
    const { least, most, decimals } = this.column;
    const rounded = decimals === null ? value : Number(value.toFixed(decimals));
    return least === null || most === null ? rounded : Math.min(most, Math.max(least, rounded));
  }

  /** One bar per state, or the most frequent of many and the others together; for numbers the mean on the slider's scale. */
  makeBars() {
    const { labels, shown } = this.column;
    if (!labels) return [bar("", [], "bar number")];
    const codes = labels.length === 2 ? [1] : (shown ?? labels.map((_, k) => k));
    const long = codes.some((k) => labels[k].length > LONG) || shown;
    const bars = codes.map((k) => bar(labels[k], [k], long ? "bar long" : "bar"));
    const rest = labels.map((_, k) => k).filter((k) => !codes.includes(k));
    if (shown) bars.push(bar(`${rest.length} others`, rest, "bar long"));
    return bars;
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
      const { decimals } = column;
      // As many as the steps of the slider have, 200 over the range.
      const digits = Math.min(20, Math.max(0, Math.ceil(-Math.log10((column.scale * (column.high - column.low)) / 200))));
      const text = (value, most) => {
        const short = written(value, Math.min(digits, most));
        return short.length > 9 ? value.toExponential(3).replaceAll("-", "\u2212") : short; // as many as fit
      };
      const now = this.observed(outside(s[start]));
      if (!held) control.value = now;
      this.value.value = text(now, decimals ?? digits);
      const share = (average[start] - column.low) / (column.high - column.low);
      bars[0].fill.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
      const { least, most } = column;
      const mean = outside(average[start]); // not rounded: the mean of whole numbers is none
      bars[0].number.value = `mean ${text(least === null || most === null ? mean : Math.min(most, Math.max(least, mean)), digits)}`;
      return;
    }
    const code = states === 1 ? Number(s[start] > 0) : s.subarray(start, end).indexOf(1);
    if (control.type === "checkbox") control.checked = code === 1;
    else control.value = String(code);
    this.value.value = control.type === "checkbox" ? column.labels[code] : "";
    bars.forEach(({ fill, number, codes }) => {
      // Of a unit with two states the bar is the upper one's.
      const [low, high] = column.states ?? [0, 1];
      const p = states === 1 ? (average[start] - low) / (high - low) : codes.reduce((sum, k) => sum + average[start + k], 0);
      fill.style.width = `${100 * p}%`;
      number.value = `${(100 * p).toFixed(0)} %`;
    });
  }
}

/** A bar for some states of a column together. */
function bar(label, codes, className) {
  const [fill, number] = [el("i"), el("output")];
  return { fill, number, codes, element: el("div", { className }, el("span", { title: label }, label), el("div", {}, fill), number) };
}
