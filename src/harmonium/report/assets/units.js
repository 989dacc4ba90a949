// What a unit can be.  Given its field eta (bias and input) and curvature c, a unit has the density
//
//     p(s | eta) = exp(eta s + c s^2 - A(eta, c)).
//
// Every kind answers for the units from ... to - 1 of a layer: mean (written to out), draw (from a mean that is known)
// and cumulant (the sum of A).  An inverse temperature beta has multiplied eta already; c is still to be multiplied.

const Bernoulli = {
  mean(out, eta, c, beta, from, to) {
    for (let i = from; i < to; i++) {
      const t = Math.exp(-Math.abs(eta[i]));
      out[i] = (eta[i] < 0 ? t : 1) / (1 + t);
    }
  },
  draw(out, mean, eta, c, beta, from, to, states, random) {
    for (let i = from; i < to; i++) out[i] = random.uniform() < mean[i] ? 1 : 0;
  },
  cumulant(eta, c, from, to) {
    let sum = 0;
    for (let i = from; i < to; i++) sum += Math.max(eta[i], 0) + Math.log1p(Math.exp(-Math.abs(eta[i])));
    return sum;
  },
};

const Spin = {
  mean(out, eta, c, beta, from, to) {
    for (let i = from; i < to; i++) out[i] = Math.tanh(eta[i]);
  },
  draw(out, mean, eta, c, beta, from, to, states, random) {
    for (let i = from; i < to; i++) out[i] = 2 * random.uniform() - 1 < mean[i] ? 1 : -1;
  },
  cumulant(eta, c, from, to) {
    let sum = 0;
    for (let i = from; i < to; i++) sum += Math.abs(eta[i]) + Math.log1p(Math.exp(-2 * Math.abs(eta[i])));
    return sum;
  },
};

const Gaussian = {
  mean(out, eta, c, beta, from, to) {
    for (let i = from; i < to; i++) out[i] = eta[i] / (-2 * beta * c[i]);
  },
  draw(out, mean, eta, c, beta, from, to, states, random) {
    for (let i = from; i < to; i++) out[i] = mean[i] + random.normal() / Math.sqrt(-2 * beta * c[i]);
  },
  cumulant(eta, c, from, to) {
    let sum = 0;
    for (let i = from; i < to; i++) sum += eta[i] ** 2 / (-4 * c[i]) + 0.5 * Math.log(-Math.PI / c[i]);
    return sum;
  },
};

// A normal variable of mean mu and deviation sigma, cut off below 0; alpha = -mu / sigma.
const ReLU = {
  mean(out, eta, c, beta, from, to) {
    for (let i = from; i < to; i++) {
      const sigma = 1 / Math.sqrt(-2 * beta * c[i]);
      out[i] = sigma * normalBeyond(-eta[i] * sigma).excess;
    }
  },
  draw(out, mean, eta, c, beta, from, to, states, random) {
    for (let i = from; i < to; i++) {
      const sigma = 1 / Math.sqrt(-2 * beta * c[i]);
      out[i] = sigma * drawBeyond(-eta[i] * sigma, random);
    }
  },
  cumulant(eta, c, from, to) {
    let sum = 0;
    for (let i = from; i < to; i++) {
      const sigma = 1 / Math.sqrt(-2 * c[i]);
      sum += normalBeyond(-eta[i] * sigma).logScaled + Math.log(sigma);
    }
    return sum;
  },
};

// Groups of units of which one is on.
const Categorical = {
  mean(out, eta, c, beta, from, to, states) {
    for (let start = from; start < to; start += states) {
      const { highest, sum } = groupSum(eta, start, states);
      for (let i = start; i < start + states; i++) out[i] = Math.exp(eta[i] - highest) / sum;
    }
  },
  draw(out, mean, eta, c, beta, from, to, states, random) {
    for (let start = from; start < to; start += states) {
      out.fill(0, start, start + states);
      let [left, chosen] = [random.uniform(), start];
      while (left >= mean[chosen] && chosen < start + states - 1) left -= mean[chosen++];
      out[chosen] = 1;
    }
  },
  cumulant(eta, c, from, to, states) {
    let total = 0;
    for (let start = from; start < to; start += states) {
      const { highest, sum } = groupSum(eta, start, states);
      total += highest + Math.log(sum);
    }
    return total;
  },
};

export const KINDS = { Bernoulli, Spin, Gaussian, ReLU, Categorical };

function groupSum(eta, start, states) {
  let [highest, sum] = [-Infinity, 0];
  for (let i = start; i < start + states; i++) highest = Math.max(highest, eta[i]);
  for (let i = start; i < start + states; i++) sum += Math.exp(eta[i] - highest);
  return { highest, sum };
}

/**
 * Of a standard normal Z beyond alpha: excess = E[Z - alpha | Z > alpha], and logScaled, the logarithm of
 * sqrt(2 pi) exp(alpha^2 / 2) P(Z > alpha), which is the integral over s > 0 of exp(-alpha s - s^2 / 2).
 */
function normalBeyond(alpha) {
  if (alpha > 3) {
    // Laplace's continued fraction: nothing cancels however far out.
    let tail = alpha;
    for (let k = 60; k >= 2; k--) tail = alpha + k / tail;
    return { excess: 1 / tail, logScaled: -Math.log(alpha + 1 / tail) };
  }
  // P(0 < Z < |alpha|) / density(alpha) as a series of positive terms; beyond 8 it is one half but for 1e-15.
  const size = Math.min(Math.abs(alpha), 8);
  let [term, sum] = [size, size];
  for (let k = 3; term > 1e-17 * sum; k += 2) sum += term *= size ** 2 / k;
  const between = (sum * Math.exp(-0.5 * size ** 2)) / Math.sqrt(2 * Math.PI);
  const beyond = alpha > 0 ? 0.5 - between : 0.5 + between;
  const density = Math.exp(-0.5 * alpha ** 2) / Math.sqrt(2 * Math.PI);
  return { excess: density / beyond - alpha, logScaled: Math.log(beyond) + 0.5 * Math.log(2 * Math.PI) + 0.5 * alpha ** 2 };
}

/** A draw of Z - alpha given Z > alpha: by rejection, from a normal or from an exponential (Robert 1995). */
function drawBeyond(alpha, random) {
  if (alpha < 0.5) {
    for (;;) {
      const z = random.normal();
      if (z > alpha) return z - alpha;
    }
  }
  const rate = 0.5 * (alpha + Math.sqrt(alpha ** 2 + 4));
  for (;;) {
    const excess = -Math.log(random.uniform()) / rate;
    if (random.uniform() < Math.exp(-0.5 * (alpha + excess - rate) ** 2)) return excess;
  }
}
