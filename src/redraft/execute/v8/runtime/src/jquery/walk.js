// jQuery's methods for lists of elements and for walking the tree: each, map, filter, find, parent, next ...
//
// In: `Query.prototype`. Out: the methods on it. Results of several elements are unique and in document order where
// jQuery's are.

import { document, Element, elementsOf, Node } from "../page/elements.js";
import {
  each, filter, hide, includes, indexOf, Map, map, push, pushAll, reverse, slice, sort, splice, Symbol, Array,
} from "../language/lists.js";
import { apply, isArray } from "../language/primordials.js";
import { $, find, isListLike, methods, Query, query, toQuery, unique } from "./query.js";
import { filterList, is as matches } from "../page/selector.js";

/** Position in the page, for results in document order. */
function order(items) {
  const place = new Map();
  const walk = (node) => { place.set(node, place.size); each(node.nodes, walk); };
  walk(document);
  return sort(items, (a, b) => (place.get(a) ?? Infinity) - (place.get(b) ?? Infinity) || 0);
}

/** A test made of what filter, not, is and index take: selector, function, element, Query or list. */
function tester(qualifier) {
  if (typeof qualifier === "function") return (item, i) => !!apply(qualifier, item, [i, item]);
  if (typeof qualifier === "string") return (item, i, all) => item instanceof Element && matches(item, qualifier, all);
  if (qualifier instanceof Query || isListLike(qualifier)) return (item) => includes(qualifier, item);
  return (item) => item === qualifier;
}

function narrowed(list, qualifier, wanted) {
  if (qualifier === undefined || qualifier === null) return wanted ? [] : slice(list);
  if (typeof qualifier === "string") return filterList(list, qualifier, wanted);
  const test = tester(qualifier);
  return filter(list, (item, i) => test(item, i) === wanted);
}

// A way through the tree: `step` lists the nodes an element leads to; several elements' results are made unique.
function walker(step, { reversed = false, many = false } = {}) {
  return function walk(until, selector) {
    const items = [];
    each(this, (item) => unique(items, step(item, until)));
    const narrowing = step.length > 1 ? selector : until;
    const found = typeof narrowing === "string" ? narrowed(items, narrowing, true) : items;
    if (this.length > 1 && many) order(found);
    if (this.length > 1 && reversed) reverse(found);
    return toQuery(found, this);
  };
}

function along(from, next, until) {
  const found = [];
  const stop = until === undefined ? () => false : tester(until);
  for (let node = next(from); node; node = next(node)) {
    if (node.nodeType === 9) break;
    if (stop(node)) break;
    push(found, node);
  }
  return found;
}

// The window has a `parent` too, itself; it is no node.
const parentOf = (node) => (node instanceof Node ? node.parent : null);
const nextOf = (node) => node.nextElementSibling;
const previousOf = (node) => node.previousElementSibling;
const some = (node) => (node ? [node] : []);

methods(Query.prototype, {
  jquery: "2.1.4",
  selector: "",
  length: 0,
  init: $,
  toArray() { return slice(this); },
  get(i) {
    if (i === undefined || i === null) return slice(this);
    return i < 0 ? this[i + this.length] : this[i];
  },
  pushStack(items) { return toQuery(items, this); },
  each(fn) {
    for (let i = 0; i < this.length; i++) if (apply(fn, this[i], [i, this[i]]) === false) break;
    return this;
  },
  map(fn) {
    const out = [];
    each(this, (item, i) => {
      const value = apply(fn, item, [i, item]);
      if (isArray(value)) pushAll(out, value);
      else if (value !== null && value !== undefined) push(out, value);
    });
    return toQuery(out, this);
  },
  slice(start, end) { return toQuery(slice(slice(this), start, end), this); },
  first() { return this.eq(0); },
  last() { return this.eq(-1); },
  eq(i) {
    const at = +i + (i < 0 ? this.length : 0);
    return toQuery(at >= 0 && at < this.length ? [this[at]] : [], this);
  },
  end() { return this.prevObject ?? toQuery([]); },
  push(...items) {
    each(items, (item) => { this[this.length] = item; this.length += 1; });
    return this.length;
  },
  sort(compare) { return sort(this, compare); },
  splice(...args) { return apply(splice, undefined, [this, ...args]); },
  size() { return this.length; },
  find(selector) {
    const items = [];
    if (typeof selector !== "string") {
      each(query(selector),
        (item) => { if (filter(this, (root) => root !== item && root.contains?.(item)).length) push(items, item); });
    } else each(this, (root) => unique(items, find(root, selector)));
    return toQuery(items, this);
  },
  filter(qualifier) { return toQuery(narrowed(this, qualifier, true), this); },
  not(qualifier) { return toQuery(narrowed(this, qualifier, false), this); },
  is(qualifier) { return narrowed(this, qualifier, true).length > 0; },
  has(target) {
    const holds = (item) => (typeof target === "string" ? find(item, target).length > 0
      : filter(query(target), (inner) => inner !== item && item.contains(inner)).length > 0);
    return toQuery(filter(this, holds), this);
  },
  closest(qualifier) {
    const test = tester(qualifier);
    const items = [];
    each(this, (item) => {
      for (let node = item; node && node.nodeType !== 9; node = parentOf(node)) {
        if (test(node)) { unique(items, [node]); break; }
      }
    });
    return toQuery(items, this);
  },
  index(target) {
    if (target === undefined || target === null) return this[0] && parentOf(this[0])
      ? indexOf(elementsOf(this[0].parent), this[0]) : -1;
    if (typeof target === "string") return indexOf(query(target), this[0]);
    return indexOf(this, target instanceof Query ? target[0] : target);
  },
  add(selector, context) { return toQuery(order(unique(slice(this), query(selector, context))), this); },
  addBack(selector) {
    const before = this.prevObject ?? [];
    return toQuery(order(unique(slice(this), selector === undefined ? before : before.filter(selector))), this);
  },
  parent: walker((item) => some(parentOf(item))),
  parents: walker((item) => along(item, parentOf), { reversed: true }),
  parentsUntil: walker((item, until) => along(item, parentOf, until)),
  next: walker((item) => some(nextOf(item))),
  prev: walker((item) => some(previousOf(item))),
  nextAll: walker((item) => along(item, nextOf)),
  prevAll: walker((item) => along(item, previousOf)),
  nextUntil: walker((item, until) => along(item, nextOf, until)),
  prevUntil: walker((item, until) => along(item, previousOf, until)),
  siblings: walker((item) => (parentOf(item) ? filter(elementsOf(item.parent), (other) => other !== item) : []),
    { many: true }),
  children: walker((item) => (item instanceof Node ? elementsOf(item) : [])),
  contents: walker((item) => item.nodes ?? []),
  ready(fn) {
    apply(fn, document, [$]);
    return this;
  },
});
hide(Query.prototype, "andSelf", Query.prototype.addBack);
hide(Query.prototype, Symbol.iterator, Array.prototype[Symbol.iterator]);
