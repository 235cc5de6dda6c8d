// Bundles the runtime. In: {bundle: its first file} as JSON, the folder of the packages (node_modules), the folder to write
// to. Out: one file a bundle.
//
// Node's built-in modules are aliased to an empty one: the compiler asks for some of them, and no bundle may have any.
// `import text from "late:./late/x.js"` gives the chunk as text (src/late.js says why); its imports from outside late/ become
// members of `shared`, which whoever evaluates the text hands in.

import { build } from "esbuild";
import { builtinModules } from "node:module";
import { basename, join, resolve } from "node:path";

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

// Imports of modules that the bundle has already: their exports by name, so that a missing one is an error here.
const sharedImports = {
  name: "shared-imports",
  setup(bundler) {
    bundler.onResolve({ filter: /^\.\.\// }, ({ path, resolveDir }) => ({ path: resolve(resolveDir, path), namespace: "shared" }));
    bundler.onLoad({ filter: /.*/, namespace: "shared" }, async ({ path }) => {
      const { metafile } = await build({ entryPoints: [path], write: false, format: "esm", metafile: true });
      const [{ exports }] = Object.values(metafile.outputs);
      const lines = exports.map((name) => `export const ${name} = from.${name};`);
      return { contents: `const from = shared.${basename(path, ".js")};\n${lines.join("\n")}` };
    });
  },
};

const lateChunks = {
  name: "late-chunks",
  setup(bundler) {
    const { minify, target, charset, banner } = bundler.initialOptions;
    const options = { bundle: true, write: false, format: "iife", minify, target, charset, banner, plugins: [sharedImports] };
    bundler.onResolve({ filter: /^late:/ }, ({ path, resolveDir }) => ({ path: resolve(resolveDir, path.slice("late:".length)), namespace: "late" }));
    bundler.onLoad({ filter: /.*/, namespace: "late" }, async ({ path }) => {
      const { outputFiles } = await build({ ...options, entryPoints: [path] });
      return { contents: outputFiles[0].text, loader: "text" };
    });
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
    plugins: [noBuiltins, lateChunks],
  });
}
