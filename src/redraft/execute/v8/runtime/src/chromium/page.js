// Entry of the bundle `page`: our runtime and the CoffeeScript compiler as a browser page's script, in the place of
// turtlebits.js.
//
// In: a page with a program in script[type="text/coffeescript"] elements, or in plain scripts after this one. Out:
// Pencil Code's globals; the programs are run when the page's text is complete, and their errors are the page's own.
// The runtime's virtual clock follows the page's: what a callback throws surfaces when its time has come.
// Not guaranteed: anything on the screen; elements and drawings are the runtime's own, `document` is the browser's. The
// line of an error in a plain script's timer isn't known. For tests of the Chromium engine, not for students.

import { natives, restore } from "./natives.js";
import coffee from "iced-coffee-script/lib/coffee-script/coffee-script.js";
import "../host.js";

const TYPES = ["text/coffeescript", "text/iced-coffeescript"];
const POLL_MS = 25;
const STEPS_AT_ONCE = 500;
const BORN = natives.now();
const { parse } = JSON;
const redraft = globalThis.__redraft;
const MakeFunction = Function;
const evaluate = globalThis.eval;

restore();
delete Error.prepareStackTrace; // the compiler's; the runtime reads V8's own stacks
let map = "";
let surfaced = 0;

/** The text a browser's CoffeeScript hands to `Function`: with its source map and the name the runtime looks for. */
function compile(code) {
  const { js, v3SourceMap } = coffee.compile(code, { bare: true, runtime: "none", shiftLine: true, sourceMap: true });
  map = `\n//# sourceMappingURL=data:application/json,${encodeURIComponent(v3SourceMap)}\n//# sourceURL=program.js`;
  return js + map;
}

/** Throw as if from the program's own place, so that a debugger, and the engine, finds its line. */
function throwFrom({ message, line, column }) {
  const fail = () => { throw new Error(message); };
  if (line === null || map === "") fail();
  // `Function` puts two lines before a program and its map knows of one: a place in plain text is one line up.
  const place = "\n".repeat(Math.max(0, line - 2)) + " ".repeat(Math.max(0, column - 1));
  Object.defineProperty(globalThis, "__redraftFail", { value: fail, configurable: true });
  evaluate(`${place}__redraftFail()${map}`);
}

function surface(record, wait) {
  natives.setTimeout(() => {
    if (record.kind === "rejection") Promise.reject(new Error(record.message));
    else throwFrom(record);
  }, wait);
}

function pump() {
  let ahead = 0;
  for (let i = 0; i < STEPS_AT_ONCE; i += 1) {
    const { done, now } = parse(redraft.step(1));
    ahead = now - (natives.now() - BORN);
    if (done || ahead > 0) break;
  }
  const { errors } = parse(redraft.result());
  for (; surfaced < errors.length; surfaced += 1) surface(errors[surfaced], Math.max(0, ahead));
  natives.setTimeout(pump, Math.max(POLL_MS, ahead));
}

function runScripts() {
  natives.setTimeout(pump, 0);
  for (const script of natives.document.querySelectorAll("script")) {
    if (!TYPES.includes(script.type)) continue;
    const js = compile(script.textContent); // a syntax error is the page's
    MakeFunction(js)();
  }
}

const seed = Math.floor(Math.random() * 2 ** 31);
redraft.start("", JSON.stringify({ token: "", seed, limitMs: 1e9, extraMs: 0, drawing: false }));
natives.listen(natives.document, "DOMContentLoaded", runScripts);
