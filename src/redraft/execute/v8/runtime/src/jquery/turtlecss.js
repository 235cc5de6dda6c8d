// The turtle's properties as styles: `css "turtleRotation"`, `animate turtleScale: 2` ...
//
// In: elements and values as jQuery's css takes them. Out: entries of `cssHooks` for what the turtle library adds to
// it. Values that make no sense are ignored, as there.

import { current, isNumeric, place } from "../turtle/body.js";
import { isNamedSpeed } from "../turtle/command.js";
import { six } from "../turtle/geometry.js";
import { hooks } from "../page/elements.js";
import { filter, join, map, Math, Object, parseFloat, words } from "../language/lists.js";
import { cos, keys, NativeNumber, setPrototypeOf, sin } from "../language/primordials.js";
import { cssHooks } from "../page/attributes.js";

const radians = (degrees) => (degrees * Math.PI) / 180;
const number = (value) => parseFloat(`${value}`);
const numbers = (value) => filter(map(words(value), parseFloat), (part) => part === part);

/** A property of the turtle's state that is one number. */
const plain = (name, unit) => ({
  get: (element) => `${current(element)[name]}${unit}`,
  set(element, value) {
    const wanted = number(value);
    if (wanted === wanted) current(element)[name] = six(wanted);
  },
});

const HOOKS = {
  turtleSpeed: {
    get: (element) => current(element).speed,
    set(element, value) {
      if (`${value}` === "Infinity" || (isNumeric(value) && value > 0)) current(element).speed = NativeNumber(value);
      else if (isNamedSpeed(`${value}`)) current(element).speed = `${value}`;
    },
  },
  turtleEasing: { get: () => "swing", set() {} },
  turtlePenDown: {
    get: (element) => (current(element).down ? "down" : "up"),
    set(element, value) {
      if (value === "down" || value === true) hooks.setDown(element, true);
      else if (value === "up" || value === false) hooks.setDown(element, false);
    },
  },
  turtlePenStyle: {
    get(element) {
      const { style } = current(element);
      return style === null ? "none" : join(map(keys(style), (name) => `${name}:${style[name]};`), " ");
    },
    set(element, value) { hooks.setPen(element, value); },
  },
  turtleRotation: plain("heading", "deg"),
  turtleTwist: plain("twist", "deg"),
  turtleTurningRadius: plain("radius", "px"),
  turtleScaleX: plain("scaleX", ""),
  turtleScaleY: plain("scaleY", ""),
  turtlePositionX: {
    get: (element) => `${current(element).x}px`,
    set(element, value) { const x = number(value); if (x === x) place(current(element), x, current(element).y); },
  },
  turtlePositionY: {
    get: (element) => `${-current(element).y}px`,
    set(element, value) { const y = number(value); if (y === y) place(current(element), current(element).x, -y); },
  },
  turtlePosition: {
    get(element) { const { x, y } = current(element); return `${x} ${-y}`; },
    set(element, value) {
      const [x = 0, y = 0] = numbers(value);
      const turtle = current(element);
      place(turtle, x, -y);
    },
  },
  turtleScale: {
    get(element) {
      const { scaleX, scaleY } = current(element);
      return scaleX === scaleY ? `${scaleX}` : `${scaleX} ${scaleY}`;
    },
    set(element, value) {
      const [x, y = x] = numbers(value);
      if (x === undefined) return;
      const turtle = current(element);
      turtle.scaleX = six(x);
      turtle.scaleY = six(y);
    },
  },
  turtleForward: {
    // How far along its heading a turtle stands; the rest of its place stays.
    get(element) {
      const { x, y, heading, unit } = current(element);
      return `${(x * sin(radians(heading)) + y * cos(radians(heading))) / unit}px`;
    },
    set(element, value) {
      const turtle = current(element);
      const [sine, cosine] = [sin(radians(turtle.heading)), cos(radians(turtle.heading))];
      const more = number(value) * turtle.unit - (turtle.x * sine + turtle.y * cosine);
      if (more !== more) return;
      place(turtle, turtle.x + more * sine, turtle.y + more * cosine);
    },
  },
  turtleHull: {
    get(element) {
      const { hull } = current(element);
      return hull === null ? "auto" : join(map(hull, (part, i) => `${i % 2 ? -part : part}`), " ");
    },
    set(element, value) {
      const points = numbers(value);
      // On the page y points down.
      current(element).hull = points.length < 6 ? null
        : setPrototypeOf(map(points, (part, i) => (i % 2 ? -part : part)), null);
    },
  },
  turtleTimbre: { get: () => "wave:piano;", set() {} },
  turtleVolume: { get: () => 1, set() {} },
};

Object.assign(cssHooks, HOOKS);
