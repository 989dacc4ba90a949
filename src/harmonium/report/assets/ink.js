// Numbers as colours, which are those of the style sheet, light or dark.

const NAMES = ["paper", "ink", "hold-off", "hold-on", "negative", "zero", "positive"];

let colours = null;

/** The colours by name as [red, green, blue]. */
export function palette() {
  if (colours === null) {
    const style = getComputedStyle(document.documentElement);
    colours = {};
    for (const name of NAMES) {
      const hex = style.getPropertyValue(`--${name}`).trim();
      colours[name] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    }
  }
  return colours;
}

/** Calls back when light turns to dark or back. */
export function onTheme(repaint) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colours = null;
    repaint();
  });
}

/** Paint `pixels` numbers, each mix(k) = [from, to, share], onto a canvas of that many pixels. */
export function paint(canvas, mix) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const { data } = image;
  for (let k = 0; k < canvas.width * canvas.height; k++) {
    const [from, to, share] = mix(k);
    const part = Math.min(1, Math.max(0, share));
    for (let c = 0; c < 3; c++) data[4 * k + c] = from[c] + part * (to[c] - from[c]);
    data[4 * k + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** States between low and high from paper to ink; what is held is tinted. */
export function paintStates(canvas, values, { low = 0, high = 1, held = null }) {
  const { paper, ink, "hold-off": off, "hold-on": on } = palette();
  paint(canvas, (k) => {
    if (k >= values.length) return [paper, paper, 0];
    const share = (values[k] - low) / (high - low);
    return held?.mask[k] ? [off, on, share] : [paper, ink, share];
  });
}

/** Weights about zero, `limit` being full colour. */
export function paintWeights(canvas, weights, limit) {
  const { negative, zero, positive } = palette();
  paint(canvas, (k) =>
    k < weights.length ? [zero, weights[k] < 0 ? negative : positive, Math.abs(weights[k]) / limit] : [zero, zero, 0]);
}
