// Small helpers over plain arrays and text that go on working after a program has changed Array.prototype.
//
// In: arrays (the runtime's own or a program's). Out: the usual list operations as functions, made of index loops and
// of built-ins captured at load. primordials.js holds the built-ins themselves; these are what the page's modules
// share.

import { create, defineProperty, execPattern, indexOfString, uncurry } from "./primordials.js";

/**
 * The globals that modules use by name, captured at load: `Map = []` in a program then replaces only the program's own.
 * Import them under their own names.
 */
export const {
  Array, Date, Map, Math, Number, Object, Promise, Proxy, RangeError, Reflect, Set, String, Symbol, SyntaxError,
    TypeError, WeakMap,
  encodeURIComponent, parseFloat,
} = globalThis;

const A = Array.prototype;
export const slice = uncurry(A.slice);
export const splice = uncurry(A.splice);
export const sort = uncurry(A.sort);
export const join = uncurry(A.join);
export const concat = uncurry(A.concat);
export const reverse = uncurry(A.reverse);

const S = String.prototype;
export const split = uncurry(S.split);
export const replace = uncurry(S.replace);
export const upper = uncurry(S.toUpperCase);

export const matches = (pattern, text) => execPattern(pattern, text) !== null;

export function push(list, item) {
  list[list.length] = item;
  return list.length;
}

export function indexOf(list, item) {
  for (let i = 0; i < list.length; i++) if (list[i] === item) return i;
  return -1;
}

export const includes = (list, item) => indexOf(list, item) >= 0;

export function each(list, fn) {
  for (let i = 0; i < list.length; i++) fn(list[i], i);
}

export function map(list, fn) {
  const out = [];
  for (let i = 0; i < list.length; i++) out[i] = fn(list[i], i);
  return out;
}

export function filter(list, fn) {
  const out = [];
  for (let i = 0; i < list.length; i++) if (fn(list[i], i)) out[out.length] = list[i];
  return out;
}

/** Appends all items of one list to another. */
export function pushAll(list, items) {
  for (let i = 0; i < items.length; i++) list[list.length] = items[i];
  return list;
}

/** Takes one item out of a list, if it is there. */
export function take(list, item) {
  const i = indexOf(list, item);
  if (i >= 0) splice(list, i, 1);
  return i >= 0;
}

/** Words of a text that are separated by white space. */
export const words = (text) => filter(split(`${text}`, /\s+/), (word) => word !== "");

/** A set of names: the words of a text as keys of an object without prototype. */
export function nameSet(text) {
  const set = create(null);
  each(words(text), (word) => { set[word] = true; });
  return set;
}

/** A test for being among the words of a text; cheaper to make than a set. */
export function listed(text) {
  const spaced = ` ${replace(text, /\s+/g, " ")} `;
  return (name) => typeof name === "string" && indexOfString(spaced, ` ${name} `) >= 0;
}

/** A non-enumerable property, as a program's `for in` must not see the runtime's own. */
export function hide(target, name, value) {
  defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}
