// What jQuery trips over once a program has put a member on Object.prototype.
//
// In: nothing. Out: two checks that throw jQuery's TypeErrors. It goes through objects with `for in`, so that such a
// member comes along, and takes it for one of its own entries.

import { safeText } from "./primordials.js";
import { TypeError } from "./lists.js";

const isObject = (value) => typeof value === "function" || (typeof value === "object" && value !== null);

function refuse(name, value) {
  throw new TypeError(`Cannot use 'in' operator to search for '${name}' in ${safeText(value)}`);
}

/** Before an animation is begun. */
export function checkAnimation() {
  for (const name in {}) {
    const value = {}[name];
    if (!value) continue;
    if (!isObject(value)) refuse("expand", value);
    if (typeof value.concat !== "function") throw new TypeError("(tweeners[prop] || []).concat is not a function");
  }
}

/** Before several styles are set at once. */
export function checkStyles() {
  for (const name in {}) {
    const value = {}[name];
    if (value && !isObject(value)) refuse("set", value);
  }
}
