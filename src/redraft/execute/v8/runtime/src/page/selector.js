// CSS selectors, with jQuery's additions (:first, :eq(n), :contains(text), :visible, :input ...).
//
// In: a selector and a root or a list of elements. Out: the elements it names, in document order within each group. A
// selector is read once and kept. What can't be read throws the error Sizzle throws.

import { isIdle } from "../time/queue.js";
import { document, Element, elementsOf, Fragment, hooks, isVisible, withId } from "./elements.js";
import { each, filter, includes, indexOf, nameSet, Object, push, pushAll, replace, Set, String } from "../language/lists.js";
import { create, execPattern, indexOfString, NativeError, NativeMap, mapGet, mapSet, sliceString, toLowerCase,
  trim } from "../language/primordials.js";

const NAME = String.raw`(?:\\.|[\w\u00a0-\uffff-])+`;
const VALUE = String.raw`"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|(${NAME})`;
const TOKEN = new RegExp(
  String.raw`^(?:(\*|${NAME})|#(${NAME})|\.(${NAME})|\[\s*(${NAME})\s*(?:([~|^$*!]?=)\s*(?:${VALUE})\s*)?\]|::?(${NAME}))`,
);
const COMBINATOR = /^\s*([>+~])\s*|^(\s+)/;
const cache = new NativeMap();

function fail(selector) {
  throw new NativeError(`Syntax error, unrecognized expression: ${selector}`);
}

const unescape = (name) => replace(name, /\\(.)/g, "$1");

/** Text in round brackets at the start of `text`, brackets within it balanced; null if it doesn't end. */
function bracketed(text) {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "(") depth += 1;
    else if (text[i] === ")") {
      depth -= 1;
      if (depth === 0) return sliceString(text, 1, i);
    }
  }
  return null;
}

// One compound such as `td.win:eq(2)`: tests that must all hold, then positions within the set found.
function readToken(part, found, rest, whole) {
  const [token, tag, id, name, attribute, operator, double, single, bare, pseudo] = found;
  if (tag !== undefined) {
    if (part.tests.length || part.positions.length) fail(whole);
    if (tag !== "*") { const wanted = toLowerCase(unescape(tag));
      push(part.tests, (element) => element.tag === wanted); }
    part.any = true;
  } else if (id !== undefined) {
    part.id = unescape(id);
    push(part.tests, (element) => element.attributes.id === part.id);
  } else if (name !== undefined) {
    const wanted = unescape(name);
    push(part.tests, (element) => includes(element.classes, wanted));
  } else if (attribute !== undefined) {
    push(part.tests, attributeTest(toLowerCase(attribute), operator, unescape(double ?? single ?? bare ?? "")));
  } else {
    return token.length + readPseudo(part, pseudo, sliceString(rest, token.length), whole);
  }
  return token.length;
}

function readPseudo(part, name, rest, whole) {
  const argument = rest[0] === "(" ? bracketed(rest) : undefined;
  if (argument === null) fail(whole);
  if (POSITIONS[name]) push(part.positions, { pick: POSITIONS[name], n: +argument });
  else if (PSEUDOS[name]) {
    const test = PSEUDOS[name](argument === undefined ? "" : unquote(trim(argument)));
    push(part.tests, test);
  } else throw new NativeError(`Syntax error, unrecognized expression: unsupported pseudo: ${name}`);
  return argument === undefined ? 0 : argument.length + 2;
}

