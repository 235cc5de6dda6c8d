// The page's elements: a small document tree without rendering.
//
// In: tag names and text. Out: `Node`, `TextNode`, `Element` with what the runtime itself needs of them, the `document`
// with its html, body and turtle field, and `page`, the window's size. The rest of the DOM's names is dom.js's.
// layout.js estimates boxes, html.js and selector.js read, events.js keeps listeners: they hang their work on `hooks`. Not
// guaranteed: anything that needs rendering, live collections, name spaces.

import { FIELD_HEIGHT, FIELD_WIDTH } from "../turtle/drawing.js";
import { concat, each, filter, hide, includes, indexOf, join, Map, map, nameSet, push, splice, take, TypeError, upper,
  words } from "../language/lists.js";
import { create, freeze, mapGet, mapSet, NativeError, toLowerCase } from "../language/primordials.js";
import { Style } from "./style.js";

/** The window: the size of the field, so that turtle coordinates and page coordinates agree. */
export const page = freeze({ width: FIELD_WIDTH, height: FIELD_HEIGHT });

/**
 * Filled in by other modules. turtleBox(element): the bounding box of a turtle in page coordinates or null (body.js);
 * box(element) (layout.js); parse(html), html(element), find(root, selector), is(element, selector), listen, unlisten,
 * dispatch, fire(element, type) (html.js, selector.js, events.js); context(canvas, kind) (copies.js);
   mutated(node, added, removed), while a program observes the tree (observers.js);
   gone(element): an element was removed for good;
   emptied(canvas): its size was set, so it is empty (turtle.js); setPen(element, style), setDown(element, down): change a turtle's pen (turtle.js).
 */
export const hooks = {
  turtleBox: () => null, box: null, parse: null, html: null, find: null, is: null, listen: null, unlisten: null,
    dispatch: null,
  fire: null, mutated: null, context: () => null, gone() {}, emptied() {}, setPen() {},
  setDown() {},
};

const BLOCK = nameSet(`address article aside blockquote body center dd details div dl dt fieldset figure footer form
  h1 h2
  h3 h4 h5 h6 header hr html li main nav ol p pre section table tbody td tfoot th thead tr ul`);
const NO_DISPLAY = nameSet("head link meta script style template title");
/** Attributes that are flags. */
export const FLAGS = nameSet(`checked disabled selected readonly required multiple hidden autofocus autoplay loop muted
  controls`);
const REFUSED = "Failed to execute";

export class Node {
  constructor(type) {
    hide(this, "nodeType", type);
    hide(this, "parent", null);
    hide(this, "nodes", []);
  }
  get parentNode() { return this.parent; }
  get childNodes() { return this.nodes; }
  get firstChild() { return this.nodes[0] ?? null; }
  get textContent() { return textOf(this); }
  set textContent(value) {
    this.clear();
    if (value !== null && `${value}` !== "") this.appendChild(new TextNode(`${value}`));
  }
  contains(other) {
    for (let node = other; node; node = node.parent) if (node === this) return true;
    return false;
  }
  appendChild(child) { return this.insertBefore(child, null); }
  insertBefore(child, before) {
    if (!(child instanceof Node)) {
      throw new TypeError(`${REFUSED} 'insertBefore' on 'Node': parameter 1 is not of type 'Node'.`);
    }
    if (child.nodes.length > 0
      && child.contains(this)) throw new NativeError("The new child element contains the parent.");
    if (child.nodeType === 11) {
      each(concat([], child.nodes), (node) => this.insertBefore(node, before));
      return child;
    }
    child.parent?.removeChild(child);
    const at = before ? indexOf(this.nodes, before) : -1;
    if (at < 0) push(this.nodes, child);
    else splice(this.nodes, at, 0, child);
    child.parent = this;
    if (hooks.mutated !== null) hooks.mutated(this, [child], []);
    return child;
  }
  removeChild(child) {
    if (!(child instanceof Node) || !take(this.nodes, child)) {
      throw new NativeError(`${REFUSED} 'removeChild' on 'Node': The node to be removed is not a child of this node.`);
    }
    child.parent = null;
    if (hooks.mutated !== null) hooks.mutated(this, [], [child]);
    return child;
  }
  remove() { this.parent?.removeChild(this); }
  clear() {
    each(this.nodes, (node) => { node.parent = null; });
    if (hooks.mutated !== null && this.nodes.length > 0) hooks.mutated(this, [], concat([], this.nodes));
    this.nodes.length = 0;
  }
}

export class TextNode extends Node {
  constructor(data) {
    super(3);
    hide(this, "data", data);
  }
}

export class Fragment extends Node {
  constructor() { super(11); }
}

