// Forms that ask a program's reader: read, readnum, readstr, listen, and menus.
//
// In: a label or choices, and a callback. Out: elements to be put on the page, and what to do then. Nobody reads or
// clicks, but a program may: it fills the box and clicks the button, or triggers a key, and the callback gets the value.

import { guard, later } from "../time/clock.js";
import { each, String } from "../language/lists.js";
import { apply, isArray, keys } from "../language/primordials.js";
import { $, query } from "../jquery/query.js";
import { isPlainObject } from "../jquery/statics.js";
import { setTimer } from "../time/timers.js";

const ENTER = 13;
// For so long the same value isn't taken twice.
const DEBOUNCE_MS = 1000;
const { parseFloat } = globalThis;
const isNumeric = (value) => $.isNumeric(value);

/** What the callback gets for a text: a number where one is wanted, or where nothing else is and the text is one. */
function valueOf(text, kind) {
  const isNumber = kind === "number" || (kind === "auto" && isNumeric(text) && `${parseFloat(text)}` == text);
  return isNumber ? parseFloat(text) : text;
}

/** A box with a button: `read` and its kin. `kind` is auto, number, text or voice. */
export function prepareInput(label, callback, kind) {
  const alone = typeof label === "function" && !callback;
  const name = alone ? null : label;
  const done = alone ? label : callback;
  const box = query('<input class="turtleinput">').css({ margin: 0, padding: 0 });
  const button = query("<button>Submit</button>").css({ marginLeft: 4 });
  const result = query(`<label style="display: table">${isNumeric(name) || name ? name : "&rArr;"}&nbsp;</label>`);
  result.append(box).append(button);
  let waits = false;
  let seen = box.val();
  const debounce = () => {
    if (waits) return;
    waits = true;
    later(() => { waits = false; }, DEBOUNCE_MS);
  };
  const take = () => {
    const text = box.val();
    if (waits && seen === text) return;
    debounce();
    seen = text;
    box.remove();
    button.remove();
    result.append(text);
    const value = valueOf(text, kind);
    result.prop("value", value);
    if (done) setTimer(() => apply(done, result, [value]), 0);
  };
  box.on("keypress keydown", (event) => { if (event.which === ENTER) take(); });
  button.on("click", take);
  const setup = () => {
    debounce();
    if (kind === "number") box.attr("type", "number");
    box.focus();
  };
  return { result, setup };
}

/** A menu: a list of choices, or texts with what they stand for. Without a callback, what is chosen is called. */
export function prepareMenu(choices, callback) {
  const result = query("<form>").css({ display: "table", marginLeft: "20px" });
  const choose = callback || ((outcome) => { if (typeof outcome === "function") outcome.call(null); });
  const letters = { __proto__: null };
  let chosen = false;
  let quiet = 0;
  let count = 0;
  let at = 0;
  const radios = () => result.find("input");
  const show = (first) => {
    const radio = radios().eq(at);
    if (!first) {
      quiet += 1;
      later(() => { quiet -= 1; }, 0);
      radio.prop("checked", true);
    }
    radio.focus();
  };
  const add = (text, outcome) => {
    const [shown, place] = [typeof text === "function" ? `${count + 1}` : text, count];
    const pick = (event) => {
      if (chosen || (quiet > 0 && event.type === "change")) return;
      chosen = true;
      radios().prop("disabled", true);
      choose(outcome);
    };
    const radio = query('<input type="radio" name="menu" class="turtleinput">')
      .attr("value", typeof outcome === "function" || outcome === null || outcome === undefined ? shown : outcome)
      .on("change click", pick);
    result.append(query('<label style="display: table">').append(radio).append(shown).on("click", pick)
      .on("mousedown", () => { if (!chosen) { at = place; show(); } }));
    const letter = shown ? String(shown).slice(0, 1).toUpperCase() : "";
    if (letter && !(letter in letters)) letters[letter] = place;
    count += 1;
  };
  if (isArray(choices)) each(choices, (choice) => add(choice, choice));
  else if (isPlainObject(choices)) each(keys(choices), (text) => add(text, choices[text]));
  else add(choices, choices);
  // Arrows and the space bar go through the choices, return takes one, a letter goes to the first that begins with it.
  result.on("keydown", ({ which }) => {
    const letter = String.fromCharCode(which);
    if ((which >= 37 && which <= 40) || which === 32) {
      const checked = radios().index(result.find(":checked"));
      if (checked >= 0 && checked !== at) at = checked;
      else at = checked < 0 ? 0 : (at + (which >= 39 || which === 32 ? 1 : count - 1)) % count;
    } else if (which === ENTER) {
      result.find(":checked").click();
      return undefined;
    } else if (letter in letters) at = letters[letter];
    else return undefined;
    show();
    return which > 40 ? undefined : false;
  });
  return { result, setup: () => guard(() => show(true)) };
}
