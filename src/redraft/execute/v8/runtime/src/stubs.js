// Where late chunks show: members and globals that load their chunk when a program first touches them.
//
// In: prototypes and names. Out: `installStubs()`. Hundreds of accessors would cost every program a millisecond, so a
// Proxy stands behind each prototype, and behind the global object, until its chunk has come. The lists of names are
// kept by hand: the tests see that every name of the real runtime's API is there, not that no other is missing.

import { colorNames } from "./colors.js";
import { document, hooks, Node, withClass, withId } from "./elements.js";
import { beforeArrival, late } from "./late.js";
import { Array, each, hide, listed, matches, Object, Proxy, Reflect, Symbol, words } from "./lists.js";
import { defineProperty, getPrototypeOf, indexOfString, setPrototypeOf, sliceString } from "./primordials.js";
import { $, Query } from "./query.js";
import { define, isWindowName, lazy, windowValue, WINDOW_NAMES } from "./window.js";

const QUERY = `toArray get pushStack each map slice first last eq end push sort splice extend find filter not is init
  has closest index add
  addBack parent parents parentsUntil next prev nextAll prevAll nextUntil prevUntil siblings children contents ready
  data removeData
  queue dequeue clearQueue promise on one off trigger triggerHandler text append prepend before after remove empty
  clone html
  replaceWith detach domManip appendTo prependTo insertBefore insertAfter replaceAll css show hide toggle fadeTo
  animate stop finish
  slideDown slideUp slideToggle fadeIn fadeOut fadeToggle delay attr removeAttr prop removeProp addClass removeClass
  toggleClass
  hasClass val blur focus focusin focusout load resize scroll unload click dblclick mousedown mouseup mousemove
  mouseover mouseout
  mouseenter mouseleave change select submit keydown keypress keyup error contextmenu hover bind unbind delegate
  undelegate wrapAll
  wrapInner wrap unwrap serialize serializeArray ajaxStart ajaxStop ajaxComplete ajaxError ajaxSuccess ajaxSend offset
  position
  offsetParent scrollLeft scrollTop innerHeight height outerHeight innerWidth width outerWidth size andSelf selector`;
const MEMBERS = `parentElement ownerDocument lastChild nextSibling previousSibling isConnected nodeName text
  hasChildNodes replaceChild
  addEventListener removeEventListener dispatchEvent getRootNode nodeValue localName dataset childElementCount
  firstElementChild lastElementChild nextElementSibling previousElementSibling innerText
  innerHTML outerHTML value options selectedIndex rows cells naturalWidth naturalHeight offsetParent complete
  getAttribute hasAttribute
  getAttributeNames querySelector querySelectorAll getElementsByTagName getElementsByClassName matches closest append
  prepend before
  after replaceWith replaceChildren insertAdjacentElement insertAdjacentHTML insertAdjacentText cloneNode
  getBoundingClientRect
  getClientRects getContext toDataURL click focus blur play requestFullscreen getAnimations toString select submit
  reset pause load
  scrollIntoView scrollTo setPointerCapture src href alt title name type placeholder rel target lang dir action method
  htmlFor checked
  disabled selected readOnly required multiple hidden autofocus autoplay loop muted controls width height offsetWidth
  offsetHeight
  clientWidth clientHeight scrollWidth scrollHeight offsetLeft offsetTop clientLeft clientTop scrollTop scrollLeft
  title cookie activeElement forms images links scripts defaultView location URL createElementNS createTextNode
  createComment createDocumentFragment createEvent createRange getElementsByName getElementsByTagName
  getElementsByClassName
  querySelector querySelectorAll elementFromPoint write writeln open close hasFocus execCommand getSelection
  exitFullscreen
  readyState styleSheets domain referrer hidden visibilityState characterSet compatMode`;
const GLOBALS = `see recolor debug log write print printpage append type typebox typeline read readnum readstr listen
  menu button table img
  help load save send recv loadscript pressed click dblclick mouseup mousedown mousemove keydown keyup keypress
  lastmouse lastclick
  lastdblclick lastmouseup lastmousedown lastmousemove io`;
