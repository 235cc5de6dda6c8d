// Bundles the runtime. In: {bundle: its first file} as JSON, the folder of the packages (node_modules), the folder to write
// to. Out: one file a bundle.
//
// Node's built-in modules are aliased to an empty one: the compiler asks for some of them, and no bundle may have any.

import { build } from "esbuild";
import { builtinModules } from "node:module";
import { join } from "node:path";

const [, , entries, packages, out] = process.argv;

const noBuiltins = {
  name: "no-builtins",
  setup(bundler) {
    const names = new Set(builtinModules);
    bundler.onResolve({ filter: /.*/ }, ({ path }) => {
      const name = path.replace(/^node:/, "");
      return names.has(name) || path.startsWith("node:") ? { path: name, namespace: "empty" } : undefined;
    });
    bundler.onLoad({ filter: /.*/, namespace: "empty" }, () => ({ contents: "module.exports = {};" }));
  },
};

// Modules are strict, and so must the bundle be: of a function that isn't, a program may read who called it and with what.
const STRICT = { js: '"use strict";' };

for (const [name, entry] of Object.entries(JSON.parse(entries))) {
  await build({
    entryPoints: [entry],
    outfile: join(out, `${name}.js`),
    nodePaths: [packages],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    charset: "ascii",
    legalComments: "inline",
    banner: STRICT,
    logLevel: "warning",
    // What lodash looks for.
    define: name === "compiler" ? {} : { global: "globalThis" },
    plugins: [noBuiltins],
  });
}
