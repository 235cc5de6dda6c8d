// Makes what the Python engine loads into V8, of the npm package `pyodide` (CPython compiled to WebAssembly).
//
// In: {bundle: its last file} as JSON, the folder of the packages (node_modules), the folder to write to. Out: the bundle
// (before.js, Pyodide's two scripts, host.js), Pyodide's WebAssembly and standard library as they are, and NOTICE.txt.
//
// Pyodide's scripts are modules for Node and browsers. Here they become parts of one script for a V8 that has neither: each
// replacement below must find what it replaces, so that another version of Pyodide ends the build instead of a program.

import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const [, , entries, packages, out] = process.argv;
const pyodide = join(packages, "pyodide");
const MEMORY = 256 * 1024 * 1024; // bytes that Python may hold; past it is a MemoryError

function replaced(text, old, becomes) {
  if (text.search(old) < 0) throw new Error(`pyodide is another than this build knows: ${old} isn't in it`);
  return text.replace(old, becomes);
}

let engine = readFileSync(join(pyodide, "pyodide.asm.mjs"), "utf8");
engine = replaced(engine, /export default _createPyodideModule;?\s*$/, "");
engine = replaced(engine, /import\.meta\.url/g, '"file:///pyodide/pyodide.asm.mjs"');
engine = replaced(engine, /\bimport\(/g, "noImport(");
engine = replaced(engine, /var getHeapMax=\(\)=>\d+;/, `var getHeapMax=()=>${MEMORY};`);
engine = replaced(engine, /var initRandomFill=\(\)=>\{/, "$&return randomBytes;");

let loader = readFileSync(join(pyodide, "pyodide.mjs"), "utf8");
loader = replaced(loader, /\/\/# sourceMappingURL=.*\s*$/, "");
loader = replaced(loader, /\bimport\(/g, "noImport(");
loader = replaced(loader, /export\{(\w+) as loadPyodide,(\w+) as version\};\s*$/, "return $1;");

const { info } = JSON.parse(readFileSync(join(pyodide, "pyodide-lock.json"), "utf8"));
const { version, license } = JSON.parse(readFileSync(join(pyodide, "package.json"), "utf8"));
for (const [name, entry] of Object.entries(JSON.parse(entries))) {
  const sources = dirname(entry);
  const parts = [
    '"use strict";',
    `const lockInfo = ${JSON.stringify(info)};`,
    readFileSync(join(sources, "before.js"), "utf8"),
    engine,
    `const loadPyodide = (function () {\n${loader}\n})();`,
    readFileSync(entry, "utf8"),
  ];
  writeFileSync(join(out, `${name}.js`), `(function () {\n${parts.join("\n")}\n})();\n`);
}
copyFileSync(join(pyodide, "pyodide.asm.wasm"), join(out, "pyodide.wasm"));
copyFileSync(join(pyodide, "python_stdlib.zip"), join(out, "stdlib.zip"));
writeFileSync(
  join(out, "NOTICE.txt"),
  `pyodide.js holds, changed as build.mjs says, and pyodide.wasm and stdlib.zip hold unchanged, parts of Pyodide ${version}.
Its licence is ${license} (Mozilla Public License 2.0); its source is the npm package and the public repository of that name.
Pyodide holds CPython and its standard library, under the Python Software Foundation License, whose text Python prints
for \`license()\`.
`,
);
