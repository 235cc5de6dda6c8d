// Timers, frames, Date and performance in virtual time.
//
// In: what programs hand to setTimeout and its kin. Out: `installTimers` defines these globals; all of them run on
// clock.js, so nothing here ever waits. As in a browser, text is evaluated, delays are 32-bit whole numbers, and deeply
// nested timers are at least 4 ms apart.

import { cancel, guard, later, now, readClock } from "./clock.js";
import {
  append, apply, construct, defineProperty, evaluate, floor, mapDelete, mapGet, mapSet, NativeDate, NativeMap,
  NativeString, NativeTypeError,
} from "../language/primordials.js";
import { need } from "../window/required.js";

const { getOwnPropertyDescriptor } = Object;
const EPOCH = 1_735_732_800_000;
const NO_CALLBACK = "Failed to execute 'requestAnimationFrame' on 'Window': parameter 1 is not of type 'Function'.";
const NO_IDLE_CALLBACK = "Failed to execute 'requestIdleCallback' on 'Window': parameter 1 is not of type 'Function'.";
const FRAME_MS = 1000 / 60;
const MAX_NESTING = 5;
const MIN_NESTED_MS = 4;

let nesting = 0;
let lastId = 0;
const live = new NativeMap();

function invoke(handler, args) {
  if (typeof handler === "function") apply(handler, globalThis, args);
  else evaluate(NativeString(handler));
}

function delayOf(ms, level) {
  const whole = +ms | 0;
  return level > MAX_NESTING && whole < MIN_NESTED_MS ? MIN_NESTED_MS : whole > 0 ? whole : 0;
}

function schedule(handler, ms, args, repeats) {
  const level = nesting + 1;
  lastId += 1;
  const id = lastId;
  const run = () => {
    if (repeats) mapSet(live, id, later(run, delayOf(ms, MAX_NESTING + 1)));
    else mapDelete(live, id);
    const before = nesting;
    nesting = level;
    guard(() => invoke(handler, args));
    nesting = before;
  };
  mapSet(live, id, later(run, delayOf(ms, level)));
  return id;
}

function clear(id) {
  const timer = mapGet(live, typeof id === "string" ? +id : id);
  if (timer === undefined) return;
  cancel(timer);
  mapDelete(live, typeof id === "string" ? +id : id);
}

function rest(args) {
  const kept = [];
  for (let i = 0; i < args.length; i += 1) append(kept, args[i]);
  return kept;
}

function frame(callback) {
  if (typeof callback !== "function") {
    throw new NativeTypeError(NO_CALLBACK);
  }
  lastId += 1;
  const id = lastId;
  const due = (floor(now() / FRAME_MS + 1e-6) + 1) * FRAME_MS;
  mapSet(live, id, later(() => {
    mapDelete(live, id);
    guard(callback, now());
  }, due - now()));
  return id;
}

/** Date with the virtual clock as its present. */
function makeDate() {
  const VirtualDate = function Date(...args) {
    if (new.target === undefined) return new NativeDate(EPOCH + readClock()).toString();
    return construct(NativeDate, args.length === 0 ? [EPOCH + readClock()] : args, new.target);
  };
  VirtualDate.prototype = NativeDate.prototype;
  define(VirtualDate, "now", () => floor(EPOCH + readClock()));
  define(VirtualDate, "parse", NativeDate.parse);
  define(VirtualDate, "UTC", NativeDate.UTC);
  defineProperty(VirtualDate, "length", { value: 7 });
  define(NativeDate.prototype, "constructor", VirtualDate);
  return VirtualDate;
}

function define(target, name, value) {
  const own = getOwnPropertyDescriptor(target, name);
  // mini-racer declares its own setTimeout, on the real clock, as a variable that can't be defined anew but assigned.
  if (own !== undefined && !own.configurable) target[name] = value;
  else defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

/** `setTimeout` as the runtime's own modules call it. */
export const setTimer = (fn, ms) => schedule(fn, ms, [], false);

/** Define the globals of this file. */
export function installTimers() {
  define(globalThis, "setTimeout", function setTimeout(handler, ms, ...args) {
    need(1, arguments, "execute 'setTimeout' on 'Window'");
    return schedule(handler, ms, rest(args), false);
  });
  define(globalThis, "setInterval", function setInterval(handler, ms, ...args) {
    need(1, arguments, "execute 'setInterval' on 'Window'");
    return schedule(handler, ms, rest(args), true);
  });
  define(globalThis, "clearTimeout", function clearTimeout(id) { clear(id); });
  define(globalThis, "clearInterval", function clearInterval(id) { clear(id); });
  define(globalThis, "requestAnimationFrame", function requestAnimationFrame(callback) {
    need(1, arguments, "execute 'requestAnimationFrame' on 'Window'");
    return frame(callback);
  });
  define(globalThis, "cancelAnimationFrame", function cancelAnimationFrame(id) { clear(id); });
  define(globalThis, "requestIdleCallback", function requestIdleCallback(callback) {
    need(1, arguments, "execute 'requestIdleCallback' on 'Window'");
    if (typeof callback !== "function") throw new NativeTypeError(NO_IDLE_CALLBACK);
    return schedule(() => callback({ didTimeout: false, timeRemaining: () => 10 }), 1, [], false);
  });
  define(globalThis, "cancelIdleCallback", function cancelIdleCallback(id) { clear(id); });
  define(globalThis, "Date", makeDate());
  const nothing = () => undefined;
  define(globalThis, "performance", {
    now: () => readClock(), timeOrigin: EPOCH, mark: nothing, measure: nothing, clearMarks: nothing,
    clearMeasures: nothing, getEntries: () => [], getEntriesByName: () => [], getEntriesByType: () => [],
    timing: { navigationStart: EPOCH },
  });
}
