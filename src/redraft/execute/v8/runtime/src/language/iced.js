// The runtime of IcedCoffeeScript's `await` and `defer`: what compiled programs call as `iced`.
//
// In: continuations of compiled code. Out: `iced` with Deferrals, Rendezvous, findDeferral and trampoline. An await
// goes on when every deferral made in it has been called; calling one twice is a warning on console.error, hence an
// error.

import { guard, later } from "../time/clock.js";
import { each, push, slice } from "./lists.js";
import { apply } from "./primordials.js";

const TRACE = "__iced_trace";
const BREATHER = 500;
let calls = 0;

// A long chain of awaits that are fulfilled at once must not use up the stack.
function trampoline(fn) {
  calls += 1;
  if (calls % BREATHER === 0) {
    later(() => guard(fn), 0);
    return undefined;
  }
  return fn();
}

function describe(trace) {
  return `${trace?.funcname || "<anonymous>"} (${trace?.filename}:${(trace?.lineno ?? 0) + 1})`;
}

const warn = (message) => globalThis.console?.error(`ICED warning: ${message}`);

function makeDeferral(owner, id, args, template, multi) {
  const trace = { ...template, lineno: args?.lineno };
  let target = owner;
  const deferral = (...values) => {
    if (args?.assign_fn) apply(args.assign_fn, null, values);
    if (!target) {
      warn(`overused deferral at ${describe(trace)}`);
      return;
    }
    const called = target;
    if (!multi) target = null;
    called._fulfill(id, trace);
  };
  deferral[TRACE] = trace;
  return deferral;
}

class Deferrals {
  constructor(continuation, trace) {
    this.trace = trace;
    this.continuation = continuation;
    this.count = 1;
    this.ret = null;
  }
  defer(args) {
    this.count += 1;
    return makeDeferral(this, null, args, this.trace);
  }
  _fulfill(id, trace) {
    this.count -= 1;
    if (this.count > 0) return;
    trampoline(() => {
      const { continuation } = this;
      this.continuation = null;
      if (continuation) continuation(this.ret);
      else warn(`Entered dead await at ${describe(trace)}`);
    });
  }
}

/** Awaits whichever of several deferrals comes first. */
class Rendezvous {
  constructor() {
    this.completed = [];
    this.waiters = [];
    this.next = 0;
  }
  id(id, multi) {
    return { defer: (args) => makeDeferral(this, id, args, {}, multi) };
  }
  defer(args) {
    this.next += 1;
    return makeDeferral(this, this.next, args, {}, false);
  }
  wait(fn) {
    if (this.completed.length) fn(this.completed.shift());
    else push(this.waiters, fn);
  }
  _fulfill(id) {
    if (this.waiters.length) this.waiters.shift()(id);
    else push(this.completed, id);
  }
}

function findDeferral(args) {
  let found = null;
  each(slice(args), (arg) => { found ??= arg?.[TRACE] ? arg : null; });
  return found;
}

export const iced = { Deferrals, Rendezvous, findDeferral, trampoline, stackWalk: () => [], exceptionHandler() {} };