/** The children of a node that are elements. */
export const elementsOf = (node) => filter(node.nodes, (child) => child.nodeType === 1);

/** All text in a node. */
export function textOf(node) {
  if (node.nodeType === 3) return node.data;
  return join(map(node.nodes, textOf), "");
}

/** The classes of an element, as the DOM's classList. */
class ClassList {
  constructor(element) { hide(this, "element", element); }
  get length() { return this.element.classes.length; }
  get value() { return this.element.className; }
  contains(name) { return includes(this.element.classes, `${name}`); }
  item(i) { return this.element.classes[i] ?? null; }
  add(...names) { each(names, (name) => { if (!this.contains(name)) push(this.element.classes, `${name}`); }); }
  remove(...names) { each(names, (name) => take(this.element.classes, `${name}`)); }
  toggle(name, force) {
    const on = force === undefined ? !this.contains(name) : !!force;
    if (on) this.add(name);
    else this.remove(name);
    return on;
  }
  replace(old, name) {
    const had = this.contains(old);
    if (had) { this.remove(old); this.add(name); }
    return had;
  }
  toString() { return this.value; }
}

export class Element extends Node {
  constructor(tag) {
    super(1);
    hide(this, "tag", tag);
    hide(this, "classes", []);
    hide(this, "attributes", create(null));
    hide(this, "state", {});
    hide(this, "form", create(null));
  }
  get tagName() { return upper(this.tag); }
  get style() { return this.state.style ??= new Style(); }
  set style(text) { this.style.cssText = text; }
  get id() { return this.attributes.id ?? ""; }
  set id(value) { this.setAttribute("id", value); }
  get className() { return join(this.classes, " "); }
  set className(value) {
    this.classes.length = 0;
    each(words(value), (name) => this.classList.add(name));
  }
  get classList() { return this.state.classList ??= new ClassList(this); }
  get children() { return elementsOf(this); }
  setAttribute(name, value) { writeAttribute(this, toLowerCase(`${name}`), `${value}`); }
  removeAttribute(name) { writeAttribute(this, toLowerCase(`${name}`), null); }
}

function writeAttribute(element, name, value) {
  if (name === "class") element.className = value ?? "";
  else if (name === "style") element.style.cssText = value ?? "";
  else if (value === null) delete element.attributes[name];
  else element.attributes[name] = value;
  if (name === "id" && value) remember(value, element);
  if (name === "value" || FLAGS[name]) delete element.form[name];
}

const byId = new Map();

function remember(id, element) {
  const known = mapGet(byId, id);
  if (known) push(known, element);
  else mapSet(byId, id, [element]);
}

/** Elements of an id below a node. */
export function withId(root, id) {
  return filter(mapGet(byId, id) ?? [], (element) => element.attributes.id === id && element !== root
    && root.contains(element));
}

/** Elements of a class below a node, in document order. */
export function withClass(root, name, found = []) {
  each(root.nodes, (node) => {
    if (node.nodeType !== 1) return;
    if (includes(node.classes, name)) push(found, node);
    withClass(node, name, found);
  });
  return found;
}

/** A new element that isn't in the page yet. */
export function createElement(tag) {
  const name = toLowerCase(`${tag}`);
  const element = new Element(name);
  hide(element, "display", NO_DISPLAY[name] ? "none" : BLOCK[name] ? "block" : "inline");
  return element;
}

/** Whether an element is shown: neither it nor what holds it has `display: none`. */
export function isVisible(element) {
  for (let node = element; node instanceof Element; node = node.parent) {
    const { display } = node.style;
    if (display === "none" || (!display && node.display === "none")) return false;
  }
  return element instanceof Element && document.contains(element);
}

export class DocumentNode extends Node {
  constructor() { super(9); }
  get documentElement() { return root; }
  get head() { return head; }
  get body() { return body; }
  createElement(tag) { return createElement(tag); }
  getElementById(id) { return withId(this, `${id}`)[0] ?? null; }
}

export const document = new DocumentNode();
const root = createElement("html");
const head = createElement("head");
export const body = createElement("body");
/** The turtle field: turtles are its children; its box is the window's. */
export const field = createElement("samp");
/** The field's centre as an element: the global `origin`. */
export const origin = createElement("samp");

document.appendChild(root);
root.appendChild(head);
root.appendChild(body);
body.appendChild(field);
hide(field, "display", "block");
hide(origin, "display", "block");
field.className = "turtlefield";
field.style.position = "absolute";
field.appendChild(origin);
origin.setAttribute("id", "origin");
origin.style.position = "absolute";
origin.style.width = origin.style.height = "0px";
