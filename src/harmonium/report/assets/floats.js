// The numbers of the page, as typed arrays.

/** Numbers by their place in the page: (start, count) => Float32Array. */
export function readFloats() {
  const element = document.getElementById("floats");
  const bytes = Uint8Array.from(atob(element.textContent.trim()), (letter) => letter.charCodeAt(0));
  const all = element.dataset.bits === "16" ? widened(new Uint16Array(bytes.buffer)) : new Float32Array(bytes.buffer);
  return (start, count) => all.subarray(start, start + count);
}

/** Float16 as float32: sign, five bits of exponent, ten bits of fraction. */
function widened(halves) {
  return Float32Array.from(halves, (bits) => {
    const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
  });
}
