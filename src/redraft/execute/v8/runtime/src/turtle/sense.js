// Questions: where a turtle is, which way it looks, what it touches, what is near.
//
// In: a Query, and places, elements, selectors or colours. Out: answers as of this moment of virtual time; none of them
// waits for the queue. What the real runtime refuses (`touches 5`, `within 5`, `nearest()`) fails here with its
// message.

import {
  boxOf, CENTER_X, CENTER_Y, cornersOf, current, invisible, isNumeric, isPage, isPagePlace, pageOf, pageOfAnything,
  pairOf, toPage, originPlace,
} from "./body.js";
import { wrapPredicate, wrapRaw } from "./command.js";
import { isColor, rgba } from "./colors.js";
import { degrees, normalizeHeading, polygonContains, polygonEncloses, polygonsOverlap, radians } from "./geometry.js";
import { append, atan2, cos, hypot, isArray, max, NativeNumber, NativeTypeError, sin } from "../language/primordials.js";
import { showsColor } from "./pixels.js";
import { Query, query as find, toQuery } from "../jquery/query.js";

/** A place on the page out of what a program named; what isn't there gives undefined, odd things null. */
function placeOf(target, y) {
  const pair = pairOf(target, y);
  if (pair !== null) return toPage(pair[0], pair[1]);
  if (isPagePlace(target)) return target;
  try {
    return pageOfAnything(target);
  } catch {
    return null;
  }
}

function pagexy(query) {
  return query.length > 0 ? pageOf(query[0]) : undefined;
}

function getxy(query) {
  if (query.length === 0) return undefined;
  if (isPage(query[0])) return [0, 0];
  const { x, y, unit } = current(query[0]);
  const from = originPlace(query[0]);
  return [(x - from.x) * (1 / unit), (y - from.y) * (1 / unit)];
}

function direction(query, x, y) {
  if (query.length === 0) return undefined;
  const element = query[0];
  if (x === undefined) {
    if (isPage(element)) return 0;
    const heading = radians(normalizeHeading(current(element).heading));
    return degrees(atan2(sin(heading), cos(heading)));
  }
  const to = placeOf(x, y);
  if (!to) return NaN;
  const from = pageOf(element);
  return degrees(atan2(to.pageX - from.pageX, from.pageY - to.pageY));
}

function distance(query, x, y) {
  if (query.length === 0) return undefined;
  const to = placeOf(x, y);
  if (!to) return NaN;
  const from = pageOf(query[0]);
  return hypot(to.pageX - from.pageX, to.pageY - from.pageY);
}

const apart = (a, b) => a.right < b.left || b.right < a.left || a.top < b.bottom || b.top < a.bottom;
const encloses = (a, b) => b.top <= a.top && b.bottom >= a.bottom && b.left >= a.left && b.right <= a.right;

/** Whether elements can meet: both are somewhere. */
const isGone = (thing) => !isPage(thing) && !isPagePlace(thing) && invisible(thing);

function touchesColor(element, color) {
  const { drawOn } = current(element);
  return showsColor(drawOn, cornersOf(element), color === "color" ? null : rgba(color));
}

function touches(query, given, y) {
  if (query.length === 0 || invisible(query[0])) return false;
  const name = typeof given === "function" && isColor(given.helpname) ? given.helpname : given;
  if (name === "color" || isColor(name)) return touchesColor(query[0], name);
  let others = name;
  if (isNumeric(name) && isNumeric(y)) others = toPage(name, y);
  else if (isArray(name) && name.length === 2 && isNumeric(name[0]) && isNumeric(name[1])) {
    others = toPage(name[0], name[1]);
  }
  if (!others) return false;
  if (typeof others === "string") others = find(others);
  if (!(others instanceof Query) && !isArray(others)) others = [others];
  for (let i = 0; i < query.length; i += 1) {
    if (invisible(query[i])) continue;
    const box = boxOf(query[i]);
    for (let j = 0; j < others.length; j += 1) {
      const other = others[j];
      if (apart(box, boxOf(other)) || isGone(other)) continue;
      const corners = cornersOf(query[i]);
      if (isPagePlace(other)) {
        if (polygonContains(corners, other.pageX - CENTER_X, CENTER_Y - other.pageY)) return true;
      } else if (polygonsOverlap(corners, cornersOf(other))) return true;
    }
  }
  return false;
}

