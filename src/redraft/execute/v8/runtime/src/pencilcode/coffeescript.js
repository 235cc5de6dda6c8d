// The global `CoffeeScript`: the compiler of Pencil Code's pages, for programs that compile or run text of their own.
//
// In: text. Out: JavaScript, or what it is worth. What is run sees the page's globals and nothing of the runtime: it is
// called from a function that was made outside of every module. The compiler is no part of the runtime, which doesn't use it.

import coffee from "iced-coffee-script/lib/coffee-script/coffee-script.js";
import { construct, evaluate, NativeSyntaxError } from "../language/primordials.js";

delete Error.prepareStackTrace; // the compiler's; the runtime reads V8's own stacks

// Variables of what is run stay in this function, as in the real one.
const evaluateWithin = evaluate("(function() { return eval(arguments[0]); })");
const MakeFunction = Function;

function compile(code, options) {
  try {
    return coffee.compile(`${code}`, { runtime: "none", ...options });
  } catch (error) {
    // The compiler's own has a stack without places.
    throw new NativeSyntaxError(error?.message ?? `${error}`);
  }
}

export const CoffeeScript = {
  VERSION: "1.8.0-c",
  compile,
  tokens: (code, options) => coffee.tokens(`${code}`, options),
  eval: (code, options) => evaluateWithin(compile(code, { bare: true, ...options })),
  run: (code, options) => construct(MakeFunction, [compile(code, { ...options, bare: true, shiftLine: true })])(),
  load() {},
};
