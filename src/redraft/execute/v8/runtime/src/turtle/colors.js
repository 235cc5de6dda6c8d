// Colours: which texts are CSS colours, and their red, green, blue and alpha.
//
// In: any value. Out: `rgba` gives four numbers of 0 to 255 or null. Names as CSS Color 4 lists them; the table is
// parsed on first use, so that it costs nothing at load.
// Not guaranteed: colour functions other than rgb, rgba, hsl and hsla.

import {
  abs, create, execPattern, max, min, NativeNumber, round, setPrototypeOf, sliceString, toLowerCase, trim,
} from "../language/primordials.js";

const TABLE = `aliceblue f0f8ff antiquewhite faebd7 aqua 00ffff aquamarine 7fffd4 azure f0ffff beige f5f5dc bisque
ffe4c4 black 000000 blanchedalmond ffebcd blue 0000ff blueviolet 8a2be2 brown a52a2a burlywood deb887
cadetblue 5f9ea0 chartreuse 7fff00 chocolate d2691e coral ff7f50 cornflowerblue 6495ed cornsilk fff8dc
crimson dc143c cyan 00ffff darkblue 00008b darkcyan 008b8b darkgoldenrod b8860b darkgray a9a9a9 darkgrey
a9a9a9 darkgreen 006400 darkkhaki bdb76b darkmagenta 8b008b darkolivegreen 556b2f darkorange ff8c00
darkorchid 9932cc darkred 8b0000 darksalmon e9967a darkseagreen 8fbc8f darkslateblue 483d8b
darkslategray 2f4f4f darkslategrey 2f4f4f darkturquoise 00ced1 darkviolet 9400d3 deeppink ff1493
deepskyblue 00bfff dimgray 696969 dimgrey 696969 dodgerblue 1e90ff firebrick b22222 floralwhite fffaf0
forestgreen 228b22 fuchsia ff00ff gainsboro dcdcdc ghostwhite f8f8ff gold ffd700 goldenrod daa520 gray
808080 grey 808080 green 008000 greenyellow adff2f honeydew f0fff0 hotpink ff69b4 indianred cd5c5c
indigo 4b0082 ivory fffff0 khaki f0e68c lavender e6e6fa lavenderblush fff0f5 lawngreen 7cfc00
lemonchiffon fffacd lightblue add8e6 lightcoral f08080 lightcyan e0ffff lightgoldenrodyellow fafad2
lightgray d3d3d3 lightgrey d3d3d3 lightgreen 90ee90 lightpink ffb6c1 lightsalmon ffa07a lightseagreen
20b2aa lightskyblue 87cefa lightslategray 778899 lightslategrey 778899 lightsteelblue b0c4de lightyellow
ffffe0 lime 00ff00 limegreen 32cd32 linen faf0e6 magenta ff00ff maroon 800000 mediumaquamarine 66cdaa
mediumblue 0000cd mediumorchid ba55d3 mediumpurple 9370db mediumseagreen 3cb371 mediumslateblue 7b68ee
mediumspringgreen 00fa9a mediumturquoise 48d1cc mediumvioletred c71585 midnightblue 191970 mintcream
f5fffa mistyrose ffe4e1 moccasin ffe4b5 navajowhite ffdead navy 000080 oldlace fdf5e6 olive 808000
olivedrab 6b8e23 orange ffa500 orangered ff4500 orchid da70d6 palegoldenrod eee8aa palegreen 98fb98
paleturquoise afeeee palevioletred db7093 papayawhip ffefd5 peachpuff ffdab9 peru cd853f pink ffc0cb
plum dda0dd powderblue b0e0e6 purple 800080 rebeccapurple 663399 red ff0000 rosybrown bc8f8f royalblue
4169e1 saddlebrown 8b4513 salmon fa8072 sandybrown f4a460 seagreen 2e8b57 seashell fff5ee sienna a0522d
silver c0c0c0 skyblue 87ceeb slateblue 6a5acd slategray 708090 slategrey 708090 snow fffafa springgreen
00ff7f steelblue 4682b4 tan d2b48c teal 008080 thistle d8bfd8 tomato ff6347 turquoise 40e0d0 violet
ee82ee wheat f5deb3 white ffffff whitesmoke f5f5f5 yellow ffff00 yellowgreen 9acd32`;

