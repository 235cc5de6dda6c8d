// Observers: of changes in the page's tree, of sizes, of what is in view.
//
// In: callbacks and elements. Out: the constructors. A change is told in the page's next turn, as a list of records; sizes and
// views are told once, after `observe`: nothing resizes or scrolls here. Not guaranteed: changes of attributes and text, of which no observer hears.

import { guard, later } from "../time/clock.js";
import { hooks, Node } from "../page/elements.js";
import { each, filter, includes, indexOf, push, splice, TypeError } from "../language/lists.js";
import { need } from "./required.js";

const watching = [];

function checkCallback(kind, args) {
  need(1, args, `construct '${kind}'`);
  if (typeof args[0] !== "function") {
    throw new TypeError(`Failed to construct '${kind}': parameter 1 is not of type 'Function'.`);
  }
}

function checkTarget(kind, args, type) {
  need(1, args, `execute 'observe' on '${kind}'`);
  if (!(args[0] instanceof Node)) {
    throw new TypeError(`Failed to execute 'observe' on '${kind}': parameter 1 is not of type '${type}'.`);
  }
}

export class MutationObserver {
  #fn;
  #watched = [];
  #records = [];
  #told = true;
  constructor(fn) {
    checkCallback("MutationObserver", arguments);
    this.#fn = fn;
  }
  observe(target, options) {
    checkTarget("MutationObserver", arguments, "Node");
    if (!options || !(options.childList || options.attributes || options.characterData)) {
      const wanted = "The options object must set at least one of 'attributes', 'characterData', or 'childList' to true.";
      throw new TypeError(`Failed to execute 'observe' on 'MutationObserver': ${wanted}`);
    }
    push(this.#watched, { target, childList: !!options.childList, subtree: !!options.subtree });
    if (!includes(watching, this.#hear)) push(watching, this.#hear);
    hooks.mutated = tell;
  }
  #hear = (target, added, removed) => {
    const heard = filter(this.#watched, (one) => one.childList
      && (one.target === target || (one.subtree && one.target.contains(target))));
    if (heard.length === 0) return;
    push(this.#records, { type: "childList", target, addedNodes: added, removedNodes: removed, attributeName: null });
    if (!this.#told) return;
    this.#told = false;
    later(() => {
      this.#told = true;
      const records = this.takeRecords();
      if (records.length > 0) guard(() => this.#fn.call(this, records, this));
    }, 0);
  };
  takeRecords() {
    const records = this.#records;
    this.#records = [];
    return records;
  }
  disconnect() {
    this.#watched = [];
    this.#records = [];
    const at = indexOf(watching, this.#hear);
    if (at >= 0) splice(watching, at, 1);
  }
}

function tell(target, added, removed) {
  each(watching, (hear) => hear(target, added, removed));
}

// ResizeObserver and IntersectionObserver: each element is told of once.
const once = (kind, entryOf) => ({
  [kind]: class {
    #fn;
    #gone = false;
    constructor(fn) {
      checkCallback(kind, arguments);
      this.#fn = fn;
    }
    observe(target) {
      checkTarget(kind, arguments, "Element");
      later(() => { if (!this.#gone) guard(() => this.#fn.call(this, [entryOf(target)], this)); }, 0);
    }
    unobserve() { this.#gone = true; }
    disconnect() { this.#gone = true; }
    takeRecords() { return []; }
  },
})[kind];

export const ResizeObserver = once("ResizeObserver", (target) => ({
  target, contentRect: target.getBoundingClientRect(), borderBoxSize: [], contentBoxSize: [],
}));
export const IntersectionObserver = once("IntersectionObserver", (target) => ({
  target, isIntersecting: true, intersectionRatio: 1, boundingClientRect: target.getBoundingClientRect(),
}));
