// What page.js needs of the browser, captured before the runtime puts its own in place; must be imported first.
//
// In: a browser's window. Out: `natives`, `restore()`. The runtime defines a window's names for an isolate that has
// none; in a real page some of these (window, document, location) can't be defined anew. Until `restore()` such
// definitions are passed over.

const { apply } = Reflect;
const { defineProperty, getOwnPropertyDescriptor } = Object;
const clock = performance;
const { addEventListener } = EventTarget.prototype;
const KEPT = ["console", "Promise", "alert", "confirm", "prompt", "open", "close", "fetch", "reportError", "Worker",
  "WebSocket", "navigator"];
const kept = KEPT.map((name) => [name, getOwnPropertyDescriptor(globalThis, name)]);
const NativePromise = Promise;

export const natives = {
  setTimeout: setTimeout.bind(globalThis),
  now: clock.now.bind(clock),
  document,
  listen: (target, type, fn) => apply(addEventListener, target, [type, fn]),
};

Object.defineProperty = (target, name, descriptor) => {
  const own = target === globalThis ? getOwnPropertyDescriptor(globalThis, name) : undefined;
  return own !== undefined && !own.configurable ? target : defineProperty(target, name, descriptor);
};

/** Give the page back what lets errors, dialogs and requests surface as in any page. */
export function restore() {
  Object.defineProperty = defineProperty;
  for (const [name, descriptor] of kept) if (descriptor !== undefined) defineProperty(globalThis, name, descriptor);
  NativePromise.prototype.constructor = NativePromise;
}