const unquote = (text) => (/^(["']).*\1$/.test(text) ? sliceString(text, 1, -1) : text);

function read(selector) {
  const groups = [];
  let parts = [];
  let part = null;
  let rest = trim(selector);
  let combinator = " ";
  if (rest === "") fail(selector);
  while (rest !== "") {
    if (rest[0] === ",") {
      if (!part) fail(selector);
      push(groups, parts);
      parts = [];
      part = null;
      combinator = " ";
      rest = trim(sliceString(rest, 1));
      if (rest === "") fail(selector);
      continue;
    }
    const link = execPattern(COMBINATOR, rest);
    if (link) {
      rest = sliceString(rest, link[0].length);
      if (rest[0] === ",") continue;
      combinator = link[1] ?? " ";
      part = null;
    }
    const found = execPattern(TOKEN, rest);
    if (!found) fail(selector);
    if (!part) {
      part = { combinator, tests: [], positions: [], id: null, any: false };
      push(parts, part);
    }
    rest = sliceString(rest, readToken(part, found, rest, selector));
  }
  if (!part) fail(selector);
  push(groups, parts);
  return groups;
}

function groupsOf(selector) {
  const text = `${selector}`;
  let groups = mapGet(cache, text);
  if (!groups) {
    groups = read(text);
    mapSet(cache, text, groups);
  }
  return groups;
}

function attributeTest(name, operator, wanted) {
  const tests = {
    "=": (value) => value === wanted,
    "!=": (value) => value !== wanted,
    "^=": (value) => wanted !== "" && sliceString(value, 0, wanted.length) === wanted,
    "$=": (value) => wanted !== "" && sliceString(value, -wanted.length) === wanted,
    "*=": (value) => wanted !== "" && indexOfString(value, wanted) >= 0,
    "~=": (value) => wanted !== "" && indexOfString(` ${value} `, ` ${wanted} `) >= 0,
    "|=": (value) => value === wanted || sliceString(value, 0, wanted.length + 1) === `${wanted}-`,
  };
  return (element) => {
    const value = element.getAttribute(name);
    if (value === null) return operator === "!=";
    return operator === undefined || tests[operator](value);
  };
}

// Positions count within the set that the selector has found so far.
const POSITIONS = Object.assign(create(null), {
  first: (i) => i === 0,
  last: (i, n, size) => i === size - 1,
  eq: (i, n, size) => i === (n < 0 ? n + size : n),
  gt: (i, n, size) => i > (n < 0 ? n + size : n),
  lt: (i, n, size) => i < (n < 0 ? n + size : n),
  even: (i) => i % 2 === 0,
  odd: (i) => i % 2 === 1,
});

const siblingsOf = (element) => (element.parent ? elementsOf(element.parent) : [element]);
const sameTag = (element) => filter(siblingsOf(element), (other) => other.tag === element.tag);

/** `2n+1`, `odd`, `3` -> whether a place (from 1) is meant. */
function nth(argument) {
  const text = { even: "2n", odd: "2n+1" }[argument] ?? replace(argument, /\s/g, "");
  const found = execPattern(/^([+-]?\d*)n([+-]\d+)?$|^([+-]?\d+)$/, text);
  if (!found) return () => false;
  if (found[3] !== undefined) return (place) => place === +found[3];
  const step = found[1] === "" || found[1] === "+" ? 1 : found[1] === "-" ? -1 : +found[1];
  const start = +(found[2] ?? 0);
  return (place) => (step === 0 ? place === start : (place - start) % step === 0 && (place - start) / step >= 0);
}

const place = (list, fromEnd) => (argument) => {
  const wanted = nth(argument);
  return (element) => {
    const all = list(element);
    const at = indexOf(all, element);
    return wanted(fromEnd ? all.length - at : at + 1);
  };
};

const INPUTS = nameSet("input button select textarea");
const typed = (type) => () => (element) => element.tag === "input" && element.type === type;
const isLast = (list) => () => (element) => { const all = list(element); return all[all.length - 1] === element; };
const isFirst = (list) => () => (element) => list(element)[0] === element;

const PSEUDOS = Object.assign(create(null), {
  not: (argument) => (element) => !is(element, argument),
  is: (argument) => (element) => is(element, argument),
  has: (argument) => (element) => find(element, argument).length > 0,
  contains: (argument) => (element) => indexOfString(element.textContent, argument) >= 0,
  empty: () => (element) => element.nodes.length === 0,
  parent: () => (element) => element.nodes.length > 0,
  root: () => (element) => element.tag === "html",
  header: () => (element) => /^h[1-6]$/.test(element.tag),
  input: () => (element) => INPUTS[element.tag] === true,
  button: () => (element) => element.tag === "button" || (element.tag === "input" && element.type === "button"),
  submit: () => (element) => element.type === "submit" && INPUTS[element.tag] === true,
  text: typed("text"), password: typed("password"), radio: typed("radio"), checkbox: typed("checkbox"),
  file: typed("file"), image: typed("image"), reset: typed("reset"),
  checked: () => (element) => (element.tag === "option" ? element.selected : !!element.checked),
  selected: () => (element) => !!element.selected,
  disabled: () => (element) => !!element.disabled,
  enabled: () => (element) => INPUTS[element.tag] === true && !element.disabled,
  visible: () => (element) => isVisible(element),
  hidden: () => (element) => !isVisible(element),
  animated: () => (element) => !isIdle(element),
  focus: () => () => false, hover: () => () => false, active: () => () => false, target: () => () => false,
  lang: () => () => false, link: () => (element) => element.tag === "a" && !!element.href,
  "first-child": isFirst(siblingsOf), "last-child": isLast(siblingsOf),
  "only-child": () => (element) => siblingsOf(element).length === 1,
  "first-of-type": isFirst(sameTag), "last-of-type": isLast(sameTag),
  "only-of-type": () => (element) => sameTag(element).length === 1,
  "nth-child": place(siblingsOf, false), "nth-last-child": place(siblingsOf, true),
  "nth-of-type": place(sameTag, false), "nth-last-of-type": place(sameTag, true),
});

function passes(part, element) {
  for (let i = 0; i < part.tests.length; i++) if (!part.tests[i](element)) return false;
  return true;
}

function positioned(part, items) {
  let found = items;
  each(part.positions, ({ pick, n }) => { const { length } = found;
    found = filter(found, (item, i) => pick(i, n, length)); });
  return found;
}

function descend(node, visit) {
  each(node.nodes, (child) => {
    if (child.nodeType === 1) { visit(child); descend(child, visit); }
  });
}

// Candidates that stand in the combinator's relation to a node.
function candidates(part, node) {
  const { combinator } = part;
  if (combinator === " ") {
    if (part.id !== null && document.contains(node)) {
      return withId(node, part.id);
    }
    const found = [];
    descend(node, (element) => { if (passes(part, element)) found[found.length] = element; });
    return found;
  }
  if (combinator === ">") return elementsOf(node);
  const all = siblingsOf(node);
  const at = indexOf(all, node);
  return filter(all, (other, i) => (combinator === "+" ? i === at + 1 : i > at));
}

function findGroup(root, parts) {
  let items = [root];
  each(parts, (part) => {
    const next = [];
    const seen = items.length > 1 ? new Set() : null;
    each(items, (item) => each(candidates(part, item), (element) => {
      if (!passes(part, element) || seen?.has(element)) return;
      seen?.add(element);
      next[next.length] = element;
    }));
    items = positioned(part, next);
  });
  return items;
}

/** All elements below a node that a selector names. */
export function find(root, selector) {
  const groups = groupsOf(selector);
  if (!(root instanceof Element || root === document || root instanceof Fragment)) return [];
  const found = findGroup(root, groups[0]);
  for (let i = 1; i < groups.length; i++) {
    each(findGroup(root, groups[i]), (element) => { if (!includes(found, element)) push(found, element); });
  }
  return found;
}

function matchesFrom(element, parts, i) {
  if (!(element instanceof Element) || !passes(parts[i], element)) return false;
  if (i === 0) return true;
  const { combinator } = parts[i];
  if (combinator === ">") return matchesFrom(element.parent, parts, i - 1);
  if (combinator === "+") return matchesFrom(element.previousElementSibling, parts, i - 1);
  const step = combinator === "~" ? (node) => node.previousElementSibling : (node) => node.parent;
  for (let node = step(element); node instanceof Element; node = step(node)) if (matchesFrom(node, parts,
    i - 1)) return true;
  return false;
}

/** Whether an element matches a selector. */
export function is(element, selector) {
  const groups = groupsOf(selector);
  for (let i = 0; i < groups.length; i++) if (matchesFrom(element, groups[i], groups[i].length - 1)) return true;
  return false;
}

/** The items of a list that match a selector (or, with `wanted` false, that don't); positions count within the list. */
export function filterList(list, selector, wanted) {
  const groups = groupsOf(selector);
  const found = [];
  each(groups, (parts) => {
    const last = parts[parts.length - 1];
    pushAll(found, positioned(last, filter(list, (item) => matchesFrom(item, parts, parts.length - 1))));
  });
  return filter(list, (item) => includes(found, item) === wanted);
}

hooks.find = find;
hooks.is = is;

