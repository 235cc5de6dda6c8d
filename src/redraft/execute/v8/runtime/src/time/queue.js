// One queue of effects per element, in virtual time: what a turtle is told while it moves waits its turn.
//
// In: tasks `(next) => ...`, plans and animations. Out: tasks run one after another, each ends by calling `next`; a
// queue that is idle runs its task at once, so with `speed Infinity` everything happens immediately.
// An exception in a plan leaves its queue stopped, as jQuery does: the program has failed anyway.
// Not guaranteed: order between different elements, beyond the clock's.

import { cancel, later } from "./clock.js";
import { checkAnimation } from "../language/pollution.js";
import { append, list, NativeWeakMap, record, weakGet, weakSet } from "../language/primordials.js";

let queues = new NativeWeakMap();
let busy = list();
let waiting = list();

function queueOf(element) {
  let queue = weakGet(queues, element);
  if (queue === undefined) {
    queue = record({
      element, first: null, last: null, length: 0, running: false, pumping: false, active: null, ticket: 0, busyAt: -1,
    });
    weakSet(queues, element, queue);
  }
  return queue;
}

function markBusy(queue) {
  if (queue.busyAt >= 0) return;
  queue.busyAt = busy.length;
  append(busy, queue);
}

function markIdle(queue) {
  if (queue.busyAt >= 0) {
    const last = busy[busy.length - 1];
    busy[queue.busyAt] = last;
    last.busyAt = queue.busyAt;
    busy.length -= 1;
    queue.busyAt = -1;
  }
  if (waiting.length > 0) releaseWaiting();
}

function releaseWaiting() {
  const ready = list();
  const rest = list();
  for (let i = 0; i < waiting.length; i += 1) append(allOf(waiting[i].elements) ? ready : rest, waiting[i]);
  waiting = rest;
  for (let i = 0; i < ready.length; i += 1) later(ready[i].fn, 0);
}

function allOf(elements) {
  if (elements === null) return busy.length === 0;
  for (let i = 0; i < elements.length; i += 1) if (!isIdle(elements[i])) return false;
  return true;
}

// More can't come to its turn in any window: at the highest speed a page does some sixty moves a second. What is beyond
// it is forgotten, or a loop of a million steps would need all the memory.
const MAX_WAITING = 50_000;

/** Whether an element's queue takes no more. */
export function isFull(element) {
  const queue = weakGet(queues, element);
  return queue !== undefined && queue.length >= MAX_WAITING;
}

function addTask(queue, task) {
  if (queue.length >= MAX_WAITING) return;
  const node = { task, next: null };
  if (queue.last === null) queue.first = node;
  else queue.last.next = node;
  queue.last = node;
  queue.length += 1;
}

function takeTask(queue) {
  const node = queue.first;
  if (node === null) return null;
  queue.first = node.next;
  if (queue.first === null) queue.last = null;
  queue.length -= 1;
  return node.task;
}

// A loop instead of recursion: ten thousand tasks that end at once must not overflow the stack.
function pump(queue) {
  if (queue.pumping) return;
  queue.pumping = true;
  try {
    while (!queue.running) {
      const task = takeTask(queue);
      if (task === null) break;
      runTask(queue, task);
    }
  } finally {
    queue.pumping = false;
  }
  if (!queue.running) markIdle(queue);
}

function runTask(queue, task) {
  queue.running = true;
  queue.ticket += 1;
  const { ticket } = queue;
  task(() => {
    if (ticket !== queue.ticket || !queue.running) return;
    queue.running = false;
    queue.active = null;
    pump(queue);
  });
}

/** Add a task; it runs at once if the queue is idle. `task(next)` must call `next`, or the queue stands still. */
export function enqueue(element, task) {
  const queue = queueOf(element);
  addTask(queue, task);
  markBusy(queue);
  pump(queue);
}

/** Run `action` at once if the queue is idle, else in its turn; what it enqueues then comes before what waits. */
export function plan(element, action) {
  const queue = queueOf(element);
  if (!queue.running && queue.first === null) {
    action();
    return;
  }
  enqueue(element, (next) => {
    const { first, last, length } = queue;
    queue.first = queue.last = null;
    queue.length = 0;
    action();
    if (first !== null) {
      if (queue.last === null) queue.first = first;
      else queue.last.next = first;
      queue.last = last;
      queue.length += length;
    }
    next();
  });
}

/**
 * Add an animation of `ms` virtual milliseconds. `begin()` runs when its turn comes, `end()` when its time is over or
 * it is made to finish, `halt()` when it is stopped on the way. With `ms` 0 both run in the same breath.
 */
export function animate(element, ms, begin, end, halt) {
  if (ms > 0 && (begin || end)) checkAnimation();
  enqueue(element, (next) => {
    if (begin) begin();
    if (!(ms > 0)) {
      if (end) end();
      next();
      return;
    }
    const queue = queueOf(element);
    const timer = later(() => {
      queue.active = null;
      if (end) end();
      next();
    }, ms);
    queue.active = { timer, end, halt, next };
  });
}

/** Whether nothing runs or waits on the element. */
export function isIdle(element) {
  const queue = weakGet(queues, element);
  return queue === undefined || (!queue.running && queue.first === null);
}

/** Number of tasks that run or wait on the element. */
export function queueLength(element) {
  const queue = weakGet(queues, element);
  return queue === undefined ? 0 : queue.length + (queue.running ? 1 : 0);
}

/** Call `fn` once the queues of all these elements are idle; later, never at once. */
export function whenIdle(elements, fn) {
  if (allOf(elements)) later(fn, 0);
  else append(waiting, record({ elements, fn }));
}

/** Call `fn` once every queue is idle; later, never at once. */
export function whenAllIdle(fn) {
  whenIdle(null, fn);
}

/** Whether every element's queue is idle. */
export function allIdle() {
  return busy.length === 0;
}

/** Stop the running animation where it is (or at its end, if `toEnd`); with `clear` also forget what waits. */
export function stop(element, clear = true, toEnd = false) {
  const queue = weakGet(queues, element);
  if (queue === undefined) return;
  if (clear) clearQueue(element);
  const { active } = queue;
  if (active === null) return;
  cancel(active.timer);
  queue.active = null;
  if (toEnd) {
    if (active.end) active.end();
  } else if (active.halt) {
    active.halt();
  }
  active.next();
}

/** Forget the tasks that wait; the running one goes on. */
export function clearQueue(element) {
  const queue = weakGet(queues, element);
  if (queue === undefined) return;
  queue.first = queue.last = null;
  queue.length = 0;
}

/** Run everything that waits on the element to its end at once, in order. */
export function finish(element) {
  const queue = weakGet(queues, element);
  if (queue === undefined) return;
  for (let count = queueLength(element) + 1; count > 0 && queue.active !== null; count -= 1) stop(element, false, true);
}

/** The elements with a busy queue. */
export function busyElements() {
  const elements = list();
  for (let i = 0; i < busy.length; i += 1) append(elements, busy[i].element);
  return elements;
}

/** Stop and forget everything, as `interrupt` does. */
export function stopAll() {
  waiting = list();
  const elements = busyElements();
  for (let i = 0; i < elements.length; i += 1) stop(elements[i], true);
}

/** Set everything back, for tests. */
export function resetQueues() {
  queues = new NativeWeakMap();
  busy = list();
  waiting = list();
}
