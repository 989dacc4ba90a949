// A deep belief network: directed layers under one restricted Boltzmann machine.  A sweep is one of the top machine,
// followed by a pass down through the machines below.

import { Machine, keep } from "./machine.js";

export class Stack {
  constructor(spec, floats) {
    this.machines = spec.machines.map((machine) => new Machine(machine, floats));
    this.encoders = spec.encoders ? spec.encoders.map((machine) => new Machine(machine, floats)) : this.machines;
    this.top = this.machines.at(-1);
    this.below = this.machines.length - 1; // directed layers
    this.layers = [this.machines[0].layers[0], ...this.machines.map((machine) => machine.layers[1])];
    this.layers.forEach((layer, k) => (layer.name = k ? `hidden${k}` : "visible"));
    this.clamps = false; // given some visible units, the directed layers are no chain that a sweep could walk
  }

  /** The generative machine that couples layer k with layer k + 1, as couplings of all layers. */
  get couplings() {
    return this.machines.map((machine, k) => ({ ...machine.couplings[0], a: k, b: k + 1 }));
  }

  sweep(state, means, held, beta, random) {
    const { below, top } = this;
    top.sweep(state.slice(below), means.slice(below), held.slice(below), beta, random);
    for (let k = below - 1; k >= 0; k--) {
      const [machine, pair] = [this.machines[k], state.slice(k, k + 2)];
      machine.receive(0, pair);
      machine.layers[0].update(machine.layers[0].parts, 1, means[k], state[k], random);
      keep(held[k], state[k], means[k]);
    }
  }

  /** Upwards by the recognition model. */
  complete(state, means, held, random) {
    this.encoders.forEach((machine, k) => {
      machine.receive(1, state.slice(k, k + 2));
      machine.layers[1].update(machine.layers[1].parts, 1, means[k + 1], state[k + 1], random);
      keep(held[k + 1], state[k + 1], means[k + 1]);
    });
  }

  /** Of the top machine. */
  freeEnergy(state) {
    return this.top.freeEnergy(state.slice(this.below));
  }

  energy(state) {
    return this.top.energy(state.slice(this.below));
  }
}
