// jQuery's methods that read and set what an element is: attributes, properties, classes, values, text, styles, sizes,
// data.
//
// In: elements of a Query. Out: methods on `Query.prototype`, and `cssHooks` for styles that are more than text
// (turtle.js puts turtleScale ... there). A getter looks at the first element, a setter at all.

import { rgba } from "../turtle/colors.js";
import { document, Element, hooks, isVisible, Node, page } from "./elements.js";
import {
  each, encodeURIComponent, filter, includes, indexOf, join, map, nameSet, Object, parseFloat, push, replace, split,
  String, TypeError, words,
} from "../language/lists.js";
import { apply, create, execPattern, isArray, jsonParse, keys, NativeMap, mapGet, mapSet, NativeWeakMap, sliceString,
  weakGet, weakSet } from "../language/primordials.js";
import { checkStyles } from "../language/pollution.js";
import { methods, one, Query } from "../jquery/query.js";
import { camel, initialValue } from "./style.js";

const isPlain = (value) => typeof value === "object" && value !== null;
const call = (value, element, i, old) => (typeof value === "function" ? apply(value, element, [i, old]) : value);

/** A method that sets with (name, value), (name, fn) or a map of names, and gets with a name alone. */
export function accessor(get, set) {
  return function access(name, value) {
    if (isPlain(name) && !isArray(name)) {
      each(keys(name), (key) => access.call(this, key, name[key]));
      return this;
    }
    if (arguments.length < 2) return this.length ? get(this[0], name) : undefined;
    if (value === undefined) return this;
    each(this, (element, i) => {
      const result = call(value, element, i, typeof value === "function" ? get(element, name) : undefined);
      if (result !== undefined) set(element, name, result);
    });
    return this;
  };
}

const PROPERTY_NAMES = Object.assign(create(null), { for: "htmlFor", class: "className", readonly: "readOnly",
  maxlength: "maxLength" });
const FLAGS = nameSet("checked disabled selected readonly required multiple autofocus hidden");

function setAttribute(element, name, value) {
  if (!(element instanceof Element)) return;
  if (value === null || (FLAGS[name] && value === false)) element.removeAttribute(name);
  else element.setAttribute(name, FLAGS[name] ? name : `${value}`);
}

methods(Query.prototype, {
  attr: accessor((element, name) => (element instanceof Element ? element.getAttribute(name) ?? undefined
    : undefined), setAttribute),
  removeAttr(names) {
    each(this, (element) => each(words(names), (name) => element.removeAttribute?.(name)));
    return this;
  },
  prop: accessor((element, name) => element[PROPERTY_NAMES[name] ?? name],
    (element, name, value) => { element[PROPERTY_NAMES[name] ?? name] = value; }),
  removeProp(name) {
    each(this, (element) => { delete element[PROPERTY_NAMES[name] ?? name]; });
    return this;
  },
  addClass: classes((list, name) => list.add(name)),
  removeClass(value) {
    if (value !== undefined) return classes((list, name) => list.remove(name)).call(this, value);
    each(this, (element) => { if (element.classes) element.classes.length = 0; });
    return this;
  },
  toggleClass(value, state) {
    if (value === undefined || typeof value === "boolean") return this;
    return classes((list, name) => list.toggle(name, typeof state === "boolean" ? state : undefined)).call(this, value);
  },
  hasClass(name) { return filter(this, (element) => element.classes
    && includes(element.classes, `${name}`)).length > 0; },
  val(value) {
    if (arguments.length === 0) return this.length ? chosen(this[0]) : undefined;
    each(this, (element, i) => {
      if (!(element instanceof Element)) return;
      const result = call(value, element, i, typeof value === "function" ? chosen(element) : undefined);
      if (isArray(result)) element.checked = includes(map(result, String), element.value);
      else element.value = result === null || result === undefined ? "" : `${result}`;
    });
    return this;
  },
  text(value) {
    if (value === undefined) return join(map(this, (element) => (element instanceof Node ? element.textContent : "")),
      "");
    each(this, (element, i) => { if (element instanceof Element) element.textContent = call(value, element, i,
      element.textContent); });
    return this;
  },
  html(value) {
    if (value === undefined) return this[0] instanceof Element ? this[0].innerHTML : undefined;
    each(this, (element, i) => {
      if (!(element instanceof Element)) return;
      const result = call(value, element, i, typeof value === "function" ? element.innerHTML : undefined);
      if (isPlain(result)) one(element).empty().append(result);
      else element.innerHTML = result;
    });
    return this;
  },
  data(name, value) {
    if (name === undefined) return this.length ? dataOf(this[0], true) : null;
    return dataAccess.call(this, name, value, arguments.length);
  },
  removeData(names) {
    each(this, (element) => {
      const data = dataOf(element);
      each(names === undefined ? keys(data) : isArray(names) ? names : words(names),
        (name) => { delete data[camel(name)]; });
    });
    return this;
  },
});

