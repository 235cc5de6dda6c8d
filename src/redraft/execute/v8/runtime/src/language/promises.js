// Promises whose unhandled rejections are seen, in a V8 that has no host hook for them.
//
// In: the native Promise. Out: `installPromise` puts a subclass in its place that watches every promise made with it or
// derived by `then`, also from an async function's; `reportRejections` reports what nobody has handled by now, and
// `tookPart` tells whether promises were used since it was last asked.
// Not seen: the rejection of an async function, or of `import()`, whose promise is dropped without `then` or `await`:
// the language has no hook for it.

import { report } from "../time/clock.js";
import { append, apply, defineProperty, list, NativePromise, promiseThen, record } from "./primordials.js";

let rejected = list();
let observing = false;
let used = false;

class TrackedPromise extends NativePromise {
  #handled = false;

  constructor(executor) {
    super(executor);
    used = true;
    observing = true;
    try {
      promiseThen(this, undefined, (reason) => {
        if (!this.#handled) append(rejected, record({ reason, handled: () => this.#handled }));
      });
    } finally {
      observing = false;
    }
  }

  then(onFulfilled, onRejected) {
    used = true;
    if (#handled in this) this.#handled = true;
    return super.then(onFulfilled, onRejected);
  }

  // The observer's own derived promise must not be observed in turn.
  static get [Symbol.species]() {
    return observing ? NativePromise : this;
  }

  static [Symbol.hasInstance](value) {
    return typeof value === "object" && value !== null && isInstance(NativePromise, value);
  }
}

const hasInstance = Function.prototype[Symbol.hasInstance];
const isInstance = (constructor, value) => apply(hasInstance, constructor, [value]);

/** Put the tracking Promise in the place of the native one. */
export function installPromise() {
  defineProperty(TrackedPromise, "name", { value: "Promise" });
  defineProperty(globalThis, "Promise", {
    value: TrackedPromise, writable: true, configurable: true, enumerable: false,
  });
  // So that `then` on an async function's promise derives a tracked one.
  NativePromise.prototype.constructor = TrackedPromise;
}

/** Report the rejections that have no handler now that the promise jobs have run. */
export function reportRejections() {
  const waiting = rejected;
  if (waiting.length === 0) return;
  rejected = list();
  for (let i = 0; i < waiting.length; i += 1) if (!waiting[i].handled()) report("rejection", waiting[i].reason);
}

/** Whether promises were used since the last question: then their jobs must run before the next callback. */
export function tookPart() {
  const answer = used;
  used = false;
  return answer;
}
