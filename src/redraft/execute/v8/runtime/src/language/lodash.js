// lodash, as Pencil Code's pages have it: npm's, of the version that they serve.
//
// In: nothing. Out: `makeLodash()`, to be called when timers, Date and Math.random are the runtime's, as lodash keeps those
// that are there. It is the program's own library and no part of the runtime, which must not use it: a program that
// changes Array.prototype may break it, as in a browser.

import lodash from "lodash";

export const makeLodash = () => lodash.runInContext({});