function classes(change) {
  return function changeClasses(value) {
    each(this, (element, i) => {
      if (!(element instanceof Element)) return;
      const names = call(value, element, i, element.className);
      each(words(names ?? ""), (name) => change(element.classList, name));
    });
    return this;
  };
}

function chosen(element) {
  if (element.tag === "select" && element.multiple) {
    return map(filter(element.options, (option) => option.selected), (option) => option.value);
  }
  return element.value;
}

// Data ----------------------------------------------------------------------------------------------------------------

const elsewhere = new NativeWeakMap();

/** What `data()` keeps of an element or any object; with `attributes`, its data-* attributes too. */
export function dataOf(target, attributes = false) {
  if (!isPlain(target) && typeof target !== "function") return {};
  if (!(target instanceof Element)) {
    const known = weakGet(elsewhere, target) ?? {};
    weakSet(elsewhere, target, known);
    return known;
  }
  target.state.data ??= {};
  if (attributes) each(keys(target.attributes),
    (name) => { if (/^data-/.test(name)) readData(target, camel(sliceString(name, 5))); });
  return target.state.data;
}

function readData(element, key) {
  const data = dataOf(element);
  if (key in data || !(element instanceof Element)) return data[key];
  const text = element.attributes[`data-${replace(key, /[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`];
  if (text === undefined) return undefined;
  data[key] = fromAttribute(text);
  return data[key];
}

function fromAttribute(text) {
  if (text === "true" || text === "false") return text === "true";
  if (text === "null") return null;
  if (`${+text}` === text) return +text;
  if (!/^(?:\{[\w\W]*\}|\[[\w\W]*\])$/.test(text)) return text;
  try { return jsonParse(text); } catch { return text; }
}

function dataAccess(name, value, count) {
  if (isPlain(name)) {
    each(this, (element) => each(keys(name), (key) => { dataOf(element)[camel(key)] = name[key]; }));
    return this;
  }
  if (count < 2) return this.length ? readData(this[0], camel(name)) : undefined;
  each(this, (element) => { dataOf(element)[camel(name)] = value; });
  return this;
}

// Styles --------------------------------------------------------------------------------------------------------------

/** Styles that are more than text: name -> {get(element), set(element, value)}. */
export const cssHooks = create(null);
/** Styles whose numbers take no "px". */
export const cssNumber = nameSet(`columnCount fillOpacity flexGrow flexShrink fontWeight lineHeight opacity order
  orphans
  widows zIndex zoom turtleRotation turtleSpeed turtleScale turtleScaleX turtleScaleY turtleTwist`);
const LENGTH = nameSet("width height");
const COLOR = /color$/i;
const SIDES = words("Top Right Bottom Left");

// A shorthand stands for its parts where a part is asked for: margin -> marginLeft, background -> backgroundColor.
function declared(element, name) {
  const own = element.style[name];
  if (own !== undefined && own !== "") return `${own}`;
  if (name === "backgroundColor") return filter(split(`${element.style.background ?? ""}`, " "),
    (part) => rgba(part))[0];
  const part = execPattern(/^(margin|padding)(Top|Right|Bottom|Left)$/, name);
  if (part && element.style[part[1]]) {
    const values = words(element.style[part[1]]);
    const at = indexOf(SIDES, part[2]);
    return values[at] ?? values[at % 2] ?? values[0];
  }
  return undefined;
}

const INHERITED = nameSet("color fontSize fontFamily fontWeight fontStyle textAlign lineHeight visibility cursor");

function colorText(value) {
  const color = rgba(value);
  if (!color) return value;
  const [red, green, blue, alpha] = [color[0], color[1], color[2], color[3]];
  return alpha === 255 ? `rgb(${red}, ${green}, ${blue})`
    : `rgba(${red}, ${green}, ${blue}, ${+(alpha / 255).toFixed(3)})`;
}

/** The value a style has on the page. */
export function computed(element, property) {
  const name = camel(property);
  const hook = cssHooks[name];
  if (hook?.get) return hook.get(element);
  if (!(element instanceof Element)) return undefined;
  if (name === "display") {
    const display = element.style.display || element.display;
    return { td: "table-cell", th: "table-cell", tr: "table-row", table: "table", li: "list-item" }[element.tag]
      && display === "block"
      ? { td: "table-cell", th: "table-cell", tr: "table-row", table: "table", li: "list-item" }[element.tag] : display;
  }
  if (LENGTH[name] && isVisible(element)) {
    const { width, height } = hooks.box(element);
    return `${name === "width" ? width : height}px`;
  }
  for (let node = element; node instanceof Element; node = INHERITED[name] ? node.parent : null) {
    const value = declared(node, name);
    if (value !== undefined) return COLOR.test(name) ? colorText(value) : value;
  }
  return initialValue(name);
}

