// Entry of dist/compiler.js: CoffeeScript to JavaScript, in a trusted isolate that never runs a program.
//
// In: JSON texts with a program. Out: JSON texts. `compile`: {code} -> {js} or {error: {kind, message, line}};
// `locate`: {code, places: [[line, column], ...]} (from 1) -> the program's lines (from 1, or null); `check`: {code} ->
// {} or {error}, whether the text is JavaScript. An error of kind "internal" isn't the program's mistake in syntax (the
// parser ran out of stack): the host then takes another isolate.
//
// The compiler is IcedCoffeeScript 1.8.0-d, the published version next to Pencil Code's own 1.8.0-c, whose loops with
// `await` it shares: `by` is ignored for lists, and nested ranges share what tells their direction. Later versions mended
// that, so that programs did something else there than on the site.

import coffee from "iced-coffee-script/lib/coffee-script/coffee-script.js";

const OPTIONS = { bare: true, runtime: "none" };
// Pencil Code evaluates compiled programs by `Function(js)()`: variables stay the program's own, and it may return.
const HEAD = "(function() {\n";
const TAIL = "\n})();";
const HEAD_LINES = 1;

// What the compiler's own code stumbles over has no place: it is in the first line with which it stumbles so.
const LONGEST_SEARCHED = 4000;

function placeOf(code, message) {
  if (!code || code.length > LONGEST_SEARCHED) return null;
  const lines = code.split("\n");
  for (let count = 1; count <= lines.length; count += 1) {
    try {
      coffee.compile(lines.slice(0, count).join("\n"), { ...OPTIONS });
    } catch (error) {
      if (error?.message === message) return count;
    }
  }
  return null;
}

function explain(error, code) {
  const kind = error instanceof SyntaxError ? "syntax" : "internal";
  const stumbled = error instanceof TypeError ? placeOf(code, error.message) : null;
  const line = error?.location ? error.location.first_line + 1 : stumbled;
  return { error: { kind, message: `${error?.message ?? error}`, line } };
}

function compile({ code }) {
  try {
    return { js: HEAD + coffee.compile(code, OPTIONS) + TAIL };
  } catch (error) {
    return explain(error, code);
  }
}

// The compiler's own source map knows no better than the enclosing block for what stands first in a line (an empty
// fragment of the block takes the place), so the fragments are asked themselves.
function locate({ code, places }) {
  const options = { ...OPTIONS }; // the compiler writes into them
  const marks = [];
  let line = 1 + HEAD_LINES, column = 1;
  for (const { code: text, locationData, type } of coffee.nodes(code, options).compileToFragments(options)) {
    if (locationData && type !== "Block" && text.trim() !== "") marks.push([line, column, locationData.first_line + 1]);
    const rows = text.split("\n");
    line += rows.length - 1;
    column = rows.length > 1 ? rows.at(-1).length + 1 : column + text.length;
  }
  return places.map(([wantedLine, wantedColumn]) => {
    const before = marks.filter(([at, from]) => at === wantedLine && from <= (wantedColumn ?? 1));
    const found = before.at(-1) ?? marks.find(([at]) => at === wantedLine) ?? marks.findLast(([at]) => at < wantedLine);
    return found ? found[2] : null;
  });
}

function check({ code }) {
  try {
    // Parses, runs nothing. What is no function's body is no script either.
    Function(code);
    return {};
  } catch (error) {
    return explain(error);
  }
}

const answering = (work) => (text) => JSON.stringify(work(JSON.parse(text)));

globalThis.__compiler = { compile: answering(compile), locate: answering(locate), check: answering(check) };
