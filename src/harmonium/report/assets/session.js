// Chains of one model under the same conditions: temperature, units that are held.

import { Random } from "./random.js";

export class Session {
  /** `starts` are visible states, one per chain at most; the first chain is the large one. */
  constructor(model, starts, chains, seed = 1) {
    this.model = model;
    this.random = new Random(seed);
    this.beta = 1;
    this.sweeps = 0;
    this.held = model.layers.map(() => null);
    this.sum = new Float64Array(model.layers[0].size); // of conditional means of the visible units, over all chains
    this.terms = 0;
    this.chains = Array.from({ length: chains }, () => ({
      state: model.layers.map(({ size }) => new Float32Array(size)),
      means: model.layers.map(({ size }) => new Float64Array(size)),
    }));
    this.begin(starts);
  }

  /** Begin all chains again, at these visible states in turn; null: at noise. */
  begin(starts) {
    const { layers } = this.model;
    this.chains.forEach(({ state, means }, k) => {
      if (starts) state[0].set(starts[k % starts.length]);
      else {
        layers[0].eta.fill(0);
        layers[0].update(layers[0].parts, 1, means[0], state[0], this.random);
      }
      this.settle(k);
    });
    this.forget();
  }

  /** Make a chain obey what is held, and draw its hidden layers again around its visible one. */
  settle(k) {
    const { state, means } = this.chains[k];
    const { held, random } = this;
    if (held[0]) held[0].mask.forEach((on, i) => on && (state[0][i] = held[0].values[i]));
    means[0].set(state[0]);
    this.model.complete(state, means, held, random);
    if (!this.model.clamps || this.model.layers.length < 3) return;
    // Layers above each other were drawn from below alone: some sweeps around the same visible units mend that.
    const still = { mask: new Uint8Array(state[0].length).fill(1), values: state[0].slice() };
    for (let k = 0; k < 5; k++) this.model.sweep(state, means, [still, ...held.slice(1)], 1, random);
  }

  /** Conditions have changed: averages start again. */
  forget() {
    this.sum.fill(0);
    this.terms = 0;
  }

  sweep() {
    for (const { state, means } of this.chains) {
      this.model.sweep(state, means, this.held, this.beta, this.random);
      for (let i = 0; i < this.sum.length; i++) this.sum[i] += means[0][i];
    }
    this.terms += this.chains.length;
    this.sweeps++;
  }

  /** The mean of p(v | rest) over chains and sweeps since conditions changed; before any sweep that of now. */
  average() {
    if (!this.terms) return this.chains[0].means[0];
    return this.sum.map((sum) => sum / this.terms);
  }

  setTemperature(temperature) {
    this.beta = 1 / temperature;
    this.forget();
  }

  /** Hold a unit of a layer at a value in all chains; undefined lets it go. */
  hold(layer, unit, value) {
    const { size } = this.model.layers[layer];
    const held = (this.held[layer] ??= { mask: new Uint8Array(size), values: new Float32Array(size) });
    held.mask[unit] = value === undefined ? 0 : 1;
    if (value !== undefined) {
      held.values[unit] = value;
      for (const { state, means } of this.chains) state[layer][unit] = means[layer][unit] = value;
    }
    this.forget();
  }

  release(layer) {
    this.held[layer] = null;
    this.forget();
  }

  isHeld(layer, unit) {
    return Boolean(this.held[layer]?.mask[unit]);
  }
}
