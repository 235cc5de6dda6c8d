// What the process that holds this calls: `hand` files, `load` Python, then `take` a message and ask for what `next` says.
//
// Messages are JSON texts, written and read by Python (execute/python/inside). One is answered by one: whatever Python says,
// or by what JavaScript sees of its end. While Python waits for an answer from outside, its stack is set aside.

let python; // Pyodide, once loaded
let takes; // Python's function for messages
let said = ""; // what next() will say
let wakes; // goes on with the Python that waits
let failure = ""; // why Python doesn't load
let complaint = ""; // what it says of that

const host = {
  // Says something outside, and waits for what is said back.
  ask(text) {
    said = text;
    return new Promise((resolve) => {
      wakes = resolve;
    });
  },
  // Says the last thing of all: Python ends itself next.
  last(text) {
    said = text;
  },
  advance(milliseconds) {
    clock += milliseconds;
  },
};

function ended(error) {
  if (said) return;
  const status = error?.status;
  const gone = typeof status === "number" ? { ended: "exit", status } : { ended: "crash", note: `${error?.type} ${error?.message}`.slice(0, 200) };
  said = JSON.stringify(gone);
}

function hand(name, text) {
  handed[name] = fromBase64(text);
  return "handed";
}

// Names that a program could use to tell the time, or to make what the process has no use for.
function strip() {
  for (const name of ["WebAssembly", "SharedArrayBuffer", "Atomics", "Temporal", "Intl", "read", "load", "readbuffer", "crypto"]) {
    delete globalThis[name];
  }
  for (const name of Object.keys(handed)) delete handed[name];
}

// Pyodide reads long texts of one byte a letter by this, if it is there; Emscripten, which asked before, has its own way.
class TextDecoder {
  decode(bytes) {
    let text = "";
    for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
    return text;
  }
}

// Programs of ours, one of each kind of end, so that V8 has compiled what a copy needs before the first copy is made.
function warm() {
  const codes = ["def f(n):\n    return [n] * 2\nx = f(1)", "x = {}\nx['a']", "if x", "cout", "class C:\n    pass\nC().x"];
  for (const code of [...codes, ...codes]) {
    takes(`{"do": "run", "code": ${JSON.stringify(code)}, "seed": 0, "lines": null}`);
  }
}

function load(source) {
  const silent = { write: (bytes) => bytes.length, isatty: false };
  const settings = {
    createPyodideModule: _createPyodideModule,
    indexURL: "/pyodide/",
    lockFileContents: { info: lockInfo, packages: {} },
    packageBaseUrl: "/pyodide/",
    jsglobals: Object.create(null),
    stdin: () => null,
    stdout: nothing,
    stderr: (text) => {
      complaint += `${text}\n`;
    },
    env: { HOME: "/home/student", TZ: "UTC" },
    checkAPIVersion: false,
  };
  loadPyodide(settings).then((made) => {
    python = made;
    python.setStdout(silent);
    python.setStderr(silent);
    const begin = python.runPython(source);
    takes = begin(host);
    warm();
    strip();
    globalThis.TextDecoder = TextDecoder;
    said = "loaded";
  }).catch((error) => {
    failure = `${error?.name}: ${error?.message} ${complaint.slice(-1000)}`;
  });
  return "loading";
}

function take(text) {
  said = "";
  try {
    if (wakes) {
      const wake = wakes;
      wakes = undefined;
      wake(text);
    } else if (text.startsWith('{"do": "run"')) {
      said = takes(text);
    } else {
      takes.callPromising(text).then((answer) => {
        said = answer;
      }, ended);
    }
  } catch (error) {
    ended(error);
  }
  return "taken";
}

function next() {
  if (failure) throw new Error(failure);
  const text = said;
  said = "";
  return text;
}

globalThis.__python = Object.freeze({ hand, load, take, next });
