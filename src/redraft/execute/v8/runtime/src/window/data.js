// Constructors for data: FormData, Blob, File, FileReader, Headers, TextEncoder, TextDecoder, DOMRect, DOMPoint.
//
// In: what programs hand to them. Out: the constructors. Nothing leaves the page; text is UTF-8.

import { guard, later } from "../time/clock.js";
import { Element, hooks } from "../page/elements.js";
import {
  each, filter, indexOf, join, map, Math, Number, Object, Promise, push, splice, String, Symbol, TypeError,
} from "../language/lists.js";
import { isArray, keys, toLowerCase } from "../language/primordials.js";
import { need } from "./required.js";

const MAX_BYTES = 1 << 26;
const { decodeURIComponent, encodeURIComponent, Uint8Array, ArrayBuffer } = globalThis;

/** Names with values, several of a name allowed. */
class Pairs {
  #pairs = [];
  append(name, value) {
    need(2, arguments, "execute 'append'");
    push(this.#pairs, [this.named(name), this.kept(value)]);
  }
  named(name) { return `${name}`; }
  kept(value) { return value instanceof Blob ? value : `${value}`; }
  delete(name) { this.#pairs = filter(this.#pairs, (pair) => pair[0] !== this.named(name)); }
  get(name) { return filter(this.#pairs, (pair) => pair[0] === this.named(name))[0]?.[1] ?? null; }
  getAll(name) { return map(filter(this.#pairs, (pair) => pair[0] === this.named(name)), (pair) => pair[1]); }
  has(name) { return this.getAll(name).length > 0; }
  set(name, value) {
    const same = filter(this.#pairs, (pair) => pair[0] === this.named(name));
    if (same.length === 0) { this.append(name, value); return; }
    same[0][1] = this.kept(value);
    each(same, (pair, i) => { if (i > 0) splice(this.#pairs, indexOf(this.#pairs, pair), 1); });
  }
  forEach(fn, self) { each(this.#pairs, (pair) => fn.call(self, pair[1], pair[0], this)); }
  entries() { return map(this.#pairs, (pair) => [pair[0], pair[1]])[Symbol.iterator](); }
  keys() { return map(this.#pairs, (pair) => pair[0])[Symbol.iterator](); }
  values() { return map(this.#pairs, (pair) => pair[1])[Symbol.iterator](); }
  [Symbol.iterator]() { return this.entries(); }
}

export class FormData extends Pairs {
  constructor(form) {
    super();
    if (form === undefined) return;
    if (!(form instanceof Element) || form.tag !== "form") {
      throw new TypeError("Failed to construct 'FormData': parameter 1 is not of type 'HTMLFormElement'.");
    }
    each(hooks.find(form, ":input"), (input) => {
      const box = input.type === "checkbox" || input.type === "radio";
      if (input.name && (!box || input.checked)) this.append(input.name, input.value);
    });
  }
}

export class Headers extends Pairs {
  constructor(init) {
    super();
    if (isArray(init)) each(init, (pair) => this.append(pair[0], pair[1]));
    else if (init && typeof init === "object") each(keys(init), (name) => this.append(name, init[name]));
  }
  named(name) { return toLowerCase(`${name}`); }
}

function bytesOf(text) {
  const bytes = [];
  const coded = encodeURIComponent(text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd"));
  for (let i = 0; i < coded.length; i += 1) {
    if (coded[i] === "%") {
      push(bytes, Number(`0x${coded[i + 1]}${coded[i + 2]}`));
      i += 2;
    } else push(bytes, coded.charCodeAt(i));
  }
  return bytes;
}

function textOf(bytes) {
  let coded = "";
  for (let i = 0; i < bytes.length; i += 1) coded += `%${bytes[i] < 16 ? "0" : ""}${bytes[i].toString(16)}`;
  try {
    return decodeURIComponent(coded);
  } catch {
    return join(map(bytes, (byte) => (byte < 128 ? String.fromCharCode(byte) : "\ufffd")), "");
  }
}

export class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(text = "") { return Uint8Array.from(bytesOf(`${text}`)); }
}

export class TextDecoder {
  constructor(encoding = "utf-8") { Object.defineProperty(this, "encoding", { value: toLowerCase(`${encoding}`) }); }
  decode(data) {
    if (data === undefined) return "";
    return textOf([...new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength)]);
  }
}

export class Blob {
  #bytes = [];
  constructor(parts = [], { type = "" } = {}) {
    if (!isArray(parts)) throw new TypeError("Failed to construct 'Blob': The provided value cannot be converted to a sequence.");
    each(parts, (part) => {
      const bytes = part instanceof Blob ? part.#bytes : part instanceof ArrayBuffer ? [...new Uint8Array(part)]
        : ArrayBuffer.isView(part) ? [...new Uint8Array(part.buffer, part.byteOffset, part.byteLength)] : bytesOf(`${part}`);
      if (this.#bytes.length + bytes.length <= MAX_BYTES) each(bytes, (byte) => push(this.#bytes, byte));
    });
    Object.defineProperty(this, "type", { value: toLowerCase(`${type}`), enumerable: true });
  }
  get size() { return this.#bytes.length; }
  text() { return Promise.resolve(textOf(this.#bytes)); }
  arrayBuffer() { return Promise.resolve(Uint8Array.from(this.#bytes).buffer); }
  slice(from = 0, to = this.size, type = "") {
    const part = new Blob([], { type });
    part.#bytes = this.#bytes.slice(from, to);
    return part;
  }
  static read(blob) { return textOf(blob.#bytes); }
}
const readBlob = Blob.read;
delete Blob.read;

export class File extends Blob {
  constructor(parts, name, options) {
    need(2, arguments, "construct 'File'");
    super(parts, options);
    Object.defineProperty(this, "name", { value: `${name}`, enumerable: true });
  }
}

export class FileReader {
  constructor() { Object.assign(this, { readyState: 0, result: null, error: null }); }
  #listeners = [];
  addEventListener(type, fn) { push(this.#listeners, [type, fn]); }
  removeEventListener() {}
  abort() {}
  #read(blob, made) {
    if (!(blob instanceof Blob)) throw new TypeError("Failed to execute 'readAsText' on 'FileReader': parameter 1 is not of type 'Blob'.");
    later(() => {
      Object.assign(this, { readyState: 2, result: made(readBlob(blob)) });
      each(["load", "loadend"], (type) => {
        const event = { type, target: this };
        if (typeof this[`on${type}`] === "function") guard(() => this[`on${type}`](event));
        each(this.#listeners, ([wanted, fn]) => { if (wanted === type) guard(() => fn.call(this, event)); });
      });
    }, 0);
  }
  readAsText(blob) { this.#read(blob, (text) => text); }
  readAsDataURL(blob) { this.#read(blob, (text) => `data:${blob.type};base64,${globalThis.btoa(text)}`); }
  readAsArrayBuffer(blob) { this.#read(blob, (text) => Uint8Array.from(bytesOf(text)).buffer); }
}

export class DOMPoint {
  constructor(x = 0, y = 0, z = 0, w = 1) { Object.assign(this, { x: +x, y: +y, z: +z, w: +w }); }
}

export class DOMRect {
  constructor(x = 0, y = 0, width = 0, height = 0) { Object.assign(this, { x: +x, y: +y, width: +width, height: +height }); }
  get left() { return Math.min(this.x, this.x + this.width); }
  get right() { return Math.max(this.x, this.x + this.width); }
  get top() { return Math.min(this.y, this.y + this.height); }
  get bottom() { return Math.max(this.y, this.y + this.height); }
}
