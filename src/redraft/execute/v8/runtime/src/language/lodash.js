// `_`: the everyday part of underscore and lodash.
//
// In: lists, objects, functions. Out: the usual helpers by their usual names, and `_(x).map(...)` and `_.chain`. Made
// on first use. Not guaranteed: deep paths, templates, and what only newer versions have.

import { guard, later, now } from "../time/clock.js";
import { Array, Date, hide, Map, Math, Number, Object, parseFloat, Set, String } from "./lists.js";
import { nextRandom } from "./random.js";

const isFunction = (value) => typeof value === "function";
const isObject = (value) => isFunction(value) || (typeof value === "object" && value !== null);
const isListLike = (value) => isObject(value) && !isFunction(value) && typeof value.length === "number"
  && value !== globalThis;
const has = (target, key) => target != null && Object.prototype.hasOwnProperty.call(target, key);
const keysOf = (target) => (isObject(target) ? Object.keys(target) : []);
const valuesOf = (target) => (target == null ? [] : isListLike(target) || typeof target === "string"
  ? Array.from(target) : keysOf(target).map((key) => target[key]));
const matcher = (wanted) => (item) => item != null && keysOf(wanted).every((key) => item[key] === wanted[key]);
// A function, a property's name or an object to match, as most helpers take.
const iteratee = (fn) => (fn == null ? (value) => value : isFunction(fn) ? fn : isObject(fn) ? matcher(fn)
  : (item) => item?.[fn]);
const pairsOf = (target) => (isListLike(target) || typeof target === "string"
  ? Array.from(target, (value, i) => [i, value]) : keysOf(target).map((key) => [key, target[key]]));
const overPairs = (method) => (target, fn, context) => {
  const call = iteratee(fn);
  return pairsOf(target)[method](([key, value]) => call.call(context, value, key, target));
};
const compare = (a, b) => (a > b || a === undefined ? 1 : a < b || b === undefined ? -1 : 0);

function flatten(list, shallow, out = []) {
  for (const item of valuesOf(list)) {
    if (!Array.isArray(item)) out.push(item);
    else if (shallow) out.push(...item);
    else flatten(item, false, out);
  }
  return out;
}

function cloneDeep(value, seen = new Map()) {
  if (!isObject(value) || isFunction(value) || seen.has(value)) return seen.get(value) ?? value;
  const copy = Array.isArray(value) ? [] : value instanceof Date ? new Date(+value) : {};
  seen.set(value, copy);
  for (const key of keysOf(value)) copy[key] = cloneDeep(value[key], seen);
  return copy;
}

function isEqual(a, b) {
  if (a === b || (a !== a && b !== b)) return true;
  if (!isObject(a) || !isObject(b) || isFunction(a) || Array.isArray(a) !== Array.isArray(b)) return false;
  if (a instanceof Date && b instanceof Date) return +a === +b;
  const keys = keysOf(a);
  return keys.length === keysOf(b).length && keys.every((key) => has(b, key) && isEqual(a[key], b[key]));
}

const extreme = (better) => (target, fn) => {
  const call = iteratee(fn);
  let best = better === Math.max ? -Infinity : Infinity;
  let bestKey = best;
  for (const value of valuesOf(target)) {
    const key = call(value);
    if (better === Math.max ? key > bestKey : key < bestKey) { best = value; bestKey = key; }
  }
  return best;
};

const grouping = (add) => (target, fn) => {
  const call = iteratee(fn);
  const out = {};
  for (const value of valuesOf(target)) add(out, call(value), value);
  return out;
};

