"""A plain, slow, independent reading of Pencil Code logs, to hold the fast one against."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import md5
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from redraft.data.identity import clean_id, keyed_hash
from redraft.data.languages import language_named

QUOTED = re.compile(
    r'([^ "[\]]+) ([^ "[\]]+) ([^ "[\]]+) \[([^\]"]*)\] "([A-Z]+) ([^ "]+) HTTP/[^ "]*" [0-9]{3} (?:[0-9]+|-)(?:[ \t\r\f].*)?', re.DOTALL
)  # fmt: skip
ANONYMOUS = re.compile(r"([^ [\]]+) ([^ [\]]+) \[([^\]]*)\]([A-Z]+) ([^ ]+)(?: HTTP/.*)?", re.DOTALL)
NOBODY = {"-", md5(b"-").hexdigest(), md5(b"").hexdigest()}
LANGUAGES = {"cs": "coffeescript", "n": None, "": None, None: None}


class Plain(NamedTuple):
    traces: dict[tuple[str, str], list[tuple[Any, ...]]]
    rejected: list[tuple[int, int, str]]


class RejectError(Exception):
    pass


_SITES = ("event", "example", "frame", "guide", "gymstage", "share", "start")
NO_PERSON = {*_SITES, *(md5(name.encode()).hexdigest() for name in _SITES)}


def _percent(text: str, reason: str) -> str:
    text = re.sub(r"\\x([0-9a-fA-F]{2})", r"%\1", text)
    if re.search("%(?![0-9a-fA-F]{2})", text):
        raise RejectError(reason)
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise RejectError(reason) from None


def _state(raw: bytes, identity: str, actions: Sequence[str]) -> tuple[Any, ...]:
    if len(raw) > 2_000_000:
        raise RejectError("too_long")
    try:
        line = raw.decode()
    except UnicodeDecodeError:
        raise RejectError("not_utf8") from None
    if match := QUOTED.fullmatch(line):
        _, owner, uid, stamp, method, url = match.groups()
    elif match := ANONYMOUS.fullmatch(line):
        owner, uid, stamp, method, url = match.groups()
    else:
        raise RejectError("malformed")
    try:
        at = datetime.strptime(stamp, "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError):
        raise RejectError("bad_time") from None
    if method != "GET" or not url.split("?")[0].startswith("/log/"):
        raise RejectError("not_log")
    parts = [owner] if identity == "owner" else [uid] if identity == "uid" else [owner, uid]
    if any(part in NOBODY for part in parts):
        raise RejectError("no_student")
    if identity == "owner" and owner in NO_PERSON:
        raise RejectError("no_person")
    path, _, query = url.partition("?")
    title = _percent(path[len("/log/") :], "bad_title").split("/")[-1].lower()
    if not title:
        raise RejectError("no_title")
    if len(title) > 100:
        raise RejectError("bad_title")
    words = query.split("&")
    action = next((word for word in words if "=" not in word), None)
    if action not in actions:
        raise RejectError("other_action")
    values: dict[str, str] = {}
    for word in words:
        if "=" in word:
            name, value = word.split("=", 1)
            values.setdefault(name, value)
    if "code" not in values:
        raise RejectError("no_code")
    code = _percent(values["code"].replace("|", "\n").replace("+", " "), "bad_escape")
    if not clean_id(" ".join(parts)):
        raise RejectError("no_student")
    language = values.get("lang")
    mode = values.get("mode")
    return (
        " ".join(parts), title, at, code.rstrip(), language_named(language) if language and language not in LANGUAGES else LANGUAGES.get(language),
        mode if mode in ("b", "t") else None, len(code.encode("utf-16-le")) // 2 >= 1024,
    )  # fmt: skip


def plain_reading(
    files: Sequence[tuple[str, bytes]], key: bytes, identity: str = "owner", actions: Sequence[str] = ("run",)
) -> Plain:
    """Traces {(hash, title): [(at, code, language, mode, truncated)]} and rejected (file, line, reason), sorted."""
    found = defaultdict(list)
    rejected = []
    for number, (_, data) in enumerate(files, 1):
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        for row, raw in enumerate(lines, 1):
            try:
                student, title, at, *rest = _state(raw.removesuffix(b"\r"), identity, actions)
            except RejectError as reject:
                rejected.append((number, row, str(reject)))
            else:
                found[keyed_hash(clean_id(student), key), title].append(((at, number, row), (at, *rest), (number, row)))
    traces = {}
    for pair, states in found.items():
        states.sort(key=lambda state: state[0])
        kept = []
        for state, following in zip(states, [*states[1:], None], strict=True):
            if following is not None and state[1][1] == following[1][1]:
                rejected.append((*state[2], "duplicate"))
            else:
                kept.append(state)
        for end in (0, -1):
            while kept and not kept[end][1][1]:
                rejected.append((*kept.pop(end)[2], "empty_edge"))
        if kept:
            traces[pair] = [state[1] for state in kept]
    return Plain(traces, sorted(rejected))
