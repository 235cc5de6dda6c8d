// jQuery's effects in virtual time: animate, fades, slides, show and hide, delays and the queue itself.
//
// In: elements and how long an effect takes. Out: methods on `Query.prototype`. An effect takes its turn in the
// element's queue (queue.js), after the turtle's motions. While one runs, styles have the value they had before; they
// change at its end.

import { guard, later } from "../time/clock.js";
import { computed, cssHooks, cssNumber, setStyle } from "../page/attributes.js";
import { promiseIdle } from "./deferred.js";
import { Element, isVisible } from "../page/elements.js";
import { Array, each, includes, Object, parseFloat, push, slice, WeakMap } from "../language/lists.js";
import { apply, create, execPattern, keys } from "../language/primordials.js";
import { animate, clearQueue, enqueue, finish, queueLength, stop } from "../time/queue.js";
import { defaultMs, setDefaultMs } from "../turtle/command.js";
import { methods, Query } from "./query.js";
import { camel } from "../page/style.js";

/** Named durations; `turtle` is the speed of moves. */
export const speeds = { slow: 600, fast: 200, _default: 400 };
Object.defineProperty(speeds, "turtle", {
  get: defaultMs, set(ms) { setDefaultMs(+ms || 0); }, enumerable: true, configurable: true,
});

/** What `animate(..., speed, easing, done)` means: duration and callbacks. */
function readOptions(speed, easing, done) {
  const given = typeof speed === "object" && speed !== null ? speed : {
    complete: done ?? (typeof easing === "function" ? easing : typeof speed === "function" ? speed : undefined),
    duration: speed,
  };
  const { duration } = given;
  const ms = typeof duration === "number" ? duration : speeds[duration] ?? speeds._default;
  return { ...given, ms };
}

function finished(element, options) {
  each(["complete", "done", "always"], (name) => {
    if (typeof options[name] === "function") apply(options[name], element, [element]);
  });
}

// An effect on one element: in its queue, or beside it with `queue: false`.
function run(element, options, begin, end) {
  const start = () => {
    if (begin) begin();
    if (typeof options.start === "function") apply(options.start, element, [element]);
  };
  const stopHere = () => {
    end();
    if (typeof options.step === "function") apply(options.step, element, [1, { elem: element, now: 1, prop: "" }]);
    finished(element, options);
  };
  if (options.queue === false) {
    start();
    if (options.ms > 0) later(() => guard(stopHere), options.ms);
    else stopHere();
  } else animate(element, options.ms, start, stopHere);
}

/** The value an animated style ends with. */
function target(element, name, wanted) {
  const value = Array.isArray(wanted) ? wanted[0] : wanted;
  if (value === "toggle") return isVisible(element) ? "hide" : "show";
  if (typeof value !== "string" || cssHooks[name]) return value;
  const found = execPattern(/^(?:([+-])=|)([+-]?(?:\d*\.|)\d+(?:e[+-]?\d+)?)([a-z%]*)$/i, value);
  if (!found) return value;
  const base = found[1] ? parseFloat(computed(element, name)) || 0 : 0;
  const number = found[1] === "-" ? base - +found[2] : base + +found[2];
  return found[3] ? `${number}${found[3]}` : cssNumber[name] ? number : `${number}px`;
}

function applyStyles(element, properties) {
  each(keys(properties), (key) => {
    const name = camel(key);
    if (!(element instanceof Element)) {
      element[name] = Array.isArray(properties[key]) ? properties[key][0] : properties[key];
      return;
    }
    const value = target(element, name, properties[key]);
    if (value === "hide" || value === "show") setDisplay(element, value === "show");
    else if (name === "scrollTop" || name === "scrollLeft") element[name] = 0;
    else setStyle(element, name, value);
  });
}

/** Shows or hides one element at once. */
export function setDisplay(element, shown) {
  if (!(element instanceof Element)) return;
  if (!shown) {
    if (element.style.display !== "none") element.state.shownAs = element.style.display;
    element.style.display = "none";
  } else if (element.style.display === "none" || !isVisible(element)) {
    element.style.display = element.state.shownAs && element.state.shownAs !== "none" ? element.state.shownAs
      : element.display === "none" ? "block" : "";
  }
}

