// Loops and the stage: tick, forever, stop, interrupt, speed, sync, done, remove, clearing the screen.
//
// In: functions of a program, elements. Out: the global commands of these names, to be put on the window by globals.js.
// `tick` and `forever` begin when the main turtle's queue has come to them; inside them turtles move at once.

import { turtleOf } from "./body.js";
import { cancel, later, now, onHung } from "../time/clock.js";
import {
  enterTick, globalCommand, leaveTick, mainElement, mainIsBusy, planEach, setDefaultMs, setInterrupted, setMainElement,
  wrapCommand, wrapRaw,
} from "./command.js";
import { clearTexts, FIELD_HEIGHT, FIELD_WIDTH } from "./drawing.js";
import { body, createElement, Element, field } from "../page/elements.js";
import { hatch } from "./sprite.js";
import { forgetLabels } from "./labels.js";
import { eraseField, setFieldCanvas } from "./surfaces.js";
import { enqueue, plan, stopAll, whenIdle } from "../time/queue.js";
import {
  append, floor, isArray, list, max, NativeError, NativeNumber, NativeTypeError, record,
} from "../language/primordials.js";
import { Query, query as find } from "../jquery/query.js";

let ticker = null;
let loops = list();
let running = list();

/** Call `fn` every `ms`, as setInterval does; returns a handle for `stopRepeating`. */
function repeat(fn, ms) {
  const handle = record({ id: 0, live: true });
  const delay = ms >= 4 ? ms : 4;
  const run = () => {
    handle.id = later(run, delay);
    fn();
  };
  handle.id = later(run, delay);
  return handle;
}

function stopRepeating(handle) {
  handle.live = false;
  cancel(handle.id);
}

function call(fn, name) {
  if (typeof fn !== "function") throw new NativeTypeError(`${name} is not a function`);
  enterTick();
  try {
    fn();
  } finally {
    leaveTick();
  }
}

function startTick(first, second) {
  const only = second === undefined && typeof first === "function";
  const fn = only ? first : second;
  const rate = only ? 1 : first;
  if (ticker !== null) stopRepeating(ticker);
  ticker = fn && rate ? repeat(() => call(fn, "fn"), 1000 / rate) : null;
}

function tick(first, second) {
  if (mainIsBusy()) plan(mainElement(), () => startTick(first, second));
  else startTick(first, second);
}

function forever(first, second) {
  const only = !second && typeof first === "function";
  const fn = only ? first : second;
  const rate = only ? 30 : first;
  const ms = max(floor(1000 / max(1 / 86_400, NativeNumber(rate))), 0);
  let action = null;
  if (mainIsBusy()) plan(mainElement(), () => { action = fn; });
  else action = fn;
  const loop = record({ fn, handle: null });
  loop.handle = repeat(() => {
    if (!action) return;
    append(running, loop);
    try {
      call(action, "action");
    } finally {
      if (running.length > 0) running.length -= 1; // `interrupt` has emptied it
    }
  }, ms);
  append(loops, loop);
  return loop.handle.id;
}

function stop(which) {
  let chosen = which ?? null;
  if (chosen === null && running.length > 0) chosen = running[running.length - 1].fn;
  const kept = list();
  for (let i = 0; i < loops.length; i += 1) {
    if (chosen === null || chosen === loops[i].fn || chosen === loops[i].handle.id) stopRepeating(loops[i].handle);
    else append(kept, loops[i]);
  }
  loops = kept;
}

function interrupt(option) {
  if (option === "reset") {
    setInterrupted(false);
    return undefined;
  }
  if (option === "test") return ticker !== null || loops.length > 0 || mainIsBusy();
  stopAll();
  setInterrupted(true);
  startTick(null, null);
  running = list();
  stop(null);
  throw new NativeError(`interrupt(${option ? `'${option}'` : ""}) called`);
}

onHung(() => interrupt("hung"));

function speed(value) {
  if (value === undefined) return;
  setDefaultMs(value > 0 ? 1000 / value : 0);
}

/** The elements among arguments, each once, and a function at their end. */
function gather(args) {
  const elements = list();
  const last = args.length > 0 ? args[args.length - 1] : undefined;
  const completion = typeof last === "function" ? last : null;
  const add = (element) => {
    for (let i = 0; i < elements.length; i += 1) if (elements[i] === element) return;
    append(elements, element);
  };
  for (let i = 0; i < args.length - (completion === null ? 0 : 1); i += 1) {
    const item = args[i];
    if (!item) continue;
    const several = item instanceof Query || isArray(item) ? item : [item];
    for (let j = 0; j < several.length; j += 1) if (several[j]) add(several[j]);
  }
  return { elements, completion };
}

