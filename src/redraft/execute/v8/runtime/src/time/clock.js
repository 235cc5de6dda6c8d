// Virtual time and the event loop.
//
// In: callbacks to run later. Out: `step(n)` runs the due ones in order of time, then of arrival; time jumps to the
// next due callback, so a program that waits for a minute is judged in milliseconds. Also the record of errors:
// whatever a callback throws is reported with the program's own line, and never thrown on.
// Not guaranteed: the interleaving of promise jobs with callbacks; the host drains those between calls of `step`.

import { describe } from "../language/errors.js";
import {
  abs, append, floor, isNaN, list, mapDelete, mapGet, mapSet, max, NativeError, NativeMap, NativeNumber, record,
} from "../language/primordials.js";

const MAX_ERRORS = 100;
// Reading the clock costs time in a real browser too; here it must, or a program that waits in a loop would never end.
const FREE_READS = 64;
const READ_COST_MS = 0.05;
// A callback that queues another without delay takes time as well, or such a chain would never reach the window's end.
const FREE_CALLBACKS_PER_INSTANT = 2000;
const CALLBACK_COST_MS = 0.1;
// So do commands: a page that is given more of them than it can do falls behind its timers, and does fewer.
const FREE_COMMANDS = 10_000;
const COMMAND_COST_MS = 0.1;

const state = record({
  now: 0, reads: 0, atInstant: 0, nextId: 1, deadline: Infinity, lastError: Infinity, steps: 0, maxSteps: Infinity,
  work: 0, commands: 0, flushes: 0, written: 0, hung: null, frozen: false,
});
let heap = list();
let pending = new NativeMap();
let errors = list();

/** Virtual milliseconds since the program was loaded. */
export function now() {
  return state.now;
}

/** The clock as a program reads it: each reading costs a little, so that busy waiting ends. */
export function readClock() {
  state.reads += 1;
  if (state.reads > FREE_READS) state.now += READ_COST_MS;
  return state.now;
}

function before(a, b) {
  return a.due < b.due || (a.due === b.due && a.id < b.id);
}

function siftUp(index) {
  const item = heap[index];
  let at = index;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(item, heap[parent])) break;
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = item;
}

