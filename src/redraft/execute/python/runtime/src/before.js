// What Pyodide expects of its surroundings, as far as it may have it: no files, no network, no processes, no clock.
//
// The world is the bare one of V8. Pyodide takes it for a shell, for `read` and `load` are there; the files it asks for are
// those that were handed in. Time is virtual: it stands still but for a millisecond at each look. Chance is a fixed sequence.

const handed = Object.create(null);
const nothing = () => {};

function fromBase64(text) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const value = new Uint8Array(128);
  for (let i = 0; i < 64; i++) value[letters.charCodeAt(i)] = i;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let from = 0, to = 0; from < text.length; from += 4) {
    const four =
      (value[text.charCodeAt(from)] << 18) | (value[text.charCodeAt(from + 1)] << 12) |
      (value[text.charCodeAt(from + 2)] << 6) | value[text.charCodeAt(from + 3)];
    bytes[to++] = four >> 16;
    if (to < bytes.length) bytes[to++] = (four >> 8) & 255;
    if (to < bytes.length) bytes[to++] = four & 255;
  }
  return bytes;
}

const EPOCH = Date.UTC(2026, 0, 1); // milliseconds; when the virtual clock starts
let clock = 0;
const now = () => EPOCH + ++clock;

// A Date like V8's own, whose present is the virtual one. V8's is held where nothing reaches it.
const VirtualDate = (function (Real) {
  class Virtual {
    #real;
    constructor(...values) {
      const first = values[0];
      this.#real = values.length === 0 ? new Real(now())
        : values.length === 1 ? new Real(typeof first === "object" && first !== null && #real in first ? first.#real.getTime() : first)
        : new Real(...values);
    }
    static read(date, method, values) {
      return date.#real[method](...values);
    }
  }
  const read = Virtual.read;
  delete Virtual.read;
  for (const method of Object.getOwnPropertyNames(Real.prototype)) {
    if (method === "constructor" || method === "toTemporalInstant") continue;
    Virtual.prototype[method] = function (...values) {
      return read(this, method, values);
    };
  }
  Virtual.prototype[Symbol.toPrimitive] = function (hint) {
    return hint === "number" ? read(this, "getTime", []) : read(this, "toString", []);
  };
  Virtual.now = now;
  Virtual.parse = (text) => Real.parse(text);
  Virtual.UTC = (...values) => Real.UTC(...values);
  return Virtual;
})(Date);

let chance = 1;
function randomBytes(view) {
  for (let i = 0; i < view.byteLength; i++) {
    chance = (Math.imul(chance, 1103515245) + 12345) >>> 0;
    view[i] = chance >>> 16;
  }
  return view;
}

function noImport() {
  throw new Error("there are no modules");
}

const missing = (name) => {
  throw new Error(`there is no ${name}`);
};

globalThis.Date = VirtualDate;
globalThis.performance = { now: () => now() - EPOCH };
globalThis.read = () => missing("file");
globalThis.load = () => missing("file");
globalThis.readbuffer = (path) => handed[path.slice(path.lastIndexOf("/") + 1)]?.buffer ?? missing("file");
globalThis.console = { log: nothing, info: nothing, warn: nothing, error: nothing, debug: nothing };
globalThis.setTimeout = (callback, delay, ...values) => {
  Promise.resolve().then(() => callback(...values));
  return 0;
};
globalThis.clearTimeout = nothing;
globalThis.crypto = { getRandomValues: randomBytes };
// Compiling in the background would need threads, which a copied process doesn't have.
WebAssembly.compile = async (bytes) => new WebAssembly.Module(bytes);
WebAssembly.instantiate = async (source, imports) => {
  if (source instanceof WebAssembly.Module) return new WebAssembly.Instance(source, imports);
  const module = new WebAssembly.Module(source);
  return { module, instance: new WebAssembly.Instance(module, imports) };
};
