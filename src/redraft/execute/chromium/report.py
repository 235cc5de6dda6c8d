"""What a page reports of a program, through the DevTools protocol: END, errors, and the program's own lines.

In: a DevTools session's events. Out: `Seen`, then `page_errors`: kind, message and line as the student would see them.
Events count only from the address of this program's own page, so that nothing of the page before it is taken for its.
Not guaranteed: the column, and the line of an error whose place in the program the browser doesn't know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redraft.execute.chromium.sourcemap import original_line
from redraft.execute.verdict import ErrorRecord

if TYPE_CHECKING:
    from playwright.async_api import CDPSession

MAX_ERRORS = 20
MAX_MESSAGE = 500
COMPILER_PLACE = re.compile(r":(\d+):(\d+): error: ([^\n]*)")  # how the CoffeeScript compiler ends its messages
CLASS_NAME = re.compile(r"^(?:Uncaught )?(?:[A-Za-z_$][\w$]*)?Error: ")
STACK = re.compile(r"\n\s+at ")
FUNCTION_HEADER = "(function anonymous("

Json = dict[str, Any]


@dataclass(kw_only=True)
class Report:
    """An error as the browser tells it."""

    kind: str
    message: str
    frames: list[Json]
    script: str | None = None
    address: str = ""
    place: tuple[int, int] | None = None  # line and column, both from 0
    compiler_line: int | None = None  # the compiler's own count, from 1, in the script element's text
    exception: int | None = None
    object_id: str | None = None


@dataclass(kw_only=True)
class Seen:
    """What the page of one program has reported so far."""

    origin: str
    marker: str
    contexts: set[int] = field(default_factory=set)
    scripts: dict[str, tuple[str, str]] = field(default_factory=dict)  # id -> its address, its source map's address
    reports: list[Report] = field(default_factory=list)
    end_after: int | None = None  # how many errors came before END
    window_errors: int = 0  # how many came within the first window
    missing_image: bool = False

    @property
    def full(self) -> bool:
        """Whether further errors are dropped."""
        return len(self.reports) >= MAX_ERRORS


def listen(devtools: CDPSession, seen: Seen) -> None:
    """Have the session's events enter `seen`."""

    def created(event: Json) -> None:
        context = event["context"]
        if context["origin"] == seen.origin and context.get("auxData", {}).get("isDefault", True):
            seen.contexts.add(context["id"])

    def parsed(event: Json) -> None:
        if event.get("executionContextId") in seen.contexts:
            seen.scripts[event["scriptId"]] = event["url"], event.get("sourceMapURL") or ""

    def logged(event: Json) -> None:
        if event.get("executionContextId") not in seen.contexts:
            return
        words = [_text(argument) for argument in event["args"]]
        if event["type"] == "log" and words == [seen.marker] and seen.end_after is None:
            seen.end_after = len(seen.reports)
        elif event["type"] == "error" and not seen.full:
            frames = event.get("stackTrace", {}).get("callFrames", [])
            seen.reports.append(Report(kind="console", message=" ".join(words), frames=frames))

    def thrown(event: Json) -> None:
        details = event["exceptionDetails"]
        if details.get("executionContextId") in seen.contexts and not seen.full:
            seen.reports.append(_report(details))

    def revoked(event: Json) -> None:  # a rejection that was handled after all
        for report in seen.reports:
            if report.exception == event.get("exceptionId"):
                report.kind = "handled"

    devtools.on("Runtime.executionContextCreated", created)
    devtools.on("Runtime.executionContextsCleared", lambda _: seen.contexts.clear())
    devtools.on("Debugger.scriptParsed", parsed)
    devtools.on("Runtime.consoleAPICalled", logged)
    devtools.on("Runtime.exceptionThrown", thrown)
    devtools.on("Runtime.exceptionRevoked", revoked)


def _text(value: Json) -> str:
    """A value as the console shows it."""
    if "value" in value:
        return value["value"] if isinstance(value["value"], str) else str(value["value"])
    return STACK.split(str(value.get("description") or value.get("unserializableValue") or value.get("type")))[0]