const SOUND = ["say", "play", "tone", "silence"];
const HOOKS = ["parse", "html", "is", "listen", "unlisten", "dispatch", "fire"];
const SIMPLE_CLASS = /^\.[\w-]+$/;

// Stands behind a prototype until a chunk has given it its own members.
function behind(prototype, isLate, chunk) {
  const base = getPrototypeOf(prototype);
  setPrototypeOf(prototype, new Proxy(base, {
    get(target, name, self) {
      if (!isLate(name)) return Reflect.get(target, name, self);
      late(chunk);
      return self[name];
    },
    has: (target, name) => isLate(name) || name in target,
    set(target, name, value, self) {
      if (!isLate(name)) return Reflect.set(target, name, value, self);
      late(chunk);
      self[name] = value;
      return true;
    },
  }));
}

function soundStub(name) {
  defineProperty(Query.prototype, name, {
    configurable: true,
    get() { late("sound"); return this[name]; },
    set(value) { late("sound"); this[name] = value; },
  });
}

const isOutput = listed(GLOBALS);
const OTHERS = ["$", "jQuery", "_", "iced"];
const isKnown = (name) => isOutput(name) || OTHERS.includes(name) || isWindowName(name)
  || colorNames()[name] !== undefined;

// What a global that isn't there yet is worth; undefined for names nobody knows.
function globalValue(name) {
  if (isOutput(name)) return late("page").GLOBALS[name];
  if (name === "$" || name === "jQuery") { late("page"); return $; }
  if (name === "_") return late("lodash").makeLodash();
  if (name === "iced") return late("iced").iced;
  return colorNames()[name] === undefined ? windowValue(name) : name;
}

// In a browser an element's id is a name of the window too, as long as the element is in the page.
const namedElement = (name) => (typeof name === "string" ? withId(document, name)[0] : undefined);

// Stands behind the global object: a name is defined when it is first read.
function behindGlobals() {
  const base = getPrototypeOf(globalThis);
  const names = new Proxy(base, {
    has: (target, name) => isKnown(name) || name in target || namedElement(name) !== undefined,
    get(target, name, self) {
      if (!isKnown(name)) return name in target ? Reflect.get(target, name, self) : namedElement(name);
      const value = globalValue(name);
      define(name, value);
      return value;
    },
  });
  try {
    setPrototypeOf(globalThis, names);
  } catch {
    // A real browser's window keeps its prototype.
    each([...words(GLOBALS), ...words(WINDOW_NAMES), ...OTHERS, ...Object.keys(colorNames())], (name) => {
      if (!(name in globalThis) || isOutput(name)) lazy(name, () => globalValue(name));
    });
  }
}

/** Everything that stands in for a chunk not yet read. */
export function installStubs() {
  hide(Query.prototype, "jquery", "2.1.4");
  hide(Query.prototype, Symbol.iterator, Array.prototype[Symbol.iterator]);
  each(SOUND, soundStub);
  const bases = [Query.prototype, Node.prototype].map((prototype) => [prototype, getPrototypeOf(prototype)]);
  behind(Query.prototype, listed(QUERY), "page");
  behind(Node.prototype, listed(MEMBERS), "page");
  beforeArrival((chunk) => {
    if (chunk === "page") each(bases, ([prototype, base]) => setPrototypeOf(prototype, base));
  });
  // Loading the chunk replaces each of these hooks.
  each(HOOKS, (name) => { hooks[name] = (...args) => { late("page"); return hooks[name](...args); }; });
  // What the runtime itself asks for in every run needs no selectors.
  hooks.find = (root, selector) => {
    if (matches(SIMPLE_CLASS, selector)) return withClass(root, sliceString(selector, 1));
    late("page");
    return hooks.find(root, selector);
  };
  behindGlobals();
}
