// Parts of the runtime that most programs never use, kept as text until one does.
//
// In: the name of a chunk. Out: its exports. Reading text is ten times cheaper for V8 than reading code, which counts where
// the bundle is loaded anew for every program; a process that is copied for each reads all of them once (`loadAll`).
// build.mjs makes the chunks (its plugin for `late:` imports); what they import from outside late/ is handed to them here,
// so that there is one copy of each module.

import * as body from "./body.js";
import * as clock from "./clock.js";
import * as colors from "./colors.js";
import * as command from "./command.js";
import * as drawing from "./drawing.js";
import * as elements from "./elements.js";
import * as lists from "./lists.js";
import * as primordials from "./primordials.js";
import * as query from "./query.js";
import * as queue from "./queue.js";
import * as random from "./random.js";
import * as style from "./style.js";
import icedSource from "late:./late/iced.js";
import lodashSource from "late:./late/lodash.js";
import pageSource from "late:./late/page.js";
import soundSource from "late:./late/sound.js";

const { create, evaluate } = primordials;
const sources = { __proto__: null, iced: icedSource, lodash: lodashSource, page: pageSource, sound: soundSource };
const loaded = create(null);
// Built-ins as they were at load: a chunk is read after the program may have replaced them.
const BUILT_INS = ["Object", "Array", "RegExp", "Error", "parseInt", "isNaN", "JSON", "Uint8ClampedArray"];
const builtIns = lists.map(BUILT_INS, (name) => globalThis[name]);

const modules = { body, clock, colors, command, drawing, elements, lists, primordials, query, queue, random, style };

/** The exports of a chunk, read on first use. */
export function late(name) {
  if (loaded[name] === undefined) {
    arriving(name);
    const chunk = evaluate(`(function(shared,${lists.join(BUILT_INS, ",")}){${sources[name]}})`);
    chunk({ ...modules, late: { late, give } }, ...builtIns);
  }
  return loaded[name];
}

/** Called by a chunk's first file: what it exports. */
export function give(name, exports) {
  loaded[name] = exports;
}

let arriving = () => {};
/** `fn(name)` is called before a chunk is read. */
export function beforeArrival(fn) {
  arriving = fn;
}

/** Reads every chunk: for a process that is copied for each program, which pays for it once. */
export function loadAll() {
  for (const name in sources) late(name);
}
