// The 2D context of a canvas: what it paints is kept as items of the canvas' surface, its pixels can be read back.
//
// In: a canvas, calls as programs make them. Out: items and pictures. What a browser refuses fails here with its
// message. Not guaranteed: patterns and shadows, dashes and filters, glyphs as pixels; a gradient is its middle colour.

import { now } from "../time/clock.js";
import { isColor, rgba } from "./colors.js";
import { markAsset } from "./drawing.js";
import { Element, hooks } from "../page/elements.js";
import { each, split, words } from "../language/lists.js";
import {
  append, apply, atan2, cos, defineProperty, execPattern, floor, list, max, min, NativeError, NativeNumber,
  NativeTypeError, PI, record, setPrototypeOf, sin, toLowerCase, trim,
} from "../language/primordials.js";
import { IDENTITY, number, Path, product, sizeOf } from "./paths.js";
import { cutPixels } from "./raster.js";
import { addPicture, addPixelItem, bitmapOf, copyItems, surfaceOf } from "./surfaces.js";

const MAX_SIDE = 4096;
const MAX_SAVED = 1000;
const PICTURES = { __proto__: null, canvas: 1, img: 1, video: 1 };
const Pixels = globalThis.Uint8ClampedArray;
const refusal = (name, why) => `Failed to execute '${name}' on 'CanvasRenderingContext2D': ${why}`;

// Arguments each method must have; where radii stand among them: a negative one is refused.
const LEAST = `arc:5 arcTo:5 beginPath:0 bezierCurveTo:6 clearRect:4 clip:0 closePath:0 ellipse:7 fill:0 fillRect:4
  fillText:3 lineTo:2 moveTo:2 putImageData:3 quadraticCurveTo:4 rect:4 reset:0 resetTransform:0 restore:0 rotate:1
  roundRect:4 save:0 scale:2 setLineDash:1 setTransform:0 stroke:0 strokeRect:4 strokeText:3 transform:6 translate:2
  drawImage:3 getImageData:4`;
const RADII = { __proto__: null, arc: [2], arcTo: [4], ellipse: [2, 3] };

const START = {
  lineWidth: 1, lineCap: "butt", lineJoin: "miter", miterLimit: 10, font: "10px sans-serif", textAlign: "start",
  textBaseline: "alphabetic", globalAlpha: 1, shadowBlur: 0, shadowColor: "rgba(0, 0, 0, 0)", shadowOffsetX: 0,
  shadowOffsetY: 0, globalCompositeOperation: "source-over", imageSmoothingEnabled: true, lineDashOffset: 0,
};

let hasImages = false;

/** A picture: all of its pixels, or an empty one. */
export function picture(width, height, pixels) {
  const ImageData = globalThis.ImageData;
  const columns = min(max(NativeNumber(width) | 0, 1), MAX_SIDE);
  const rows = min(max(NativeNumber(height) | 0, 1), MAX_SIDE);
  const made = { width: columns, height: rows, data: pixels ?? new Pixels(columns * rows * 4) };
  if (typeof ImageData === "function" && ImageData.prototype) setPrototypeOf(made, ImageData.prototype);
  return made;
}

class Gradient {
  constructor() { this.stops = list(); }
  addColorStop(offset, color) { append(this.stops, `${color}`); }
}

const twoDigits = (value) => (value < 16 ? "0" : "") + value.toString(16);

function spelled(color) {
  const parts = rgba(color);
  if (parts[3] === 255) return `#${twoDigits(parts[0])}${twoDigits(parts[1])}${twoDigits(parts[2])}`;
  return `rgba(${parts[0]}, ${parts[1]}, ${parts[2]}, ${floor((parts[3] / 255) * 1000 + 0.5) / 1000})`;
}

/** What a context takes for a colour, or null. */
function paintOf(value) {
  if (value instanceof Gradient) return value;
  const color = typeof value === "string" ? toLowerCase(trim(value)) : "";
  return isColor(color) ? color : null;
}

function colorOf(value) {
  if (!(value instanceof Gradient)) return value;
  const color = paintOf(value.stops[value.stops.length >> 1]);
  return color === null || color instanceof Gradient ? "transparent" : color;
}

