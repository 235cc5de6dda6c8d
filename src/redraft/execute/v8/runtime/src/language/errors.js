// How an exception becomes an error record: a message as a student would see it, and the program's own line.
//
// In: any thrown value, which may be hostile (getters, `toString` that throws). Out: {kind, message, line, column} with
// null where the program's source isn't on the stack. Never throws; an endless loop in a getter is the host's to end.

import { execPattern, NativeError, NativeNumber, record, safeText, sliceString } from "./primordials.js";

export const SOURCE_NAME = "program.js";
const POSITION = /program\.js:(\d+):(\d+)/;
const MAX_MESSAGE = 500;

function messageOf(error) {
  if (typeof error === "string") return error;
  try {
    if (error instanceof NativeError) {
      const { message } = error;
      return typeof message === "string" && message !== "" ? message : safeText(error.name);
    }
  } catch {
    return "[object]";
  }
  return safeText(error);
}

function stackOf(error) {
  try {
    const stack = typeof error === "object" && error !== null ? error.stack : undefined;
    return typeof stack === "string" ? stack : "";
  } catch {
    return "";
  }
}

/** An error as a record without prototype; strings are shortened. */
export function describe(kind, error) {
  const place = execPattern(POSITION, stackOf(error));
  return record({
    kind,
    message: sliceString(messageOf(error), 0, MAX_MESSAGE),
    line: place === null ? null : NativeNumber(place[1]),
    column: place === null ? null : NativeNumber(place[2]),
  });
}
