// Copies of turtles, their pixels, and the 2D context of a canvas, a stand-in that takes every call and draws nothing.
//
// In: canvases and Queries. Out: `copy`, `imagedata`, `contextOf`. A program that reads pixels gets an empty picture;
// if an image from the network could have been on it, the run is marked, as its verdict can't be given.

import { current, turtleOf } from "./body.js";
import { wrapCommand, wrapRaw, planEach } from "./command.js";
import { markAsset } from "./drawing.js";
import { Element, hooks } from "../page/elements.js";
import { each, split, words } from "../language/lists.js";
import { keys, max, min, NativeError, NativeNumber, NativeTypeError } from "../language/primordials.js";
import { toQuery } from "../jquery/query.js";

const SHARED = { __proto__: null, motion: 1, corners: 1 };

function copyTurtle(from, to) {
  const source = current(from);
  const target = turtleOf(to);
  const names = keys(source);
  for (let i = 0; i < names.length; i += 1) if (!SHARED[names[i]]) target[names[i]] = source[names[i]];
  const display = from.style.display;
  to.style.display = display;
}

export const copy = wrapCommand("copy", 0, (cc, query) => {
  const copies = [];
  for (let i = 0; i < query.length; i += 1) {
    const made = query[i].cloneNode(true);
    made.removeAttribute("id");
    query[i].parent?.insertBefore(made, query[i].nextSibling);
    copies[i] = made;
  }
  let next = 0;
  planEach(query, (element) => {
    if (next < copies.length) copyTurtle(element, copies[next]);
    next += 1;
    cc.resolve();
  });
  return toQuery(copies);
});

/** An empty picture: all pixels transparent. */
function picture(width, height) {
  const columns = min(max(NativeNumber(width) | 0, 1), MAX_SIDE);
  const rows = min(max(NativeNumber(height) | 0, 1), MAX_SIDE);
  return { width: columns, height: rows, data: new Pixels(columns * rows * 4) };
}

const MAX_SIDE = 2000;
const Pixels = Uint8ClampedArray;

export const imagedata = wrapRaw("imagedata", function imagedataOf(value) {
  const canvas = this.canvas();
  if (!canvas) {
    if (value) throw new NativeError("can only set imagedata on a canvas like a Sprite");
    if (this.filter("img").length === 0) return undefined;
    markAsset();
    return picture(1, 1);
  }
  if (value) return undefined;
  if (canvas.state.turtle?.url) markAsset();
  return picture(canvas.width, canvas.height);
});

// The methods of a context that draw nothing here, with the arguments each must have.
const METHODS = `arc:5 arcTo:5 beginPath:0 bezierCurveTo:6 clearRect:4 clip:0 closePath:0 ellipse:7 fill:0 fillRect:4
  fillText:3 lineTo:2 moveTo:2 putImageData:3 quadraticCurveTo:4 rect:4 reset:0 resetTransform:0 restore:0 rotate:1
  roundRect:4 save:0 scale:2 setLineDash:1 setTransform:0 stroke:0 strokeRect:4 strokeText:3 transform:6 translate:2`;
// Where radii stand among the arguments; a negative one is refused.
const RADII = { __proto__: null, arc: [2], arcTo: [4], ellipse: [2, 3] };
const PICTURES = { __proto__: null, canvas: 1, img: 1, video: 1 };

const refusal = (name, why) => `Failed to execute '${name}' on 'CanvasRenderingContext2D': ${why}`;

function checkCount(name, args, least) {
  if (args.length >= least) return;
  const needed = `${least} argument${least === 1 ? "" : "s"} required, but only ${args.length} present.`;
  throw new NativeTypeError(refusal(name, needed));
}

function methodOf(entry) {
  const [name, least] = split(entry, ":");
  const radii = RADII[name] ?? [];
  return [name, (...args) => {
    checkCount(name, args, +least);
    each(radii, (at) => {
      if (args[at] < 0) throw new NativeError(refusal(name, `The radius provided (${args[at]}) is negative.`));
    });
  }];
}

function makeContext(canvas) {
  const context = {
    canvas, fillStyle: "#000000", strokeStyle: "#000000", lineWidth: 1, lineCap: "butt", lineJoin: "miter",
    miterLimit: 10, font: "10px sans-serif", textAlign: "start", textBaseline: "alphabetic", globalAlpha: 1,
    shadowBlur: 0, shadowColor: "rgba(0, 0, 0, 0)", drawImage, shadowOffsetX: 0, shadowOffsetY: 0,
    globalCompositeOperation: "source-over", imageSmoothingEnabled: true,
    measureText: (text) => ({ width: 6 * `${text}`.length }),
    createLinearGradient: () => ({ addColorStop() {} }),
    createRadialGradient: () => ({ addColorStop() {} }),
    createPattern: () => ({}),
    createImageData: (width, height) => picture(width?.width ?? width, width?.height ?? height),
    getLineDash: () => [],
    isPointInPath: () => false,
    isPointInStroke: () => false,
    getImageData(x, y, width, height) {
      if (hasImages) markAsset();
      return picture(width, height);
    },
  };
  each(words(METHODS), (entry) => { const [name, method] = methodOf(entry); context[name] = method; });
  return context;
}

let hasImages = false;
function drawImage(...args) {
  checkCount("drawImage", args, 3);
  const [picture] = args;
  if (!(picture instanceof Element) || !PICTURES[picture.tag]) {
    const why = "The provided value is not of type '(CanvasImageSource or HTMLCanvasElement or HTMLImageElement)'.";
    throw new NativeTypeError(refusal("drawImage", why));
  }
  hasImages = true;
}

/** The 2D context of a canvas; other kinds there are none. */
export function contextOf(canvas, kind) {
  if (kind !== "2d") return null;
  canvas.state.context ??= makeContext(canvas);
  return canvas.state.context;
}
hooks.context = contextOf;
