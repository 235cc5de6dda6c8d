// The rest of the DOM's names on elements, text and the document: innerHTML, querySelector, value, click ...
//
// In: the classes of elements.js. Out: members on their prototypes.

import {
  document, DocumentNode, Element, elementsOf, FLAGS, Fragment, hooks, isVisible, Node, textOf, TextNode, createElement,
} from "./elements.js";
import { documentOf } from "../window/devices.js";
import { requireOn } from "../window/required.js";
import { createEvent, focusedIn } from "./events.js";
import { each, filter, indexOf, join, Object, SyntaxError, TypeError, upper, words } from "../language/lists.js";
import { defineProperty, keys, NativeError, NativeString, ownKeys, sliceString, toLowerCase } from "../language/primordials.js";

// Attributes that are also properties of the same name.
const REFLECTED = words("src href alt title name type placeholder rel target lang dir action method htmlFor");

function add(prototype, source) {
  each(ownKeys(source), (name) => {
    if (name !== "constructor") defineProperty(prototype, name, { ...Object.getOwnPropertyDescriptor(source, name),
      enumerable: false, configurable: true });
  });
}

const siblingNode = (node, step) => node.parent?.nodes[indexOf(node.parent.nodes, node) + step] ?? null;
function siblingOf(element, step) {
  const all = element.parent ? elementsOf(element.parent) : [];
  return all[indexOf(all, element) + step] ?? null;
}

class NodeMembers {
  get parentElement() { return this.parent instanceof Element ? this.parent : null; }
  get ownerDocument() { return this === document ? null : document; }
  get lastChild() { return this.nodes[this.nodes.length - 1] ?? null; }
  get nextSibling() { return siblingNode(this, 1); }
  get previousSibling() { return siblingNode(this, -1); }
  get isConnected() { return document.contains(this); }
  get nodeName() { return { 1: this.tagName, 3: "#text", 9: "#document", 11: "#document-fragment" }[this.nodeType]; }
  /** The same as textContent under a shorter name. */
  get text() { return textOf(this); }
  set text(value) { this.textContent = value; }
  hasChildNodes() { return this.nodes.length > 0; }
  replaceChild(child, old) {
    this.insertBefore(child, old);
    return this.removeChild(old);
  }
  addEventListener(type, listener, options) { hooks.listen(this, type, listener, options); }
  removeEventListener(type, listener) { hooks.unlisten(this, type, listener); }
  dispatchEvent(event) { return hooks.dispatch(this, event); }
  getRootNode() { return this.parent ? this.parent.getRootNode() : this; }
}
add(Node.prototype, NodeMembers.prototype);
add(TextNode.prototype, class {
  get nodeValue() { return this.data; }
  set nodeValue(value) { this.data = `${value}`; }
  cloneNode() { return new TextNode(this.data); }
}.prototype);

