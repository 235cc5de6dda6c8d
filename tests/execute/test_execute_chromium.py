"""The Chromium engine in a real Chromium, without any network: our own runtime, or a script of a few lines."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from redraft.errors import InputError, RedraftError, UsageError
from redraft.execute.chromium.engine import Chromium, find_browser, load_script
from redraft.execute.chromium.page import Limits
from redraft.execute.chromium.sourcemap import decode, original_line
from redraft.execute.engine import EngineOptions, execute
from redraft.execute.verdict import RULES, Program, Verdict

PLAIN = 'window.fd = function (n) { if (typeof n !== "number") throw new Error("not a number"); };'


def missing() -> str | None:
    if find_spec("playwright") is None:
        return "NO CHROMIUM TESTS: playwright isn't installed (pip install 'redraft[chromium]')"
    try:
        find_browser(None)
    except RedraftError:
        return "NO CHROMIUM TESTS: no Chromium on this system (apt-get install chromium)"
    return None


needs_chromium = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture(scope="module")
def engine() -> Iterator[Chromium]:
    with Chromium(EngineOptions(workers=2, script="own")) as engine:
        yield engine


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One worker, a script of one line, short limits: for what doesn't depend on the runtime."""
    file = tmp_path_factory.mktemp("script") / "plain.js"
    file.write_text(PLAIN)
    options = EngineOptions(workers=1, script=str(file))
    with Chromium(options, limits=Limits(load_seconds=4, run_seconds=4, memory_mb=700)) as engine:
        yield engine


def verdicts(engine: Chromium, *codes: str, rule: str = "corrected", language: str | None = None) -> list[Verdict]:
    programs = [Program(id=str(n), code=code, language=language) for n, code in enumerate(codes)]
    return list(execute(programs, engine, rule=RULES[rule]))


def one(engine: Chromium, code: str, *, rule: str = "corrected", language: str | None = None) -> Verdict:
    return verdicts(engine, code, rule=rule, language=language)[0]


@needs_chromium
def test_verdicts_and_lines(engine: Chromium) -> None:
    table = [
        ("speed 10\npen red\nfd 100\nrt 90", "ok", "coffeescript", None),
        ("fd 100\n\npen babyblu\n", "error", "coffeescript", ("uncaught", "babyblu is not defined", 3)),
        ("fd 100\nif x\nfd 3", "error", "coffeescript", ("syntax", "unexpected if", 2)),
        ("fd 100 -", "ok", "coffeescript", None),  # the END line completes it
        ("x = 5\ny = z", "error", "coffeescript", ("uncaught", "z is not defined", 2)),
        ("fd 10\nsetTimeout (->\n  nope()\n), 1000", "error", "coffeescript", ("uncaught", "nope is not defined", 3)),
        ("setTimeout (-> nope()), 9000", "ok", "coffeescript", None),  # after the window
        ("fd 1\nPromise.reject new TypeError 'no'", "error", "coffeescript", ("rejection", "no", 2)),
        ("fd 1\n\nconsole.error 'bad', 5", "error", "coffeescript", ("console", "bad 5", 3)),
        ("loop\n  fd 1", "error", "coffeescript", ("hung", "interrupt('hung') called", 2)),
        ("fd(100);\nfor (var i = 0; i < 3; i++) { rt(90); }", "ok", "javascript", None),
        ("fd(100);\nfor (;;) {\n rt(90); nope(); }", "error", "javascript", ("uncaught", "nope is not defined", 3)),
        ("if prompt('a') isnt null then throw new Error 'prompt'", "ok", "coffeescript", None),
        ("await read 'name?', defer n\nfd n", "ok", "coffeescript", None),  # waits for its reader
        ("fetch 'https://example.com/'", "error", "coffeescript", ("rejection", "Failed to fetch", 1)),
    ]
    found = verdicts(engine, *(code for code, *_ in table))
    for (code, verdict, language, first), got in zip(table, found, strict=True):
        errors = [(error.kind, error.message, error.line) for error in got.errors]
        assert (got.verdict, got.language) == (verdict, language), (code, errors)
        assert errors[:1] == ([first] if first else []), code


