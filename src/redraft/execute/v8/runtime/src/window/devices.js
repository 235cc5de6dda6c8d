// Constructors for what lies beyond the page: speech, sockets, workers, messages, shapes of a canvas.
//
// In: what programs hand to them. Out: the constructors, with `addEventListener` and handlers like `onerror`. There is no
// network and nobody speaks: a socket fails a moment later, a voice is told to have ended, a microphone to hear nothing.

import { guard, later } from "../time/clock.js";
import { createElement, DocumentNode, hooks, Node } from "../page/elements.js";
import { each, filter, hide, Object, push, SyntaxError, TypeError } from "../language/lists.js";
import { NativeError, toLowerCase } from "../language/primordials.js";
import { URL } from "./address.js";
import { need } from "./required.js";

const FAILS_MS = 20;
const VOICE_MS = 300;

/** Something that events are sent to. */
export class Target {
  #listeners = [];
  addEventListener(type, fn) { push(this.#listeners, [`${type}`, fn]); }
  removeEventListener(type, fn) {
    this.#listeners = filter(this.#listeners, (one) => one[0] !== `${type}` || one[1] !== fn);
  }
  dispatchEvent(event) {
    const handler = this[`on${event.type}`];
    if (typeof handler === "function") guard(() => handler.call(this, event));
    each(this.#listeners, ([type, fn]) => { if (type === event.type && typeof fn === "function") guard(() => fn.call(this, event)); });
    return true;
  }
}
const soon = (target, types, ms = FAILS_MS, more = {}) => later(() => each(types, (type) => {
  target.dispatchEvent({ ...more, type, target, currentTarget: target });
}), ms);

export class SpeechSynthesisUtterance extends Target {
  constructor(text = "") {
    super();
    Object.assign(this, { text: `${text}`, lang: "", volume: 1, rate: 1, pitch: 1, voice: null });
  }
}

/** `speechSynthesis`: what is spoken ends after a while. */
export const SPEECH = Object.assign(new Target(), {
  speaking: false, pending: false, paused: false, cancel() {}, pause() {}, resume() {}, getVoices: () => [],
  speak(utterance) {
    need(1, arguments, "execute 'speak' on 'SpeechSynthesis'");
    if (!(utterance instanceof SpeechSynthesisUtterance)) {
      throw new TypeError("Failed to execute 'speak' on 'SpeechSynthesis': parameter 1 is not of type 'SpeechSynthesisUtterance'.");
    }
    soon(utterance, ["start", "end"], VOICE_MS);
  },
});

export class SpeechRecognition extends Target {
  constructor() {
    super();
    Object.assign(this, { continuous: false, interimResults: false, lang: "", maxAlternatives: 1 });
  }
  start() { soon(this, ["error", "end"], FAILS_MS, { error: "network" }); }
  stop() {}
  abort() {}
}

function checkAddress(kind, args, protocols) {
  need(1, args, `construct '${kind}'`);
  const address = URL.parse(`${args[0]}`, `${globalThis.location}`);
  if (address === null) throw new SyntaxError(`Failed to construct '${kind}': The URL '${args[0]}' is invalid.`);
  return protocols ? address.href.replace(/^http/, "ws") : address.href;
}

export class WebSocket extends Target {
  constructor(url) {
    super();
    Object.assign(this, { url: checkAddress("WebSocket", arguments, true), readyState: 0, bufferedAmount: 0, protocol: "", binaryType: "blob" });
    later(() => { this.readyState = 3; }, FAILS_MS);
    soon(this, ["error", "close"], FAILS_MS, { code: 1006, reason: "", wasClean: false });
  }
  send() {
    need(1, arguments, "execute 'send' on 'WebSocket'");
    if (this.readyState === 0) throw new NativeError("Failed to execute 'send' on 'WebSocket': Still in CONNECTING state.");
  }
  close() { this.readyState = 2; }
}
each(["CONNECTING", "OPEN", "CLOSING", "CLOSED"], (name, i) => { WebSocket[name] = WebSocket.prototype[name] = i; });

export class EventSource extends Target {
  constructor(url) {
    super();
    Object.assign(this, { url: checkAddress("EventSource", arguments, false), readyState: 0, withCredentials: false });
    soon(this, ["error"]);
  }
  close() { this.readyState = 2; }
}

export class Worker extends Target {
  constructor(url) {
    super();
    checkAddress("Worker", arguments, false);
    soon(this, ["error"]);
  }
  postMessage() {}
  terminate() {}
}

export class BroadcastChannel extends Target {
  constructor(name) {
    super();
    need(1, arguments, "construct 'BroadcastChannel'");
    this.name = `${name}`;
  }
  postMessage() {}
  close() {}
}

class MessagePort extends Target {
  postMessage(data) { soon(this.other, ["message"], 0, { data }); }
  start() {}
  close() {}
}

export class MessageChannel {
  constructor() {
    this.port1 = new MessagePort();
    this.port2 = new MessagePort();
    hide(this.port1, "other", this.port2);
    hide(this.port2, "other", this.port1);
  }
}

export class Notification extends Target {
  constructor(title) {
    super();
    need(1, arguments, "construct 'Notification'");
    this.title = `${title}`;
    soon(this, ["error"]);
  }
  close() {}
  static permission = "denied";
  static requestPermission(fn) {
    if (typeof fn === "function") later(() => guard(() => fn("denied")), 0);
    return globalThis.Promise.resolve("denied");
  }
}

class AbortSignal extends Target {
  constructor() { super(); Object.assign(this, { aborted: false, reason: undefined }); }
  throwIfAborted() { if (this.aborted) throw this.reason; }
}

export class AbortController {
  signal = new AbortSignal();
  abort(reason = new NativeError("signal is aborted without reason")) {
    if (this.signal.aborted) return;
    Object.assign(this.signal, { aborted: true, reason });
    this.signal.dispatchEvent({ type: "abort", target: this.signal });
  }
}

/** A path of a canvas; what it holds is not drawn. */
export class Path2D {}
each(["addPath", "arc", "arcTo", "bezierCurveTo", "closePath", "ellipse", "lineTo", "moveTo", "quadraticCurveTo", "rect", "roundRect"],
  (name) => { hide(Path2D.prototype, name, function nothing() {}); });

export function OffscreenCanvas(width, height) {
  if (new.target === undefined) throw new TypeError("Failed to construct 'OffscreenCanvas': Please use the 'new' operator.");
  need(2, arguments, "construct 'OffscreenCanvas'");
  const canvas = createElement("canvas");
  canvas.setAttribute("width", `${+width}`);
  canvas.setAttribute("height", `${+height}`);
  return canvas;
}

/** A document of its own, made of HTML or XML. */
export function documentOf(html, isHtml) {
  const made = new DocumentNode();
  const nodes = hooks.parse(html).slice();
  if (!isHtml) {
    each(nodes, (node) => made.appendChild(node));
    hide(made, "documentElement", made.children[0] ?? null);
    return made;
  }
  const given = filter(nodes, (node) => node.tag === "html")[0];
  const root = made.appendChild(given ?? createElement("html"));
  const part = (tag) => filter(root.children, (node) => node.tag === tag)[0] ?? root.appendChild(createElement(tag));
  hide(made, "documentElement", root);
  hide(made, "head", part("head"));
  hide(made, "body", part("body"));
  if (!given) each(nodes, (node) => made.body.appendChild(node));
  return made;
}

const TYPES = { __proto__: null, "text/html": true, "text/xml": false, "application/xml": false, "application/xhtml+xml": false, "image/svg+xml": false };

export class DOMParser {
  parseFromString(text, type) {
    need(2, arguments, "execute 'parseFromString' on 'DOMParser'");
    const isHtml = TYPES[toLowerCase(`${type}`)];
    if (isHtml === undefined) {
      const value = `The provided value '${type}' is not a valid enum value of type SupportedType.`;
      throw new TypeError(`Failed to execute 'parseFromString' on 'DOMParser': ${value}`);
    }
    return documentOf(`${text}`, isHtml);
  }
}

export class XMLSerializer {
  serializeToString(node) {
    need(1, arguments, "execute 'serializeToString' on 'XMLSerializer'");
    if (!(node instanceof Node)) {
      throw new TypeError("Failed to execute 'serializeToString' on 'XMLSerializer': parameter 1 is not of type 'Node'.");
    }
    return hooks.html(node.documentElement ?? node, true);
  }
}
