// HTML text <-> nodes.
//
// In: HTML as `$("<b>x</b>")`, `write` and innerHTML take it. Out: a list of nodes; and back again. Follows what a
// browser makes of everyday mistakes (unclosed tags, stray closing tags, unquoted values). Scripts in it aren't run.

import { characterEntities } from "character-entities";
import { characterEntitiesLegacy } from "character-entities-legacy";
import { createElement, Fragment, hooks, TextNode } from "./elements.js";
import { each, join, map, nameSet, Object, replace, String } from "../language/lists.js";
import { create, execPattern, indexOfString, keys, sliceString, toLowerCase } from "../language/primordials.js";

const VOID = nameSet("area base br col embed hr img input link meta param source track wbr");
const RAW = nameSet("script style textarea title");
// What an opening tag closes by itself, up to the nearest of the named holders.
const CLOSES = Object.assign(create(null), {
  li: [nameSet("li"), nameSet("ul ol")], td: [nameSet("td th"), nameSet("tr table")],
    th: [nameSet("td th"), nameSet("tr table")],
  tr: [nameSet("tr td th"), nameSet("table tbody thead tfoot")], option: [nameSet("option"), nameSet("select")],
  dt: [nameSet("dt dd"), nameSet("dl")], dd: [nameSet("dt dd"), nameSet("dl")], p: [nameSet("p"), nameSet("")],
});
const TAG = /^<(\/?)([a-zA-Z][^\s/>]*)((?:"[^"]*"|'[^']*'|[^>"'])*)>/;
const ATTRIBUTE = /^[\s/]*([^\s=/>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?/;
const ENTITIES = Object.assign(create(null), characterEntities);
// Those that need no semicolon in text, and how long the longest is.
const LOOSE = nameSet(join(characterEntitiesLegacy, " "));
const LONGEST_LOOSE = 6;
// What browsers take the numbers 128 to 159 for.
const WINDOWS = "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f"
  + "\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";
const { fromCodePoint } = String;

function numbered(code) {
  if (code >= 128 && code < 160) return WINDOWS[code - 128];
  return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) ? fromCodePoint(code) : "\ufffd";
}

function named(name, semicolon, whole) {
  if (semicolon && ENTITIES[name] !== undefined) return ENTITIES[name];
  for (let size = LONGEST_LOOSE; size > 1; size -= 1) {
    const start = sliceString(name, 0, size);
    if (LOOSE[start]) return `${ENTITIES[start]}${sliceString(whole, start.length + 1)}`;
  }
  return whole;
}

function decode(text) {
  if (indexOfString(text, "&") < 0) return text;
  return replace(text, /&(?:#(\d+)|#x([\da-f]+)|([a-z][a-z\d]*))(;?)/gi, (whole, decimal, hex, name, semicolon) => {
    if (name !== undefined) return named(name, semicolon !== "", whole);
    return numbered(decimal !== undefined ? +decimal : +`0x${hex}`);
  });
}

function readAttributes(element, text) {
  let rest = text;
  for (let found = execPattern(ATTRIBUTE, rest); found && found[0] !== ""; found = execPattern(ATTRIBUTE, rest)) {
    element.setAttribute(found[1], decode(found[2] ?? found[3] ?? found[4] ?? ""));
    rest = sliceString(rest, found[0].length);
  }
}

class Builder {
  constructor() {
    this.top = new Fragment();
    this.at = this.top;
  }
  text(text) {
    if (text !== "") this.at.appendChild(new TextNode(text));
  }
  open(tag, attributes) {
    const rule = CLOSES[tag];
    if (rule) this.closeFor(rule);
    const element = createElement(tag);
    readAttributes(element, attributes);
    this.at.appendChild(element);
    if (!VOID[tag]) this.at = element;
    return element;
  }
  closeFor([closed, holders]) {
    let outermost = null;
    for (let node = this.at; node !== this.top && !holders[node.tag];
      node = node.parent) if (closed[node.tag]) outermost = node;
    if (outermost) this.at = outermost.parent;
  }
  close(tag) {
    for (let node = this.at; node !== this.top; node = node.parent) {
      if (node.tag === tag) { this.at = node.parent; return; }
    }
  }
}

/** The nodes that HTML text stands for. */
export function parse(html) {
  const builder = new Builder();
  const text = `${html}`;
  let at = 0;
  while (at < text.length) {
    const next = indexOfString(text, "<", at);
    if (next < 0) break;
    const found = execPattern(TAG, sliceString(text, next));
    const comment = found ? null : execPattern(/^<!--[\s\S]*?(?:-->|$)|^<[!?/][^>]*(?:>|$)/, sliceString(text, next));
    if (!found && !comment) {
      // A bare "<" is text, as in "3 < 5".
      builder.text(decode(sliceString(text, at, next + 1)));
      at = next + 1;
      continue;
    }
    builder.text(decode(sliceString(text, at, next)));
    at = next + (found ?? comment)[0].length;
    if (found) at = readTag(builder, found, text, at);
  }
  builder.text(decode(sliceString(text, at)));
  const { nodes } = builder.top;
  each(nodes, (node) => { node.parent = null; });
  return nodes;
}

function readTag(builder, [, closing, name, attributes], text, at) {
  const tag = toLowerCase(name);
  if (closing) {
    builder.close(tag);
    return at;
  }
  const element = builder.open(tag, attributes);
  if (!RAW[tag]) return at;
  const end = indexOfString(toLowerCase(text), `</${tag}`, at);
  const stop = end < 0 ? text.length : end;
  if (stop > at) element.appendChild(new TextNode(sliceString(text, at, stop)));
  return stop;
}

const escape = (text) => replace(text, /[&<>\u00a0]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]
  ?? "&nbsp;");
const escapeValue = (text) => replace(text, /[&"]/g, (c) => (c === "&" ? "&amp;" : "&quot;"));

/** An element's HTML, with its own tag or only what is inside. */
export function serialize(node, outer) {
  if (node.nodeType === 3) return RAW[node.parent?.tag] ? node.data : escape(node.data);
  const inside = join(map(node.nodes, (child) => serialize(child, true)), "");
  if (!outer) return inside;
  let attributes = "";
  each(keys(node.attributes), (name) => { attributes += ` ${name}="${escapeValue(node.attributes[name])}"`; });
  if (node.classes.length) attributes += ` class="${escapeValue(node.className)}"`;
  const style = node.getAttribute("style");
  if (style) attributes += ` style="${escapeValue(style)}"`;
  return `<${node.tag}${attributes}>${VOID[node.tag] ? "" : `${inside}</${node.tag}>`}`;
}

hooks.parse = parse;
hooks.html = serialize;
