// What follows from some columns: the distribution of every variable given the states of others.
//
// `ask(evidence)` takes the state of each variable, -1 where it is not known, and sets `p`, the probability of each
// state of each variable; `done` says whether this is the answer, or `refine()` makes it better.

import { Machine } from "./machine.js";
import { Session } from "./session.js";

export function starts(states) {
  let sum = 0;
  return states.map((count) => (sum += count) - count);
}

/** Softmax of the logits of each variable; one-hot where its state is known. */
function probabilities(logits, states, evidence) {
  const p = new Float64Array(logits.length);
  starts(states).forEach((start, i) => {
    if (evidence[i] >= 0) return void (p[start + evidence[i]] = 1);
    let [highest, sum] = [-Infinity, 0];
    for (let k = start; k < start + states[i]; k++) highest = Math.max(highest, logits[k]);
    for (let k = start; k < start + states[i]; k++) sum += p[k] = Math.exp(logits[k] - highest);
    for (let k = start; k < start + states[i]; k++) p[k] /= sum;
  });
  return p;
}

const LEAST_VARIANCE = 1e-3;
const LEAST_ODDS = 60;

/** An order-agnostic network on top of a Gaussian copula: one pass of the network. */
class CopulaNetwork {
  constructor(spec, states, floats) {
    Object.assign(this, spec, { states, first: starts(states), done: true });
    this.layers = spec.layers.map(({ rows, columns, weights, bias }) => ({
      rows, columns, W: floats(weights, rows * columns), b: bias === null ? null : floats(bias, rows),
    }));
  }

  ask(evidence) {
    const { states, first, ordered, scores, field } = this;
    const v = new Float64Array(field.length);
    evidence.forEach((state, i) => state >= 0 && (v[first[i] + state] = 1));
    const mask = evidence.map((state) => Number(state >= 0));
    const { z, mean, variance, before } = this.given(evidence);
    let h = [...v, ...mask, ...z, ...mean, ...variance.map((s) => 0.5 * Math.log(s))];
    this.layers.forEach(({ rows, columns, W, b }, depth) => {
      const out = new Float64Array(rows);
      const on = [];
      for (let j = 0; j < columns; j++) if (h[j] !== 0) on.push(j);
      for (let i = 0; i < rows; i++) {
        let sum = b ? b[i] : 0;
        for (const j of on) sum += W[i * columns + j] * h[j];
        out[i] = depth < this.layers.length - 1 ? Math.max(0, sum) : sum;
      }
      h = out;
    });
    const logits = h.map((x, k) => x + field[k]);
    ordered.forEach((i, k) => {
      const [slope, square] = [mean[k] / variance[k], 0.5 * (1 / before[k] - 1 / variance[k])];
      for (let unit = first[i]; unit < first[i] + states[i]; unit++) {
        const odds = slope * scores[unit] + square * scores[unit] ** 2 - (0.5 * mean[k] ** 2) / variance[k];
        logits[unit] += Math.max(-LEAST_ODDS, odds);
      }
    });
    this.p = probabilities(logits, states, evidence);
  }

  /** Scores of what is known; mean and variance of the others given them, and their variance given nothing. */
  given(evidence) {
    const { ordered, covariance: c, within, scores, first } = this;
    const n = ordered.length;
    const seen = [];
    ordered.forEach((i, k) => evidence[i] >= 0 && seen.push(k));
    const z = ordered.map((i) => (evidence[i] >= 0 ? scores[first[i] + evidence[i]] : 0));
    const L = cholesky(seen.map((i) => seen.map((j) => c[i * n + j] + (i === j ? LEAST_VARIANCE * 1e-3 : 0))));
    const target = solve(L, seen.map((i) => z[i]));
    const [mean, variance, before] = [new Array(n).fill(0), new Array(n).fill(1), new Array(n).fill(1)];
    ordered.forEach((i, k) => {
      if (evidence[i] >= 0) return;
      const weights = solve(L, seen.map((j) => c[j * n + k]));
      mean[k] = weights.reduce((sum, w, j) => sum + w * target[j], 0);
      const left = c[k * n + k] - weights.reduce((sum, w) => sum + w * w, 0);
      variance[k] = Math.max(LEAST_VARIANCE, left) + within[k];
      before[k] = Math.max(LEAST_VARIANCE, c[k * n + k]) + within[k];
    });
    return { z, mean, variance, before };
  }
}

function cholesky(a) {
  const L = a.map((row) => row.map(() => 0));
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i][j];
      for (let k = 0; k < j; k++) sum -= L[i][k] * L[j][k];
      L[i][j] = i === j ? Math.sqrt(sum) : sum / L[j][j];
    }
  }
  return L;
}

/** x with L x = b. */
function solve(L, b) {
  const x = [];
  for (let i = 0; i < b.length; i++) {
    let sum = b[i];
    for (let k = 0; k < i; k++) sum -= L[i][k] * x[k];
    x.push(sum / L[i][i]);
  }
  return x;
}

/** A mixture of independent variables: the components that fit what is known. */
class Mixture {
  constructor(spec, states, floats) {
    Object.assign(this, { states, first: starts(states), weights: spec.weights, done: true });
    const size = spec.field.length;
    const none = states.map(() => -1);
    this.components = spec.weights.map((_, k) => {
      const x = floats(spec.inputs + k * size, size);
      return probabilities(Float64Array.from(x, (value, unit) => value + spec.field[unit]), states, none);
    });
  }

  ask(evidence) {
    const { components, first, weights } = this;
    const joint = components.map((q, k) =>
      evidence.reduce((sum, state, i) => (state >= 0 ? sum + Math.log(q[first[i] + state]) : sum), weights[k]));
    const highest = Math.max(...joint);
    const share = joint.map((value) => Math.exp(value - highest));
    const total = share.reduce((sum, value) => sum + value, 0);
    this.p = new Float64Array(components[0].length);
    components.forEach((q, k) => q.forEach((value, unit) => (this.p[unit] += (share[k] / total) * value)));
    evidence.forEach((state, i) => {
      if (state < 0) return;
      this.p.fill(0, first[i], first[i] + this.states[i]);
      this.p[first[i] + state] = 1;
    });
  }
}

const [CHAINS, SETTLING, SWEEPS] = [96, 30, 120];

/** A machine: chains of Gibbs sampling in which what is known is held, and the mean of their conditional means. */
class Chains {
  constructor(spec, states, floats) {
    const model = new Machine(spec.machine, floats);
    this.first = starts(states);
    this.starts = spec.starts.map((row) => {
      const v = new Float32Array(model.layers[0].size);
      row.forEach((state, i) => (v[this.first[i] + state] = 1));
      return v;
    });
    this.session = new Session(model, this.starts, CHAINS);
    this.states = states;
  }

  ask(evidence) {
    const { session, states, first } = this;
    session.release(0);
    session.begin(this.starts);
    evidence.forEach((state, i) => {
      if (state < 0) return;
      for (let k = 0; k < states[i]; k++) session.hold(0, first[i] + k, Number(k === state));
    });
    [this.swept, this.done] = [0, false];
    this.refine();
  }

  refine() {
    this.session.sweep();
    this.swept++;
    if (this.swept === SETTLING) this.session.forget();
    this.done = this.swept >= SETTLING + SWEEPS;
    this.p = this.session.average();
  }
}

const ANSWERING = { CopulaNetwork, Mixture, Chains };

export function answering(spec, states, floats) {
  return new ANSWERING[spec.kind](spec, states, floats);
}