function uniq(list, sorted, fn) {
  const call = iteratee(isFunction(sorted) ? sorted : fn);
  const seen = new Set();
  return valuesOf(list).filter((value) => {
    const key = call(value);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

const COLLECTIONS = {
  each(target, fn, context) {
    for (const [key, value] of pairsOf(target)) if (fn.call(context, value, key, target) === false) break;
    return target;
  },
  map: overPairs("map"),
  filter: (target, fn, context) => { const call = iteratee(fn);
    return pairsOf(target).filter(([key, value]) => call.call(context, value, key, target)).map((pair) => pair[1]); },
  reject: (target, fn, context) => { const call = iteratee(fn);
    return pairsOf(target).filter(([key, value]) => !call.call(context, value, key, target)).map((pair) => pair[1]); },
  find: (target, fn, context) => { const call = iteratee(fn);
    return pairsOf(target).find(([key, value]) => call.call(context, value, key, target))?.[1]; },
  findIndex: (list, fn) => valuesOf(list).findIndex((value, i) => iteratee(fn)(value, i, list)),
  some: overPairs("some"), every: overPairs("every"),
  reduce: (target, fn, start) => { const values = valuesOf(target); return start === undefined ? values.reduce(fn)
    : values.reduce(fn, start); },
  reduceRight: (target, fn, start) => { const values = valuesOf(target); return start === undefined
    ? values.reduceRight(fn) : values.reduceRight(fn, start); },
  contains: (target, item) => (typeof target === "string" ? target.includes(item) : valuesOf(target).includes(item)),
  invoke: (target, name, ...args) => valuesOf(target).map((value) => (isFunction(name) ? name
    : value[name]).apply(value, args)),
  pluck: (target, name) => valuesOf(target).map((value) => value?.[name]),
  where: (target, wanted) => valuesOf(target).filter(matcher(wanted)),
  findWhere: (target, wanted) => valuesOf(target).find(matcher(wanted)),
  max: extreme(Math.max), min: extreme(Math.min),
  sortBy: (target, fn) => { const call = iteratee(fn);
    return valuesOf(target).map((value) => [call(value), value]).sort((a, b) => compare(a[0], b[0])).map((pair) =>
    pair[1]); },
  groupBy: grouping((out, key, value) => { (out[key] ??= []).push(value); }),
  countBy: grouping((out, key) => { out[key] = (out[key] ?? 0) + 1; }),
  indexBy: grouping((out, key, value) => { out[key] = value; }),
  shuffle(target) {
    const list = valuesOf(target);
    for (let i = list.length - 1; i > 0; i--) { const j = Math.floor(nextRandom() * (i + 1));
      [list[i], list[j]] = [list[j], list[i]]; }
    return list;
  },
  sample: (target, n) => { const list = COLLECTIONS.shuffle(target); return n === undefined ? list[0]
    : list.slice(0, n); },
  partition: (target, fn) => [COLLECTIONS.filter(target, fn), COLLECTIONS.reject(target, fn)],
  toArray: valuesOf,
  size: (target) => valuesOf(target).length,
};

const LISTS = {
  first: (list, n) => (n === undefined ? list?.[0] : valuesOf(list).slice(0, n)),
  last: (list, n) => (n === undefined ? list?.[list.length - 1] : valuesOf(list).slice(-n)),
  initial: (list, n = 1) => valuesOf(list).slice(0, -n),
  rest: (list, n = 1) => valuesOf(list).slice(n),
  compact: (list) => valuesOf(list).filter(Boolean),
  flatten, uniq,
  without: (list, ...items) => valuesOf(list).filter((item) => !items.includes(item)),
  difference: (list, ...others) => valuesOf(list).filter((item) => !flatten(others).includes(item)),
  union: (...lists) => uniq(flatten(lists, true)),
  intersection: (list, ...others) => uniq(list).filter((item) => others.every((other) => other.includes(item))),
  zip: (...lists) => Array.from({ length: Math.max(0, ...lists.map((list) => list.length)) },
    (none, i) => lists.map((list) => list[i])),
  object: (names, values) => Object.fromEntries(values ? names.map((name, i) => [name, values[i]]) : names),
  indexOf: (list, item) => valuesOf(list).indexOf(item),
  lastIndexOf: (list, item) => valuesOf(list).lastIndexOf(item),
  sortedIndex: (list, item, fn) => { const call = iteratee(fn);
    return valuesOf(list).filter((other) => call(other) < call(item)).length; },
  range(start, stop, step = 1) {
    const [from, to] = stop === undefined ? [0, start] : [start, stop];
    const out = [];
    if (step !== 0) for (let i = from; step > 0 ? i < to : i > to; i += step) out.push(i);
    return out;
  },
};

const FUNCTIONS = {
  bind: (fn, ...args) => fn.bind(...args),
  bindAll(target, ...names) { for (const name of flatten(names)) target[name] = target[name].bind(target);
    return target; },
  partial: (fn, ...given) => function partial(...args) { return fn.apply(this, [...given, ...args]); },
  memoize(fn, hash) {
    const known = {};
    return function memo(...args) { const key = hash ? hash.apply(this, args) : args[0]; return has(known, key)
      ? known[key] : (known[key] = fn.apply(this, args)); };
  },
  delay: (fn, ms, ...args) => later(() => guard(() => fn(...args)), ms),
  defer: (fn, ...args) => later(() => guard(() => fn(...args)), 1),
  debounce(fn, ms) {
    let ticket = 0;
    return (...args) => { const mine = ++ticket; later(() => { if (mine === ticket) guard(() => fn(...args)); }, ms); };
  },
  throttle(fn, ms) {
    let next = -Infinity;
    return (...args) => { if (now() >= next) { next = now() + ms; return fn(...args); } return undefined; };
  },
  once: (fn) => { let done = false; let value; return (...args) => { if (!done) { done = true; value = fn(...args);
    } return value; }; },
  after: (n, fn) => { let left = n; return (...args) => (--left < 1 ? fn(...args) : undefined); },
  before: (n, fn) => { let left = n; let value; return (...args) => { if (--left > 0) value = fn(...args);
    return value; }; },
  wrap: (fn, wrapper) => (...args) => wrapper(fn, ...args),
  compose: (...fns) => (...args) => fns.reduceRight((value, fn, i) => (i === fns.length - 1 ? fn(...args)
    : fn(value)), undefined),
  negate: (fn) => (...args) => !fn(...args),
};

const OBJECTS = {
  keys: keysOf, values: (target) => keysOf(target).map((key) => target[key]), pairs: (target) =>
    keysOf(target).map((key) => [key, target[key]]),
  invert: (target) => Object.fromEntries(keysOf(target).map((key) => [target[key], key])),
  functions: (target) => { const out = []; for (const key in target) if (isFunction(target[key])) out.push(key);
    return out.sort(); },
  extend: (target, ...sources) => { for (const source of sources) for (const key in source) target[key] = source[key];
    return target; },
  defaults: (target, ...sources) => {
    for (const source of sources) for (const key in source) if (target[key] === undefined) target[key] = source[key];
    return target; },
  pick: (target, ...names) =>
    Object.fromEntries(keysOf(target).filter((key) => (isFunction(names[0]) ? names[0](target[key], key)
    : flatten(names).includes(key))).map((key) => [key, target[key]])),
  omit: (target, ...names) =>
    Object.fromEntries(keysOf(target).filter((key) => !flatten(names).includes(key)).map((key) => [key, target[key]])),
  clone: (value) => (!isObject(value) ? value : Array.isArray(value) ? value.slice() : { ...value }),
  cloneDeep: (value) => cloneDeep(value), tap: (value, fn) => { fn(value); return value; }, has, isEqual,
  matches: matcher, property: (name) => (item) => item?.[name],
  isEmpty: (value) => value == null || valuesOf(value).length === 0,
  isElement: (value) => value?.nodeType === 1, isArray: Array.isArray, isObject, isFunction,
  isString: (value) => typeof value === "string", isNumber: (value) => typeof value === "number",
    isBoolean: (value) => typeof value === "boolean",
  isDate: (value) => value instanceof Date, isRegExp: (value) => value instanceof RegExp, isNaN: (value) =>
    value !== value,
  isFinite: (value) => Number.isFinite(parseFloat(value)), isNull: (value) => value === null, isUndefined: (value) =>
    value === undefined,
};

let counter = 0;
const UTILITIES = {
  identity: (value) => value, constant: (value) => () => value, noop() {},
  times: (n, fn) => Array.from({ length: Math.max(0, n) }, (none, i) => fn(i)),
  random: (from, to) => (to === undefined ? Math.floor(nextRandom() * (from + 1)) : from
    + Math.floor(nextRandom() * (to - from + 1))),
  uniqueId: (prefix = "") => `${prefix}${++counter}`, now: () => globalThis.Date.now(), iteratee,
  escape: (text) => `${text}`.replace(/[&<>"'`]/g, (c) => `&#${c.charCodeAt(0)};`),
  unescape: (text) => `${text}`.replace(/&#(\d+);/g, (whole, code) => String.fromCharCode(code)),
  result: (target, name) => (isFunction(target?.[name]) ? target[name]() : target?.[name]),
  capitalize: (text) => `${text}`.charAt(0).toUpperCase() + `${text}`.slice(1),
};

const ALIASES = {
  forEach: "each", collect: "map", select: "filter", detect: "find", any: "some", all: "every",
  foldl: "reduce", inject: "reduce",
  foldr: "reduceRight", include: "contains", includes: "contains", head: "first", take: "first",
  tail: "rest", drop: "rest", unique: "uniq",
  zipObject: "object", methods: "functions", assign: "extend", entries: "pairs", keyBy: "indexBy",
};

/** Makes `_`. */
export function makeLodash() {
  function _(value) { return new Wrapper(value, false); }
  class Wrapper {
    constructor(value, chained) { this.wrapped = value; this.chained = chained; }
    value() { return this.wrapped; }
    chain() { return new Wrapper(this.wrapped, true); }
  }
  const all = Object.assign({}, COLLECTIONS, LISTS, FUNCTIONS, OBJECTS, UTILITIES);
  for (const alias of Object.keys(ALIASES)) all[alias] = all[ALIASES[alias]];
  const add = (name, fn) => {
    _[name] = fn;
    hide(Wrapper.prototype, name, function method(...args) {
      const result = fn(this.wrapped, ...args);
      return this.chained ? new Wrapper(result, true) : result;
    });
  };
  for (const name of Object.keys(all)) add(name, all[name]);
  _.chain = (value) => new Wrapper(value, true);
  _.mixin = (source) => { for (const name of Object.keys(source)) add(name, source[name]); return _; };
  _.noConflict = () => _;
  _.VERSION = "2.4.1";
  _.prototype = Wrapper.prototype;
  return _;
}

