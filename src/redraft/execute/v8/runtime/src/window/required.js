// What a browser says of a call with too few arguments.
//
// In: functions and how many arguments they need. Out: the same functions, which throw a TypeError for fewer.

import { TypeError } from "../language/lists.js";
import { apply, defineProperty, getPrototypeOf } from "../language/primordials.js";

const { getOwnPropertyDescriptor } = Object;

/** Throws for a call with fewer than `count` arguments; `what` is as in "execute 'x' on 'Y'". */
export function need(count, args, what) {
  if (args.length >= count) return;
  const wanted = `${count} argument${count === 1 ? "" : "s"} required`;
  throw new TypeError(`Failed to ${what}: ${wanted}, but only ${args.length} present.`);
}

/** A function that needs `count` arguments. */
export function requiring(count, name, owner, fn) {
  const checked = {
    [name](...args) {
      need(count, args, `execute '${name}' on '${owner}'`);
      return apply(fn, this, args);
    },
  }[name];
  return checked;
}

/** Puts such functions in the place of a prototype's methods: `table` is name -> count. */
export function requireOn(prototype, owner, table) {
  for (const name in table) {
    let holder = prototype;
    while (holder && !getOwnPropertyDescriptor(holder, name)) holder = getPrototypeOf(holder);
    const own = holder ? getOwnPropertyDescriptor(holder, name) : undefined;
    if (typeof own?.value !== "function") continue;
    defineProperty(prototype, name, { ...own, value: requiring(table[name], name, owner, own.value) });
  }
}
