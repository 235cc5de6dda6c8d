// Pencil Code's functions that reach out of the page: load, save, send, recv, keys, mouse, scripts.
//
// In: names, data and callbacks. Out: the global functions. There is no network: `load` and `save` answer with nothing
// after a moment. No key is pressed and no mouse moves.

import { guard, later } from "../time/clock.js";
import { isInterrupted, wrapRaw } from "../turtle/command.js";
import { addHandler, makeEvent } from "../page/events.js";
import { each, Object, push, TypeError, words } from "../language/lists.js";
import { apply, create, NativeError } from "../language/primordials.js";
import { query } from "../jquery/query.js";

const ANSWER_MS = 20;
const noAnswer = () => ({ readyState: 4, status: 0, statusText: "error", responseText: "" });
const answer = (fn) => later(() => guard(() => fn(undefined, noAnswer())), ANSWER_MS);

function load(url, done) {
  if (done) answer(done);
}

function save(url, data, done) {
  if (!url) throw new NativeError("Missing url for save");
  if (done) answer(done);
}

// Messages meet those who wait for them, by name, a moment later.
const sent = create(null);
const waiting = create(null);
let polling = false;

function deliver(name) {
  if (polling || !sent[name]?.length || !waiting[name]?.length) return;
  polling = true;
  later(() => {
    polling = false;
    const fn = waiting[name].shift();
    const args = sent[name].shift();
    guard(() => {
      if (typeof fn !== "function") throw new TypeError("wq.shift(...).apply is not a function");
      apply(fn, null, args);
    });
    deliver(name);
  }, 0);
}

function send(name, ...args) {
  push(sent[name] ??= [], args);
  deliver(name);
}

function recv(name, fn) {
  push(waiting[name] ??= [], fn);
  deliver(name);
}

/** `pressed "a"`: nobody presses a key, so never; without a name, the list of pressed keys. */
function pressed(name) {
  if (!name) return [];
  if (typeof name !== "string") throw new TypeError("keyname.replace is not a function");
  return false;
}
Object.assign(pressed, { enable() {}, list: () => [] });

// click, keydown ...: handlers at the window, that leave alone what happens in buttons and boxes.
function windowEvent(name) {
  const filter = /^key/.test(name) ? "textarea,input:not([type]),input[type=text],input[type=password]"
    : "input,button";
  return wrapRaw(name, (data, fn) => {
    const alone = (fn === undefined || fn === null) && typeof data === "function";
    const handler = alone ? data : fn;
    addHandler(globalThis, `${name}.turtleevent`, {
      data: alone ? undefined : data,
      fn(event, ...rest) {
        if (isInterrupted() || query(event.target).closest(filter).length) return undefined;
        return apply(handler, this, [event, ...rest]);
      },
    });
  });
}

export const SERVICES = {
  load: wrapRaw("load", load),
  save: wrapRaw("save", Object.assign(save, { loginCookie: () => null })),
  send: wrapRaw("send", send), recv: wrapRaw("recv", recv),
  loadscript: wrapRaw("loadscript", () => {}),
  pressed: wrapRaw("pressed", pressed),
};
each(words("click dblclick mouseup mousedown mousemove keydown keyup keypress"),
  (name) => { SERVICES[name] = windowEvent(name); });
// Events of the mouse as programs find them before the mouse has done anything.
each(words("lastmouse lastclick lastdblclick lastmouseup lastmousedown lastmousemove"),
  (name) => { SERVICES[name] = makeEvent(); });

/** socket.io's `io(...)`: a connection that never comes about. */
export function io() {
  const socket = {
    connected: false, id: undefined,
    on: () => socket, once: () => socket, off: () => socket, emit: () => socket, send: () => socket, connect: () =>
      socket,
    open: () => socket, close: () => socket, disconnect: () => socket, removeListener: () => socket,
      removeAllListeners: () => socket,
  };
  return socket;
}
Object.assign(io, { connect: io, Manager: io, Socket: io, managers: {}, protocol: 2 });