@needs_chromium
def test_the_rules_differ_where_they_should(engine: Chromium) -> None:
    waiting = "await read 'name?', defer n\nfd n"
    verdicts_by_rule = [one(engine, waiting, rule=rule).verdict for rule in ("corrected", "paper", "released")]
    assert verdicts_by_rule == ["ok", "error", "ok"]


@needs_chromium
def test_the_same_program_has_the_same_random_numbers(plain: Chromium) -> None:
    code = "throw new Error(String(Math.random()))"
    first, second = (one(plain, code, language="javascript").errors[0].message for _ in range(2))
    assert first == second


@needs_chromium
def test_nothing_leaks_to_the_next_program(plain: Chromium) -> None:
    dirty = """
      window.name = 'leak'; window.leak = 1; document.cookie = 'leak=1'; localStorage.leak = 1; sessionStorage.leak = 1;
      history.pushState({}, '', '/leak'); history.pushState({}, '', '/leak2');
      Object.prototype.leak = 1; Array.prototype.push = null; setInterval(function () { throw new Error('leak'); }, 1e6);
      setTimeout(function () { document.title = 'leak'; }, 100);
      addEventListener('unload', function () { console.error('leak'); });"""
    check = """
      var seen = [window.name, window.leak, document.cookie, localStorage.leak, sessionStorage.leak, ({}).leak,
        document.title, history.length === 2 ? '' : history.length, [].push ? '' : 'push'].filter(Boolean);
      if (seen.length) throw new Error(seen.join(' '));
      setTimeout(function () {}, 5000);"""
    for _ in range(2):
        found = verdicts(plain, dirty, check, language="javascript")
        assert [(v.verdict, v.errors) for v in found] == [("ok", ()), ("ok", ())]


HOSTILE = {
    "for (;;);": "timeout",
    "setTimeout(function () { for (;;); }, 500)": "timeout",
    "(function f() { Promise.resolve().then(f); })()": "timeout",
    "throw { toString() { for (;;); } }": "timeout",
    "a = []; for (;;) a.push(new Uint8Array(1 << 24).fill(1))": "memory",
    "'x'.repeat(1 << 28).split('')": "crash",
    "function f() { f(); } f()": "error",
    "for (var i = 0; i < 2e5; i++) console.log('END_REACHED', i)": "ok",
    "console.log('END_REACHED'); fd('x')": "error",
    "for (var i = 0; i < 5; i++) alert(i); if (confirm('?') || prompt('?') !== null) throw new Error('answered')": "ok",
    "for (var i = 0; i < 20; i++) window.open('https://example.com/')": "ok",
    "location.href = 'https://example.com/'": "ok",
    "location.reload()": "ok",
    "debugger; fd(1)": "ok",
    "close()": "ok",
    "Object.prototype.x = 1; Array.prototype.push = null; window.Promise = null; window.JSON = null; fd = null": "ok",
    "new Worker(URL.createObjectURL(new Blob(['for (;;);'])))": "ok",
    "var e = new Error('x'); Object.defineProperty(e, 'message', { get() { for (;;); } }); throw e": None,
    "x = 'a\0b\ud800'": "ok",
    "// " + "x" * 1_000_000: "ok",
    "var s = new WebSocket('wss://example.com/'); s.onopen = function () { throw new Error('connected'); }": "ok",
    "var i = new Image(); i.onload = function () { throw new Error('read'); }; i.src = 'file:///etc/hostname'": "ok",
}