function inside(query, given) {
  if (!given) return false;
  let outer = typeof given === "string" ? find(given) : given;
  if (outer instanceof Query) {
    if (outer.length === 0 || invisible(outer[0])) return false;
    outer = outer[0];
  }
  const outerBox = boxOf(outer);
  for (let i = 0; i < query.length; i += 1) {
    const box = boxOf(query[i]);
    if (apart(outerBox, box)) return false;
    if (isPage(outer) && encloses(outerBox, box)) continue;
    if (!polygonEncloses(cornersOf(outer), cornersOf(query[i]))) return false;
  }
  return true;
}

function filtered(query, test) {
  const kept = [];
  for (let i = 0; i < query.length; i += 1) if (test(query[i])) append(kept, query[i]);
  return toQuery(kept, query);
}

function outsideCircle(place, radius, box) {
  const x = place.pageX - CENTER_X;
  const y = CENTER_Y - place.pageY;
  return hypot(max(0, box.left - x, x - box.right), max(0, box.bottom - y, y - box.top)) > radius;
}

function withinOrNot(query, wanted, radius, x, y) {
  if (x === undefined && y === undefined) {
    const area = find(radius);
    if (area.length === 0) return [];
    boxOf(area[0]);
    return filtered(query, (element) => wanted === inside([element], area[0]));
  }
  const pair = isNumeric(x) && isNumeric(y) ? [x, y] : x;
  const place = isArray(pair) ? toPage(pair[0], pair[1]) : pair;
  if (radius === "touch") {
    if (isPagePlace(place)) return filtered(query, (element) => wanted === touches([element], place));
    const area = find(place);
    if (area.length === 0) throw new NativeTypeError("Cannot read properties of undefined (reading 'nodeType')");
    return filtered(query, (element) => wanted === touches(area, element));
  }
  if (query.length > 0 && (place === null || place === undefined)) {
    throw new NativeTypeError(`Cannot read properties of ${place} (reading 'pageY')`);
  }
  return filtered(query, (element) => {
    const at = place instanceof Query || !isPagePlace(place) ? { pageX: NaN, pageY: NaN } : place;
    if (outsideCircle(at, radius, boxOf(element))) return !wanted;
    const from = pageOf(element);
    return wanted === (hypot(at.pageX - from.pageX, at.pageY - from.pageY) <= radius);
  });
}

function nearest(query, target) {
  // A pair has to be an array: two numbers aren't taken for one here.
  const place = placeOf(target);
  let best = Infinity;
  let result = [];
  for (let i = 0; i < query.length; i += 1) {
    if (!place) throw new NativeTypeError(`Cannot read properties of ${place} (reading 'pageX')`);
    const from = pageOf(query[i]);
    const away = hypot(place.pageX - from.pageX, place.pageY - from.pageY);
    if (away < best) result = [];
    if (away <= best) {
      append(result, query[i]);
      best = away;
    }
  }
  return toQuery(result, query);
}

function cell(row, column) {
  const rows = this.find(isNumeric(row) ? `tr:nth-of-type(${NativeNumber(row) + 1})` : "tr");
  return rows.find(isNumeric(column) ? `td:nth-of-type(${NativeNumber(column) + 1})` : "td");
}

/** The methods of this file. */
export const senses = {
  pagexy: wrapPredicate("pagexy", pagexy),
  getxy: wrapPredicate("getxy", getxy),
  direction: wrapPredicate("direction", direction),
  distance: wrapPredicate("distance", distance),
  shown: wrapPredicate("shown", (query) => query.length > 0 && !invisible(query[0])),
  hidden: wrapPredicate("hidden", (query) => query.length === 0 || invisible(query[0])),
  touches: wrapPredicate("touches", touches),
  inside: wrapPredicate("inside", inside),
  within: wrapPredicate("within", (query, radius, x, y) => withinOrNot(query, true, radius, x, y)),
  notwithin: wrapPredicate("notwithin", (query, radius, x, y) => withinOrNot(query, false, radius, x, y)),
  nearest: wrapPredicate("nearest", nearest),
  cell: wrapRaw("cell", cell),
};
