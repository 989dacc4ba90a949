// A seeded generator: sfc32 (Doty-Humphrey, PractRand), so that a session can be repeated.

export class Random {
  constructor(seed = 1) {
    [this.a, this.b, this.c, this.d, this.spare] = [0, 0, seed | 0, 1, null];
    for (let i = 0; i < 15; i++) this.word();
  }

  /** 32 random bits. */
  word() {
    const t = (this.a + this.b + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + t) | 0;
    return t >>> 0;
  }

  /** Uniform in (0, 1), never an end. */
  uniform() {
    return (this.word() + 0.5) / 2 ** 32;
  }

  /** Standard normal (Box & Muller 1958). */
  normal() {
    if (this.spare !== null) {
      const kept = this.spare;
      this.spare = null;
      return kept;
    }
    const radius = Math.sqrt(-2 * Math.log(this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}
