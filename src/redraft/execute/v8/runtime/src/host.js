// Entry of the bundle: one isolate, one program.
//
// In: the host calls `__redraft.start(js, options)`, then `__redraft.step(n)` until it is done, then
// `__redraft.result()`; or `__redraft.run(js, options)`, which does all of it for a program without promises and gives
// the result, for any other does the start and gives nothing. Options (JSON): {token, seed, limitMs, extraMs, maxSteps, drawing}. Out: JSON texts. `token` is
// what the program's last statement logs: END was reached. Time is virtual: callbacks run up to `limitMs` after load,
// and up to `extraMs` longer if END wasn't reached by then.
// Programs are hostile: what is used after the start is captured or without prototype. Endless loops of the language
// itself are the host's to end; endless turtle commands are ended here.

// First, so that the libraries that draw numbers when they are loaded draw ours.
import "./language/random.js";
import {
  goesOn, guard, isFrozen, now, passToEnd, report, reportedErrors, roundMs, setDeadline, setMaxSteps, step,
} from "./time/clock.js";
import { current } from "./turtle/body.js";
import { isInterrupted } from "./turtle/command.js";
import { assetsUsed, drawingRecord, rounded } from "./turtle/drawing.js";
import { body, isVisible } from "./page/elements.js";
import { snapshot } from "./page/snapshot.js";
import { installGlobals } from "./pencilcode/globals.js";
import { each, words } from "./language/lists.js";
import {
  append, defineProperty, evaluate, execPattern, freeze, jsonParse, jsonText, list, NativeError, NativeNumber, NativeString,
  NativeSyntaxError, record, safeText, sliceString,
} from "./language/primordials.js";
import { installPromise, reportRejections, tookPart } from "./language/promises.js";
import { seedRandom } from "./language/random.js";
import { hideInSources, installSources } from "./language/sources.js";
import { normalizeHeading } from "./turtle/geometry.js";
import { turtlesInPage } from "./turtle/sprite.js";
import { isPainted } from "./turtle/surfaces.js";
import { refreshLabels } from "./turtle/labels.js";
import { installTimers } from "./time/timers.js";

const SOURCE_URL = "\n//# sourceURL=program.js";
const ASYNC_WORDS = /\b(?:async|await|Promise|queueMicrotask|then)\b/;
const MAX_LOGGED = 400;
const MANY = 500;
const SILENT = `assert clear count countReset debug dir dirxml group groupCollapsed groupEnd info profile profileEnd
  table time timeEnd timeLog timeStamp trace warn`;

const run = record({
  started: false, stepping: false, ended: false, extended: false, token: null, limitMs: 1500, extraMs: 0, drawing: true,
  perTurn: Infinity, jobs: false,
});

function joined(values) {
  let text = "";
  for (let i = 0; i < values.length && text.length < MAX_LOGGED; i += 1) text += (i > 0 ? " " : "") + logged(values[i]);
  return text;
}

function logged(value) {
  if (!(value instanceof NativeError)) return safeText(value);
  return guard(() => `${safeText(value.name)}: ${safeText(value.message)}`) ?? "[object]";
}

function makeConsole() {
  const console = {
    log(...values) {
      if (run.token === null || values[0] !== run.token || run.ended) return;
      run.ended = true;
      if (!run.extended) setDeadline(run.limitMs);
    },
    error(...values) { report("console", joined(values)); },
  };
  each(words(SILENT), (name) => { console[name] = () => undefined; });
  return console;
}

function define(name, value) {
  defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}

/** Whether a thrown value is a mistake in the program's own syntax: then no line of it has run. */
function isParseError(error) {
  try {
    return error instanceof NativeSyntaxError && execPattern(/program\.js:\d/, `${error.stack}`) === null;
  } catch {
    return false;
  }
}

function start(js, optionsJson) {
  if (run.started) return;
  run.started = true;
  const options = jsonParse(optionsJson);
  run.token = NativeString(options.token);
  run.limitMs = +options.limitMs || 1500;
  run.extraMs = +options.extraMs || 0;
  run.drawing = options.drawing !== false;
  // With promises about, their jobs must run after each callback; the host does that between two steps.
  run.perTurn = execPattern(ASYNC_WORDS, js) === null ? Infinity : 1;
  // The last text that matched stays readable (`RegExp.input`); the program's holds the token.
  execPattern(/^/, "");
  hideInSources(run.token);
  seedRandom(options.seed);
  // Until END is reached, an error counts in the longer window too.
  setDeadline(run.limitMs, run.limitMs + run.extraMs);
  if (options.maxSteps > 0) setMaxSteps(+options.maxSteps);
  NativeError.stackTraceLimit = 40;
  try {
    evaluate(js + SOURCE_URL);
  } catch (error) {
    report(isParseError(error) ? "syntax" : "uncaught", error);
  }
}

