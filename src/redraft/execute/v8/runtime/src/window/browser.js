// The larger stand-ins of a browser's window: location, navigator, storage, XMLHttpRequest, Image, AudioContext ...
//
// In: nothing. Out: `BROWSER`, values by their global name, and `illegal`, which makes constructors that can't be called.
// There is no network: every request fails a moment later.

import { guard, later } from "../time/clock.js";
import { document, Element, Fragment, Node, TextNode } from "../page/elements.js";
import { each, indexOf, join, Math, Object, Proxy, push, String, TypeError, words } from "../language/lists.js";
import { charCode, defineProperty, execPattern, keys, NativeError, NativePromise } from "../language/primordials.js";
import { computed } from "../page/attributes.js";
import { Event } from "../page/events.js";
import { nextRandom } from "../language/random.js";
import { URL, URLSearchParams } from "./address.js";
import { Blob, DOMPoint, DOMRect, File, FileReader, FormData, Headers, TextDecoder, TextEncoder } from "./data.js";
import {
  AbortController, BroadcastChannel, DOMParser, EventSource, MessageChannel, Notification, OffscreenCanvas, Path2D, SPEECH,
  SpeechRecognition, SpeechSynthesisUtterance, WebSocket, Worker, XMLSerializer,
} from "./devices.js";
import { IntersectionObserver, MutationObserver, ResizeObserver } from "./observers.js";

const ADDRESS = "https://student.pencilcode.net/home/program";
const LOCATION = {
  href: ADDRESS, protocol: "https:", host: "student.pencilcode.net", hostname: "student.pencilcode.net", port: "",
  pathname: "/home/program", search: "", hash: "", origin: "https://student.pencilcode.net",
  assign() {}, replace() {}, reload() {}, toString() { return ADDRESS; },
};
const NAVIGATOR = {
  userAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
  appName: "Netscape", appVersion: "5.0", platform: "Linux x86_64", language: "en-US", languages: ["en-US"],
    onLine: true,
  cookieEnabled: true, vendor: "Google Inc.", product: "Gecko", hardwareConcurrency: 2, maxTouchPoints: 0,
  vibrate: () => false, getGamepads: () => [], sendBeacon: () => false, javaEnabled: () => false,
    geolocation: { getCurrentPosition() {} },
};
const HISTORY = { length: 1, state: null, back() {}, forward() {}, go() {}, pushState() {}, replaceState() {} };
const SCREEN = { width: 1280, height: 1024, availWidth: 1280, availHeight: 1024, colorDepth: 24, pixelDepth: 24,
  orientation: { type: "landscape-primary", angle: 0 } };

/** localStorage: everything kept is text. */
function makeStorage() {
  const methods = {
    getItem: (key) => (key in items ? items[key] : null),
    setItem(key, value) { items[key] = `${value}`; },
    removeItem(key) { delete items[key]; },
    clear() { each(keys(items), (key) => { delete items[key]; }); },
    key: (i) => keys(items)[i] ?? null,
  };
  const items = { __proto__: null };
  return new Proxy(items, {
    get: (target, key) => (key === "length" ? keys(items).length : methods[key] ?? items[key]),
    set(target, key, value) { items[key] = `${value}`; return true; },
  });
}

const REFUSED = "Failed to execute";
const NOT_BASE64 = "The string to be decoded is not correctly encoded.";
const NOT_LATIN = "The string to be encoded contains characters outside of the Latin1 range.";
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function btoa(value) {
  const text = `${value}`;
  const out = [];
  for (let i = 0; i < text.length; i += 3) {
    const [a, b, c] = [charCode(text, i), charCode(text, i + 1), charCode(text, i + 2)];
    if (a > 255 || b > 255
      || c > 255) throw new NativeError(`${REFUSED} 'btoa' on 'Window': ${NOT_LATIN}`);
    push(out, BASE64[a >> 2] + BASE64[((a & 3) << 4) | (b >> 4)]
      + (b === b ? BASE64[((b & 15) << 2) | (c >> 6)] : "=") + (c === c ? BASE64[c & 63] : "="));
  }
  return join(out, "");
}

function atob(value) {
  const text = `${value}`.replace(/[\s=]/g, "");
  let out = "";
  let bits = 0;
  let held = 0;
  for (let i = 0; i < text.length; i++) {
    const at = indexOf(BASE64, text[i]);
    if (at < 0) throw new NativeError(`${REFUSED} 'atob' on 'Window': ${NOT_BASE64}`);
    held = ((held << 6) | at) & 0xffff;
    bits += 6;
    if (bits >= 8) { bits -= 8; out += String.fromCharCode((held >> bits) & 255); }
  }
  return out;
}

