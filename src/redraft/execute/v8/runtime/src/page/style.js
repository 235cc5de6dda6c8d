// An element's own style: what a program has set, without a style sheet.
//
// In: names as the DOM (`backgroundColor`) or CSS (`background-color`) spells them. Out: the same values back,
// `cssText`, and `computed`, a default where nothing is set. Values are kept as text and aren't checked.

import { each, hide, join, map, Object, replace, split, upper } from "../language/lists.js";
import { create, indexOfString, keys, sliceString, toLowerCase, trim } from "../language/primordials.js";

/** `background-color` -> `backgroundColor`. */
export function camel(name) {
  return replace(`${name}`, /-+([a-z])/gi, (whole, letter) => upper(letter));
}

/** `backgroundColor` -> `background-color`. */
export function dashed(name) {
  return toLowerCase(replace(name, /[A-Z]/g, "-$&"));
}

export class Style {
  setProperty(name, value) { this[camel(name)] = `${value ?? ""}`; }
  getPropertyValue(name) { return `${this[camel(name)] ?? ""}`; }
  getPropertyPriority() { return ""; }
  removeProperty(name) {
    const old = this.getPropertyValue(name);
    delete this[camel(name)];
    return old;
  }
  get length() { return keys(this).length; }
  item(i) { return keys(this)[i] ?? ""; }
  get cssText() {
    return join(map(keys(this), (name) => (this[name] === "" ? "" : `${dashed(name)}: ${this[name]};`)), " ");
  }
  set cssText(text) {
    each(keys(this), (name) => { delete this[name]; });
    each(split(`${text ?? ""}`, ";"), (declaration) => {
      const at = indexOfString(declaration, ":");
      if (at > 0) this[camel(trim(sliceString(declaration, 0, at)))] = trim(sliceString(declaration, at + 1));
    });
  }
}
each(["setProperty", "getPropertyValue", "getPropertyPriority", "removeProperty", "item"], (name) => {
  hide(Style.prototype, name, Style.prototype[name]);
});

const DEFAULTS = Object.assign(create(null), {
  color: "rgb(0, 0, 0)", backgroundColor: "rgba(0, 0, 0, 0)", fontSize: "16px", fontFamily: "serif", fontWeight: "400",
  fontStyle: "normal", opacity: "1", position: "static", zIndex: "auto", visibility: "visible", textAlign: "start",
  transform: "none", cursor: "auto", float: "none", overflow: "visible", backgroundImage: "none", lineHeight: "normal",
});
const ZERO = /^(margin|padding|border)(Top|Left|Right|Bottom)?(Width)?$/;

/** The value of a property that nothing has set. */
export function initialValue(name) {
  return DEFAULTS[name] ?? (ZERO.test(name) ? "0px" : "");
}