// show, hide and toggle. For turtles they wait their turn even without a duration, and like the real ones they return
// nothing: `turtle.hide().fd 100` fails.
const displayMethod = (wanted) => function display(speed, easing, done) {
  const immediate = arguments.length === 0 || speed === undefined || speed === null || typeof speed === "boolean";
  each(this, (element) => {
    const change = () => setDisplay(element, typeof speed === "boolean" ? speed : wanted === "toggle"
      ? !isVisible(element) : wanted);
    const waits = arguments.length === 0 && element instanceof Element && includes(element.classes, "turtle");
    if (immediate && !waits) change();
    else run(element, immediate ? { ms: 0 } : readOptions(speed, easing, done), null, change);
  });
};

const effect = (choose) => function fade(speed, easing, done) {
  const options = readOptions(speed, easing, done);
  each(this, (element) => run(element, options, () => { if (choose(element)) setDisplay(element, true); },
    () => setDisplay(element, choose(element))));
  return this;
};
const always = (value) => () => value;
// What a toggle will do is settled when it begins.
function toggled() {
  let wanted = null;
  return (element) => {
    if (wanted === null) { wanted = !isVisible(element); return wanted; }
    const now = wanted;
    wanted = null;
    return now;
  };
}

const queues = new WeakMap();
function namedQueue(element, name) {
  let all = queues.get(element);
  if (!all) queues.set(element, all = create(null));
  return all[name] ??= [];
}

function dequeueNamed(element, name) {
  const task = namedQueue(element, name).shift();
  if (typeof task === "function") apply(task, element, [() => dequeueNamed(element, name), {}]);
}

methods(Query.prototype, {
  show: displayMethod(true), hide: displayMethod(false), toggle: displayMethod("toggle"),
  fadeIn: effect(always(true)), fadeOut: effect(always(false)), slideDown: effect(always(true)),
    slideUp: effect(always(false)),
  fadeToggle(...args) { return effect(toggled()).apply(this, args); },
  slideToggle(...args) { return effect(toggled()).apply(this, args); },
  fadeTo(speed, opacity, easing, done) {
    const options = readOptions(speed, easing, done);
    each(this, (element) => run(element, options, () => setDisplay(element, true), () => setStyle(element, "opacity",
      opacity)));
    return this;
  },
  animate(properties, speed, easing, done) {
    const options = readOptions(speed, easing, done);
    each(this, (element) => run(element, options, null, () => applyStyles(element, properties ?? {})));
    return this;
  },
  delay(time, name) {
    const ms = speeds[time] ?? (+time || 0);
    each(this, (element) => {
      if (name === undefined || name === "fx") animate(element, ms, null, null);
      else push(namedQueue(element, name), (next) => later(() => guard(next), ms));
    });
    return this;
  },
  stop(name, clear, toEnd) {
    const [clearing, jump] = typeof name === "string" ? [clear, toEnd] : [name, clear];
    each(slice(this), (element) => stop(element, !!clearing, !!jump));
    return this;
  },
  finish() {
    each(slice(this), (element) => finish(element));
    return this;
  },
  queue(name, task) {
    const named = typeof name === "string";
    const fn = named ? task : name;
    if (fn === undefined) return this.length ? pending(this[0], named ? name : "fx") : undefined;
    each(this, (element) => {
      if (!named || name === "fx") {
        if (typeof fn === "function") enqueue(element, (next) => apply(fn, element, [next, {}]));
        else if (Array.isArray(fn)) clearQueue(element);
      } else push(namedQueue(element, name), fn);
    });
    return this;
  },
  dequeue(name) {
    if (name !== undefined && name !== "fx") each(this, (element) => dequeueNamed(element, name));
    return this;
  },
  clearQueue(name) {
    each(this, (element) => { if (name === undefined || name === "fx") clearQueue(element);
      else namedQueue(element, name).length = 0; });
    return this;
  },
  promise(name, object) {
    return promiseIdle(this, this, typeof name === "object" ? name : object);
  },
});

// The queue as an array, for programs that ask for its length.
function pending(element, name) {
  if (name !== "fx") return namedQueue(element, name);
  const list = [];
  for (let i = 0; i < queueLength(element); i++) push(list, i === 0 ? "inprogress" : () => {});
  return list;
}

