// Motions: forward, turns and arcs, moves to places, jumps, sizes, pauses.
//
// In: a Query of elements and a command's arguments. Out: the elements' turtle states change in virtual time and their
// pens draw. Wrong arguments are mostly silent, as in the real runtime: what is no number moves to no number.

import { insideTick, isInstant, isNamedSpeed, moveMs, NOTHING, planEach, wrapCommand, wrapRaw } from "./command.js";
import {
  current, face, isNumeric, isPage, isPagePlace, one, pageOfAnything, place, CENTER_X, CENTER_Y, originPlace,
} from "./body.js";
import { now } from "../time/clock.js";
import { arcPoints, headingTo, normalizeHeading, normalizeTurn, radians, six } from "./geometry.js";
import { drawLine, markArc, markCorner, setDown } from "./pen.js";
import { animate, enqueue, plan } from "../time/queue.js";
import { apply, cos, hypot, isArray, NativeNumber, NativeTypeError, sin } from "../language/primordials.js";

// jQuery's animations read a number off the front of a text, and stand still for the rest.
const parse = globalThis.parseFloat;
function amountOf(value) {
  const number = typeof value === "number" ? value : parse(value);
  return number === number && number !== Infinity && number !== -Infinity ? number : 0;
}

const FAR = 1024;

/** Walk in a straight line to where `target(turtle)` says, taking the time a move takes. */
function walk(element, ms, target, done) {
  let turtle;
  const arrive = (share) => {
    const { fromX, fromY, toX, toY } = turtle.motion;
    if (share === 1) place(turtle, toX, toY);
    else place(turtle, fromX + (toX - fromX) * share, fromY + (toY - fromY) * share);
  };
  const leave = () => {
    const { motion } = turtle;
    turtle.motion = null;
    drawLine(turtle, motion.t0, now(), [motion.fromX, motion.fromY, turtle.x, turtle.y]);
  };
  animate(element, ms, () => {
    turtle = current(element);
    const to = target(turtle);
    const t0 = now();
    turtle.motion = { fromX: turtle.x, fromY: turtle.y, toX: to.x, toY: to.y, t0, t1: t0 + ms, at: arrive };
  }, () => {
    arrive(1);
    leave();
    if (done) done();
  }, () => {
    current(element);
    leave();
  });
}

/** Turn by `turn()` degrees, on the spot or, with a turning radius, along an arc; whole rounds are kept with `rounds`. */
function turnBy(element, ms, turn, done, rounds = false) {
  let turtle;
  let arc;
  const arrive = (share) => {
    const { from, fromX, fromY, angle, radius } = turtle.motion;
    if (radius !== 0) {
      const at = share === 1 ? arc : arcPoints(fromX, fromY, from, angle * share, radius);
      place(turtle, at[at.length - 2], at[at.length - 1]);
    }
    face(turtle, from + angle * share);
  };
  const leave = (points) => {
    const { motion } = turtle;
    turtle.motion = null;
    if (motion.radius === 0 && !rounds) face(turtle, normalizeHeading(turtle.heading));
    if (motion.radius !== 0) drawLine(turtle, motion.t0, now(), points);
  };
  animate(element, ms, () => {
    turtle = current(element);
    const angle = turn(turtle);
    const t0 = now();
    // An angle of zero has no side, so it draws no arc.
    const radius = angle === 0 ? 0 : turtle.radius * turtle.unit;
    if (radius !== 0) arc = arcPoints(turtle.x, turtle.y, turtle.heading, angle, radius);
    const { heading: from, x: fromX, y: fromY } = turtle;
    turtle.motion = { from, fromX, fromY, angle, radius, t0, t1: t0 + ms, at: arrive };
  }, () => {
    arrive(1);
    leave(arc);
    if (done) done(arc);
  }, () => {
    const { motion } = current(element);
    leave(motion.radius === 0 ? null : arcPoints(motion.fromX, motion.fromY, motion.from,
      turtle.heading - motion.from, motion.radius));
  });
}

const forwardOf = (turtle, amount, sideways) => {
  const ahead = amount * turtle.unit;
  const aside = sideways * turtle.unit;
  const sine = sin(radians(turtle.heading));
  const cosine = cos(radians(turtle.heading));
  return { x: turtle.x + ahead * sine + aside * cosine, y: turtle.y + ahead * cosine - aside * sine };
};

function forward(cc, query, given) {
  const amount = (given === undefined || given === null ? 100 : amountOf(given)) * (cc.name === "bk" ? -1 : 1);
  const inTick = insideTick();
  planEach(query, (element) => {
    walk(element, moveMs(element, inTick), (turtle) => forwardOf(turtle, amount, 0), () => {
      markCorner(element);
      cc.resolve();
    });
  });
}

