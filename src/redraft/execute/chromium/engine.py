"""The Chromium engine: programs in real browser pages, with the script that Pencil Code itself serves.

In: jobs, a Chromium, a `turtlebits.js` by path or address. Out: outcomes, each as soon as it is known. Every worker has
a browser of its own (`page.Tab`), so that what kills one takes no other program with it; a program whose
browser died is given a second one before it is called a crash.

Nothing is fetched unless asked for: the script's address is read once, when the engine is entered; pages reach no
network unless `allow_network`. Browsers aren't downloaded. `--script own` serves our own runtime (dist/page.js), which
is for tests and benchmarks: its verdicts say nothing that the V8 engine doesn't.
"""

from __future__ import annotations

import asyncio
import hashlib
import queue
import re
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from redraft.errors import InputError, RedraftError, UsageError
from redraft.execute.chromium.page import Limits, Tab, browser_errors
from redraft.execute.engine import Done, EngineOptions, Job
from redraft.execute.registry import ENGINES
from redraft.execute.verdict import Attempt, Outcome

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OWN_SCRIPT = "own"
FETCH_SECONDS = 30
MAX_SCRIPT_BYTES = 64 * 2**20
ENGINE = 1
"""To be raised whenever this engine's outcomes may change."""
# Nothing is loaded from the network. That changes a verdict only where a program looks at an image's pixels.
PIXELS = re.compile(r"\b(?:recolor|imagedata|getImageData)\b")


def find_browser(given: Path | None) -> str:
    """The Chromium to use: the given one, or one of this system.

    Raises:
        RedraftError: There is none.
    """
    remedy = "Install one (Debian: apt-get install chromium), or give its path with --chromium."
    if given is not None:
        if not given.is_file():
            raise InputError("there is no such file.", where=given, remedy=remedy)
        return str(given)
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise RedraftError("no Chromium was found on this system.", remedy=remedy)


def load_script(given: str | None) -> bytes:
    """The runtime's script, by path or http(s) address; `own` for ours.

    Raises:
        UsageError: Nothing was given.
        InputError: It can't be read.
    """
    remedy = (
        "Give --script PATH or URL of Pencil Code's turtlebits.js (pencilcode.net serves one), "
        "or --script own for redraft's own runtime."
    )
    if given is None:
        raise UsageError(
            "the Chromium engine needs the script that pages load, and fetches none by itself.", remedy=remedy
        )
    if given == OWN_SCRIPT:
        from redraft.execute.v8.bundle import bundle_path

        return bundle_path("page").read_bytes()
    try:
        if re.match(r"https?://", given):
            with urllib.request.urlopen(given, timeout=FETCH_SECONDS) as reply:
                script: bytes = reply.read(MAX_SCRIPT_BYTES)
        else:
            script = Path(given).read_bytes()
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise InputError(f"the runtime's script can't be read ({error}).", where=given, remedy=remedy) from error
    if not script.strip():
        raise InputError("the runtime's script is empty.", where=given, remedy=remedy)
    return script


class Chromium:
    """The engine; a context manager. Its browsers are driven by one thread with an event loop."""

    languages = ENGINES["chromium"].languages

    def __init__(self, options: EngineOptions, *, limits: Limits | None = None) -> None:
        self._options = options
        self._limits = limits or Limits()
        self._tabs: list[Tab] = []
        self._version = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Chromium:
        """Find everything, and start the first browser."""
        if find_spec("playwright") is None:
            raise RedraftError(
                "the Chromium engine needs Playwright.", remedy="Install it: pip install 'redraft[chromium]'."
            )
        browser, script = find_browser(self._options.browser), load_script(self._options.script)
        options = self._options
        self._tabs = [
            Tab(browser, script, seed=options.seed, allow_network=options.allow_network)
            for _ in range(max(1, options.workers))
        ]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chromium", daemon=True)
        self._thread.start()
        try:
            number = asyncio.run_coroutine_threadsafe(self._tabs[0].open(), self._loop).result()
        except browser_errors() as error:
            self._stop()
            raise _no_start(browser, error) from error
        except BaseException:
            self._stop()
            raise
        digest = hashlib.sha256(script).hexdigest()[:16]
        network = "on" if options.allow_network else "off"
        self._version = f"chromium-{ENGINE} {number} script {digest} seed {options.seed} network {network}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all browsers."""
        self._stop()

    @property
    def version(self) -> str:
        """Browser, script, seed and network: what outcomes depend on."""
        return self._version

    def run(self, jobs: Sequence[Job]) -> Iterator[Done]:
        """Run jobs on all workers; yields each as it is finished."""
        assert self._loop is not None, "enter the engine first"
        waiting, finished = deque(jobs), queue.SimpleQueue[Done | BaseException]()
        tabs = self._tabs[: max(1, min(len(self._tabs), len(jobs)))]
        work = [asyncio.run_coroutine_threadsafe(self._work(tab, waiting, finished), self._loop) for tab in tabs]
        try:
            for _ in jobs:
                done = finished.get()
                if isinstance(done, BaseException):
                    raise done
                yield done
        finally:
            _cancel(work)

    async def _work(self, tab: Tab, waiting: deque[Job], finished: queue.SimpleQueue[Done | BaseException]) -> None:
        async with tab.lock:  # a run that was left early may still be clearing up
            try:
                if not tab.alive:
                    await tab.open()
                while waiting:
                    job = waiting.popleft()
                    finished.put(Done(job.number, await self._outcome(tab, job)))
            except asyncio.CancelledError:
                await tab.close()  # its page is in the middle of a program
                raise
            except browser_errors() as error:  # programs' doings are outcomes: this is no browser at all
                finished.put(_no_start(tab.executable, error))
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                finished.put(error)

    async def _outcome(self, tab: Tab, job: Job) -> Outcome:
        began, attempts = time.perf_counter(), list[Attempt]()
        for language in job.languages:
            attempt = await self._attempt(tab, job, language)
            attempts.append(attempt)
            if attempt.clean:
                break
        return Outcome(attempts=tuple(attempts), seconds=time.perf_counter() - began)

    async def _attempt(self, tab: Tab, job: Job, language: str) -> Attempt:
        attempt = await tab.run(job.code, language, job.window, self._limits)
        if attempt.ended == "crash" and not tab.alive:
            attempt = await tab.run(job.code, language, job.window, self._limits)
        # Whether a deadline is met depends on the machine, and a crash may have come from outside.
        used_assets = attempt.used_assets and attempt.parsed and PIXELS.search(job.code) is not None
        return replace(attempt, used_assets=used_assets)

    def _stop(self) -> None:
        if self._loop is None or self._thread is None:
            return
        closing = [asyncio.run_coroutine_threadsafe(_close(tab), self._loop) for tab in self._tabs]
        for future in closing:
            with suppress(*browser_errors(), Exception):
                future.result(timeout=30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=30)
        if not self._thread.is_alive():
            self._loop.close()
        self._loop = self._thread = None


async def _close(tab: Tab) -> None:
    async with tab.lock:
        await tab.close()


def _no_start(browser: str, error: BaseException) -> RedraftError:
    reason = next(iter(str(error).strip().splitlines()), "it gives no answer")
    return RedraftError(f"Chromium doesn't start ({reason}).", where=browser, remedy="Give another with --chromium.")


def _cancel(work: Sequence[Future[None]]) -> None:
    """Stop what still runs; each worker clears up behind its lock."""
    for future in work:
        future.cancel()
