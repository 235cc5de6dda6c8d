// A page for tests: the whole runtime in a fresh context of Node's, as V8's isolate would hold it.
//
// In: JavaScript of a program. Out: what an expression is worth in that page, and the host's result. The bundle is
// dist/runtime.js (`python hatch_build.py` builds it), or what REDRAFT_RUNTIME names.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import vm from "node:vm";

const here = dirname(fileURLToPath(import.meta.url));
const bundle = process.env.REDRAFT_RUNTIME ?? join(here, "..", "dist", "runtime.js");
const script = new vm.Script(readFileSync(bundle, "utf8"), { filename: "runtime.js" });

/** A page after a program has run: `value(expression)`, `step()` until nothing is left, `result()`. */
export function open(program = "", options = {}) {
  // A plain global object, as an isolate has, instead of the usual one that watches every access.
  const context = vm.createContext(vm.constants.DONT_CONTEXTIFY);
  script.runInContext(context);
  const settings = JSON.stringify({ token: "END", seed: 1, limitMs: 5500, extraMs: 25_000, drawing: true, ...options });
  context.sent = [program, settings];
  vm.runInContext("__redraft.start(sent[0] + ';console.log(\"END\")', sent[1])", context, { timeout: 10_000 });
  const page = {
    value: (expression) => {
      const value = vm.runInContext(expression, context, { timeout: 10_000 });
      return typeof value === "object" && value !== null ? JSON.parse(JSON.stringify(value)) : value;
    },
    finish() {
      for (let turn = 0; turn < 10_000 && !JSON.parse(page.value("__redraft.step(100)")).done; turn += 1);
      return page.result();
    },
    result: () => JSON.parse(page.value("__redraft.result()")),
  };
  return page;
}

/** The messages of the errors a program makes, callbacks included. */
export function errorsOf(program, options) {
  return open(program, options).finish().errors.map((error) => error.message);
}

/** A file of the folder of shared data above the project, or null where there is none. */
export function sharedData(name) {
  for (let folder = here; folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, "shared", "data", name);
    if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8"));
  }
  return null;
}
