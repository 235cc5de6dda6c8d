// What a program writes to the page and asks its reader: write, type, read, button, menu, table, img ...
//
// In: text, HTML, labels and callbacks. Out: elements at the body's end, and the text in the record of the drawing.
// Nobody reads or clicks (forms.js): callbacks of read, button and menu are never called, unless the program itself
// triggers the event.

import { globalCommand, mainElement, wrapRaw } from "../turtle/command.js";
import { countOutput, now } from "../time/clock.js";
import { isColor } from "../turtle/colors.js";
import { addFlowing, addText, markAsset } from "../turtle/drawing.js";
import { body, createElement, Element, TextNode } from "../page/elements.js";
import { each, hide, join, matches, Math, Number, Object, push, replace, String, TypeError } from "../language/lists.js";
import { isArray, keys } from "../language/primordials.js";
import { plan } from "../time/queue.js";
import { $, one, Query, query } from "../jquery/query.js";
import { isPlainObject } from "../jquery/statics.js";
import { prepareInput, prepareMenu } from "./forms.js";

const escape = (text) => (text === null || text === undefined ? "" : replace(String(text), /[&<>"]/g,
  (c) => `&#${c.charCodeAt(0)};`));
const isNumeric = (value) => $.isNumeric(value);

/** What `write` and labels make of a value: a line of its own, or the one element that the HTML is. */
export function prepareOutput(html, tag) {
  if (html instanceof Query) return { result: html };
  if (html instanceof Element) return { result: one(html) };
  const text = html === undefined || html === null ? "<br>" : `${html}`;
  if (matches(/^\s*<.*>\s*$/, text)) {
    const result = query(text);
    if (result.length === 1 && result[0].nodeType === 1) return { result };
  }
  return { result: query(`<${tag} style="display: table">${text}</${tag}>`) };
}

// Puts prepared output on the page; `this` is what the preparation returned.
function show() {
  countOutput();
  each(this.result, (node) => {
    body.appendChild(node);
    hide(node, "shownAt", now());
    if (node.textContent !== "") addText(now(), node.textContent);
  });
  if (this.setup) this.setup();
}

/** Text that `append` puts on the page goes on in the same line; elements have their own. */
function noteAppended(item) {
  countOutput();
  if (item instanceof Query || item instanceof Element) {
    const { textContent } = item instanceof Query ? item[0] ?? {} : item;
    if (textContent) addText(now(), textContent);
  } else if (typeof item === "string" || typeof item === "number") {
    const lines = replace(`${item}`, /<(?:br|p|div|h\d|hr|li|tr)\b[^>]*>/gi, "\n");
    addFlowing(now(), replace(lines, /<[^>]*>/g, ""), "append");
  }
}

/** The `pre` that typed text goes into: the page's last element, or a new one. */
function typewriter() {
  const last = body.lastElementChild;
  if (last?.tag === "pre") return last;
  const pre = createElement("pre");
  body.appendChild(pre);
  return pre;
}

function typeText(...texts) {
  each(texts, (text) => {
    const value = String(text);
    typewriter().appendChild(new TextNode(value));
    addFlowing(now(), value, "type");
  });
}

function typeBox(color, text) {
  const [fill, content] = text === undefined || text === null ? (color !== null && color !== undefined
    && !isColor(color) ? [null, color] : [color, text]) : [color, text];
  const box = query("<div>").css({ display: "inline-block", textAlign: "center", height: "1.2em", width: "1.2em",
    overflow: "hidden" }).appendTo(typewriter());
  const finish = () => {
    if (fill !== null && fill !== undefined) box.css({ background: fill });
    if (content !== null && content !== undefined) box.text(content);
  };
  const main = mainElement();
  if (main === null) finish();
  else {
    one(main).moveto(box);
    plan(main, finish);
  }
}

function prepareButton(name, callback) {
  const alone = typeof name === "function" && callback === undefined;
  const result = query(`<button class="turtleinput">${escape(alone ? "button" : name ?? "button")}</button>`);
  const handler = alone ? name : callback;
  if (handler) result.click(handler);
  return { result };
}

function prepareImage(url, options) {
  const result = query("<img>");
  if (url) result.attr("src", matches(/\//, `${url}`) ? `${url}` : `/img/${url}`);
  if (options) result.css(isNumeric(options) ? { height: options } : options);
  return { result };
}

const CELL = { borderCollapse: "collapse", width: "35px", height: "35px", border: "1px solid black",
  tableLayout: "fixed", textAlign: "center", margin: "0", padding: "0" };
const TABLE = { ...CELL, width: "auto", height: "auto", maxWidth: "auto", border: "none" };

/** A table of so many rows and columns, or of the values of a nested list. */
function prepareTable(height, width, cellCss, tableCss) {
  const contents = isArray(height) ? height : null;
  const [cells, whole] = contents ? [width, cellCss] : [cellCss, tableCss];
  const rows = contents ? contents.length : Number(height);
  let columns = Number(width);
  if (contents) {
    columns = 0;
    each(contents, (row) => { columns = Math.max(columns, isArray(row) ? row.length : 1); });
  }
  const table = createElement("table");
  const bodyElement = table.appendChild(createElement("tbody"));
  const all = [];
  for (let r = 0; r < rows; r++) {
    const row = bodyElement.appendChild(createElement("tr"));
    for (let c = 0; c < columns; c++) {
      const cell = row.appendChild(createElement("td"));
      push(all, cell);
      const value = contents && (isArray(contents[r]) ? contents[r][c] : c === 0 ? contents[r] : null);
      if (value !== null && value !== undefined && value !== false) cell.textContent = String(value);
    }
  }
  const result = one(table).css({ ...TABLE, ...whole });
  const style = { ...CELL, ...cells };
  each(all, (cell) => { Object.assign(cell.style, style); });
  if (cells) new Query(all).css(cells);
  return { result };
}

// Console text of `see`; the panel isn't on the page.
function see() {}
Object.assign(see, {
  init() {}, html() {}, clear() {}, enter() {}, visible: () => false, hide() {}, show() {}, loop() {}, scope() {},
    noconflict: () => see,
  here: "0", js: "0", cs: "0", version: "0.2",
});

const RECOLORED = 64 * 64;

/** A pixel as `recolor`'s function may give it: a number, red, green and blue in a list, or an object of them. */
function checkPixel(value) {
  let parts = value;
  if (isNumeric(value)) parts = [value];
  else if (isPlainObject(value)) parts = [0, 0, 0];
  while (parts.length < 3) parts.push(parts[0] || 0);
  if (parts.length < 4) parts.push(255);
}

/**
 * `recolor urls, fn`: works on the pixels of pictures from the network, which aren't there: the run can't be judged.
 * Without pictures the function makes a small one out of nothing.
 */
function recolor(pictures, fn) {
  const list = typeof pictures === "string" ? [pictures] : pictures;
  if (typeof list !== "function" && list?.length > 0) {
    markAsset();
    return;
  }
  const own = (fn === undefined || fn === null) && typeof pictures === "function" ? pictures : fn;
  for (let i = 0; i < RECOLORED; i++) checkPixel(typeof own === "function" ? own() : undefined);
}

const write = globalCommand("write", show, (...args) => prepareOutput(join(args, " "), "div"));
const read = (name, kind) => globalCommand(name, show, (label, fn) => prepareInput(label, fn, kind));

export const OUTPUT = {
  see, recolor, debug: see, log: wrapRaw("log", () => {}), write, print: write, printpage() {},
  append: globalCommand("append", (...items) => {
    query(body).append(...items);
    each(items, noteAppended);
  }),
  type: globalCommand("type", typeText),
  typebox: globalCommand("typebox", typeBox),
  typeline: globalCommand("typebox", (text) => typeText(`${text || ""}\n`)),
  read: read("read", "auto"), readnum: read("readnum", "number"), readstr: read("readstr", "text"),
  listen: read("listen", "voice"),
  menu: globalCommand("menu", show, prepareMenu),
  button: globalCommand("button", show, prepareButton),
  table: globalCommand("table", show, prepareTable),
  img: globalCommand("img", show, prepareImage),
  help: Object.assign(() => ({}), { helptext: [] }),
};