function runSteps(n) {
  const turns = n < run.perTurn ? n : run.perTurn;
  for (let i = 0; i < turns; i += 1) {
    if (run.extended && run.ended) return true;
    if (step(1)) {
      if (run.ended || run.extended || !(run.extraMs > 0)) return true;
      run.extended = true;
      setDeadline(run.limitMs + run.extraMs);
    }
    if (jobsWait()) return false;
  }
  return false;
}

// Promises' jobs run when the host has control: then it must have it back.
function jobsWait() {
  run.jobs = tookPart() || run.jobs;
  return run.jobs;
}

/** Up to `n` callbacks; whether nothing is left to do. */
function advance(n) {
  let done = true;
  run.jobs = false;
  if (run.started && !run.stepping) {
    run.stepping = true;
    reportRejections();
    try {
      done = runSteps(+n || 1);
    } finally {
      run.stepping = false;
    }
    // The last callback's promise jobs are still to run.
    if (done && jobsWait()) done = false;
  }
  return done;
}

function stepAll(n) {
  const done = advance(n);
  return jsonText(record({ done, now: roundMs(now()) }));
}

function opacityOf(element) {
  const opacity = NativeNumber(element.style.opacity ?? 1);
  return opacity >= 0 && opacity <= 1 ? rounded(opacity) : 1;
}

function turtleRecords() {
  const found = turtlesInPage();
  const turtles = list();
  for (let i = 0; i < found.length; i += 1) {
    const turtle = current(found[i]);
    append(turtles, record({
      id: turtle.id, name: sliceString(found[i].id, 0, 100), x: rounded(turtle.x), y: rounded(turtle.y),
      direction: rounded(normalizeHeading(turtle.heading)), twist: rounded(turtle.twist),
      radius: rounded(turtle.radius), scale: rounded(turtle.scaleX), scaleY: rounded(turtle.scaleY),
      width: rounded(turtle.width), height: rounded(turtle.height), originX: rounded(turtle.originX),
      originY: rounded(turtle.originY), color: turtle.color, shape: turtle.shape, image: turtle.url,
      opacity: opacityOf(found[i]), pen: turtle.style !== null && turtle.down, surface: isPainted(found[i]),
      shown: isVisible(found[i]) && found[i].style.visibility !== "hidden",
    }));
  }
  return turtles;
}

function result() {
  reportRejections();
  const properties = {
    endReached: run.ended, errors: reportedErrors(), now: roundMs(now()), usedAssets: assetsUsed(),
    interrupted: isInterrupted(), frozen: isFrozen(),
  };
  if (run.drawing) {
    passToEnd();
    guard(refreshLabels);
    // Guarded: a program may have broken the page; its drawing is worth less than its verdict.
    const background = guard(() => sliceString(safeText(body.style.backgroundColor || body.style.background || ""), 0, 100));
    properties.drawing = drawingRecord(guard(turtleRecords) ?? list(), background || null, guard(snapshot) ?? null,
      goesOn() ? roundMs(now()) : null);
  }
  return jsonText(record(properties));
}

function runAll(js, optionsJson) {
  start(js, optionsJson);
  if (run.perTurn === 1 || tookPart()) return null;
  while (!advance(MANY)) if (run.jobs) return null;
  return result();
}

function install() {
  installSources();
  installPromise();
  installTimers();
  define("console", makeConsole());
  installGlobals();
  // Nothing of a page needs these, and they could wait for real or use memory beyond the isolate's limit.
  delete globalThis.WebAssembly;
  delete globalThis.SharedArrayBuffer;
  delete globalThis.Atomics;
  delete globalThis.Temporal;
  // mini-racer's own timers, on the real clock.
  if ("__timer_manager" in globalThis) globalThis.__timer_manager = undefined;
  defineProperty(globalThis, "__redraft", {
    value: freeze(record({
      run: freeze(runAll), start: freeze(start), step: freeze(stepAll), result: freeze(result),
    })),
    writable: false, configurable: false, enumerable: false,
  });
}

install();
