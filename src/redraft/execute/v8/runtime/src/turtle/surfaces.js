// Surfaces: sprites that turtles draw on (`drawon`, `new Pencil`). What is drawn on one moves with it.
//
// In: items as they are drawn, each with the surface it is on. Out: `fieldItems()`, the record's items with those of
// every surface where the surface is at the end, above what is on the field; a surface that is hidden or gone shows
// nothing.
// Not guaranteed: marks that reach beyond their surface's edge aren't cut off there.

import { cornersOf, current } from "./body.js";
import { items, rounded } from "./drawing.js";
import { isVisible } from "../page/elements.js";
import { radians } from "./geometry.js";
import { append, cos, list, NativeMap, mapGet, mapSet, record, setPrototypeOf, sin } from "../language/primordials.js";

let order = list();
let drawn = new NativeMap();

function poseOf(surface) {
  const { x, y, heading, scaleX, scaleY } = current(surface);
  return { x, y, heading, sine: sin(radians(heading)), cosine: cos(radians(heading)), scaleX, scaleY };
}

/** Remember that an item is on a surface as this stands now. */
export function keepOn(surface, item) {
  item.on = surface.id || surface.tag;
  let kept = mapGet(drawn, surface);
  if (kept === undefined) {
    kept = list();
    mapSet(drawn, surface, kept);
    append(order, surface);
  }
  append(kept, { item, pose: poseOf(surface) });
}

/** Whether a surface's picture is among the items, so that it needn't be drawn as a turtle. */
export const isSurface = (element) => mapGet(drawn, element) !== undefined;

/** A point from one pose to another. */
function carried(x, y, from, to) {
  const dx = x - from.x;
  const dy = y - from.y;
  const across = ((dx * from.cosine - dy * from.sine) / (from.scaleX || 1)) * to.scaleX;
  const along = ((dx * from.sine + dy * from.cosine) / (from.scaleY || 1)) * to.scaleY;
  return [to.x + across * to.cosine + along * to.sine, to.y + along * to.cosine - across * to.sine];
}

function carriedPath(points, from, to) {
  const path = list();
  for (let i = 0; i + 1 < points.length; i += 2) {
    const place = carried(points[i], points[i + 1], from, to);
    append(path, rounded(place[0]));
    append(path, rounded(place[1]));
  }
  return path;
}

function carriedItem({ item, pose }, to) {
  const copy = record({ ...item });
  if (item.points) copy.points = carriedPath(item.points, pose, to);
  if (item.paths) {
    copy.paths = list();
    for (let i = 0; i < item.paths.length; i += 1) append(copy.paths, carriedPath(item.paths[i], pose, to));
  }
  if (item.x !== undefined) {
    const place = carried(item.x, item.y, pose, to);
    copy.x = rounded(place[0]);
    copy.y = rounded(place[1]);
  }
  if (item.direction !== undefined) copy.direction = rounded(item.direction + to.heading - pose.heading);
  return copy;
}

function ground(surface, t0) {
  const path = list();
  const corners = cornersOf(surface);
  for (let i = 0; i < corners.length; i += 1) append(path, rounded(corners[i]));
  return record({ kind: "fill", t0, t1: t0, paths: setPrototypeOf([path], null), color: current(surface).color });
}

/** All items as they are seen at the end. */
export function fieldItems() {
  if (order.length === 0) return items;
  const seen = list();
  for (let i = 0; i < items.length; i += 1) if (items[i].on === undefined) append(seen, items[i]);
  for (let i = 0; i < order.length; i += 1) {
    const surface = order[i];
    if (!isVisible(surface)) continue;
    const kept = mapGet(drawn, surface);
    const pose = poseOf(surface);
    const { shape, color } = current(surface);
    if (shape === "box" && color !== "transparent") append(seen, ground(surface, kept[0].item.t0));
    for (let j = 0; j < kept.length; j += 1) append(seen, carriedItem(kept[j], pose));
  }
  return seen;
}

/** Set everything back, for tests. */
export function resetSurfaces() {
  order = list();
  drawn = new NativeMap();
}