/** The methods of one context; `state` is what they share with its properties. */
function paintingMethods(canvas, context, state) {
  const surface = () => surfaceOf(canvas);
  const { path } = state;
  const matrix = () => state.matrix;

  function common() {
    const mode = context.globalCompositeOperation;
    const properties = {};
    const alpha = NativeNumber(context.globalAlpha);
    if (alpha >= 0 && alpha < 1) properties.alpha = alpha;
    if (mode === "destination-out") properties.erase = true;
    if (state.clip !== null) properties.clip = state.clip;
    return properties;
  }

  function polygons(from) {
    const found = list();
    for (let i = 0; i < from.subpaths.length; i += 1) {
      if (from.subpaths[i].points.length >= 6) append(found, from.subpaths[i].points);
    }
    return found;
  }

  function fillPath(from, rule) {
    const paths = polygons(from);
    if (paths.length === 0) return;
    const properties = { paths, color: colorOf(state.fillStyle), ...common() };
    if (rule === "evenodd") properties.rule = rule;
    addPixelItem(surface(), "fill", now(), properties);
  }

  function strokePath(from) {
    for (let i = 0; i < from.subpaths.length; i += 1) {
      const { points, closed } = from.subpaths[i];
      if (points.length < 4) continue;
      const properties = {
        points, color: colorOf(state.strokeStyle), width: NativeNumber(context.lineWidth) * sizeOf(matrix()),
        cap: `${context.lineCap}`, join: `${context.lineJoin}`, ...common(),
      };
      if (closed) properties.closed = true;
      addPixelItem(surface(), "line", now(), properties);
    }
  }

  function rectangle(x, y, width, height) {
    const own = new Path();
    own.rect(matrix(), number(x), number(y), number(width), number(height));
    return own;
  }

  function write(text, x, y, style) {
    const font = fontOf(context.font);
    const m = matrix();
    const px = number(x);
    const py = number(y);
    if (px - px !== 0 || py - py !== 0) return;
    addPixelItem(surface(), "text", now(), {
      x: m[0] * px + m[2] * py + m[4], y: m[1] * px + m[3] * py + m[5], text: `${text}`, ...font,
      size: font.size * sizeOf(m), color: colorOf(style), direction: -((180 / PI) * atan2(m[1], m[0])),
      align: `${context.textAlign}`, baseline: `${context.textBaseline}`, ...common(),
    });
  }

  return {
    beginPath: () => path.clear(),
    moveTo: (x, y) => path.start(matrix(), number(x), number(y)),
    lineTo: (x, y) => path.add(matrix(), number(x), number(y)),
    closePath: () => path.close(matrix()),
    bezierCurveTo: (...at) => path.bezier(matrix(), +at[0], +at[1], +at[2], +at[3], +at[4], +at[5]),
    quadraticCurveTo: (...at) => path.quadratic(matrix(), +at[0], +at[1], +at[2], +at[3]),
    arcTo: (...at) => path.arcTo(matrix(), +at[0], +at[1], +at[2], +at[3], +at[4]),
    arc: (x, y, radius, from, to, backwards) => path.ellipse(matrix(), {
      x: +x, y: +y, radiusX: +radius, radiusY: +radius, rotation: 0, from: +from, to: +to, backwards: !!backwards,
    }),
    ellipse: (x, y, radiusX, radiusY, rotation, from, to, backwards) => path.ellipse(matrix(), {
      x: +x, y: +y, radiusX: +radiusX, radiusY: +radiusY, rotation: +rotation, from: +from, to: +to,
      backwards: !!backwards,
    }),
    rect: (x, y, width, height) => path.rect(matrix(), +x, +y, +width, +height),
    roundRect: (x, y, width, height) => path.rect(matrix(), +x, +y, +width, +height),
    fill: (given, rule) => fillPath(path, typeof given === "string" ? given : rule),
    stroke: () => strokePath(path),
    clip() {
      const paths = polygons(path);
      if (paths.length > 0) state.clip = paths;
    },
    fillRect: (x, y, width, height) => fillPath(rectangle(x, y, width, height)),
    strokeRect: (x, y, width, height) => strokePath(rectangle(x, y, width, height)),
    clearRect(x, y, width, height) {
      const paths = polygons(rectangle(x, y, width, height));
      if (paths.length > 0) addPixelItem(surface(), "fill", now(), { paths, color: "white", erase: true });
    },
    fillText: (text, x, y) => write(text, x, y, state.fillStyle),
    strokeText: (text, x, y) => write(text, x, y, state.strokeStyle),
  };
}

function transformMethods(context, state) {
  const turn = (...m) => { state.matrix = product(state.matrix, setPrototypeOf(m, null)); };
  return {
    translate: (x, y) => turn(1, 0, 0, 1, +x, +y),
    scale: (x, y) => turn(+x, 0, 0, +y, 0, 0),
    rotate: (angle) => turn(cos(angle), sin(angle), -sin(angle), cos(angle), 0, 0),
    transform: (...m) => turn(+m[0], +m[1], +m[2], +m[3], +m[4], +m[5]),
    setTransform(...m) {
      state.matrix = IDENTITY;
      if (m.length >= 6) turn(+m[0], +m[1], +m[2], +m[3], +m[4], +m[5]);
    },
    resetTransform: () => { state.matrix = IDENTITY; },
    save() {
      if (state.saved.length >= MAX_SAVED) return;
      const kept = record({ matrix: state.matrix, clip: state.clip, properties: record({}) });
      for (let i = 0; i < SAVED.length; i += 1) kept.properties[SAVED[i]] = context[SAVED[i]];
      append(state.saved, kept);
    },
    restore() {
      if (state.saved.length === 0) return;
      const kept = state.saved[state.saved.length - 1];
      state.saved.length -= 1;
      state.matrix = kept.matrix;
      state.clip = kept.clip;
      for (let i = 0; i < SAVED.length; i += 1) context[SAVED[i]] = kept.properties[SAVED[i]];
    },
    reset() {},
    setLineDash() {},
  };
}
const SAVED = setPrototypeOf([...Object.keys(START), "fillStyle", "strokeStyle"], null);

