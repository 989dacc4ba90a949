// Columns of a table: how their values are grouped and written, and distributions over them.

import { written } from "./dom.js";

export class TableColumn {
  /** `first` is the first unit of the column, `states` the number of states of its first variable. */
  constructor(spec, first, states) {
    Object.assign(this, spec, { first, states });
    this.size = spec.bars.length + (spec.edges ? spec.edges.length - 1 : 0);
    this.values = states - Number(spec.missing); // states that are no empty cell
  }

  /** Probabilities of bars and bins, given that the cell is not empty; and that of its being empty. */
  distribution(p) {
    const shares = new Float64Array(this.size);
    const empty = this.missing ? p[this.first + this.states - 1] : 0;
    this.weights.forEach((row, k) => {
      for (let i = 0; i < row.length; i += 2) shares[row[i]] += row[i + 1] * p[this.first + k];
    });
    const total = shares.reduce((sum, share) => sum + share, 0) || 1;
    return { shares: shares.map((share) => share / total), empty };
  }

  /** The number below which a share of the probability lies, given that the cell is not empty. */
  quantile(p, share) {
    const { low } = this.cells;
    let total = 0;
    for (let k = 0; k < low.length; k++) total += p[this.first + k];
    let [before, k] = [0, 0];
    while (k < low.length - 1 && before + p[this.first + k] < share * total) before += p[this.first + k++];
    const u = (share * total - before) / Math.max(p[this.first + k], 1e-300);
    return this.valueIn(k, Math.min(1 - 1e-9, Math.max(1e-9, u)));
  }

  /** The number in a cell below which a share u of its values lies. */
  valueIn(cell, u) {
    const { low, high, rate, log } = this.cells;
    if (low[cell] === high[cell]) return low[cell];
    const r = rate[cell];
    const t = Math.abs(r) < 1e-6 ? u : -Math.log1p(u * Math.expm1(-r)) / r;
    const [from, to] = log ? [Math.asinh(low[cell]), Math.asinh(high[cell])] : [low[cell], high[cell]];
    const value = log ? Math.sinh(from + t * (to - from)) : from + t * (to - from);
    return this.decimals === null ? value : Number(value.toFixed(this.decimals));
  }

  /** The cell that holds a number, or the nearest one. */
  find(number) {
    const { low, high } = this.cells;
    let [nearest, distance] = [0, Infinity];
    for (let k = 0; k < low.length; k++) {
      const away = Math.max(low[k] - number, number - high[k], 0);
      // A point inside an interval belongs to itself.
      if (away < distance || (away === distance && low[k] === high[k])) [nearest, distance] = [k, away];
    }
    return nearest;
  }

  /** A number or a date as text. */
  text(number) {
    if (this.dates) return new Date(Math.floor(number) * 864e5).toISOString().slice(0, 10);
    return numberText(number, this.decimals);
  }

  /** The text of a bar or bin. */
  binText(k) {
    if (k < this.bars.length) return this.bars[k];
    const [from, to] = this.edges.slice(k - this.bars.length, k - this.bars.length + 2);
    return `${this.text(from)} to ${this.text(to)}`;
  }
}

/** A number with its decimals, or four digits; commas where there are many digits. */
export function numberText(number, decimals = null) {
  const size = Math.abs(number);
  if (size && (size < 1e-4 || size >= 1e9)) return number.toExponential(2).replaceAll("-", "\u2212");
  const digits = decimals ?? (size >= 1000 || !size ? 0 : Math.min(6, 3 - Math.floor(Math.log10(size))));
  let text = written(number, digits);
  if (decimals === null && text.includes(".")) text = text.replace(/\.?0+$/, "");
  return size < 10_000 ? text : text.replace(/\d(?=(\d{3})+(\.|$))/g, "$&,");
}

/** A share as text: whole per cent, or what can be told from 0 and from 100. */
export function percent(share) {
  const unit = "\u00a0%";
  if (share <= 0 || share >= 1) return `${share <= 0 ? 0 : 100}${unit}`;
  if (share < 0.0005) return `<0.1${unit}`;
  if (share > 0.9995) return `>99.9${unit}`;
  return (100 * share).toFixed(share < 0.0095 || share > 0.9905 ? 1 : 0) + unit;
}
