// Events: handlers of jQuery (`on`, `off`, `trigger` ...) and of the DOM (`addEventListener`) in one list per target.
//
// In: targets (elements, the document, the window, any object) and handlers. Out: methods on `Query.prototype`, the
// Event class, and `fire` for the runtime itself. No mouse or key event ever comes by itself; what a program triggers
// arrives.

import { guard, later, now } from "../time/clock.js";
import { document, Element, hooks, Node } from "./elements.js";
import {
  Array, each, filter, hide, includes, matches, nameSet, Object, push, pushAll, RangeError, slice, split, TypeError, words,
} from "../language/lists.js";
import { need } from "../window/required.js";
import { apply, hasOwn, keys, NativeError, NativeWeakMap, weakGet, weakSet } from "../language/primordials.js";
import { methods, Query } from "../jquery/query.js";

const KINDS = words(`blur focus focusin focusout load resize scroll unload click dblclick mousedown mouseup mousemove
  mouseover mouseout mouseenter mouseleave change select submit keydown keypress keyup error contextmenu`);
const AJAX = words("ajaxStart ajaxStop ajaxComplete ajaxError ajaxSuccess ajaxSend");
const NO_BUBBLE = words("focus blur load mouseenter mouseleave unload");
const MAX_NESTED = 200;
const store = new NativeWeakMap();
let nested = 0;

function handlersOf(target) {
  if ((typeof target !== "object" && typeof target !== "function") || target === null) return [];
  let list = weakGet(store, target);
  if (!list) {
    list = [];
    weakSet(store, target, list);
  }
  return list;
}

/** An event as handlers see it. */
export class Event {
  constructor(type, properties) {
    const source = typeof type === "object" && type !== null ? type : null;
    if (source) each(keys(source), (name) => { this[name] = source[name]; });
    if (source) this.originalEvent = source;
    this.type = source ? source.type : type;
    this.timeStamp = now();
    if (properties) each(keys(properties), (name) => { this[name] = properties[name]; });
  }
  preventDefault() { this.defaultPrevented = true; }
  stopPropagation() { this.stopped = true; }
  stopImmediatePropagation() { this.stopped = true; this.stoppedNow = true; }
  isDefaultPrevented() { return !!this.defaultPrevented; }
  isPropagationStopped() { return !!this.stopped; }
  isImmediatePropagationStopped() { return !!this.stoppedNow; }
}

// What `document.createEvent` can make, and the methods that then fill it.
const MADE = /^(?:html|svg|ui|mouse|custom|keyboard|message|focus|touch|storage|drag|text|hashchange|composition|beforeunload|devicemotion|deviceorientation)?events?$/i;
const INITS = words("initEvent initUIEvent initMouseEvent initKeyboardEvent initKeyEvent initCustomEvent initMessageEvent");

/** An event to be filled: `document.createEvent(kind)`. */
export function createEvent(kind) {
  if (!matches(MADE, `${kind}`)) {
    const said = `The provided event type ('${kind}') is invalid.`;
    throw new NativeError(`Failed to execute 'createEvent' on 'Document': ${said}`);
  }
  const event = new Event("");
  each(INITS, (name) => hide(event, name, function init(type, bubbles = false, cancelable = false, ...rest) {
    need(1, arguments, `execute '${name}' on 'Event'`);
    Object.assign(this, { type: `${type}`, bubbles: !!bubbles, cancelable: !!cancelable });
    if (name === "initCustomEvent") this.detail = rest[0] ?? null;
    if (name === "initKeyboardEvent") this.key = rest[1] === undefined ? "" : `${rest[1]}`;
  }));
  return event;
}

// The focus ---------------------------------------------------------------------------------------------------------

const FOCUSABLE = nameSet("input button select textarea");
let focused = null;

const canFocus = (element) => element instanceof Element && document.contains(element) && !element.disabled
  && (FOCUSABLE[element.tag] || (element.tag === "a" && "href" in element.attributes) || "tabindex" in element.attributes
    || "contenteditable" in element.attributes);

/** The element of a document that has the focus; undefined if none has. */
export const focusedIn = (root) => (focused !== null && root.contains(focused) ? focused : undefined);

/** Give an element the focus, or take it; both are told. */
function moveFocus(element, gets) {
  if (gets ? focused === element || !canFocus(element) : focused !== element) return;
  const before = focused;
  focused = gets ? element : null;
  if (before !== null && document.contains(before)) trigger(before, "blur");
  if (gets) trigger(element, "focus");
}