const HEX = /^#(?:[a-f0-9]{3}|[a-f0-9]{6})$/i;
const ALPHA_HEX = /^#(?:[a-f0-9]{4}|[a-f0-9]{8})$/;
const PART = "([-+.\\d]+)(%?)";
const FUNCTION = new RegExp(
  `^(rgb|hsl)a?\\(\\s*([-+.\\d]+)(%|deg)?[\\s,]+${PART}[\\s,]+${PART}(?:[\\s,/]+${PART})?\\s*\\)$`, "i",
);
const NAME = /([a-z]+)\s([0-9a-f]{6})/g;

let named = null;
let cache = create(null);
let cached = 0;

function table() {
  if (named === null) {
    named = create(null);
    NAME.lastIndex = 0;
    let match = execPattern(NAME, TABLE);
    while (match !== null) {
      named[match[1]] = match[2];
      match = execPattern(NAME, TABLE);
    }
  }
  return named;
}

function fromHex(text) {
  const value = (at, size) => NativeNumber(`0x${size === 2 ? sliceString(text, at, at + 2) : text[at] + text[at]}`);
  if (text.length === 6) return quad(value(0, 2), value(2, 2), value(4, 2), 1);
  return quad(value(0, 1), value(1, 1), value(2, 1), 1);
}

const clamp = (value) => round(max(0, min(255, value)));

function quad(red, green, blue, alpha) {
  return setPrototypeOf([clamp(red), clamp(green), clamp(blue), clamp(alpha * 255)], null);
}

function fromHsl(hue, saturation, lightness, alpha) {
  const turn = (((hue % 360) + 360) % 360) / 60;
  const chroma = (1 - abs(2 * lightness - 1)) * saturation;
  const second = chroma * (1 - abs((turn % 2) - 1));
  const base = lightness - chroma / 2;
  const parts = [
    [chroma, second, 0], [second, chroma, 0], [0, chroma, second], [0, second, chroma], [second, 0, chroma],
    [chroma, 0, second],
  ][turn | 0];
  return quad((parts[0] + base) * 255, (parts[1] + base) * 255, (parts[2] + base) * 255, alpha);
}

function fromFunction(match) {
  const part = (at, whole) => NativeNumber(match[at]) * (match[at + 1] === "%" ? whole / 100 : 1);
  const alpha = match[8] === undefined ? 1 : max(0, min(1, part(8, 1)));
  if (toLowerCase(match[1]) === "rgb") return quad(part(2, 255), part(4, 255), part(6, 255), alpha);
  const share = (at) => max(0, min(1, NativeNumber(match[at]) / 100));
  // Percent signs are required here; without them a browser takes no colour from the text.
  if (match[5] !== "%" || match[7] !== "%") return null;
  return fromHsl(NativeNumber(match[2]), share(4), share(6), alpha);
}

function parse(text) {
  if (text === "transparent") return quad(0, 0, 0, 0);
  const hex = table()[text];
  if (hex !== undefined) return fromHex(hex);
  if (execPattern(HEX, text) !== null) return fromHex(sliceString(text, 1));
  const match = execPattern(FUNCTION, text);
  return match === null ? null : fromFunction(match);
}

/** Red, green, blue and alpha of 0 to 255, or null for what is no colour. */
export function rgba(value) {
  if (typeof value !== "string" || value.length > 100) return null;
  const known = cache[value];
  if (known !== undefined) return known;
  const result = parse(trim(value));
  if (cached > 500) {
    cache = create(null);
    cached = 0;
  }
  cached += 1;
  cache[value] = result;
  return result;
}

/** Whether a text is a CSS colour. */
export function isColor(value) {
  return rgba(value) !== null;
}

/** What a canvas paints with this value as its colour: names in capitals too, and black for what is no colour. */
export function canvasColor(value) {
  if (isColor(value)) return value;
  const text = typeof value === "string" ? toLowerCase(trim(value)) : "";
  if (isColor(text)) return text;
  return execPattern(ALPHA_HEX, text) === null ? "black" : withAlpha(sliceString(text, 1));
}

function withAlpha(hex) {
  const size = hex.length / 4;
  const last = sliceString(hex, 3 * size);
  const alpha = NativeNumber(`0x${size === 1 ? last + last : last}`) / 255;
  const parts = fromHex(sliceString(hex, 0, 3 * size));
  return `rgba(${parts[0]},${parts[1]},${parts[2]},${round(alpha * 1000) / 1000})`;
}

/** Names of all colours with their hexadecimal value, as an object without prototype. */
export function colorNames() {
  return table();
}
