// The jQuery stand-in's core: `Query`, a list of elements, and `$`.
//
// In: a selector, an element, a list, HTML or a function. Out: a Query. Its methods are the turtles'
// and jQuery's, which other modules add. Not guaranteed: jQuery's internals (`_data`,
// `cache`), Sizzle's rarer errors.

import { document, hooks, Node } from "../page/elements.js";
import { each, hide, includes, push, Set } from "../language/lists.js";
import { apply, execPattern, isArray, keys } from "../language/primordials.js";

const HTML = /^\s*(<[\w\W]+>)[^>]*$/;

export class Query {
  /** `items` are the runtime's own list; programs call `$`. */
  constructor(items) {
    let length = 0;
    if (items) {
      ({ length } = items);
      for (let i = 0; i < length; i++) this[i] = items[i];
    }
    this.length = length;
  }
}

/** `$` and `jQuery`: also a constructor, as `new $(...)` works in jQuery. */
export function $(selector, context) {
  return query(selector, context);
}
$.prototype = Query.prototype;
$.fn = Query.prototype;
hide(Query.prototype, "constructor", $);

/** A Query of the runtime's own list; `previous` is what `end()` goes back to. */
export const toQuery = (items, previous) => {
  const result = new Query(items);
  if (previous) hide(result, "prevObject", previous);
  return result;
};

/** Whether a value is taken for a list of elements. */
export const isListLike = (value) => isArray(value) || (typeof value === "object" && value !== null
  && typeof value.length === "number"
  && !(value instanceof Node) && value !== globalThis);

/** What `$` makes of its argument. */
export function query(selector, context) {
  if (!selector) return toQuery([]);
  if (selector instanceof Query) return toQuery(selector);
  if (typeof selector === "string") return fromText(selector, context);
  if (typeof selector === "function") {
    apply(selector, document, [$]);
    return toQuery([document]);
  }
  const result = isListLike(selector) ? toQuery(unique([], selector)) : toQuery([selector]);
  hide(result, "context", selector);
  return result;
}

function fromText(text, context) {
  const html = execPattern(HTML, text);
  let items;
  if (html) {
    items = hooks.parse(html[1]);
    if (context && !(context instanceof Node) && items.length === 1) return assignAll(toQuery(items), context);
  } else {
    const roots = context ? query(context) : [document];
    items = [];
    each(roots, (root) => unique(items, find(root, text)));
  }
  const result = toQuery(items);
  hide(result, "selector", text);
  return result;
}

// $("<a>", {href: ..., text: ..., click: fn}): names of methods are called, the rest are attributes.
function assignAll(result, properties) {
  each(keys(properties), (name) => {
    if (typeof result[name] === "function") result[name](properties[name]);
    else result.attr(name, properties[name]);
  });
  return result;
}

/** Elements below a node (or a window or an odd object: none) that match. */
export function find(root, selector) {
  return root instanceof Node ? hooks.find(root, selector) : [];
}

/** Appends what isn't there yet. */
export function unique(items, more) {
  if (items.length + more.length < 50) {
    each(more, (item) => { if (!includes(items, item)) push(items, item); });
    return items;
  }
  const seen = new Set(items);
  each(more, (item) => { if (!seen.has(item)) { seen.add(item); push(items, item); } });
  return items;
}

/** Adds methods to a prototype, not enumerable. */
export function methods(prototype, source) {
  each(keys(source), (name) => hide(prototype, name, source[name]));
}

/** The Query of one element: what handlers and callbacks get. */
export const one = (element) => toQuery(element ? [element] : []);