def _report(details: Json) -> Report:
    exception = details.get("exception") or {}
    message = _text(exception) if exception else details.get("text", "")
    frames = details.get("stackTrace", {}).get("callFrames", [])
    report = Report(
        kind="rejection" if "(in promise)" in details.get("text", "") else "uncaught",
        message=message,
        frames=frames,
        script=details.get("scriptId"),
        address=details.get("url", ""),
        place=(details.get("lineNumber", 0), details.get("columnNumber", 0)),
        exception=details.get("exceptionId"),
        object_id=exception.get("objectId"),
    )
    if exception.get("className") == "SyntaxError":
        told = COMPILER_PLACE.search(message)
        if told:
            report.message, report.compiler_line = told[3], int(told[1])
        report.kind = "syntax"  # until a frame of the program shows that it was running
    return report


async def page_errors(seen: Seen, devtools: CDPSession | None, language: str, code: str) -> tuple[ErrorRecord, ...]:
    """The errors that count, in order; without a session (the page is gone) some have no line."""
    counted = seen.reports if seen.end_after is None else seen.reports[: max(seen.end_after, seen.window_errors)]
    last = code.count("\n") + 1
    found = []
    for report in counted:
        if report.kind == "handled":
            continue
        running, line = await _place(report, seen, devtools)
        kind = report.kind
        if kind == "syntax" and running:
            kind = "uncaught"
        elif kind == "syntax" and language == "coffeescript" and line is None:
            line = await _compiler_line(report, devtools)
        message = CLASS_NAME.sub("", report.message) if kind != "console" else report.message
        if "interrupt('hung')" in message:
            kind = "hung"
        line = None if line is None or line < 1 else min(line, last)
        found.append(ErrorRecord(kind=kind, message=message[:MAX_MESSAGE], line=line))
    return tuple(found)


async def _place(report: Report, seen: Seen, devtools: CDPSession | None) -> tuple[bool, int | None]:
    """Whether the program was running when the error arose, and its own line (from 1).

    The page starts the program on the second line of its script element, and HTML of one line stands before it: a
    place counted from 0, in the page or in a source map, is the program's line counted from 1.
    """
    places = [(frame["scriptId"], frame["lineNumber"], frame["columnNumber"]) for frame in report.frames]
    if report.place and report.address == seen.origin + "/" and not report.frames:
        return False, report.place[0]  # the page's own script didn't parse
    if report.script and report.place:
        places.append((report.script, *report.place))
    for script, line, column in places:
        address, source_map = seen.scripts.get(script, ("", ""))
        if address == seen.origin + "/":
            return bool(report.frames), line
        if source_map.startswith("data:") and not address.startswith(seen.origin):
            header = await _header_lines(script, devtools)
            return bool(report.frames), original_line(source_map, max(0, line - header), column)
    return False, None


async def _header_lines(script: str, devtools: CDPSession | None) -> int:
    """Lines that the browser has put before a script and its source map doesn't know.

    `Function(text)` puts two lines before the text, and CoffeeScript's compiler reckons with one.
    """
    if devtools is None:
        return 0
    reply = await devtools.send("Debugger.getScriptSource", {"scriptId": script})
    return 1 if str(reply["scriptSource"]).startswith(FUNCTION_HEADER) else 0


async def _compiler_line(report: Report, devtools: CDPSession | None) -> int | None:
    """The line of a compiler's error, from its message or from the error's own `location`."""
    if report.compiler_line is not None:
        return report.compiler_line - 1
    location = await _property(devtools, report.object_id, "location")
    first = await _property(devtools, location.get("objectId"), "first_line")
    return first["value"] if isinstance(first.get("value"), int) else None


async def _property(devtools: CDPSession | None, object_id: str | None, name: str) -> Json:
    """An object's own property, read without running any getter of the program."""
    if devtools is None or object_id is None:
        return {}
    reply = await devtools.send("Runtime.getProperties", {"objectId": object_id, "ownProperties": True})
    return next((item.get("value", {}) for item in reply["result"] if item["name"] == name), {})
