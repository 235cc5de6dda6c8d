// The chunk of everything that writes to the page or works on its elements: jQuery's methods, HTML, selectors, events,
// input.
//
// In: the shared modules (late.js). Out: `$` complete, members on the prototypes of Query, Element, Node and the
// document, all `hooks`, and the globals of Pencil Code that need them.

import { give } from "../late.js";
import "./dom.js";
import "./html.js";
import "./selector.js";
import "./walk.js";
import "./attributes.js";
import "./manipulate.js";
import "./events.js";
import "./effects.js";
import "./turtlecss.js";
import { BROWSER, illegal } from "./browser.js";
import { $ } from "../query.js";
import { OUTPUT } from "./io.js";
import { io, SERVICES } from "./services.js";
import { installStatics } from "./statics.js";

installStatics();

// Pencil Code's global functions that live here.
const GLOBALS = { ...OUTPUT, ...SERVICES, io };
Object.assign($.turtle ?? {}, GLOBALS);
give("page", { BROWSER, illegal, GLOBALS });
