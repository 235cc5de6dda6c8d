// The names a browser's window has besides Pencil Code's, so that a program that uses one by accident (`name`,
// `status`, `top`) meets what it would meet in a browser: some are always text, some can't be replaced.
//
// In: nothing. Out: `installWindow()` defines those that behave oddly; `windowValue(name)` is what the others are
// worth. What is larger than a line comes from browser.js. Not guaranteed: that any of it does something. Timers, Date
// and console come from the host.

import { guard, later } from "../time/clock.js";
import { document, hooks, page, withId } from "../page/elements.js";
import { each, listed, Proxy, Reflect, Symbol, TypeError, words } from "../language/lists.js";
import { defineProperty, getPrototypeOf, jsonParse, jsonText, keys, NativePromise, setPrototypeOf } from "../language/primordials.js";
import { Instrument } from "../turtle/sound.js";
import { BROWSER, illegal } from "./browser.js";
import { matchMedia } from "./media.js";
import { requiring } from "./required.js";

/** A global as a plain property. */
export function define(name, value) {
  defineProperty(globalThis, name, { value, writable: true, enumerable: true, configurable: true });
}

const accessor = (name, get, set, configurable = true) => defineProperty(globalThis, name,
  { get, set, enumerable: true, configurable });

const nothing = () => undefined;
// The Promise of the host, so that a rejection that nobody handles is seen.
const unreachable = () => globalThis.Promise.reject(new TypeError("Failed to fetch"));

const FUNCTIONS = {
  __proto__: null,
  confirm: () => false, prompt: () => null, open: () => null, find: () => false, getSelection: () => null,
  fetch: unreachable, createImageBitmap: unreachable,
  matchMedia,
  queueMicrotask: (fn) => { NativePromise.resolve().then(() => guard(fn)); },
  reportError: (error) => { later(() => { throw error; }, 0); },
  structuredClone: (value) => jsonParse(jsonText(value)),
  addEventListener: (type, fn, options) => hooks.listen(globalThis, type, fn, options),
  removeEventListener: (type, fn) => hooks.unlisten(globalThis, type, fn),
  dispatchEvent: (event) => hooks.dispatch(globalThis, event),
};
const IDLE = `alert close focus blur scroll scrollTo scrollBy moveTo moveBy resizeTo resizeBy postMessage captureEvents
  releaseEvents when`;

const VALUES = {
  __proto__: null,
  length: 0, innerWidth: page.width, innerHeight: page.height, outerWidth: page.width, outerHeight: page.height,
    scrollX: 0, scrollY: 0,
  pageXOffset: 0, pageYOffset: 0, screenX: 0, screenY: 0, screenLeft: 0, screenTop: 0, devicePixelRatio: 1,
    offscreenBuffering: true,
  event: undefined, opener: null, frameElement: null, closed: false, isSecureContext: true, crossOriginIsolated: false,
  originAgentCluster: false, credentialless: false, fence: null,
};
const OBJECTS = `external locationbar menubar personalbar scrollbars statusbar toolbar visualViewport scheduler
  navigation viewport chrome
  styleMedia trustedTypes indexedDB caches cookieStore launchQueue documentPictureInPicture crashReport`;
// Made by browser.js; the first can't be replaced.
const MADE_FIXED = ["history", "navigator", "speechSynthesis", "customElements", "crypto", "localStorage",
  "sessionStorage"];
const MADE = `clientInformation screen atob btoa getComputedStyle Image Audio Option Text Comment Node Element DocumentFragment
  Event CustomEvent UIEvent MouseEvent KeyboardEvent PointerEvent TouchEvent EventTarget ImageData AudioContext
  webkitAudioContext XMLHttpRequest URL HTMLElement HTMLImageElement HTMLCanvasElement HTMLDivElement
  HTMLInputElement HTMLButtonElement SVGElement AbortController Blob BroadcastChannel DOMParser DOMPoint DOMRect
  EventSource File FileReader FormData Headers IntersectionObserver MessageChannel MutationObserver Notification
  OffscreenCanvas Path2D ResizeObserver SpeechSynthesisUtterance TextDecoder TextEncoder URLSearchParams WebSocket
  Worker XMLSerializer webkitSpeechRecognition`;
