// A Boltzmann machine: layers of units and the couplings between them, E(s) = -sum s_a . W . s_b - sum of the layers'
// own terms.  Weights are float32, sums are float64.
//
// A *state* is one Float32Array per layer.  `held` has, per layer, null or {mask, values}: units that are not drawn.

import { KINDS } from "./units.js";

export class Layer {
  constructor(spec, floats) {
    Object.assign(this, { name: spec.name, size: spec.size, shape: spec.shape });
    this.field = floats(spec.field, spec.size);
    this.curvature = spec.curvature === null ? null : floats(spec.curvature, spec.size);
    this.order = spec.order; // variables of a layer coupled to itself, in the order in which they are drawn
    this.parts = spec.parts.map((part) => ({ ...part, kind: KINDS[part.kind], name: part.kind }));
    this.variables = this.parts.flatMap(({ start, end, states, kind, name }) =>
      Array.from({ length: (end - start) / states }, (_, k) => {
        const first = start + k * states;
        return { start: first, end: first + states, states, kind, name };
      }),
    );
    this.eta = new Float64Array(spec.size);
  }

  /** Means and draws of the units of some parts, or single variables, whose fields are eta. */
  update(parts, beta, mean, state, random) {
    const { eta, curvature } = this;
    for (const { kind, start, end, states } of parts) {
      kind.mean(mean, eta, curvature, beta, start, end, states);
      if (state) kind.draw(state, mean, eta, curvature, beta, start, end, states, random);
    }
  }

  cumulant() {
    return this.parts.reduce(
      (sum, { kind, start, end, states }) => sum + kind.cumulant(this.eta, this.curvature, start, end, states), 0);
  }

  /** Minus the energy of states from this layer alone. */
  exponent(s) {
    let sum = 0;
    for (let i = 0; i < this.size; i++) sum += s[i] * this.field[i];
    if (this.curvature) for (let i = 0; i < this.size; i++) sum += s[i] ** 2 * this.curvature[i];
    return sum;
  }

  /** States inside, one number per unit, from values, one per variable: categories become one-hot. */
  encode(values) {
    const s = new Float32Array(this.size);
    this.variables.forEach(({ start, states }, i) => (states === 1 ? (s[start] = values[i]) : (s[start + values[i]] = 1)));
    return s;
  }

  decode(s) {
    return this.variables.map(({ start, end, states }) => (states === 1 ? s[start] : s.subarray(start, end).indexOf(1)));
  }
}

export class Machine {
  constructor(spec, floats) {
    this.layers = spec.layers.map((layer) => new Layer(layer, floats));
    this.colours = spec.colours;
    this.clamps = true; // whether visible units can be held
    this.couplings = spec.couplings.map(({ a, b, weights }) => {
      const [rows, columns] = [this.layers[a].size, this.layers[b].size];
      const W = floats(weights, rows * columns);
      return { a, b, W, turned: a === b ? W : transposed(W, rows, columns) };
    });
    // A product with a state of which few units are on is the sum of their rows: both orientations lie ready.
    this.senders = this.layers.map((_, layer) =>
      this.couplings.flatMap(({ a, b, W, turned }) =>
        layer === b ? [{ other: a, rows: W }] : layer === a ? [{ other: b, rows: turned }] : []),
    );
  }

  /** The fields of a layer: its bias plus what the others send, times beta.  `from` chooses among the senders. */
  receive(layer, state, beta = 1, from = () => true) {
    const { eta, field, size } = this.layers[layer];
    eta.set(field);
    for (const { other, rows } of this.senders[layer]) {
      if (!from(other)) continue;
      const s = state[other];
      for (let i = 0, row = 0; i < s.length; i++, row += size) if (s[i] !== 0) addRow(eta, rows, row, s[i]);
    }
    if (beta !== 1) for (let j = 0; j < size; j++) eta[j] *= beta;
  }

  /** E[s of a layer | the others], into `out`. */
  mean(layer, state, out = new Float64Array(this.layers[layer].size), beta = 1, from) {
    this.receive(layer, state, beta, from);
    this.layers[layer].update(this.layers[layer].parts, beta, out);
    return out;
  }

  /** One sweep of block Gibbs sampling: every colour in turn.  `means` receives the conditional means drawn from. */
  sweep(state, means, held, beta, random) {
    for (const colour of this.colours) {
      for (const layer of colour) {
        if (this.layers[layer].order) this.walk(layer, state, means[layer], held[layer], beta, random);
        else {
          this.receive(layer, state, beta);
          this.layers[layer].update(this.layers[layer].parts, beta, means[layer], state[layer], random);
          keep(held[layer], state[layer], means[layer]);
        }
      }
    }
  }

  /** The units of a layer that is coupled to itself, one after the other, each given the new states before it. */
  walk(index, state, mean, held, beta, random) {
    const [layer, s] = [this.layers[index], state[index]];
    const { rows } = this.senders[index].find(({ other }) => other === index);
    this.receive(index, state, beta);
    for (const i of layer.order) {
      const variable = layer.variables[i];
      const before = s.slice(variable.start, variable.end);
      layer.update([variable], beta, mean, s, random);
      if (held) for (let j = variable.start; j < variable.end; j++) if (held.mask[j]) s[j] = mean[j] = held.values[j];
      for (let j = variable.start; j < variable.end; j++) {
        const change = beta * (s[j] - before[j - variable.start]);
        if (change !== 0) addRow(layer.eta, rows, j * layer.size, change);
      }
    }
  }

  /** Hidden states around given visible ones, each layer drawn given those below it. */
  complete(state, means, held, random) {
    for (let layer = 1; layer < this.layers.length; layer++) {
      this.receive(layer, state, 1, (other) => other < layer);
      this.layers[layer].update(this.layers[layer].parts, 1, means[layer], state[layer], random);
      keep(held[layer], state[layer], means[layer]);
    }
  }

  /** Minus the log-weight with the layers of the first colour summed out: of an RBM the free energy of v. */
  freeEnergy(state) {
    const summed = new Set(this.colours[0]);
    let total = 0;
    this.layers.forEach((layer, index) => {
      if (summed.has(index)) {
        this.receive(index, state);
        total += layer.cumulant();
      } else total += layer.exponent(state[index]);
    });
    for (const { a, b, W } of this.couplings) {
      if (!summed.has(a) && !summed.has(b)) total += this.pair(a, b, W, state);
    }
    return -total;
  }

  /** E(s) of a joint state. */
  energy(state) {
    let total = 0;
    this.layers.forEach((layer, index) => (total += layer.exponent(state[index])));
    for (const { a, b, W } of this.couplings) total += this.pair(a, b, W, state);
    return -total;
  }

  pair(a, b, W, state) {
    const sent = new Float64Array(this.layers[b].size);
    state[a].forEach((s, i) => s !== 0 && addRow(sent, W, i * sent.length, s));
    const sum = sent.reduce((total, x, j) => total + x * state[b][j], 0);
    return a === b ? sum / 2 : sum;
  }
}

/** Put held units back to what they are held at. */
export function keep(held, state, mean) {
  if (!held) return;
  for (let i = 0; i < state.length; i++) if (held.mask[i]) state[i] = mean[i] = held.values[i];
}

function addRow(out, rows, start, scale) {
  for (let j = 0; j < out.length; j++) out[j] += scale * rows[start + j];
}

function transposed(W, rows, columns) {
  const turned = new Float32Array(W.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = W[i * columns + j];
  return turned;
}
