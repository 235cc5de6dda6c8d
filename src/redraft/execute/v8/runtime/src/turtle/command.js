// The frame around every turtle command: counting calls, continuations, the queue's order, `interrupt`.
//
// In: a name and a function that works on a Query. Out: the method as programs call it. A command's last argument may
// be a function (a continuation, as `await ... defer()` hands over): it is called once all the elements have done the
// command, never in the same breath.

import { usualSpeed } from "./body.js";
import { countCall, countFlush, later, MOVE_MS, QUEUE_MS } from "../time/clock.js";
import { finish, isFull, isIdle, plan, queueLength } from "../time/queue.js";
import { append, apply, NativeError } from "../language/primordials.js";

const state = { interrupted: false, insideTick: 0, turtleMs: 1000 };

/** Whether `interrupt()` was called: every command fails from then on. */
export const setInterrupted = (value) => { state.interrupted = value; };
export const isInterrupted = () => state.interrupted;

/** Count in and out of callbacks of `tick` and `forever`, where turtles without a speed of their own move at once. */
export const enterTick = () => { state.insideTick += 1; };
export const leaveTick = () => { state.insideTick -= 1; };
export const insideTick = () => state.insideTick > 0;

/** Milliseconds a move takes by default. */
export const defaultMs = () => state.turtleMs;
export const setDefaultMs = (ms) => { state.turtleMs = ms; };

const NAMED_SPEEDS = { __proto__: null, slow: 600, fast: 200, _default: 400 };

/** Whether a value can be a turtle's own speed. */
export const isNamedSpeed = (value) => value === "turtle" || value in NAMED_SPEEDS;

/** How long a move of this element takes, in milliseconds. */
export function moveMs(element, inTick = state.insideTick > 0) {
  const turtle = element.state?.turtle;
  const speed = turtle === undefined ? usualSpeed(element) : turtle.speed;
  if (typeof speed === "number") return 1000 / speed;
  if (speed !== "turtle") return NAMED_SPEEDS[speed];
  return inTick ? 0 : state.turtleMs;
}

/** Whether a command on this element takes effect at once. */
export function isInstant(element) {
  return isIdle(element) && moveMs(element) === 0;
}

/** Mark a function as one of the API's: it isn't taken for a continuation, and may stand for its name (`pen tan`). */
export function wrapRaw(name, fn) {
  fn.helpname = name;
  return fn;
}

/** The continuation among a call's arguments: its last, if a function and if there are more than `required`. */
function continuationOf(args, required) {
  if (args.length <= required) return null;
  const last = args[args.length - 1];
  return typeof last === "function" && !last.helpname ? last : null;
}

/** Who waits for a command: `resolve()` once for each element, then the continuation is called. */
export function completion(count, args, required) {
  const done = continuationOf(args, required);
  let left = count + 1;
  let atOnce = true;
  const resolve = () => {
    left -= 1;
    if (left !== 0 || done === null) return;
    if (atOnce) later(done, 0);
    else done();
  };
  // `args` are a rest parameter's: ours to shorten.
  if (done !== null) args.length -= 1;
  return { args, resolve, exit() { resolve(); atOnce = false; } };
}

function check(name, busy) {
  countCall(busy ? QUEUE_MS : MOVE_MS);
  if (state.interrupted) throw new NativeError(`${name} interrupted`);
}

/**
 * A command: `fn(cc, ...args)` with `this` the Query; it calls `cc.resolve()` for each element when that has done it.
 * Exceptions of `fn` are the program's to see.
 */
export function wrapCommand(name, required, fn) {
  return wrapRaw(name, function command(...args) {
    const only = this?.length === 1 ? this[0] : null;
    const busy = only !== null && !isIdle(only);
    check(name, busy);
    if (busy && isFull(only)) return this;
    const cc = completion(this?.length || 0, args, required);
    cc.name = name;
    let result;
    try {
      result = fn(cc, this, cc.args[0], cc.args[1], cc.args[2], cc.args[3]);
    } finally {
      cc.exit();
    }
    if (result === NOTHING) return undefined;
    return result === undefined ? this : result;
  });
}

/** What a command returns that gives nothing back instead of the Query. */
export const NOTHING = { __proto__: null };

// With so many motions queued, the real runtime warns and runs them to their end before it answers.
const MAX_QUEUED = 100;

/** A question about where things are: answered at once, whatever waits in the queue. */
export function wrapPredicate(name, fn) {
  return wrapRaw(name, function predicate(...args) {
    check(name, false);
    for (let i = 0; i < this.length; i += 1) {
      if (queueLength(this[i]) < MAX_QUEUED) continue;
      countFlush();
      finish(this[i]);
    }
    return fn(this, args[0], args[1], args[2]);
  });
}

/** Run `action(element)` for each element, each in its own queue's turn. */
export function planEach(query, action) {
  for (let i = 0; i < query.length; i += 1) {
    const element = query[i];
    plan(element, () => action(element));
  }
}

function copyOf(args) {
  const copy = [];
  for (let i = 0; i < args.length; i += 1) append(copy, args[i]);
  return copy;
}

let main = null;
/** The main turtle, whose queue the global commands share; null once it is removed. */
export const mainElement = () => main;
export const setMainElement = (element) => { main = element; };

/** Whether the main turtle is busy. */
export const mainIsBusy = () => main !== null && !isIdle(main);

/**
 * A global command (`speed`, `cs`, `write` ...). Without `prepare` it takes its turn in the main turtle's queue; with
 * it, `prepare(...args)` runs at once, its `{result}` is returned, and `fn` follows with `this` bound to what it
 * returned.
 */
export function globalCommand(name, fn, prepare) {
  return wrapRaw(name, function command(...args) {
    check(name, mainIsBusy());
    const early = prepare ? apply(prepare, null, args) : null;
    const queued = main !== null && (!prepare || !isIdle(main));
    const cc = completion(queued ? 1 : 0, copyOf(args), prepare ? args.length : 0);
    if (queued) {
      plan(main, () => {
        apply(fn, early, args);
        plan(main, cc.resolve);
      });
    } else {
      apply(fn, early, args);
    }
    cc.exit();
    return early ? early.result : undefined;
  });
}