/** Sets a style as jQuery does: numbers in pixels, "+=10" relative, null and NaN not at all. */
export function setStyle(element, property, value) {
  const name = camel(property);
  let set = value;
  const relative = typeof set === "string" ? execPattern(/^([+-])=([+-]?(?:\d*\.|)\d+(?:e[+-]?\d+)?)/, set) : null;
  if (relative) set = +`${relative[1]}1` * +relative[2] + (parseFloat(computed(element, name)) || 0);
  if (set === null || set === undefined || set !== set) return;
  const hook = cssHooks[name];
  if (hook?.set) {
    hook.set(element, set);
    return;
  }
  if (element instanceof Element) element.style[name] = typeof set === "number" && !cssNumber[name] ? `${set}px`
    : `${set}`;
}

const css = accessor((element, name) => computed(element, name), setStyle);

methods(Query.prototype, {
  css(name, value) {
    if (isArray(name)) {
      const values = {};
      each(name, (key) => { values[key] = this.length ? computed(this[0], key) : undefined; });
      return values;
    }
    if (name === undefined || name === null) {
      // What the real function says when it is called without a name.
      if (this.length) throw new TypeError(`Cannot read properties of ${name} (reading 'replace')`);
      return undefined;
    }
    if (isPlain(name)) checkStyles();
    return arguments.length < 2 ? css.call(this, name) : css.call(this, name, value);
  },
});

// Sizes and places ----------------------------------------------------------------------------------------------------

const isWindow = (target) => target === globalThis;
const around = (element, kinds, sides) => {
  let total = 0;
  each(kinds, (kind) => each(sides, (side) => {
    total += parseFloat(computed(element, kind === "border" ? `border${side}Width` : `${kind}${side}`)) || 0;
  }));
  return total;
};

function sizeMethod(name, kinds) {
  const sides = name === "width" ? ["Left", "Right"] : ["Top", "Bottom"];
  return function size(value) {
    if (value === undefined || typeof value === "boolean") {
      const element = this[0];
      if (element === undefined) return null;
      if (isWindow(element) || element === document) return page[name];
      if (!(element instanceof Element)) return null;
      const extra = value === true && kinds.length === 2 ? around(element, ["margin"], sides) : 0;
      const own = element.state.turtle ? parseFloat(element.style[name]) : NaN;
      return (own === own ? own : hooks.box(element)[name]) + around(element, kinds, sides) + extra;
    }
    each(this, (element, i) => setStyle(element, name, call(value, element, i, hooks.box(element)[name])));
    return this;
  };
}

const scrolled = new NativeMap();
const scrollMethod = (name) => function scroll(value) {
  if (value === undefined) return this.length ? mapGet(scrolled, name) ?? 0 : null;
  if (isWindow(this[0])) mapSet(scrolled, name, 0);
  return this;
};

methods(Query.prototype, {
  width: sizeMethod("width", []), height: sizeMethod("height", []),
  innerWidth: sizeMethod("width", ["padding"]), innerHeight: sizeMethod("height", ["padding"]),
  outerWidth: sizeMethod("width", ["padding", "border"]), outerHeight: sizeMethod("height", ["padding", "border"]),
  scrollLeft: scrollMethod("left"), scrollTop: scrollMethod("top"),
  offset(place) {
    if (place === undefined) {
      const element = this[0];
      if (element === undefined || isWindow(element) || element === document) return undefined;
      const { left, top } = hooks.box(element);
      return { top, left };
    }
    each(this, (element, i) => {
      if (!(element instanceof Element)) return;
      const { left, top } = hooks.box(element);
      const wanted = call(place, element, i, { top, left });
      if (!element.style.position) element.style.position = "relative";
      if (wanted?.top !== undefined) element.style.top = `${wanted.top - top + (parseFloat(element.style.top) || 0)}px`;
      if (wanted?.left !== undefined) {
        element.style.left = `${wanted.left - left + (parseFloat(element.style.left) || 0)}px`;
      }
    });
    return this;
  },
  position() {
    if (!this.length) return undefined;
    const { left, top } = hooks.box(this[0]);
    const base = this.offsetParent()[0];
    const from = base && base.tag !== "html" ? hooks.box(base) : { left: 0, top: 0 };
    return { top: top - from.top, left: left - from.left };
  },
  offsetParent() {
    return this.map((i, element) => {
      let node = element.parent;
      while (node instanceof Element && !node.style.position) node = node.parent;
      return node instanceof Element ? node : document.documentElement;
    });
  },
  serializeArray() {
    const fields = [];
    const inputs = [];
    each(this, (element) => each(element.tag === "form" ? hooks.find(element, ":input") : [element],
      (input) => push(inputs, input)));
    each(inputs, (input) => {
      if (input.name && !input.disabled && (!/^(?:checkbox|radio)$/.test(input.type) || input.checked)) push(fields,
        { name: input.name, value: chosen(input) });
    });
    return fields;
  },
  serialize() {
    return join(map(this.serializeArray(), ({ name, value }) =>
      `${encodeURIComponent(name)}=${replace(encodeURIComponent(value), /%20/g, "+")}`), "&");
  },
});


