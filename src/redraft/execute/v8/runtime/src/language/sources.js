// What a function's text tells a program: not the token that marks END.
//
// In: the token, before the program runs. Out: Function.prototype.toString gives every text without it. A program that knew
// the token could claim to have reached its end, and the token stands in its own last line. The other ways to read that
// line are shut elsewhere: the bundle is strict (build.mjs), so that nobody sees its functions' arguments, and host.js
// leaves no pattern behind that was matched against the program.

import { defineProperty, indexOfString, sliceString, uncurry } from "./primordials.js";

const textOf = uncurry(Function.prototype.toString);
const OWN_TEXT = "function toString() { [native code] }";
let secret = null;

const { toString } = {
  toString() {
    if (this === toString) return OWN_TEXT;
    const text = textOf(this);
    return secret === null ? text : without(text, secret);
  },
};

function without(text, word) {
  let rest = text;
  for (let at = indexOfString(rest, word); at >= 0; at = indexOfString(rest, word)) {
    rest = sliceString(rest, 0, at) + sliceString(rest, at + word.length);
  }
  return rest;
}

/** From now on no function's text holds `token`. */
export function hideInSources(token) {
  secret = token === "" ? null : token;
}

export function installSources() {
  defineProperty(Function.prototype, "toString", { value: toString });
}
