// jQuery's methods that change the tree: append, wrap, remove, clone and their kin.
//
// In: text, HTML, nodes, lists or functions. Out: methods on `Query.prototype`. One thing that goes to several places
// is cloned for all but the last, as in jQuery.

import { Element, hooks, Node, TextNode } from "../page/elements.js";
import { copyHandlers } from "../page/events.js";
import { each, map, push, pushAll, slice } from "../language/lists.js";
import { apply } from "../language/primordials.js";
import { methods, Query, query, toQuery } from "./query.js";

const MARKUP = /<|&#?\w+;/;

/** The nodes that the arguments of append and the like stand for. */
function nodesOf(items, element, i) {
  const nodes = [];
  const add = (item) => {
    if (item === undefined || item === null) return;
    const value = typeof item === "function" ? apply(item, element, [i, element?.innerHTML]) : item;
    if (value instanceof Node) push(nodes, value);
    else if (typeof value === "object" && value !== null && typeof value.length === "number") each(value, add);
    else if (value !== undefined && value !== null && value !== "") {
      const text = `${value}`;
      if (MARKUP.test(text)) pushAll(nodes, hooks.parse(text));
      else push(nodes, new TextNode(text));
    }
  };
  each(items, add);
  return nodes;
}

function insert(list, items, place) {
  const last = list.length - 1;
  const functions = typeof items[0] === "function";
  const shared = functions ? null : nodesOf(items);
  each(list, (element, i) => {
    if (!(element instanceof Node)) return;
    const nodes = functions ? nodesOf(items, element, i) : i < last ? map(shared, (node) => cloneNode(node, true))
      : shared;
    if (nodes.length === 1) checkHolder(nodes[0], element);
    place(element, nodes);
  });
  return list;
}

function checkHolder(node, element) {
  if (node instanceof Element && node.contains(element)) {
    throw new Error("Failed to execute 'appendChild' on 'Node': The new child element contains the parent.");
  }
}

const inserter = (place) => function inserting(...items) { return insert(this, items, place); };
const PLACES = {
  append: (element, nodes) => each(nodes, (node) => element.appendChild(node)),
  prepend: (element, nodes) => { const first = element.firstChild;
    each(nodes, (node) => element.insertBefore(node, first)); },
  before: (element, nodes) => each(nodes, (node) => element.parent?.insertBefore(node, element)),
  after: (element, nodes) => { const next = element.nextSibling;
    each(nodes, (node) => element.parent?.insertBefore(node, next)); },
};

// appendTo and the like: the same with what is moved and where to the other way round.
function insertTo(name) {
  return function insertedTo(target) {
    const places = query(target);
    const last = places.length - 1;
    const moved = [];
    each(places, (place, i) => {
      const nodes = i === last ? slice(this) : map(this, (node) => cloneNode(node, true));
      toQuery([place])[name](toQuery(nodes));
      pushAll(moved, nodes);
    });
    return toQuery(places.length ? moved : this, this);
  };
}

function cloneNode(node, events) {
  const copy = node.cloneNode(true);
  if (events) copyHandlers(node, copy);
  return copy;
}

/** Takes elements out for good: the runtime's other parts forget them. */
function discard(element) {
  if (element instanceof Element) {
    each(slice(element.nodes), discard);
    hooks.gone(element);
  }
}

const wrapperFor = (wrapping, element, i) => {
  const value = typeof wrapping === "function" ? apply(wrapping, element, [i]) : wrapping;
  const outer = query(value).eq(0)[0];
  return outer ? outer.cloneNode(true) : null;
};
const innermost = (element) => { let node = element; while (node.firstElementChild) node = node.firstElementChild;
  return node; };

methods(Query.prototype, {
  append: inserter(PLACES.append), prepend: inserter(PLACES.prepend), before: inserter(PLACES.before),
    after: inserter(PLACES.after),
  appendTo: insertTo("append"), prependTo: insertTo("prepend"), insertBefore: insertTo("before"),
    insertAfter: insertTo("after"),
  domManip(items, callback) {
    const nodes = nodesOf(items);
    each(this, (element) => each(nodes, (node) => apply(callback, element, [node])));
    return this;
  },
  replaceWith(...items) {
    each(slice(this), (element, i) => {
      const nodes = nodesOf(typeof items[0] === "function" ? [apply(items[0], element, [i, element])] : items);
      PLACES.before(element, nodes);
      toQuery([element]).remove();
    });
    return this;
  },
  replaceAll(target) {
    each(query(target), (element) => toQuery([element]).replaceWith(this));
    return this;
  },
  remove(selector) {
    each(selector === undefined || typeof selector !== "string" ? slice(this) : this.filter(selector), (element) => {
      if (!(element instanceof Node)) return;
      discard(element);
      element.remove();
    });
    return this;
  },
  detach(selector) {
    each(selector === undefined ? slice(this) : this.filter(selector),
      (element) => { if (element instanceof Node) element.remove(); });
    return this;
  },
  empty() {
    each(this, (element) => {
      if (!(element instanceof Node)) return;
      each(slice(element.nodes), discard);
      element.clear();
    });
    return this;
  },
  clone(events) {
    return toQuery(map(this, (element) => (element instanceof Node ? cloneNode(element, !!events) : element)), this);
  },
  wrapAll(wrapping) {
    const wrapper = this.length ? wrapperFor(wrapping, this[0], 0) : null;
    if (!wrapper) return this;
    this[0].parent?.insertBefore(wrapper, this[0]);
    const inner = innermost(wrapper);
    each(this, (element) => inner.appendChild(element));
    return this;
  },
  wrapInner(wrapping) {
    each(this, (element, i) => {
      const wrapper = wrapperFor(wrapping, element, i);
      if (!wrapper) return;
      const inner = innermost(wrapper);
      each(slice(element.nodes), (node) => inner.appendChild(node));
      element.appendChild(wrapper);
    });
    return this;
  },
  wrap(wrapping) {
    each(this, (element, i) => {
      const wrapper = wrapperFor(wrapping, element, i);
      if (!wrapper) return;
      element.parent?.insertBefore(wrapper, element);
      innermost(wrapper).appendChild(element);
    });
    return this;
  },
  unwrap() {
    each(this.parent(), (parent) => {
      if (parent.tag === "body") return;
      PLACES.before(parent, slice(parent.nodes));
      parent.remove();
    });
    return this;
  },
});

