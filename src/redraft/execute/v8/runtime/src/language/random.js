// Seeded random numbers: `Math.random`, and what draws from it.
//
// In: a seed. Out: numbers in [0, 1), the same ones for the same seed (Mulberry32), until a program puts another function
// in the place of `Math.random` (with `Math.seedrandom`, npm's seedrandom, or its own). Not for cryptography.

import { floor } from "./primordials.js";

const { imul } = Math;
let state = 1;

/** Start over from a seed. */
export function seedRandom(seed) {
  state = floor(+seed || 0) | 0;
}

/** The next number in [0, 1). */
export function nextRandom() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
}

Math.random = nextRandom;
