// jQuery's deferreds and `promise()`, without jqXHR.
//
// In: functions to call when something is done. Out: objects with done, fail, always, then, resolve ...; callbacks
// added after the fact run at once, as in jQuery 2.

import { guard } from "../time/clock.js";
import { each, filter, Object, push, slice } from "../language/lists.js";
import { apply, create } from "../language/primordials.js";
import { isIdle, whenIdle } from "../time/queue.js";

const flatten = (fns) => {
  const out = [];
  const walk = (fn) => { if (typeof fn === "function") push(out, fn); else if (fn && typeof fn === "object") each(fn,
    walk); };
  each(fns, walk);
  return out;
};

/** A new deferred: `$.Deferred()`. */
export function Deferred(setup) {
  const waiting = { resolved: [], rejected: [], notify: [] };
  let state = "pending";
  let values = [];
  let self;
  const add = (name, fns) => each(flatten(fns), (fn) => {
    if (state === name) apply(fn, self, values);
    else if (state === "pending" || name === "notify") push(waiting[name], fn);
  });
  const settle = (name, args, context) => {
    if (state !== "pending") return;
    state = name;
    values = args;
    each(slice(waiting[name]), (fn) => apply(fn, context ?? self, values));
  };
  const promise = {
    state: () => state,
    done(...fns) { add("resolved", fns); return this; },
    fail(...fns) { add("rejected", fns); return this; },
    progress(...fns) { add("notify", fns); return this; },
    always(...fns) { add("resolved", fns); add("rejected", fns); return this; },
    then(onDone, onFail) { return chained(promise, onDone, onFail); },
    pipe(onDone, onFail) { return chained(promise, onDone, onFail); },
    promise(target) { return target ? Object.assign(target, promise) : promise; },
  };
  self = Object.assign(create(null), promise, {
    resolve(...args) { settle("resolved", args); return this; },
    reject(...args) { settle("rejected", args); return this; },
    resolveWith(context, args) { settle("resolved", args ?? [], context); return this; },
    rejectWith(context, args) { settle("rejected", args ?? [], context); return this; },
    notify(...args) { each(slice(waiting.notify), (fn) => apply(fn, self, args)); return this; },
    notifyWith() { return this; },
  });
  if (typeof setup === "function") apply(setup, self, [self]);
  return self;
}

function chained(promise, onDone, onFail) {
  const next = Deferred();
  const pass = (fn, otherwise) => (...args) => {
    if (typeof fn !== "function") { next[otherwise](...args); return; }
    const value = apply(fn, promise, args);
    if (value && typeof value.promise === "function") value.promise().done(next.resolve).fail(next.reject);
    else next.resolve(value);
  };
  promise.done(pass(onDone, "resolve")).fail(pass(onFail, "reject"));
  return next.promise();
}

/** `$.when`: done when all are. */
export function when(...items) {
  const all = Deferred();
  const values = [];
  let left = items.length;
  if (left === 0) return all.resolve().promise();
  each(items, (item, i) => {
    const finish = (...args) => {
      values[i] = args.length > 1 ? args : args[0];
      left -= 1;
      if (left === 0) all.resolve(...values);
    };
    if (item && typeof item.promise === "function") item.promise().done(finish).fail((...args) => all.reject(...args));
    else finish(item);
  });
  return all.promise();
}

/** A promise that is kept when nothing is queued on any of the elements. */
export function promiseIdle(elements, context, target) {
  const result = Deferred();
  const finish = () => result.resolveWith(context, [context]);
  if (filter(elements, (element) => !isIdle(element)).length === 0) finish();
  else whenIdle(slice(elements), () => guard(finish));
  return result.promise(target);
}