function fontOf(font) {
  const text = `${font}`;
  const size = execPattern(/([\d.]+)(px|pt|em)/, text);
  const unit = size === null ? 1 : { __proto__: null, pt: 4 / 3, em: 10 }[size[2]] ?? 1;
  const family = execPattern(/mono|courier/i, text) ? "monospace" : execPattern(/sans|arial|helvetica|verdana/i, text)
    ? "sans-serif" : "serif";
  return {
    size: size === null ? 10 : NativeNumber(size[1]) * unit, family, bold: execPattern(/bold|[6-9]00/, text) !== null,
    italic: execPattern(/italic|oblique/, text) !== null,
  };
}

function pictureMethods(canvas, context, state) {
  return {
    createImageData: (width, height) => picture(width?.width ?? width, width?.height ?? height),
    getImageData(x, y, width, height) {
      if (hasImages) markAsset();
      const empty = picture(width, height);
      const pixels = cutPixels(bitmapOf(surfaceOf(canvas)), x | 0, y | 0, empty.width, empty.height);
      return picture(width, height, pixels);
    },
    putImageData(image, x, y) {
      if (typeof image !== "object" || image === null || !image.data) {
        throw new NativeTypeError(refusal("putImageData", "parameter 1 is not of type 'ImageData'."));
      }
      addPicture(surfaceOf(canvas), image, +x, +y, now());
    },
    drawImage(image, ...at) {
      if (!(image instanceof Element) || !PICTURES[image.tag]) {
        const why = "The provided value is not of type '(CanvasImageSource or HTMLCanvasElement or HTMLImageElement)'.";
        throw new NativeTypeError(refusal("drawImage", why));
      }
      if (image.tag !== "canvas" || image.state.turtle?.url) {
        hasImages = true;
        return;
      }
      drawCanvas(canvas, surfaceOf(image), at, state.matrix);
    },
  };
}

/** Paint what is on one canvas onto another; a part of it is painted whole. */
function drawCanvas(canvas, from, at, matrix) {
  const part = at.length >= 8;
  const left = part ? +at[0] : 0;
  const top = part ? +at[1] : 0;
  const wide = part ? +at[2] : from.width;
  const high = part ? +at[3] : from.height;
  const x = part ? +at[4] : +at[0];
  const y = part ? +at[5] : +at[1];
  const width = part ? +at[6] : at.length >= 4 ? +at[2] : from.width;
  const height = part ? +at[7] : at.length >= 4 ? +at[3] : from.height;
  const scaleX = width / (wide || 1);
  const scaleY = height / (high || 1);
  const m = product(matrix, setPrototypeOf([scaleX, 0, 0, scaleY, x - left * scaleX, y - top * scaleY], null));
  const place = (u, v) => ({ x: m[0] * u + m[2] * v + m[4], y: m[1] * u + m[3] * v + m[5] });
  copyItems(from, surfaceOf(canvas), now(), place, sizeOf(m));
}

function checked(name, least, method) {
  const radii = RADII[name] ?? [];
  return (...args) => {
    if (args.length < least) {
      const needed = `${least} argument${least === 1 ? "" : "s"} required, but only ${args.length} present.`;
      throw new NativeTypeError(refusal(name, needed));
    }
    for (let i = 0; i < radii.length; i += 1) {
      const radius = args[radii[i]];
      if (radius < 0) throw new NativeError(refusal(name, `The radius provided (${radius}) is negative.`));
    }
    return apply(method, null, args);
  };
}

function makeContext(canvas) {
  const state = record({
    path: new Path(), matrix: IDENTITY, clip: null, saved: list(), fillStyle: "#000000", strokeStyle: "#000000",
  });
  const context = {
    canvas, ...START,
    measureText: (text) => ({ width: fontOf(context.font).size * 0.6 * `${text}`.length }),
    createLinearGradient: () => new Gradient(),
    createRadialGradient: () => new Gradient(),
    createPattern: () => ({}),
    getLineDash: () => [],
    isPointInPath: () => false,
    isPointInStroke: () => false,
  };
  for (let i = 0; i < COLORS.length; i += 1) {
    const name = COLORS[i];
    defineProperty(context, name, {
      enumerable: true, configurable: true,
      get: () => (state[name] instanceof Gradient ? state[name] : spelled(state[name])),
      set(value) { state[name] = paintOf(value) ?? state[name]; },
    });
  }
  const methods = record({
    ...paintingMethods(canvas, context, state), ...transformMethods(context, state), ...pictureMethods(canvas, context, state),
  });
  each(words(LEAST), (entry) => {
    const parts = split(entry, ":");
    context[parts[0]] = checked(parts[0], NativeNumber(parts[1]), methods[parts[0]]);
  });
  context.createImageData = methods.createImageData;
  return context;
}
const COLORS = setPrototypeOf(["fillStyle", "strokeStyle"], null);

/** The 2D context of a canvas; other kinds there are none. */
export function contextOf(canvas, kind) {
  if (kind !== "2d") return null;
  canvas.state.context ??= makeContext(canvas);
  return canvas.state.context;
}
hooks.context = contextOf;