function turn(cc, query, given, radius) {
  const left = cc.name === "lt";
  const angle = given === undefined || given === null ? 90 : normalizeTurn(amountOf(given));
  const signed = left ? -angle : angle;
  const inTick = insideTick();
  planEach(query, (element) => {
    const ms = moveMs(element, inTick);
    if (radius === undefined || radius === null) {
      turnBy(element, ms, () => signed, cc.resolve, isInstant(element));
      return;
    }
    const turtle = current(element);
    const before = turtle.radius;
    let path = null;
    turtle.radius = amountOf(angle < 0 ? -radius : radius);
    turnBy(element, ms, () => signed, (arc) => { path = arc ?? null; });
    plan(element, () => {
      if (path !== null) markArc(turtle, path);
      turtle.radius = before;
      markCorner(element);
      cc.resolve();
    });
  });
}

/** Coordinates of a pair of arguments, missing ones being zero. */
function offsets(x, y) {
  return isArray(x) ? { x: amountOf(x[0] || 0), y: amountOf(x[1] || 0) } : { x: amountOf(x || 0), y: amountOf(y || 0) };
}

function slide(cc, query, x, y) {
  const by = offsets(x, y);
  const inTick = insideTick();
  planEach(query, (element) => {
    walk(element, moveMs(element, inTick), (turtle) => forwardOf(turtle, by.y, by.x), arrived(cc, element));
  });
}

function movexy(cc, query, x, y) {
  const by = offsets(x, y);
  const inTick = insideTick();
  planEach(query, (element) => {
    const target = (turtle) => ({ x: turtle.x + by.x, y: turtle.y + by.y });
    walk(element, moveMs(element, inTick), target, arrived(cc, element));
  });
}

function arrived(cc, element) {
  if (cc === null) return undefined;
  return () => {
    markCorner(element);
    cc.resolve();
  };
}

/** Where `moveto` goes: a place on the page and a limit of the way, or null for nowhere. */
function destination(position, limit) {
  let at = position;
  if (at && !isPagePlace(at)) {
    try {
      at = pageOfAnything(at);
    } catch {
      return null;
    }
  }
  if (!at || !isPagePlace(at)) return null;
  const x = NativeNumber(at.pageX) - CENTER_X;
  const y = CENTER_Y - NativeNumber(at.pageY);
  return (turtle) => {
    if (limit === null) return { x, y };
    const way = hypot(x - turtle.x, y - turtle.y);
    if (limit <= 0) return { x: turtle.x, y: turtle.y };
    if (way <= limit) return { x, y };
    return { x: turtle.x + ((x - turtle.x) * limit) / way, y: turtle.y + ((y - turtle.y) * limit) / way };
  };
}

function moveto(cc, query, x, y) {
  let target;
  if (isNumeric(x) && isNumeric(y)) {
    const to = { x: parse(x), y: parse(y) };
    target = (from) => (turtle) => ({ x: from.x + to.x * turtle.unit, y: from.y + to.y * turtle.unit });
  } else if (isArray(x)) {
    const to = { x: amountOf(x[0]), y: amountOf(x[1]) };
    target = (from) => (turtle) => ({ x: from.x + to.x * turtle.unit, y: from.y + to.y * turtle.unit });
  } else {
    const limit = isNumeric(y) ? NativeNumber(y) : null;
    target = () => destination(x, limit);
  }
  const inTick = insideTick();
  planEach(query, (element) => {
    const to = target(originPlace(element));
    if (to === null) return;
    if (isPage(element)) {
      cc?.resolve();
      return;
    }
    walk(element, moveMs(element, inTick), to, arrived(cc, element));
  });
}

/** The same move with the pen up. */
function jumping(move) {
  return (cc, query, x, y) => {
    planEach(query, (element) => {
      const { down } = current(element);
      setDown(element, false);
      move(null, [element], x, y);
      plan(element, () => {
        setDown(element, down);
        markCorner(element);
        cc.resolve();
      });
    });
  };
}

/** The heading `turnto` turns to; undefined if there is none. */
function headingFor(turtle, bearing) {
  let heading;
  if (isNumeric(bearing)) {
    // As the turtle library does: towards a point far away on the page.
    const angle = radians(NativeNumber(bearing));
    const [pageX, pageY] = [CENTER_X + turtle.pageX, CENTER_Y - turtle.pageY];
    heading = headingTo(pageX, -pageY, pageX + sin(angle) * FAR, cos(angle) * FAR - pageY);
  } else if (isArray(bearing)) {
    const from = originPlace(null);
    heading = headingTo(turtle.x - from.x, turtle.y - from.y, amountOf(bearing[0]), amountOf(bearing[1]));
  } else {
    let at = bearing;
    if (!isPagePlace(at)) {
      try {
        // Something that isn't there is taken for home.
        at = pageOfAnything(bearing) ?? { pageX: CENTER_X, pageY: CENTER_Y };
      } catch {
        return undefined;
      }
    }
    heading = headingTo(turtle.x, turtle.y, NativeNumber(at.pageX) - CENTER_X, CENTER_Y - NativeNumber(at.pageY));
  }
  return heading;
}

function turnto(cc, query, bearing, y) {
  const target = isNumeric(bearing) && isNumeric(y) ? [bearing, y] : bearing;
  const inTick = insideTick();
  planEach(query, (element) => {
    if (isPage(element)) {
      cc.resolve();
      return;
    }
    const heading = headingFor(current(element), target);
    if (heading === undefined) {
      cc.resolve();
      return;
    }
    const turtle = current(element);
    const { radius } = turtle;
    turtle.radius = 0;
    turnBy(element, moveMs(element, inTick), (at) => normalizeHeading(heading - normalizeHeading(at.heading)));
    plan(element, () => {
      turtle.radius = radius;
      cc.resolve();
    });
  });
}