/** `$.Event(...)`, with or without `new`. An empty one has no properties, as `lastclick` before any click. */
export function makeEvent(type, properties) {
  const event = new Event(type, properties);
  if (type === undefined) each(["type", "timeStamp"], (name) => { delete event[name]; });
  return event;
}
makeEvent.prototype = Event.prototype;

const parts = (name) => { const [type, ...spaces] = split(`${name}`, "."); return { type, spaces: spaces.sort() }; };
const covers = (handler, spaces) => filter(spaces, (space) => !includes(handler.spaces, space)).length === 0;

// keydown with text as data means: only these keys.
function keyFilter(type, data, fn) {
  if (!/^key(down|up|press)$/.test(type) || typeof data !== "string" || typeof fn !== "function") return fn;
  const wanted = split(data.replace(/\s/g, "").toLowerCase(), ",");
  return function filtered(event, ...rest) {
    return includes(wanted, event.key) ? apply(fn, this, [event, ...rest]) : undefined;
  };
}

/** Adds a handler to a target. */
export function addHandler(target, names, { fn, selector, data, once = false, native = false }) {
  each(words(names), (name) => {
    const { type, spaces } = parts(name);
    const record = { type, spaces, fn, run: native ? fn : keyFilter(type, data, fn), selector, data, once, native };
    push(handlersOf(target), record);
    // The page finishes loading after the program has run.
    if (type === "load" && target === globalThis) later(() =>
      guard(() => invoke(target, record, new Event("load"), [])), 0);
  });
}

function removeHandlers(target, names, selector, fn) {
  const list = handlersOf(target);
  const wanted = names === undefined ? [{ type: "", spaces: [] }] : words(names).map(parts);
  each(slice(list), (handler) => each(wanted, ({ type, spaces }) => {
    if ((type === "" || type === handler.type) && covers(handler, spaces)
      && (fn === undefined || fn === handler.fn) && (selector === undefined || selector === "**"
        || selector === handler.selector)
      && (!handler.native || fn !== undefined)) drop(list, handler);
  }));
}

function drop(list, handler) {
  for (let i = 0; i < list.length; i++) if (list[i] === handler) { list.splice(i, 1); return; }
}

function invoke(target, handler, event, extra) {
  if (handler.once) drop(handlersOf(target), handler);
  event.currentTarget = target;
  event.data = handler.data;
  event.handleObj = handler;
  const fn = handler.run;
  if (handler.native) {
    if (typeof fn === "function") guard(() => apply(fn, target, [event]));
    else if (fn && typeof fn.handleEvent === "function") guard(() => fn.handleEvent(event));
    return undefined;
  }
  if (fn === false) return false;
  if (typeof fn !== "function") throw new TypeError("handler.apply is not a function");
  return apply(fn, target, [event, ...extra]);
}

function settle(event, result) {
  if (result === undefined || event.originalEventIsNative) return;
  event.result = result;
  if (result === false) {
    event.preventDefault();
    event.stopPropagation();
  }
}

// Delegated handlers run for the innermost matching element first, then those of the target itself.
function runAt(target, event, extra) {
  const handlers = filter(handlersOf(target), (handler) => handler.type === event.type
    && covers(handler, event.spaces ?? []));
  const delegated = filter(handlers, (handler) => handler.selector);
  for (let node = event.target; delegated.length && node instanceof Element && node !== target; node = node.parent) {
    each(delegated, (handler) => {
      if (!event.stoppedNow && hooks.is(node, handler.selector)) settle(event, invoke(node, handler, event, extra));
    });
  }
  each(handlers, (handler) => {
    if (!handler.selector && !event.stoppedNow) settle(event, invoke(target, handler, event, extra));
  });
  const inline = target?.[`on${event.type}`];
  if (typeof inline === "function" && target !== globalThis) settle(event, apply(inline, target, [event]));
  else if (target === globalThis && hasOwn(target, `on${event.type}`) && typeof inline === "function") settle(event,
    apply(inline, target, [event]));
}

/** Sends an event from a target upward: element, its holders, document, window. */
export function trigger(target, what, extra = [], bubbles = true) {
  const event = what instanceof Event ? what : new Event(what);
  const { type, spaces } = parts(event.type);
  event.type = type;
  event.spaces = spaces;
  event.target ??= target;
  event.isTrigger = 3;
  delete event.stopped;
  delete event.stoppedNow;
  // A handler that triggers its own event would never end; a browser's stack overflows there.
  if (nested > MAX_NESTED) throw new RangeError("Maximum call stack size exceeded");
  nested += 1;
  try {
    for (let node = target; node; node = bubbles && !includes(NO_BUBBLE, type) ? upward(node) : null) {
      runAt(node, event, extra);
      if (event.stopped) break;
    }
    if (!event.defaultPrevented && type === "click" && target instanceof Element) toggle(target);
  } finally {
    nested -= 1;
  }
  return event;
}