function popFirst() {
  const first = heap[0];
  const last = heap[heap.length - 1];
  heap.length -= 1;
  const size = heap.length;
  if (size > 0) {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && before(heap[child + 1], heap[child])) child += 1;
      if (!before(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
  return first;
}

/** Run `fn` after `ms` virtual milliseconds; returns an id for `cancel`. What it throws is reported. */
export function later(fn, ms) {
  const delay = NativeNumber(ms);
  const timer = { id: state.nextId, due: state.now + (isNaN(delay) ? 0 : max(0, delay)), fn };
  state.nextId += 1;
  mapSet(pending, timer.id, timer);
  append(heap, timer);
  siftUp(heap.length - 1);
  return timer.id;
}

/** Forget a callback; unknown ids are ignored. */
export function cancel(id) {
  const timer = mapGet(pending, id);
  if (timer === undefined) return;
  timer.fn = null;
  mapDelete(pending, id);
}

function dropCancelled() {
  while (heap.length > 0 && heap[0].fn === null) popFirst();
}

function runNext() {
  const timer = popFirst();
  if (timer.due > state.now) {
    state.now = timer.due;
    state.atInstant = 0;
  } else {
    state.atInstant += 1;
    if (state.atInstant > FREE_CALLBACKS_PER_INSTANT) state.now += CALLBACK_COST_MS;
  }
  state.reads = 0;
  state.work = 0;
  state.written = state.flushes = 0;
  state.steps += 1;
  mapDelete(pending, timer.id);
  const { fn } = timer;
  timer.fn = null;
  guard(fn);
}

/** Run up to `n` due callbacks; true when nothing is left before the deadline. */
export function step(n) {
  for (let run = 0; run < n; run += 1) {
    if (state.frozen) return true;
    dropCancelled();
    if (heap.length === 0 || heap[0].due > state.deadline || state.now > state.deadline) return true;
    if (state.steps >= state.maxSteps) return true;
    runNext();
  }
  dropCancelled();
  return state.frozen || heap.length === 0 || heap[0].due > state.deadline;
}

/** Whether callbacks wait for a time beyond the window. */
export function goesOn() {
  dropCancelled();
  return heap.length > 0;
}

/** Let time pass to the window's end, if there is more to come. */
export function passToEnd() {
  if (goesOn() && state.deadline > state.now && state.deadline < Infinity) state.now = state.deadline;
}

/** The end of the window: callbacks due later don't run, and errors after `lastError` don't count. */
export function setDeadline(ms, lastError = ms) {
  state.deadline = ms;
  state.lastError = lastError;
}

export function setMaxSteps(count) {
  state.maxSteps = count;
}

/** Call program code with up to three arguments; an exception is reported as `uncaught`, never thrown on. */
export function guard(fn, a, b, c) {
  try {
    return fn(a, b, c);
  } catch (error) {
    report("uncaught", error);
    return undefined;
  }
}

/** Keep an error of the program. Errors after the window's end don't count, unless work begun within it hung the page. */
export function report(kind, error) {
  if (errors.length >= MAX_ERRORS) return;
  const hung = state.hung !== null && error === state.hung;
  if (state.now > state.lastError && !hung) return;
  append(errors, describe(hung ? "hung" : kind, error));
}

/** Errors so far, as null-prototype records. */
export function reportedErrors() {
  return errors;
}

// An endless loop of turtle calls is taken for hung after so much work without a return to the event loop. The real
// watchdog's 20 seconds are some 600,000 commands that move at once, or millions that only queue up: a program that
// asks for a hundred thousand steps isn't hung.
const MAX_WORK_MS = 20_000;
/** What a page needs for a command that is carried out at once, and for one that waits its turn. */
export const MOVE_MS = 0.033;
export const QUEUE_MS = 0.005;
// To run a full queue to its end keeps a page busy for so long.
const FLUSH_MS = 10;
const OUTPUT_MS = 0.25;
const FROZEN_MESSAGE = "the page doesn't come back";

/** Let time pass within a callback, for work that keeps a page busy; the program's main part is before all time. */
export function spend(ms) {
  if (state.steps > 0) state.now += ms;
}

/** Count a turtle call and what it costs; an endless loop of them throws. The event loop sets the sum back. */
export function countCall(ms = MOVE_MS) {
  state.work += ms;
  state.commands += 1;
  if (state.commands > FREE_COMMANDS) spend(COMMAND_COST_MS);
  if (state.work > MAX_WORK_MS) hang();
}

/** Count a line of output: the page lays itself out anew, to scroll to the end. */
export function countOutput() {
  state.written += OUTPUT_MS;
  countCall(OUTPUT_MS);
}

/** A question that finds a full queue runs it to its end. In a loop without end nothing stops a page that does so. */
export function countFlush() {
  state.flushes += 1;
  state.work += FLUSH_MS;
  if (state.work > MAX_WORK_MS) hang();
}

let interrupt = () => { throw new NativeError("hung"); };
/** `fn()` stops everything and throws: what the real watchdog does. */
export function onHung(fn) {
  interrupt = fn;
}

function hang() {
  const { work, written } = state;
  state.work = 0;
  state.now += MAX_WORK_MS;
  if (state.flushes > 0) {
    state.frozen = true;
    throw new NativeError(FROZEN_MESSAGE);
  }
  try {
    interrupt();
  } catch (error) {
    // A page that is flooded with output doesn't get to its watchdog within any window.
    if (state.steps === 0 || written * 2 < work) state.hung = error;
    throw error;
  }
}

/** Whether the page would never have come back: then nothing more runs. */
export const isFrozen = () => state.frozen;

/** Set everything back, for tests that run several programs in one isolate. */
export function reset() {
  heap = list();
  pending = new NativeMap();
  errors = list();
  state.now = 0;
  state.deadline = state.lastError = Infinity;
  state.maxSteps = Infinity;
  state.reads = state.atInstant = state.steps = state.work = state.commands = state.flushes = state.written = 0;
  state.hung = null;
  state.frozen = false;
  state.nextId = 1;
}

export const roundMs = (ms) => floor(abs(ms) * 1000 + 0.5) / 1000;
