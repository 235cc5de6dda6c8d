// Every global name a Pencil Code program may use.
//
// In: the parts of the runtime. Out: `installGlobals()`, called once by the host when the runtime is loaded: browser
// stand-ins, `$` and `_`, Pencil Code's functions, colours and constants, and the main turtle's methods as functions.

import "../page/layout.js";
import "../page/dom.js";
import "../page/html.js";
import "../page/selector.js";
import "../jquery/walk.js";
import "../page/attributes.js";
import "../jquery/manipulate.js";
import "../page/events.js";
import "../jquery/effects.js";
import "../jquery/turtlecss.js";
import { colorNames } from "../turtle/colors.js";
import { mainElement, planEach, setMainElement, wrapCommand, wrapRaw } from "../turtle/command.js";
import { hooks, origin } from "../page/elements.js";
import { each, hide, Math, Object } from "../language/lists.js";
import { NUMBERS } from "./numbers.js";
import { apply, defineProperty, keys } from "../language/primordials.js";
import { $, methods, Query, toQuery } from "../jquery/query.js";
import { commands, install, mainTurtle, makeClasses } from "../turtle/turtle.js";
import { SOUND_METHODS } from "../turtle/sound.js";
import { installStatics } from "../jquery/statics.js";
import { iced } from "../language/iced.js";
import { makeLodash } from "../language/lodash.js";
import { define, installNamedElements, installWindow, windowValue, WINDOW_NAMES } from "../window/window.js";
import seedrandom from "seedrandom/seedrandom.js";
import { CoffeeScript } from "./coffeescript.js";
import { OUTPUT } from "./io.js";
import { io, SERVICES } from "./services.js";

// Methods of the main turtle that are functions too, unless the window has the name.
const TURTLE_FUNCTIONS = `rt lt fd bk slide movexy moveto jump jumpxy jumpto turnto home copy pen fill dot box arrow
  mirror twist scale
  grow pause st ht pu pd pe pf clip speed wear saveimg drawon label reload hatch pagexy getxy direction distance
  canvas imagedata cell shown hidden
  inside touches within notwithin nearest done plan move direct enclosedby bearing css fadeIn fadeOut fadeTo
  fadeToggle animate toggle
  finish promise show hide`.split(/\s+/);
const STRINGS = ["none", "erase", "path", "up", "down", "color", "position", "normal", "touch", "transparent"];
const EXPANDO = "jQuery214084839806724753191";

function defineAll(values) {
  each(keys(values), (name) => define(name, values[name]));
}

/** Defines names unless the window has them: a real browser's window has some that can't be replaced. */
function defineMissing(names, valueOf) {
  each(names, (name) => { if (!(name in globalThis)) define(name, valueOf(name)); });
}

// say, play, tone and silence give nothing back.
function soundFunctions(main) {
  each(keys(SOUND_METHODS), (name) => {
    define(name, wrapRaw(name, (...args) => { apply(SOUND_METHODS[name], main, args); }));
  });
}

function turtleFunctions(main) {
  const added = [];
  each(TURTLE_FUNCTIONS, (name) => {
    if (name in globalThis) return;
    added.push(name);
    const method = main[name];
    define(name, wrapRaw(name, (...args) => apply(method, main, args)));
  });
  return added;
}

// Commands about a turtle's picture that change nothing here: pictures aren't loaded, files aren't saved.
const pictureCommand = (name) => wrapCommand(name, 1, (cc, query) => planEach(query, cc.resolve));

/** Defines all globals. */
export function installGlobals() {
  installWindow();
  install(Query.prototype);
  methods(Query.prototype, { saveimg: pictureCommand("saveimg") });
  hide(Query.prototype, "jquery", "2.1.4");
  installStatics();
  defineAll(OUTPUT);
  defineAll(SERVICES);
  hide(Math, "seedrandom", seedrandom);
  defineAll({ $, jQuery: $, _: makeLodash(), iced, io });
  defineMissing(keys(colorNames()), (name) => name);
  defineMissing(WINDOW_NAMES, windowValue);
  installNamedElements();
  define("CoffeeScript", CoffeeScript);
  defineProperty(globalThis, EXPANDO, { value: 1, writable: true, configurable: true });
  defineAll(NUMBERS);
  defineAll(commands);
  const classes = makeClasses();
  defineAll(classes);
  each(STRINGS, (name) => define(name, name));
  define("PI", Math.PI);
  define("E", Math.E);
  const main = mainTurtle(classes.Turtle);
  soundFunctions(main);
  const added = turtleFunctions(main);
  define("turtle", main);
  define("origin", toQuery([origin]));
  define("_start_ide_", wrapRaw("_start_ide_", () => {}));
  define("_start_ide_cs_", "");
  define("_start_ide_js_", "");
  $.turtle = Object.assign(() => main, OUTPUT, SERVICES, commands, NUMBERS, { io, hangtime: 20000 });
  defineProperty($.turtle, "colors", { get: () => keys(colorNames()), configurable: true });
  forgetRemoved(added);
}

// A removed element takes the global of its id with it; the main turtle also all functions bound to it.
function forgetRemoved(added) {
  hooks.gone = (element) => {
    if (element.state.turtle !== undefined) element.state.turtle.gone = true;
    const { id } = element;
    const value = id ? globalThis[id] : undefined;
    if (value instanceof Query && value.length === 1 && value[0] === element) delete globalThis[id];
    if (element !== mainElement()) return;
    setMainElement(null);
    each(added, (name) => { delete globalThis[name]; });
  };
}
