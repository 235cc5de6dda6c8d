// What is on the page beside the field, for the record of the drawing: the tree of its elements.
//
// In: the page at the end of a run. Out: `snapshot()`: nodes, each a text or {tag, t0, style, nodes, value, at}, bounded in
// number. `t0` is when a node was written, `at` where it is if it was moved as turtles are. Who draws it lays it out.

import { current } from "../turtle/body.js";
import { rounded } from "../turtle/drawing.js";
import { body, Element, field } from "./elements.js";
import { append, list, record, sliceString } from "../language/primordials.js";

const MAX_NODES = 3000;
const MAX_DEPTH = 30;
const MAX_TEXT = 1000;
const MAX_VALUE = 60;
const STYLES = `color background backgroundColor border borderStyle borderWidth borderColor borderRadius font fontSize
  fontFamily fontWeight fontStyle textAlign textDecoration whiteSpace display position left top right bottom width height
  margin marginLeft marginTop marginRight marginBottom padding paddingLeft paddingTop opacity visibility`.split(/\s+/);

function styleOf(element) {
  const style = record({});
  let any = false;
  for (let i = 0; i < STYLES.length; i += 1) {
    const value = element.style[STYLES[i]];
    if (value === undefined || value === "") continue;
    style[STYLES[i]] = sliceString(`${value}`, 0, MAX_VALUE);
    any = true;
  }
  return any ? style : undefined;
}

/** Whether an element stands elsewhere than the page put it. */
function wasMoved(turtle) {
  if (turtle === undefined) return false;
  const { x, y, homeX, homeY, heading, scaleX, scaleY } = turtle;
  return x !== homeX || y !== homeY || heading !== 0 || scaleX !== 1 || scaleY !== 1;
}

function poseOf(element) {
  const { x, y, heading, scaleX, scaleY } = current(element);
  return record({
    x: rounded(x), y: rounded(y), direction: rounded(heading), scale: rounded(scaleX), scaleY: rounded(scaleY),
  });
}

function take(node, depth, budget) {
  budget.left -= 1;
  if (node.nodeType === 3) return sliceString(node.data, 0, MAX_TEXT);
  const taken = record({ tag: sliceString(node.tag, 0, 20), style: styleOf(node) });
  if (node.shownAt !== undefined) taken.t0 = rounded(node.shownAt);
  if (wasMoved(node.state.turtle)) taken.at = poseOf(node);
  if (node.attributes.type !== undefined) taken.type = sliceString(`${node.attributes.type}`, 0, 20);
  const value = node.form.value ?? node.attributes.value;
  if (value !== undefined) taken.value = sliceString(`${value}`, 0, MAX_TEXT);
  if (node.form.checked) taken.checked = true;
  if (node.attributes.color !== undefined) taken.color = sliceString(`${node.attributes.color}`, 0, MAX_VALUE);
  const nodes = takeAll(node, depth + 1, budget);
  if (nodes.length > 0) taken.nodes = nodes;
  return taken;
}

function takeAll(holder, depth, budget) {
  const taken = list();
  for (let i = 0; i < holder.nodes.length && budget.left > 0 && depth < MAX_DEPTH; i += 1) {
    const node = holder.nodes[i];
    if (node === field || (node.nodeType !== 3 && !(node instanceof Element))) continue;
    if (node instanceof Element && (node.style.display === "none" || node.display === "none")) continue;
    append(taken, take(node, depth, budget));
  }
  return taken;
}

/** Everything on the page but the field, or null for an empty page. */
export function snapshot() {
  const taken = takeAll(body, 0, { left: MAX_NODES });
  return taken.length > 0 ? taken : null;
}