@needs_chromium
def test_hostile_programs_between_good_ones(plain: Chromium) -> None:
    codes = [code for hostile in HOSTILE for code in (hostile, "fd(1)")]
    began = time.monotonic()
    found = [v for code in codes for v in plain_verdicts(plain, code)]
    assert [v.verdict for v in found[1::2]] == ["ok"] * len(HOSTILE)
    for (code, expected), got in zip(HOSTILE.items(), found[::2], strict=True):
        if expected is not None:
            assert got.verdict == expected, (code[:80], got)
    assert time.monotonic() - began < 400


def plain_verdicts(engine: Chromium, code: str) -> list[Verdict]:
    # The one-line script has no CoffeeScript: both attempts are JavaScript's to decide.
    return verdicts(engine, code, language="javascript")


@needs_chromium
def test_a_missing_image_decides_nothing_unless_its_pixels_are_asked_for(plain: Chromium) -> None:
    image = "var i = new Image(); i.src = 'https://example.com/a.png';\n"
    shown, failing, pixels = verdicts(
        plain, image + "fd(1)", image + "nope()", image + "recolor(i)", language="javascript"
    )
    assert [shown.verdict, failing.verdict, pixels.verdict] == ["ok", "error", "unscored"]


@needs_chromium
def test_a_browser_that_dies_takes_no_program_with_it(plain: Chromium) -> None:
    tab = plain._tabs[0]
    assert one(plain, "fd(1)", language="javascript").verdict == "ok"
    os.kill(tab._pids[0], signal.SIGKILL)  # while it waits
    assert one(plain, "fd(2)", language="javascript").verdict == "ok"
    started = tab.starts
    killer = threading.Timer(1.5, lambda: os.kill(tab._pids[0], signal.SIGKILL))  # while a program runs
    killer.start()
    loop, good = verdicts(plain, "for (;;) fd(1)", "fd(3)", language="javascript")
    killer.join()
    assert loop.verdict in {"timeout", "crash"}
    assert good.verdict == "ok"
    assert tab.starts > started


@needs_chromium
def test_a_run_can_be_left_early_and_another_begun(plain: Chromium) -> None:
    programs = [Program(id=str(n), code=f"fd({n})", language="javascript") for n in range(20)]
    half = execute(programs, plain)
    assert next(half).verdict == "ok"
    half.close()  # type: ignore[attr-defined]
    assert one(plain, "fd(99)", language="javascript").verdict == "ok"


@needs_chromium
def test_a_script_from_an_address_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "turtlebits.js").write_text(PLAIN)
    seen: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            seen.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/turtlebits.js"
        with Chromium(EngineOptions(workers=1, script=address)) as engine:
            request = f"fetch('{address}').then(function () {{ throw new Error('reached'); }}, function () {{}})"
            assert [v.verdict for v in verdicts(engine, "fd(1)", request, language="javascript")] == ["ok", "ok"]
        with pytest.raises(InputError, match="can't be read"):
            load_script(address + ".missing")
        server.shutdown()
    assert seen.count("/turtlebits.js") == 1  # the engine's own reading; the program's request never arrived


def test_what_is_missing_is_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--script"):
        load_script(None)
    with pytest.raises(InputError, match="can't be read"):
        load_script(str(tmp_path / "none.js"))
    (tmp_path / "empty.js").write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        load_script(str(tmp_path / "empty.js"))
    with pytest.raises(InputError, match="--chromium"):
        find_browser(tmp_path / "chromium")


def test_source_maps_and_damaged_ones() -> None:
    assert decode(";AACA,EAAA;;IACE") == [(1, 0, 1), (1, 2, 1), (3, 4, 2)]
    address = 'data:application/json,{"version":3,"mappings":";AACA,EAAA;;IACE"}'
    assert [original_line(address, line, 9) for line in range(5)] == [None, 1, 1, 2, 2]
    for damaged in ("", "data:", "data:application/json;base64,@@", "data:application/json,[]", "https://a/b",
                    'data:application/json,{"mappings":"g"}', 'data:application/json,{"mappings":"\u00e9"}'):  # fmt: skip
        assert original_line(damaged, 1, 1) is None