const HANDLERS = `onabort onblur oncancel oncanplay onchange onclick onclose oncommand oncontextmenu ondblclick ondrag
  ondragend ondragenter ondragleave ondragover ondragstart ondrop ondurationchange onemptied onended onerror onfocus
  onformdata oninput oninvalid onkeydown onkeypress onkeyup onloadeddata onloadstart onmousedown onmouseenter
  onmouseleave onmousemove onmouseout onmouseover onmouseup onmousewheel onpause onplay onplaying onprogress
  onratechange onreset onresize onscroll onsearch onseeked onseeking onselect onstalled onsubmit onsuspend
  ontimeupdate ontoggle onvolumechange onwaiting onwheel onauxclick onpointerdown onpointermove onpointerup
  onafterprint onbeforeprint onbeforeunload onhashchange onlanguagechange onmessage onoffline ononline onpagehide
  onpageshow onpopstate onstorage onunhandledrejection onrejectionhandled onunload ondevicemotion ondeviceorientation
  onanimationend ontransitionend onselectstart onselectionchange`;
// Interfaces that can't be made with `new`; of the hundreds, those a program may come across.
const INTERFACES = `Window Touch Subscriber Storage Selection Screen Scheduling Scheduler Response Request Range Plugin Permissions
  Performance Observable Navigator Navigation Location Ink History Highlight Geolocation Gamepad External Document
  Crypto Attr Animation Temporal Accelerometer Cache Credential Gyroscope Keyboard Sensor Worklet Clipboard Lock
  Presentation Serial Summarizer Translator Fence Origin Profiler Sanitizer Viewport HTMLDocument HTMLCollection
  NodeList CanvasRenderingContext2D DOMTokenList CSSStyleDeclaration MediaStream FileList HTMLBodyElement
  DOMException TreeWalker NodeFilter MediaRecorder RTCPeerConnection AudioNode SVGSVGElement`;

/** Every name that `windowValue` knows. */
export const WINDOW_NAMES = [...keys(FUNCTIONS), ...keys(VALUES), ...words(IDLE), ...words(OBJECTS), ...words(MADE),
  ...words(HANDLERS), ...words(INTERFACES), "Instrument"];
const isIdle = listed(IDLE);
const isObject = listed(OBJECTS);
const isMade = listed(MADE);
const isHandler = listed(HANDLERS);

// How many arguments they need.
const REQUIRED = {
  __proto__: null, matchMedia: 1, queueMicrotask: 1, reportError: 1, structuredClone: 1, addEventListener: 2,
  removeEventListener: 2, dispatchEvent: 1, createImageBitmap: 1, postMessage: 1, atob: 1, btoa: 1, getComputedStyle: 1,
  moveTo: 2, moveBy: 2, resizeTo: 2, resizeBy: 2,
};

/** What a name of the window is worth. */
export function windowValue(name) {
  const value = plainValue(name);
  return REQUIRED[name] === undefined ? value : requiring(REQUIRED[name], name, "Window", value);
}

function plainValue(name) {
  if (name in FUNCTIONS) return FUNCTIONS[name];
  if (name in VALUES) return VALUES[name];
  if (name === "Instrument") return Instrument;
  if (isIdle(name)) return nothing;
  if (isHandler(name)) return null;
  if (isObject(name)) return {};
  return isMade(name) ? BROWSER[name] : illegal(name);
}

/** Defines what isn't a plain property: names that can't be replaced, are always text, or make something happen. */
export function installWindow() {
  const constant = (name, value) => defineProperty(globalThis, name, { value, writable: false, enumerable: true,
    configurable: false });
  each(MADE_FIXED, (name) => accessor(name, () => BROWSER[name], undefined));
  each(["self", "parent", "frames"], (name) => define(name, globalThis));
  each(["window", "top"], (name) => constant(name, globalThis));
  constant("document", document);
  accessor("location", () => BROWSER.location, nothing, false);
  each(["name", "status"], textual);
  installLoad();
  defineProperty(globalThis, Symbol.toStringTag, { value: "Window", configurable: true });
}

// The page finishes loading after the program has run.
function installLoad() {
  let onload = null;
  const call = () => { if (typeof onload === "function") guard(() => onload({ type: "load", target: document })); };
  accessor("onload", () => onload, (fn) => {
    if (typeof fn === "function" && onload === null) later(call, 0);
    onload = fn;
  });
}

// A property whose value is always text, as the window's `name`.
function textual(name) {
  let text = "";
  accessor(name, () => text, (value) => { text = `${value}`; });
}

const namedElement = (name) => (typeof name === "string" ? withId(document, name)[0] : undefined);

/** In a browser an element's id is a name of the window too, as long as the element is in the page. */
export function installNamedElements() {
  const base = getPrototypeOf(globalThis);
  const names = new Proxy(base, {
    has: (target, name) => name in target || namedElement(name) !== undefined,
    get: (target, name, self) => (name in target ? Reflect.get(target, name, self) : namedElement(name)),
  });
  try {
    setPrototypeOf(globalThis, names);
  } catch {
    // A real browser's window keeps its prototype, and knows its own elements.
  }
}
