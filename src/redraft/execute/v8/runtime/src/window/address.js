// Addresses: URL and URLSearchParams.
//
// In: text. Out: the two constructors. An address is taken apart by a pattern: not guaranteed are punycode, dots in
// paths beyond `./` and `../`, and rare escapes.

import { each, encodeURIComponent, filter, indexOf, join, map, Object, push, replace, sort, splice, split, Symbol,
  TypeError } from "../language/lists.js";
import { execPattern, indexOfString, isArray, keys, sliceString, toLowerCase } from "../language/primordials.js";
import { need } from "./required.js";

const { decodeURIComponent } = globalThis;
const ADDRESS = /^([a-z][a-z\d+.-]*:)(?:\/\/(?:([^/?#@:]*)(?::([^/?#@]*))?@)?([^/?#:]*)(?::(\d*))?)?([^?#]*)(\?[^#]*)?(#[\s\S]*)?$/i;
const PORTS = { __proto__: null, "http:": "80", "https:": "443", "ws:": "80", "wss:": "443", "ftp:": "21" };

function decode(text) {
  const plain = replace(text, /\+/g, " ");
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}
const encode = (text) => replace(encodeURIComponent(text), /%20|[!'()~]/g,
  (found) => (found === "%20" ? "+" : `%${found.charCodeAt(0).toString(16).toUpperCase()}`));

function pairsOf(init) {
  const pairs = [];
  if (init === undefined || init === null) return pairs;
  if (init instanceof URLSearchParams || isArray(init)) {
    each([...init], (pair) => {
      if (pair.length !== 2) throw new TypeError("Failed to construct 'URLSearchParams': Sequence initializer must only contain pair elements");
      push(pairs, [`${pair[0]}`, `${pair[1]}`]);
    });
  } else if (typeof init === "object") {
    each(keys(init), (name) => push(pairs, [name, `${init[name]}`]));
  } else {
    each(filter(split(replace(`${init}`, /^\?/, ""), "&"), (part) => part !== ""), (part) => {
      const at = indexOfString(part, "=");
      push(pairs, at < 0 ? [decode(part), ""] : [decode(sliceString(part, 0, at)), decode(sliceString(part, at + 1))]);
    });
  }
  return pairs;
}

export class URLSearchParams {
  #pairs;
  #changed = () => {};
  constructor(init, changed) {
    this.#pairs = pairsOf(init);
    if (typeof changed === "function" && changed.internal) this.#changed = changed;
  }
  get size() { return this.#pairs.length; }
  #named(name) { return filter(this.#pairs, (pair) => pair[0] === `${name}`); }
  append(name, value) {
    need(2, arguments, "execute 'append' on 'URLSearchParams'");
    push(this.#pairs, [`${name}`, `${value}`]);
    this.#changed();
  }
  delete(name) {
    this.#pairs = filter(this.#pairs, (pair) => pair[0] !== `${name}`);
    this.#changed();
  }
  get(name) {
    need(1, arguments, "execute 'get' on 'URLSearchParams'");
    return this.#named(name)[0]?.[1] ?? null;
  }
  getAll(name) { return map(this.#named(name), (pair) => pair[1]); }
  has(name) { return this.#named(name).length > 0; }
  set(name, value) {
    need(2, arguments, "execute 'set' on 'URLSearchParams'");
    const [first, ...rest] = this.#named(name);
    if (first === undefined) push(this.#pairs, [`${name}`, `${value}`]);
    else first[1] = `${value}`;
    each(rest, (pair) => splice(this.#pairs, indexOf(this.#pairs, pair), 1));
    this.#changed();
  }
  sort() {
    sort(this.#pairs, (a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed();
  }
  forEach(fn, self) { each(this.#pairs, (pair) => fn.call(self, pair[1], pair[0], this)); }
  entries() { return map(this.#pairs, (pair) => [pair[0], pair[1]])[Symbol.iterator](); }
  keys() { return map(this.#pairs, (pair) => pair[0])[Symbol.iterator](); }
  values() { return map(this.#pairs, (pair) => pair[1])[Symbol.iterator](); }
  [Symbol.iterator]() { return this.entries(); }
  toString() { return join(map(this.#pairs, (pair) => `${encode(pair[0])}=${encode(pair[1])}`), "&"); }
}

// A path without `.` and `..`.
function straight(path) {
  const kept = [];
  const parts = split(path, "/");
  each(parts, (part, i) => {
    if (part === "..") { if (kept.length > 1) kept.length -= 1; } else if (part !== ".") push(kept, part);
    if ((part === "." || part === "..") && i === parts.length - 1) push(kept, "");
  });
  return join(kept, "/");
}

function resolve(text, base) {
  if (execPattern(/^[a-z][a-z\d+.-]*:/i, text) !== null) return text;
  if (base === undefined) return null;
  const from = new URL(base);
  if (sliceString(text, 0, 2) === "//") return `${from.protocol}${text}`;
  const root = `${from.protocol}//${from.host}`;
  if (text[0] === "/") return root + text;
  if (text[0] === "#") return `${root}${from.pathname}${from.search}${text}`;
  if (text[0] === "?" || text === "") return `${root}${from.pathname}${text || from.search}`;
  return `${root}${replace(from.pathname, /[^/]*$/, "")}${text}`;
}

export class URL {
  #search;
  constructor(address, base) {
    need(1, arguments, "construct 'URL'");
    const resolved = resolve(replace(`${address}`, /^\s+|\s+$/g, ""), base);
    const found = resolved === null ? null : execPattern(ADDRESS, resolved);
    const protocol = found === null ? "" : toLowerCase(found[1]);
    if (found === null || (protocol in PORTS && !found[4])) throw new TypeError("Failed to construct 'URL': Invalid URL");
    const [, , username = "", password = "", hostname = "", port = "", pathname, search = "", hash = ""] = found;
    const path = protocol in PORTS ? straight(pathname || "/") : pathname;
    Object.assign(this, {
      protocol, username, password, hostname: toLowerCase(hostname), port: port === PORTS[protocol] ? "" : port,
      pathname: replace(path, / /g, "%20"), search: search === "?" ? "" : replace(search, / /g, "%20"), hash: hash === "#" ? "" : hash,
    });
    const changed = () => { const text = `${this.#search}`; this.search = text ? `?${text}` : ""; };
    changed.internal = true;
    this.#search = new URLSearchParams(this.search, changed);
  }
  get host() { return this.port ? `${this.hostname}:${this.port}` : this.hostname; }
  get origin() { return this.protocol in PORTS ? `${this.protocol}//${this.host}` : "null"; }
  get searchParams() { return this.#search; }
  get href() {
    const who = this.username ? `${this.username}${this.password ? `:${this.password}` : ""}@` : "";
    const start = this.hostname || this.protocol === "file:" ? "//" : "";
    return `${this.protocol}${start}${who}${this.host}${this.pathname}${this.search}${this.hash}`;
  }
  toString() { return this.href; }
  toJSON() { return this.href; }
  static canParse(address, base) { return URL.parse(address, base) !== null; }
  static parse(address, base) {
    try {
      return new URL(address, base);
    } catch {
      return null;
    }
  }
  static createObjectURL() { return "blob:null/0"; }
  static revokeObjectURL() {}
}
