// What hangs on `$` itself: $.each, $.extend, $.ajax, $.Event ...
//
// In: `$` of query.js. Out: its static members. Requests over the network all fail a moment later, as they do where the
// network is blocked.

import { guard, later } from "../time/clock.js";
import { computed, cssHooks, cssNumber, dataOf, setStyle } from "../page/attributes.js";
import { Deferred, when } from "./deferred.js";
import { speeds } from "./effects.js";
import { document, hooks, Node } from "../page/elements.js";
import { makeEvent, trigger } from "../page/events.js";
import {
  Date, each, encodeURIComponent, filter, hide, indexOf, map, Math, nameSet, Object, parseFloat, push, pushAll,
  slice,
} from "../language/lists.js";
import { apply, create, getPrototypeOf, isArray, jsonParse, keys, NativeError, sliceString, toLowerCase, trim,
  uncurry } from "../language/primordials.js";
import { $, query, Query, unique } from "./query.js";
import { camel } from "../page/style.js";

const tagOf = uncurry(Object.prototype.toString);
const REQUEST_MS = 20;
const TYPES = nameSet("Boolean Number String Function Array Date RegExp Object Error");

/** jQuery's name for a value's type. */
export function typeName(value) {
  if (value === null || value === undefined) return `${value}`;
  const tag = sliceString(tagOf(value), 8, -1);
  if (typeof value !== "object" && typeof value !== "function") return typeof value;
  return TYPES[tag] ? toLowerCase(tag) : "object";
}

export function isPlainObject(value) {
  if (typeName(value) !== "object" || value instanceof Node || value === globalThis) return false;
  const prototype = getPrototypeOf(value);
  return prototype === null || getPrototypeOf(prototype) === null;
}

const isListLike = (value) => {
  if (typeof value === "function" || value === globalThis || value === null || typeof value !== "object") return false;
  return isArray(value) || value.length === 0 || (typeof value.length === "number" && value.length > 0
    && (value.length - 1) in value);
};

function eachOf(target, fn) {
  if (isListLike(target)) {
    for (let i = 0; i < target.length; i++) if (apply(fn, target[i], [i, target[i]]) === false) break;
  } else {
    for (const key in target) if (apply(fn, target[key], [key, target[key]]) === false) break;
  }
  return target;
}

function extend(...args) {
  const deep = typeof args[0] === "boolean" ? args.shift() : false;
  // With one argument `$` itself (or `$.fn`) is extended.
  const [target, ...sources] = args.length === 1 ? [this, args[0]] : args;
  const result = typeof target === "object" || typeof target === "function" ? target ?? {} : {};
  each(sources, (source) => {
    if (source === null || source === undefined) return;
    for (const key in source) {
      const value = source[key];
      if (value === undefined || value === result || key === "__proto__") continue;
      if (deep && (isPlainObject(value) || isArray(value))) {
        const old = result[key];
        result[key] = extend(true, isArray(value) ? (isArray(old) ? old : []) : isPlainObject(old) ? old : {}, value);
      } else result[key] = value;
    }
  });
  return result;
}

// A request that gets no answer: error and complete are told so, success never.
function ajax(url, options) {
  const settings = typeof url === "object" && url !== null ? url : options ?? {};
  const deferred = Deferred();
  const xhr = deferred.promise({
    readyState: 0, status: 0, statusText: "error", responseText: "", abort() { return xhr; },
    getResponseHeader: () => null, getAllResponseHeaders: () => "", setRequestHeader() { return xhr; },
  });
  const context = settings.context ?? settings;
  xhr.success = xhr.done;
  xhr.error = xhr.fail;
  xhr.complete = xhr.always;
  const answer = () => {
    if (typeof settings.error === "function") guard(() => apply(settings.error, context, [xhr, "error", ""]));
    guard(() => deferred.reject(xhr, "error", ""));
    if (typeof settings.complete === "function") guard(() => apply(settings.complete, context, [xhr, "error"]));
  };
  if (settings.async === false) answer();
  else later(answer, REQUEST_MS);
  return xhr;
}

function makeArray(value, into) {
  const out = into ?? [];
  if (value === null || value === undefined) return out;
  if (isListLike(value)) pushAll(out, value);
  else push(out, value);
  return out;
}

let guid = 1;