class ImageData {
  constructor(width, height) {
    Object.assign(this, { width, height, data: new Uint8ClampedArray(Math.min(4 * width * height, 1 << 26)) });
  }
}

class AudioContext {
  constructor() { Object.assign(this, { currentTime: 0, sampleRate: 44100, state: "suspended", destination: {} }); }
  resume() { return NativePromise.resolve(); }
  suspend() { return NativePromise.resolve(); }
  close() { return NativePromise.resolve(); }
  decodeAudioData() { return NativePromise.resolve({}); }
}
const parameter = () => ({ value: 0, setValueAtTime() {}, linearRampToValueAtTime() {},
  exponentialRampToValueAtTime() {}, setTargetAtTime() {}, cancelScheduledValues() {} });
const NODES = `createGain createOscillator createBiquadFilter createDynamicsCompressor createBufferSource createAnalyser
  createPeriodicWave createDelay`;
each(words(NODES), (name) => {
  AudioContext.prototype[name] = () => ({
    gain: parameter(), frequency: parameter(), detune: parameter(), Q: parameter(), connect() {}, disconnect() {},
      start() {}, stop() {},
    setPeriodicWave() {}, addEventListener() {},
  });
});

class XMLHttpRequest {
  constructor() { Object.assign(this, { readyState: 0, status: 0, responseText: "", response: "", statusText: "" }); }
  open(method, url, wait = true) { Object.assign(this, { readyState: 1, url, wait }); }
  setRequestHeader() {}
  getResponseHeader() { return null; }
  abort() {}
  addEventListener(type, fn) { this[`on${type}`] = fn; }
  send() {
    if (!this.wait) throw new NativeError(`${REFUSED} 'send' on 'XMLHttpRequest': Failed to load '${this.url}'.`);
    later(() => {
      this.readyState = 4;
      each(["onreadystatechange", "onerror", "onloadend"],
        (name) => { if (typeof this[name] === "function") guard(() => this[name](new Event(name.slice(2)))); });
    }, 20);
  }
}

const elementMaker = (tag, ...names) => function make(...values) {
  const element = document.createElement(tag);
  each(names, (name, i) => { if (values[i] !== undefined) element[name] = values[i]; });
  return element;
};

const CONSTRUCTORS = {
  Image: elementMaker("img", "width", "height"), Audio: elementMaker("audio", "src"),
    Option: elementMaker("option", "textContent", "value"),
  Text: TextNode, Comment: TextNode, Node, Element, DocumentFragment: Fragment, Event, CustomEvent: Event,
    UIEvent: Event, MouseEvent: Event,
  KeyboardEvent: Event, PointerEvent: Event, TouchEvent: Event, EventTarget: Node, ImageData, AudioContext,
    webkitAudioContext: AudioContext,
  XMLHttpRequest, webkitSpeechRecognition: SpeechRecognition,
  URL, URLSearchParams, FormData, Headers, Blob, File, FileReader, TextEncoder, TextDecoder, DOMPoint, DOMRect,
  MutationObserver, ResizeObserver, IntersectionObserver, SpeechSynthesisUtterance, WebSocket, EventSource, Worker,
  BroadcastChannel, MessageChannel, Notification, AbortController, Path2D, OffscreenCanvas, DOMParser, XMLSerializer,
};


function getRandomValues(list) {
  for (let i = 0; i < list.length; i += 1) list[i] = Math.floor(nextRandom() * 4294967296);
  return list;
}

const storages = { localStorage: makeStorage(), sessionStorage: makeStorage() };
const HTML_ELEMENTS = words(`HTMLElement HTMLImageElement HTMLCanvasElement HTMLDivElement HTMLInputElement
  HTMLButtonElement SVGElement`);

export const BROWSER = {
  ...CONSTRUCTORS, ...storages, location: LOCATION, history: HISTORY, navigator: NAVIGATOR,
    clientInformation: NAVIGATOR, screen: SCREEN,
  speechSynthesis: SPEECH, atob, btoa,
  crypto: { getRandomValues, randomUUID: () => "00000000-0000-4000-8000-000000000000", subtle: {} },
  customElements: { define() {}, get() {} },
  getComputedStyle: (element) => new Proxy({ getPropertyValue: (name) => computed(element, name) }, {
    get: (target, name) => target[name] ?? (typeof name === "string" ? computed(element, name) : undefined),
  }),
};
each(HTML_ELEMENTS, (name) => { BROWSER[name] = Element; });

/** An interface that can't be made with `new`. */
export function illegal(name) {
  const made = function constructor() { throw new TypeError("Illegal constructor"); };
  defineProperty(made, "name", { value: name });
  return made;
}