const upward = (node) => (node === document ? globalThis : node instanceof Node ? node.parent : null);

function toggle(element) {
  if (element.tag === "input" && element.type === "checkbox") element.checked = !element.checked;
  if (element.tag === "input" && element.type === "radio") element.checked = true;
}

/** Gives a copy of an element the handlers of the original. */
export function copyHandlers(from, to) {
  pushAll(handlersOf(to), handlersOf(from));
}

hooks.listen = (target, type, fn, options) => addHandler(target, `${type}`,
  { fn, native: true, once: !!options?.once });
hooks.unlisten = (target, type, fn) => removeHandlers(target, `${type}`, undefined, fn);
hooks.dispatch = (target, event) => !trigger(target, event instanceof Event ? event
  : new Event(event?.type ?? `${event}`, event)).defaultPrevented;
hooks.fire = (target, type) => trigger(target, type);
hooks.focus = moveFocus;

// `on` and `one`: events or a map of them, then optionally a selector and data, then the handler.
function listen(list, types, selector, data, fn, once) {
  if (typeof types === "object" && types !== null) {
    const moved = typeof selector === "string";
    each(keys(types), (type) => listen(list, type, moved ? selector : undefined, moved ? data : data ?? selector,
      types[type], once));
    return list;
  }
  let [chosen, given, handler] = [selector, data, fn];
  if (given === undefined && handler === undefined) {
    [handler, chosen] = [chosen, undefined];
  } else if (handler === undefined || handler === null) {
    if (typeof chosen === "string") [handler, given] = [given, undefined];
    else [handler, given, chosen] = [given, chosen, undefined];
  }
  if (handler !== false && !handler) return list;
  each(list, (target) => addHandler(target, types, { fn: handler, selector: chosen ?? undefined,
    data: given ?? undefined, once }));
  return list;
}

const shortcut = (type) => function shorthand(data, fn) {
  if (arguments.length === 0 && (type === "focus" || type === "blur")) {
    each(slice(this), (target) => {
      // As in jQuery: what can have the focus gets it and is told once; for all else it is an event like others.
      if (canFocus(target)) moveFocus(target, type === "focus");
      else trigger(target, type);
    });
    return this;
  }
  if (arguments.length === 0) return this.trigger(type);
  return arguments.length > 1 && fn !== undefined ? listen(this, type, undefined, data, fn, false)
    : listen(this, type, data, undefined, undefined, false);
};

methods(Query.prototype, {
  on(types, selector, data, fn) { return listen(this, types, selector, data, fn, false); },
  one(types, selector, data, fn) { return listen(this, types, selector, data, fn, true); },
  off(types, selector, fn) {
    if (typeof types === "object" && types !== null && types.handleObj) {
      const { handleObj } = types;
      each(this, (target) => removeHandlers(target, handleObj.type, handleObj.selector, handleObj.fn));
      return this;
    }
    if (typeof types === "object" && types !== null) {
      each(keys(types), (type) => this.off(type, selector, types[type]));
      return this;
    }
    const [chosen, handler] = typeof selector === "function" || selector === false ? [undefined, selector]
      : [selector, fn];
    each(this, (target) => removeHandlers(target, types, chosen, handler));
    return this;
  },
  bind(types, data, fn) { return listen(this, types, undefined, data, fn, false); },
  unbind(types, fn) { return this.off(types, undefined, fn); },
  delegate(selector, types, data, fn) { return this.on(types, selector, data, fn); },
  undelegate(selector, types, fn) { return this.off(types, selector ?? "**", fn); },
  hover(over, out) { return this.mouseenter(over).mouseleave(out ?? over); },
  trigger(type, extra) {
    each(slice(this), (target) => trigger(target, type, listed(extra)));
    return this;
  },
  triggerHandler(type, extra) { return this.length ? trigger(this[0], type, listed(extra), false).result : undefined; },
});
each(KINDS, (type) => methods(Query.prototype, { [type]: shortcut(type) }));
each(AJAX, (type) => methods(Query.prototype, { [type]() { return this; } }));

function listed(extra) {
  if (extra === undefined || extra === null) return [];
  return Array.isArray(extra) ? extra : [extra];
}

/** Whether anything listens at the window: the program waits for its reader. */
export const isListening = () => handlersOf(globalThis).length > 0;
