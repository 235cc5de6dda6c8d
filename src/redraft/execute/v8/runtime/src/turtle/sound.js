// Sound without sound: how long a song or a sentence takes.
//
// In: songs in ABC notation, words to say, tones. Out: say, play, tone and silence for `Query.prototype`: a turtle that
// plays or speaks waits in its queue as long as the music lasts. Nothing is heard. Not guaranteed: repeats, and
// everything of ABC that doesn't change how long a song is.

import { planEach, wrapCommand, wrapRaw } from "./command.js";
import { each, filter, hide, map, Math, Number, parseFloat, push, split, TypeError } from "../language/lists.js";
import { execPattern, keys, sliceString, trim } from "../language/primordials.js";
import { methods, Query } from "../jquery/query.js";
import { animate, plan } from "../time/queue.js";

const DEFAULT_TEMPO = 120;
const MS_PER_CHARACTER = 70;
const MIN_SAY_MS = 300;
const MAX_SONG_MS = 24 * 3600 * 1000;
const HEADER = /^([A-Za-z]):\s*(.*)$/;
// A chord, a note or a rest, each with a length; tuplets, bars, decorations and grace notes in between.
const STEM = /^(?:\[([^\]]*)\]|[_^=]*[A-Ga-g][,']*|[xzXZ])(\d*(?:\/\d*)*)/;
const TUPLET = /^\((\d+)(?::(\d+)(?::(\d+))?)?/;
const NOTE_LENGTH = /(?:[_^=]*[A-Ga-g][,']*|[xzXZ])(\d*(?:\/\d*)*)/g;

/** `3/2`, `/`, `//`, `2` -> a number of units. */
function unitsOf(length) {
  const found = execPattern(/^(\d*)(?:\/(\d*))?$|^(\/+)$/, length);
  if (!found) return 1;
  if (found[3]) return 0.5 ** found[3].length;
  const below = found[2] ? parseFloat(found[2]) : found[0].includes("/") ? 2 : 1;
  return (found[1] ? parseFloat(found[1]) : 1) / below;
}

// The shortest note of a chord decides how long it is.
function chordUnits(inside) {
  let shortest = Infinity;
  NOTE_LENGTH.lastIndex = 0;
  for (let found = execPattern(NOTE_LENGTH, inside); found;
    found = execPattern(NOTE_LENGTH, inside)) shortest = Math.min(shortest, unitsOf(found[1]));
  return shortest === Infinity ? 1 : shortest;
}

/** Units of all notes of one voice's line. */
function lineUnits(line) {
  let rest = line;
  let total = 0;
  let tuplet = { left: 0, factor: 1 };
  while (rest !== "") {
    const group = execPattern(TUPLET, rest);
    if (group) {
      const count = +group[1];
      tuplet = { left: +(group[3] ?? count), factor: (+group[2] || 2) / count };
      rest = sliceString(rest, group[0].length);
      continue;
    }
    const skip = execPattern(/^(?:![^!]*!|\{[^}]*\}|"[^"]*"|\[[A-Za-z]:[^\]]*\])/, rest);
    const stem = skip ? null : execPattern(STEM, rest);
    if (stem) {
      const inner = stem[1] !== undefined ? chordUnits(stem[1]) : 1;
      const units = stem[2] !== "" || stem[1] === undefined ? unitsOf(stem[2]) : inner;
      total += units * (tuplet.left > 0 ? tuplet.factor : 1);
      tuplet.left -= 1;
    }
    rest = sliceString(rest, (skip ?? stem)?.[0].length || 1);
  }
  return total;
}

/** `1/4=120` or `120`: beats a minute, and the note a beat is. */
function readTempo(text) {
  const found = execPattern(/^(?:"[^"]*"\s*)?(?:(\d+)\/(\d+)\s*=\s*)?(\d+(?:\.\d+)?)/, text);
  return found ? { tempo: +found[3], beat: found[1] ? +found[1] / +found[2] : null } : null;
}

/** How long a song in ABC notation takes, in milliseconds. */
function songMs(song, options = {}) {
  const voices = { __proto__: null };
  let voice = "";
  let tempo = Number(options.tempo) || null;
  let unit = null;
  let beat = null;
  each(split(song, /\r?\n/), (raw) => {
    const line = trim(split(raw, "%")[0]);
    const header = execPattern(HEADER, line);
    if (!header) {
      voices[voice] = (voices[voice] ?? 0) + lineUnits(line);
      return;
    }
    if (header[1] === "V") voice = split(header[2], /\s/)[0];
    if (header[1] === "L") { const part = execPattern(/^(\d+)\/(\d+)/, header[2]);
      if (part) unit = +part[1] / +part[2]; }
    if (header[1] === "Q" && tempo === null) { const read = readTempo(header[2]); if (read) ({ tempo, beat } = read); }
  });
  const perMinute = (tempo ?? DEFAULT_TEMPO) * (beat !== null ? beat / (unit ?? 1) : 1);
  const units = Math.max(0, ...map(keys(voices), (name) => voices[name]));
  return Math.min(MAX_SONG_MS, (units * 60000) / (perMinute || DEFAULT_TEMPO)) || 0;
}

/** What the arguments of `play` last together: options first, then songs. */
function playMs(args) {
  const options = typeof args[0] === "object" && args[0] !== null ? args[0] : {};
  const songs = filter(args, (song, i) => !(i === 0 && typeof song === "object"));
  if (options.song) push(songs, options.song);
  let longest = 0;
  each(songs, (song) => {
    // What the real instrument says of a song that is no text.
    if (typeof song !== "string") throw new TypeError("args[argindex].split is not a function");
    longest = Math.max(longest, songMs(song, options));
  });
  return longest;
}

const wait = (cc, query, ms) => planEach(query, (element) => {
  animate(element, ms());
  plan(element, cc.resolve);
});

function listed(cc) {
  const out = [];
  for (let i = 0; i < cc.args.length; i++) push(out, cc.args[i]);
  return out;
}

/** say, play, tone and silence, for a Query's prototype. */
export const SOUND_METHODS = {
  say: wrapCommand("say", 1, (cc, query, words) =>
    wait(cc, query, () => Math.max(MIN_SAY_MS, `${words ?? ""}`.length * MS_PER_CHARACTER))),
  play: wrapCommand("play", 1, (cc, query) => { const args = listed(cc); wait(cc, query, () => playMs(args)); }),
  tone: wrapRaw("tone", function tone() { return this; }),
  silence: wrapRaw("silence", function silence() { return this; }),
};

methods(Query.prototype, SOUND_METHODS);

/** `new Instrument(...)` in little: plays at once, tells when it is done. */
export class Instrument {
  constructor(timbre) { hide(this, "timbre", timbre); }
  play(...args) {
    const done = typeof args[args.length - 1] === "function" ? args.pop() : null;
    const ms = playMs(args);
    if (done) globalThis.setTimeout(done, ms);
  }
  tone() {}
  silence() {}
  on() {}
  off() {}
  setTimbre(timbre) { this.timbre = timbre; }
  getTimbre() { return { wave: "piano", ...this.timbre }; }
  setVolume() {}
  getVolume() { return 1; }
  static pitchToMidi(pitch) { return midiOf(pitch); }
  static midiToFrequency(midi) { return 440 * 2 ** ((midi - 69) / 12); }
}

const STEPS = { __proto__: null, C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
/** An ABC pitch as a MIDI number: "C" is 60. */
function midiOf(pitch) {
  if (typeof pitch === "number") return pitch;
  const found = execPattern(/^(\^*|_*|=)([A-Ga-g])([,']*)$/, `${pitch}`);
  if (!found) return null;
  const letter = found[2].toUpperCase();
  const sharps = found[1].length * ({ "^": 1, _: -1 }[found[1][0]] ?? 0);
  const octaves = filter(found[3], (mark) => mark === "'").length - filter(found[3], (mark) => mark === ",").length;
  return 60 + STEPS[letter] + sharps + 12 * (octaves + (found[2] === letter ? 0 : 1));
}