class ElementMembers {
  get localName() { return this.tag; }
  get dataset() { return this.state.dataset ??= {}; }
  get childElementCount() { return this.children.length; }
  get firstElementChild() { return this.children[0] ?? null; }
  get lastElementChild() { const all = this.children; return all[all.length - 1] ?? null; }
  get nextElementSibling() { return siblingOf(this, 1); }
  get previousElementSibling() { return siblingOf(this, -1); }
  get innerText() { return textOf(this); }
  set innerText(value) { this.textContent = value; }
  get innerHTML() { return hooks.html(this, false); }
  set innerHTML(value) {
    this.clear();
    each(hooks.parse(value === null ? "" : `${value}`).slice(), (node) => this.appendChild(node));
  }
  get outerHTML() { return hooks.html(this, true); }
  set outerHTML(value) { this.replaceWith(...hooks.parse(`${value}`)); }
  get value() { return valueOf(this); }
  set value(value) { setValue(this, value); }
  get options() { return hooks.find(this, "option"); }
  get selectedIndex() { return this.form.index ?? (this.options.length ? 0 : -1); }
  set selectedIndex(value) { this.form.index = +value; }
  get rows() { return hooks.find(this, "tr"); }
  get cells() { return filter(this.children, (cell) => cell.tag === "td" || cell.tag === "th"); }
  get naturalWidth() { return 0; }
  get naturalHeight() { return 0; }
  get offsetParent() { return this.parentElement; }
  get complete() { return true; }
  getAttribute(name) { return readAttribute(this, toLowerCase(`${name}`)); }
  hasAttribute(name) { return this.getAttribute(name) !== null; }
  getAttributeNames() { return keys(this.attributes); }
  querySelector(selector) { return hooks.find(this, selector)[0] ?? null; }
  querySelectorAll(selector) { return hooks.find(this, selector); }
  getElementsByTagName(tag) { return hooks.find(this, `${tag}`); }
  getElementsByClassName(names) { return hooks.find(this, `.${join(words(names), ".")}`); }
  matches(selector) { return hooks.is(this, selector); }
  closest(selector) {
    for (let node = this; node instanceof Element; node = node.parent) if (hooks.is(node, selector)) return node;
    return null;
  }
  append(...items) { each(items, (item) => this.appendChild(asNode(item))); }
  prepend(...items) { const first = this.firstChild; each(items, (item) => this.insertBefore(asNode(item), first)); }
  before(...items) { each(items, (item) => this.parent?.insertBefore(asNode(item), this)); }
  after(...items) { const next = this.nextSibling;
    each(items, (item) => this.parent?.insertBefore(asNode(item), next)); }
  replaceWith(...items) { this.before(...items); this.remove(); }
  replaceChildren(...items) { this.clear(); this.append(...items); }
  insertAdjacentElement(where, item) {
    const how = { beforebegin: "before", afterbegin: "prepend", beforeend: "append", afterend: "after"
      }[toLowerCase(`${where}`)];
    if (!how) {
      const known = "is not one of 'beforeBegin', 'afterBegin', 'beforeEnd', or 'afterEnd'.";
      const value = `The value provided ('${where}') ${known}`;
      throw new SyntaxError(`Failed to execute 'insertAdjacentElement' on 'Element': ${value}`);
    }
    this[how](item);
    return item;
  }
  insertAdjacentHTML(where, html) {
    const holder = new Fragment();
    each(hooks.parse(`${html}`).slice(), (node) => holder.appendChild(node));
    this.insertAdjacentElement(where, holder);
  }
  insertAdjacentText(where, text) { this.insertAdjacentElement(where, new TextNode(`${text}`)); }
  cloneNode(deep) { return clone(this, !!deep); }
  getBoundingClientRect() {
    const { left, top, width, height } = hooks.box(this);
    return { left, top, width, height, x: left, y: top, right: left + width, bottom: top + height };
  }
  getClientRects() { return [this.getBoundingClientRect()]; }
  getContext(kind) {
    if (this.tag !== "canvas") throw new TypeError("getContext is not a function");
    return hooks.context(this, kind);
  }
  toDataURL() { return "data:image/png;base64,"; }
  click() { hooks.fire(this, "click"); }
  focus() { hooks.focus(this, true); }
  blur() { hooks.focus(this, false); }
  play() {
    // Without a network no sound ever loads; a program that doesn't handle that fails, as in a browser.
    return globalThis.Promise.reject(new NativeError("Failed to load because no supported source was found."));
  }
  requestFullscreen() { return globalThis.Promise.resolve(); }
  getAnimations() { return []; }
  toString() {
    return `[object HTML${this.tag === "a" ? "Anchor" : upper(this.tag[0] ?? "") + sliceString(this.tag, 1)}Element]`; }
}
each(words("select submit reset pause load scrollIntoView scrollTo setPointerCapture"),
  (name) => { ElementMembers.prototype[name] = function nothing() {}; });
add(Element.prototype, ElementMembers.prototype);

function readAttribute(element, name) {
  if (name === "class") return element.classes.length ? element.className : null;
  if (name === "style") return element.state.style ? element.style.cssText : null;
  return element.attributes[name] ?? null;
}

function valueOf(element) {
  const { tag, form, attributes } = element;
  if (form.value !== undefined) return form.value;
  if (tag === "textarea") return textOf(element);
  if (tag === "option") return attributes.value ?? textOf(element);
  if (tag === "select") {
    const { options } = element;
    const chosen = filter(options, (option) => option.selected)[0] ?? options[0];
    return chosen ? valueOf(chosen) : "";
  }
  if (tag === "li") return 0;
  if (tag === "input" || tag === "button" || tag === "param") return attributes.value ?? (isCheck(element) ? "on" : "");
  return undefined;
}

const isCheck = (element) => element.attributes.type === "checkbox" || element.attributes.type === "radio";

function setValue(element, value) {
  const plain = element.tag === "input" || element.tag === "textarea";
  if (element.tag === "select") {
    each(element.options, (option) => { option.selected = valueOf(option) === `${value}`; });
  } else {
    element.form.value = plain ? (value === null ? "" : `${value}`) : value;
  }
}

function asNode(item) {
  return item instanceof Node ? item : new TextNode(`${item}`);
}

function clone(element, deep) {
  const copy = createElement(element.tag);
  each(keys(element.attributes), (name) => { copy.attributes[name] = element.attributes[name]; });
  copy.className = element.className;
  if (element.state.style) copy.style.cssText = element.style.cssText;
  each(keys(element.form), (name) => { copy.form[name] = element.form[name]; });
  if (deep) each(element.nodes, (node) => copy.appendChild(node.cloneNode(true)));
  return copy;
}

const property = (name, get, set) => defineProperty(Element.prototype, name, { configurable: true, get, set });