const STATICS = {
  each: eachOf, extend, ajax, Deferred, when, Event: makeEvent, cssHooks, cssNumber, makeArray, isPlainObject,
    type: typeName,
  map(list, fn) {
    const out = [];
    eachOf(list, (key, item) => {
      const value = fn(item, key);
      if (isArray(value)) pushAll(out, value);
      else if (value !== null && value !== undefined) push(out, value);
    });
    return out;
  },
  grep: (list, fn, invert) => filter(list, (item, i) => !!fn(item, i) !== !!invert),
  inArray: (item, list, from) => {
    for (let i = from ?? 0; list && i < list.length; i++) if (list[i] === item) return i;
    return -1;
  },
  merge(first, second) { each(second, (item) => { first[first.length] = item; }); return first; },
  isFunction: (value) => typeof value === "function",
  isArray,
  isNumeric: (value) => !isArray(value) && value - parseFloat(value) + 1 >= 0,
  isEmptyObject: (value) => { for (const key in value) return key === undefined; return true; },
  isWindow: (value) => value === globalThis,
  isXMLDoc: () => false,
  trim: (text) => (text === null || text === undefined ? "" : trim(`${text}`)),
  noop() {},
  now: () => globalThis.Date.now(),
  proxy(fn, context, ...given) {
    const [target, self] = typeof context === "string" ? [fn[context], fn] : [fn, context];
    if (typeof target !== "function") return undefined;
    return function proxied(...args) { return apply(target, self ?? this, [...given, ...args]); };
  },
  parseJSON: (text) => jsonParse(`${text}`),
  parseHTML: (html) => (typeof html === "string" && html ? hooks.parse(html) : null),
  contains: (holder, element) => holder !== element && holder instanceof Node && holder.contains(element),
  unique: (list) => unique([], list),
  error(message) { throw new NativeError(message); },
  camelCase: camel,
  nodeName: (element, name) => element.tag === toLowerCase(name),
  globalEval: (code) => (0, eval)(code),
  get: (url, data, done) => ajax({ url, success: done ?? data }),
  post: (url, data, done) => ajax({ url, success: done ?? data }),
  getJSON: (url, data, done) => ajax({ url, success: done ?? data }),
  getScript: (url, done) => ajax({ url, success: done }),
  ajaxSetup: (settings) => settings,
  ajaxPrefilter() {},
  param: (values) =>
    map(keys(values), (key) => `${encodeURIComponent(key)}=${encodeURIComponent(values[key])}`).join("&"),
  css: (element, name) => computed(element, name),
  style: setStyle,
  attr: (element, name, value) => query(element).attr(name, value),
  data(element, name, value) {
    if (name === undefined) return dataOf(element);
    if (value !== undefined) dataOf(element)[name] = value;
    return dataOf(element)[name];
  },
  removeData(element, name) { if (name === undefined) each(keys(dataOf(element)),
    (key) => { delete dataOf(element)[key]; }); else delete dataOf(element)[name]; },
  hasData: (element) => keys(dataOf(element)).length > 0,
  queue: (element, name, task) => query(element).queue(name, task),
  dequeue(element, name) { query(element).dequeue(name); },
  holdReady() {},
  ready: (fn) => query(document).ready(fn),
  noConflict: () => $,
  find: (selector, context) => slice(query(selector, context)),
  text: (elements) => query(elements).text(),
  escapeSelector: (text) => `${text}`.replace(/([^\w-])/g, "\\$1"),
};

let installed = false;
/** Puts the static members on `$`. */
export function installStatics() {
  if (installed) return;
  installed = true;
  each(keys(STATICS), (name) => { $[name] = STATICS[name]; });
  Object.assign($, {
    uniqueSort: STATICS.unique, fx: { speeds, off: false, interval: 13, step: {} }, timers: [],
      support: { turtle: true, cors: true },
    easing: { linear: (p) => p, swing: (p) => 0.5 - Math.cos(p * Math.PI) / 2 }, cssProps: {}, expando: "jQuery",
      isReady: true,
    event: { trigger: (event, data, element) => trigger(element ?? document, event, data), special: {},
      fix: (event) => event, add() {}, remove() {} },
    expr: { ":": create(null), filters: create(null) }, guid: guid++, Callbacks: callbacks, ajaxSettings: {}, active: 0,
  });
  hide(Query.prototype, "extend", extend);
}

function callbacks() {
  const list = [];
  const self = {
    add(...fns) { pushAll(list, fns); return self; },
    remove(fn) { const i = indexOf(list, fn); if (i >= 0) list.splice(i, 1); return self; },
    has: (fn) => indexOf(list, fn) >= 0,
    empty() { list.length = 0; return self; },
    fire(...args) { each(slice(list), (fn) => fn(...args)); return self; },
    fired: () => false,
  };
  return self;
}