/** Add a task to the queue of what was given: a selector stands for its elements, a number has no queue. */
function enqueueAll(thing, task) {
  if (typeof thing === "string") {
    const found = find(thing);
    for (let i = 0; i < found.length; i += 1) enqueue(found[i], (next) => task(next, found[i]));
  } else if (typeof thing === "object" || typeof thing === "function") {
    enqueue(thing, (next) => task(next, thing));
  }
}

/** Elements wait for each other; what has no queue never comes, and the rest wait for it in vain. */
export function sync(...args) {
  const { elements, completion } = gather(args);
  if (elements.length < 2) return;
  const ready = list();
  for (let i = 0; i < elements.length; i += 1) {
    enqueueAll(elements[i], (next) => {
      append(ready, next);
      if (ready.length !== elements.length) return;
      if (completion !== null) completion();
      for (let j = 0; j < ready.length; j += 1) ready[j]();
    });
  }
}

function remove(...args) {
  const { elements, completion } = gather(args);
  let left = elements.length;
  for (let i = 0; i < elements.length; i += 1) {
    enqueueAll(elements[i], (next, element) => {
      find(element).remove();
      if (element === mainElement()) setMainElement(null);
      left -= 1;
      if (completion !== null && left === 0) completion();
      next();
    });
  }
}

/** Call `fn` once all of these elements are idle, never in the same breath. */
function afterAll(elements, fn) {
  if (typeof fn === "function") whenIdle(elements, () => whenIdle(elements, () => fn(find(elements))));
}

function doneGlobal(fn) {
  const turtles = find(".turtle");
  afterAll(turtles, fn);
  return turtles.promise ? turtles.promise() : turtles;
}

function doneMethod(fn) {
  afterAll(this, fn);
  return this.promise ? this.promise() : this;
}

function clearField({ canvas, turtles, text }) {
  if (canvas) {
    eraseField(now());
    forgetLabels();
    find(".turtlelabel").remove();
  }
  if (turtles) find(field).find(".turtle").not(find(mainElement())).remove();
  if (text) {
    clearTexts();
    const kept = find(body).contents();
    for (let i = 0; i < kept.length; i += 1) if (!kept[i].classList?.contains("turtlefield")) kept[i].remove();
  }
}

let globalCanvas = null;

/** The canvas turtles draw on. */
function canvas() {
  if (globalCanvas === null) {
    globalCanvas = createElement("canvas");
    globalCanvas.setAttribute("width", `${FIELD_WIDTH}`);
    globalCanvas.setAttribute("height", `${FIELD_HEIGHT}`);
    field.insertBefore(globalCanvas, field.firstChild);
    setFieldCanvas(globalCanvas);
  }
  return globalCanvas;
}

/** The first canvas among elements or in them. */
function canvasIn(query) {
  for (let i = 0; i < query.length; i += 1) if (query[i].tag === "canvas") return query[i];
  return query.find("canvas")[0];
}

function drawon(cc, query, target) {
  // Whoever is left goes on only when what was to be drawn on it is drawn.
  for (let i = 0; i < query.length; i += 1) {
    const turtle = turtleOf(query[i]);
    if (turtle.waitsFor) sync(query[i], turtle.waitsFor);
    turtle.waitsFor = target;
  }
  sync(target, query);
  planEach(query, (element) => {
    const turtle = turtleOf(element);
    const found = target instanceof Query || target instanceof Element ? canvasIn(find(target)) : null;
    turtle.drawOn = found && found !== globalCanvas ? found : null;
    cc.resolve();
  });
}

/** Methods of turtles that this file has. */
export const stageMethods = {
  done: wrapRaw("done", doneMethod),
  drawon: wrapCommand("drawon", 1, drawon),
  canvas: wrapRaw("canvas", function turtleCanvas() { return canvasIn(this); }),
  hatch: wrapRaw("hatch", hatch),
};

/** The global commands. */
export const commands = {
  tick: wrapRaw("tick", tick),
  forever: wrapRaw("forever", forever),
  stop: wrapRaw("stop", stop),
  interrupt: wrapRaw("interrupt", interrupt),
  speed: globalCommand("speed", speed),
  defaultspeed: globalCommand("speed", speed),
  sync: wrapRaw("sync", sync),
  remove: wrapRaw("remove", remove),
  done: wrapRaw("done", doneGlobal),
  cs: globalCommand("cs", () => clearField({ canvas: true, turtles: true, text: true })),
  cg: globalCommand("cg", () => clearField({ canvas: true })),
  ct: globalCommand("ct", () => clearField({ text: true })),
  canvas: wrapRaw("canvas", canvas),
  sizexy: wrapRaw("sizexy", () => [FIELD_WIDTH, FIELD_HEIGHT]),
  hatch: wrapRaw("hatch", hatch),
};

