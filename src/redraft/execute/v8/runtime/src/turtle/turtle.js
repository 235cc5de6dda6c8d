// The turtle's methods, put together.
//
// In: `Query.prototype`. Out: `install` gives it every method of turtles; the rest of the runtime takes the commands'
// frame and the stage's commands from here.

import { pageBox } from "./body.js";
import { hooks } from "../page/elements.js";
import { stageMethods } from "./loops.js";
import { marks } from "./marks.js";
import { motions } from "./motion.js";
import { parsePen, setDown, setStyle } from "./pen.js";
import { apply, defineProperty, keys } from "../language/primordials.js";
import { wrapRaw } from "./command.js";
import { senses } from "./sense.js";
import { createTurtle } from "./sprite.js";
import { clip, copy, imagedata } from "./copies.js";
import { emptySurface } from "./surfaces.js";

// Old names of methods, still in use.
const OLD_NAMES = { move: "slide", direct: "plan", enclosedby: "inside", bearing: "direction" };

/** Define the turtle's methods on a prototype, not enumerable, as jQuery's are for `for in`. */
export function install(prototype) {
  const sources = [motions, marks, senses, stageMethods, { clip, copy, imagedata }];
  for (let s = 0; s < sources.length; s += 1) {
    const names = keys(sources[s]);
    for (let i = 0; i < names.length; i += 1) define(prototype, names[i], sources[s][names[i]]);
  }
  const old = keys(OLD_NAMES);
  for (let i = 0; i < old.length; i += 1) {
    const target = prototype[OLD_NAMES[old[i]]];
    define(prototype, old[i], wrapRaw(old[i], function renamed(...args) { return apply(target, this, args); }));
  }
  hooks.turtleBox = pageBox;
  hooks.setPen = (element, style) => setStyle(element, parsePen(style, "strokeStyle"));
  hooks.setDown = setDown;
  hooks.emptied = emptySurface;
}

function define(prototype, name, value) {
  defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: false });
}


export { createTurtle };
export { globalCommand, wrapCommand, wrapPredicate, wrapRaw } from "./command.js";
export { commands } from "./loops.js";
export { hatch, mainTurtle, makeClasses } from "./sprite.js";
