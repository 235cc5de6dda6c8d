// What the runtime needs of the language, captured before any program runs.
//
// In: a fresh isolate. Out: bound copies of built-ins. A program may overwrite `Array.prototype.push`, `JSON` or
// `Promise` afterwards; modules that use these copies, indexed loops and null-prototype lists keep working. What is not
// covered: syntax that calls built-ins by itself (spread, for-of and array patterns use
// Array.prototype[Symbol.iterator]), so the runtime avoids these on any path that runs after the program has started.

const { apply, construct, ownKeys, getPrototypeOf } = Reflect;
const { setPrototypeOf } = Object;
const uncurry = (method) => (self, ...args) => apply(method, self, args);

export { apply, construct, getPrototypeOf, ownKeys, setPrototypeOf, uncurry };
export const { create, defineProperty, freeze, keys } = Object;
export const { isArray } = Array;
export const {
  abs, acos, asin, atan, atan2, ceil, cos, exp, floor, hypot, log, max, min, PI, pow, round, sign, sin, sqrt, tan,
} = Math;
export const { isFinite, isNaN, isInteger } = Number;
export const { stringify: jsonText, parse: jsonParse } = JSON;
export const NativeDate = Date;
export const NativeError = Error;
export const NativeTypeError = TypeError;
export const NativeSyntaxError = SyntaxError;
export const NativePromise = Promise;
export const NativeString = String;
export const NativeNumber = Number;
export const NativeMap = Map;
export const NativeWeakMap = WeakMap;
export const evaluate = globalThis.eval;

export const sliceString = uncurry(String.prototype.slice);
export const trim = uncurry(String.prototype.trim);
export const toLowerCase = uncurry(String.prototype.toLowerCase);
export const indexOfString = uncurry(String.prototype.indexOf);
export const charCode = uncurry(String.prototype.charCodeAt);
export const execPattern = uncurry(RegExp.prototype.exec);
export const mapGet = uncurry(Map.prototype.get);
export const mapSet = uncurry(Map.prototype.set);
export const mapHas = uncurry(Map.prototype.has);
export const mapDelete = uncurry(Map.prototype.delete);
export const weakGet = uncurry(WeakMap.prototype.get);
export const weakSet = uncurry(WeakMap.prototype.set);
export const toFixed = uncurry(Number.prototype.toFixed);
export const toPrecision = uncurry(Number.prototype.toPrecision);
export const hasOwn = uncurry(Object.prototype.hasOwnProperty);
export const promiseThen = uncurry(Promise.prototype.then);

/** A list that no program can reach through Array.prototype: index and length work, methods are ours. */
export const list = () => setPrototypeOf([], null);

/** An object without a prototype, with the given own properties. */
export function record(properties) {
  return setPrototypeOf(properties, null);
}

/** Append; `defineProperty` semantics don't matter here because an inherited setter can't exist on a null prototype. */
export function append(target, value) {
  target[target.length] = value;
}

/** Text of any value without trusting its own conversions; never throws. */
export function safeText(value) {
  try {
    return NativeString(value);
  } catch {
    return "[object]";
  }
}