function home(cc, query, container) {
  planEach(query, (element) => {
    const turtle = current(element);
    const from = originPlace(element);
    const to = container ? pageOfAnything(container) : { pageX: CENTER_X + from.x, pageY: CENTER_Y - from.y };
    if (to === undefined) throw new NativeTypeError("Cannot read properties of undefined (reading 'pageX')");
    const { down } = turtle;
    setDown(element, false);
    place(turtle, to.pageX - CENTER_X, CENTER_Y - to.pageY);
    turtle.heading = 0;
    turtle.scaleX = turtle.scaleY = 1;
    setDown(element, down);
    cc.resolve();
  });
}

/** Grow an element; `scale` also stretches what its moves and its pen do. */
function growing(stretches) {
  return (cc, query, x, y) => {
    const valueY = y === undefined ? x : y;
    const byX = x && valueY ? amountOf(x) : 1;
    const byY = x && valueY ? amountOf(valueY) : 1;
    const inTick = insideTick();
    planEach(query, (element) => {
      if (isPage(element)) {
        cc.resolve();
        return;
      }
      const turtle = current(element);
      if (stretches) turtle.unit *= byY;
      animate(element, moveMs(element, inTick), null, () => {
        turtle.scaleX = six(turtle.scaleX * byX);
        turtle.scaleY = six(turtle.scaleY * byY);
        cc.resolve();
      });
    });
    // In the real runtime these two can't be chained either.
    return NOTHING;
  };
}

function mirror(cc, query, flipped) {
  planEach(query, (element) => {
    const turtle = current(element);
    if (turtle.scaleX * turtle.scaleY < 0 === !flipped) turtle.scaleX = -turtle.scaleX;
    cc.resolve();
  });
}

function twist(cc, query, angle) {
  planEach(query, (element) => {
    if (isPage(element)) return;
    current(element).twist = six(normalizeHeading(amountOf(angle)));
    cc.resolve();
  });
}

/** A turtle's own speed: numbers above zero, Infinity, or jQuery's names; anything else is ignored. */
function speed(cc, query, value) {
  planEach(query, (element) => {
    setSpeed(element, value);
    plan(element, cc.resolve);
  });
}

export function setSpeed(element, value) {
  const text = `${value}`;
  if (text === "Infinity") current(element).speed = Infinity;
  else if (isNumeric(value) && NativeNumber(value) > 0) current(element).speed = NativeNumber(value);
  else if (isNamedSpeed(text)) current(element).speed = text;
}

function pause(cc, query, seconds) {
  const ofPromise = seconds && typeof seconds.done === "function" ? seconds.done : null;
  const waits = typeof seconds === "function" ? seconds : ofPromise;
  if (waits !== null) {
    for (let i = 0; i < query.length; i += 1) {
      enqueue(query[i], (next) => apply(waits, seconds, [next]));
    }
    return;
  }
  planEach(query, (element) => {
    const given = seconds === undefined || seconds === null;
    const ms = given ? moveMs(element) : NativeNumber(seconds) * 1000;
    if (ms > 0) animate(element, ms);
    plan(element, cc.resolve);
  });
}

function planMethod(first, second, third) {
  const named = typeof first !== "function";
  const callback = named ? second : first;
  const args = named ? third : second;
  for (let i = 0; i < this.length; i += 1) {
    const element = this[i];
    plan(element, () => {
      const how = args ? "apply" : "call";
      if (callback === undefined || callback === null) {
        throw new NativeTypeError(`Cannot read properties of ${callback} (reading '${how}')`);
      }
      if (typeof callback !== "function") throw new NativeTypeError(`callback.${how} is not a function`);
      apply(callback, one(element), isArray(args) ? args : [i, element]);
    });
  }
  return this;
}

/** The methods of this file. */
export const motions = {
  fd: wrapCommand("fd", 1, forward),
  bk: wrapCommand("bk", 1, forward),
  rt: wrapCommand("rt", 1, turn),
  lt: wrapCommand("lt", 1, turn),
  slide: wrapCommand("slide", 1, slide),
  movexy: wrapCommand("movexy", 1, movexy),
  moveto: wrapCommand("moveto", 1, moveto),
  jump: wrapCommand("jump", 1, jumping(slide)),
  jumpxy: wrapCommand("jumpxy", 1, jumping(movexy)),
  jumpto: wrapCommand("jumpto", 1, jumping(moveto)),
  turnto: wrapCommand("turnto", 1, turnto),
  home: wrapCommand("home", 0, home),
  scale: wrapCommand("scale", 1, growing(true)),
  grow: wrapCommand("grow", 1, growing(false)),
  mirror: wrapCommand("mirror", 1, mirror),
  twist: wrapCommand("twist", 1, twist),
  speed: wrapCommand("speed", 1, speed),
  pause: wrapCommand("pause", 1, pause),
  plan: wrapRaw("plan", planMethod),
};