// A property that mirrors an attribute, as text or as a flag.
each(REFLECTED, (name) => {
  const attribute = name === "htmlFor" ? "for" : toLowerCase(name);
  property(name, function read() { return this.attributes[attribute] ?? (name === "type" && this.tag === "input"
    ? "text" : ""); },
    function write(value) { this.setAttribute(attribute, value); });
});
each(keys(FLAGS), (name) => {
  property(name === "readonly" ? "readOnly" : name,
    function read() { return this.form[name] ?? this.attributes[name] !== undefined; },
    function write(value) { this.form[name] = !!value; });
});

// An image's or canvas's size is an attribute, other sizes come from the layout.
each(["width", "height"], (name) => {
  property(name, function read() {
    const given = this.attributes[name] ?? (this.tag === "canvas" ? { width: 300, height: 150 }[name] : undefined);
    return given !== undefined && (+given || this.tag === "canvas") ? +given || 0 : hooks.box(this)[name];
  }, function write(value) {
    this.setAttribute(name, value);
    if (this.tag === "canvas") hooks.emptied(this);
  });
});
each(words("offsetWidth offsetHeight clientWidth clientHeight scrollWidth scrollHeight offsetLeft offsetTop"),
  (name) => {
  const side = toLowerCase(sliceString(name, 6));
  property(name, function read() { return isVisible(this) ? hooks.box(this)[side] : 0; });
});
each(["clientLeft", "clientTop"], (name) => property(name, () => 0));
each(["scrollTop", "scrollLeft"], (name) => property(name, () => 0, () => {}));

const IMPLEMENTATION = { hasFeature: () => true, createHTMLDocument: (title = "") => documentOf(`<title>${title}</title>`, true) };

class DocumentMembers {
  get children() { return elementsOf(this); }
  get title() { return this.heading ?? ""; }
  set title(value) { defineProperty(this, "heading", { value: NativeString(value), configurable: true }); }
  get cookie() { return this.cookies ?? ""; }
  set cookie(value) { defineProperty(this, "cookies", { value: NativeString(value), configurable: true }); }
  get activeElement() { return focusedIn(this) ?? this.body; }
  get implementation() { return IMPLEMENTATION; }
  get forms() { return hooks.find(this, "form"); }
  get images() { return hooks.find(this, "img"); }
  get links() { return hooks.find(this, "a[href]"); }
  get scripts() { return hooks.find(this, "script"); }
  get defaultView() { return globalThis; }
  get location() { return globalThis.location; }
  get URL() { return `${globalThis.location}`; }
  createElementNS(space, tag) { return createElement(tag); }
  createTextNode(text) { return new TextNode(`${text}`); }
  createComment() { return new TextNode(""); }
  createDocumentFragment() { return new Fragment(); }
  createEvent(kind) { return createEvent(kind); }
  createRange() { return { selectNode() {}, selectNodeContents() {}, setStart() {}, setEnd() {}, collapse() {} }; }
  getElementsByName(name) { return hooks.find(this, `[name="${name}"]`); }
  getElementsByTagName(tag) { return hooks.find(this, `${tag}`); }
  getElementsByClassName(names) { return hooks.find(this, `.${join(words(names), ".")}`); }
  querySelector(selector) { return hooks.find(this, selector)[0] ?? null; }
  querySelectorAll(selector) { return hooks.find(this, selector); }
  elementFromPoint() { return this.body; }
  write(...texts) { this.body.insertAdjacentHTML("beforeend", join(texts, "")); }
  writeln(...texts) { this.write(join(texts, ""), "\n"); }
  open() { return this; }
  close() {}
  hasFocus() { return true; }
  execCommand() { return false; }
  getSelection() { return null; }
  exitFullscreen() { return globalThis.Promise.resolve(); }
}
add(DocumentNode.prototype, DocumentMembers.prototype);
add(DocumentNode.prototype, {
  readyState: "complete", styleSheets: [], domain: "pencilcode.net", referrer: "", hidden: false,
    visibilityState: "visible",
  characterSet: "UTF-8", compatMode: "CSS1Compat",
});
add(Fragment.prototype, { get children() { return elementsOf(this); } });

// How many arguments they need.
requireOn(Node.prototype, "Node", { appendChild: 1, insertBefore: 2, removeChild: 1, replaceChild: 2, contains: 1 });
requireOn(Node.prototype, "EventTarget", { addEventListener: 2, removeEventListener: 2, dispatchEvent: 1 });
const FINDING = { querySelector: 1, querySelectorAll: 1, getElementsByTagName: 1, getElementsByClassName: 1 };
requireOn(Element.prototype, "Element", {
  ...FINDING, setAttribute: 2, getAttribute: 1, removeAttribute: 1, hasAttribute: 1, insertAdjacentHTML: 2,
  insertAdjacentElement: 2, insertAdjacentText: 2, matches: 1, closest: 1,
});
requireOn(Element.prototype, "HTMLCanvasElement", { getContext: 1 });
requireOn(DocumentNode.prototype, "Document", {
  ...FINDING, createElement: 1, getElementById: 1, createElementNS: 2, createTextNode: 1, createEvent: 1, getElementsByName: 1,
});
