"""One browser of the Chromium engine: runs one program at a time in a real page and tells what happened there.

In: a program, its language, the runtime's script, the windows. Out: an `Attempt`: END reached or not, the errors with
the program's own lines, or how the page ended (deadline, memory, crash).

How it works. The page is loaded in real time; from its load event on, time is virtual (the browser's own, through the
DevTools protocol), so that a window of seconds passes in milliseconds and a busy machine changes no verdict. A page is
used again for the next program, which gets an address of its own and thus another site and process; whatever is left
of the last one (its window's name, history, pop-ups, DevTools session) goes. A page that hung or crashed is closed with
its context, and a browser that doesn't answer is killed with its processes.

Not guaranteed: requestAnimationFrame keeps to real frames, so that a program gets few of them in virtual time. A
program that reads its own script element can print the END marker itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redraft.execute.chromium.report import Seen, listen, page_errors
from redraft.execute.verdict import Attempt, Ended, ErrorRecord, Window

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, CDPSession, Page, Playwright, Route, WebSocketRoute

USES_OF_A_CONTEXT = 100  # then it is renewed, so that nothing grows
START_S = 60.0  # for a browser to start
PATIENCE_S = 8.0  # for what a live browser answers at once
SCRIPT_PATH = "/turtlebits.js"
# A dead proxy and no names: were a request ever to slip past the routes, it would reach nothing.
SEALED = (
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)
FLAGS = ("--mute-audio", "--disable-gpu", "--js-flags=--max-old-space-size=512")
# Runs before anything else in every frame: a console flood stays inside the page (the engine needs errors and
# END only), no window opens, and the window's name, which outlives a page, is forgotten.
GUARD = """(() => {
  if (window === top) window.name = '';
  window.open = function open() { return null; };
  let state = SEED | 0;
  Math.random = function random() {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const own = console, { apply } = Reflect, { log, error } = own;
  let logs = 1000, errors = 100;
  for (const name of Object.keys(own)) if (typeof own[name] === 'function') own[name] = () => {};
  own.error = function () { if (errors-- > 0) apply(error, own, arguments); };
  const { test } = RegExp.prototype, marker = /^END_REACHED [0-9a-f]{16}$/;
  own.log = function (text) {
    if (typeof text === 'string' && apply(test, marker, [text]) && logs-- > 0) apply(log, own, [text]);
  };
})();"""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a program may run in real time, and how large its page may grow."""

    load_seconds: float = 25.0  # past the real runtime's own watchdog (20 s), so that it may speak first
    run_seconds: float = 20.0  # for each window of virtual time
    memory_mb: int = 1024


def page_html(code: str, language: str, marker: str) -> str:
    """The paper's page: HTML of one line, then the program from the script's second line on, then END."""
    return (
        f'<!doctype html><html><head><meta charset="utf-8"></head><body><script src="{SCRIPT_PATH}"></script>'
        f'<script type="text/{language}">\n{code}\nconsole.log("{marker}")\n</script></body></html>'
    )


def browser_errors() -> tuple[type[BaseException], ...]:
    """What Playwright raises when a page or its browser is gone or silent."""
    from playwright.async_api import Error

    return (Error, TimeoutError)


def resident_mb(pid: int) -> float:
    """Resident memory of a process, or 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm") as file:  # noqa: PTH123 - a kernel file
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError, ValueError):
        return 0.0


class Tab:
    """A browser with one page that programs take in turn; `run` never raises for what a program does."""

    def __init__(self, executable: str, script: bytes, *, seed: int = 0, allow_network: bool = False) -> None:
        self.executable, self._script = executable, script
        self._guard = GUARD.replace("SEED", str(seed))
        self._allow_network = allow_network
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._browser_devtools: CDPSession | None = None
        self._uses = 0
        self._runs = 0
        self._pids: list[int] = []
        self._crashed: asyncio.Future[Ended] | None = None
        self._html: tuple[str, str] | None = None  # the address to serve once, and what to serve
        self._seen: Seen | None = None
        self.starts = 0
        self.lock = asyncio.Lock()

    async def run(self, code: str, language: str, window: Window, limits: Limits) -> Attempt:
        """Run one program; `used_assets` says only that an image was missing."""
        self._runs += 1
        seen = Seen(origin=f"https://p{self._runs}.invalid", marker=f"END_REACHED {secrets.token_hex(8)}")
        devtools = await self._ready(seen)
        crashed = self._crashed = asyncio.get_running_loop().create_future()
        self._html = (seen.origin + "/", page_html(code, language, seen.marker))
        course = asyncio.ensure_future(self._course(devtools, seen, window, limits))
        watch = asyncio.ensure_future(self._watch_memory(limits.memory_mb))
        await asyncio.wait({course, crashed, watch}, return_when=asyncio.FIRST_COMPLETED)
        ended = await _how_it_ended(course, crashed, watch)
        self._html = None
        errors = await self._errors(seen, devtools if ended == "done" else None, language, code)
        if ended != "done" or not await _quietly(devtools.detach()):
            await self._drop_context()
        reached = seen.end_after is not None
        return Attempt(
            language=language, end_reached=reached, errors=errors, ended=ended, used_assets=seen.missing_image
        )

    @property
    def alive(self) -> bool:
        """Whether the browser runs."""
        return self._browser is not None and self._browser.is_connected()

    async def open(self) -> str:
        """Start the browser; returns its version."""
        async with asyncio.timeout(START_S):
            await self._launch()
        assert self._browser is not None
        return self._browser.version

    async def close(self) -> None:
        """End the browser and what drives it."""
        await self._kill()
        playwright, self._playwright = self._playwright, None
        if playwright is not None:
            await _quietly(playwright.stop())

    async def _course(self, devtools: CDPSession, seen: Seen, window: Window, limits: Limits) -> Ended:
        """Load the page in real time, then let the windows pass in virtual time."""
        loaded, expired = _loaded(devtools, seen.origin), asyncio.Event()
        devtools.on("Emulation.virtualTimeBudgetExpired", lambda _: expired.set())
        with contextlib.suppress(TimeoutError):  # an endless loop, or only something that never finishes to load
            async with asyncio.timeout(limits.load_seconds):
                await devtools.send("Page.navigate", {"url": seen.origin + "/"})
                await loaded.wait()
        for part, ms in enumerate(window):
            if ms > 0 and await self._answers(devtools):
                await _pass_time(devtools, expired, ms, limits.run_seconds)
            if not await self._answers(devtools):
                return "timeout"
            if part == 0:
                seen.window_errors = len(seen.reports)
            if seen.reports or seen.end_after is not None:
                break
        return "done"

    async def _answers(self, devtools: CDPSession) -> bool:
        """Whether the page's process still answers; also brings in all events sent before."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await devtools.send("Runtime.getIsolateId")
        except TimeoutError:
            return False
        return True

    async def _watch_memory(self, limit_mb: int) -> Ended:
        """Return once a page's process has grown beyond the limit; it is killed."""
        while True:
            await asyncio.sleep(0.25)
            for pid in await self._renderers():
                if resident_mb(pid) > limit_mb:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                    return "memory"

    async def _renderers(self) -> list[int]:
        """The processes of pages, after entering all of the browser's into `_pids`."""
        assert self._browser_devtools is not None
        reply = await self._browser_devtools.send("SystemInfo.getProcessInfo")
        self._pids = [process["id"] for process in reply["processInfo"]]
        return [process["id"] for process in reply["processInfo"] if process["type"] == "renderer"]

    async def _ready(self, seen: Seen) -> CDPSession:
        """A page for the next program; if the last one's remains are in the way, in a new browser."""
        try:
            return await self._fresh_page(seen)
        except browser_errors():
            await self.close()
            return await self._fresh_page(seen)

    async def _fresh_page(self, seen: Seen) -> CDPSession:
        """The page, cleared of the last program, and a DevTools session that reports into `seen`."""
        async with asyncio.timeout(START_S):
            if not self.alive:
                await self._launch()
            if self._uses >= USES_OF_A_CONTEXT:
                await self._drop_context()
            if self._context is None or self._page is None:
                assert self._browser is not None
                self._context = await self._browser.new_context(service_workers="block", accept_downloads=False)
                await self._context.add_init_script(self._guard)
                await self._context.route("**/*", self._route)
                if not self._allow_network:
                    await self._context.route_web_socket("**/*", _close_socket)
                self._page, self._uses = await self._context.new_page(), 0
                self._page.on("crash", self._on_crash)
                self._context.on("page", self._close_popup)
            self._uses += 1
            devtools = await self._context.new_cdp_session(self._page)
            self._seen = seen
            listen(devtools, seen)
            for command in ("Runtime.enable", "Debugger.enable", "Page.enable", "Page.resetNavigationHistory"):
                await devtools.send(command)
            await devtools.send("Debugger.setSkipAllPauses", {"skip": True})
            return devtools

    async def _launch(self) -> None:
        from playwright.async_api import async_playwright

        await self._kill()
        if self._playwright is None:
            self._playwright = await async_playwright().start()
        network = () if self._allow_network else SEALED
        self._browser = await self._playwright.chromium.launch(
            executable_path=self.executable,
            headless=True,
            args=[*FLAGS, *network],
            chromium_sandbox=os.geteuid() != 0,  # Chromium has none for root
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
        self._browser_devtools = await self._browser.new_browser_cdp_session()
        await self._renderers()
        self.starts += 1

    async def _route(self, route: Route) -> None:
        """Serve the page once and the script; let nothing else through unless the network is allowed."""
        request, seen = route.request, self._seen
        with contextlib.suppress(*browser_errors()):  # the page may be gone by now
            if self._html is not None and request.url == self._html[0] and request.is_navigation_request():
                html, self._html = self._html[1], None
                body = html.encode("utf-8", "replace")
                await route.fulfill(body=body, content_type="text/html; charset=utf-8")
            elif seen is not None and request.url == seen.origin + SCRIPT_PATH:
                await route.fulfill(body=self._script, content_type="text/javascript; charset=utf-8")
            elif request.is_navigation_request():
                await route.fulfill(status=204)  # the page stays as it is: a program can't leave it
            elif self._allow_network and not request.url.startswith("file:"):
                await route.continue_()
            else:
                if seen is not None and request.resource_type == "image":
                    seen.missing_image = True
                await route.abort("internetdisconnected")

    def _on_crash(self, page: Page) -> None:
        if page is self._page and self._crashed is not None and not self._crashed.done():
            self._crashed.set_result("crash")

    async def _close_popup(self, page: Page) -> None:
        if page is not self._page:
            await _quietly(page.close())

    async def _errors(
        self, seen: Seen, devtools: CDPSession | None, language: str, code: str
    ) -> tuple[ErrorRecord, ...]:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await page_errors(seen, devtools, language, code)
        except browser_errors():
            return await page_errors(seen, None, language, code)

    async def _drop_context(self) -> None:
        """Close the page with all that belongs to it; a browser that can't do that is killed."""
        context, self._context, self._page = self._context, None, None
        if context is not None and not await _quietly(context.close()):
            await self._kill()

    async def _kill(self) -> None:
        """End the browser and every process it has."""
        browser, self._browser = self._browser, None
        pids = [] if browser is None else self._pids
        self._context = self._page = self._browser_devtools = None
        if browser is not None and browser.is_connected() and await _quietly(browser.close()):
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def _quietly(action: Coroutine[Any, Any, None]) -> bool:
    """Whether the browser did something in time."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await action
    except browser_errors():
        return False
    return True


def _loaded(devtools: CDPSession, origin: str) -> asyncio.Event:
    """Set when the page at `origin` has loaded, or has stopped to load because the program tried to leave it."""
    loaded, frames = asyncio.Event(), set[str]()

    def navigated(event: dict[str, Any]) -> None:
        if event["frame"]["url"] == origin + "/" and "parentId" not in event["frame"]:
            frames.add(event["frame"]["id"])

    devtools.on("Page.frameNavigated", navigated)
    devtools.on("Page.loadEventFired", lambda _: loaded.set())
    devtools.on("Page.frameStoppedLoading", lambda event: loaded.set() if event["frameId"] in frames else None)
    return loaded


async def _pass_time(devtools: CDPSession, expired: asyncio.Event, ms: float, run_seconds: float) -> None:
    """Let `ms` of virtual time pass, or as much of it as goes into `run_seconds` (a request may hold it up)."""
    expired.clear()
    budget = {"policy": "pauseIfNetworkFetchesPending", "budget": ms, "maxVirtualTimeTaskStarvationCount": 1000}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(run_seconds):
            await devtools.send("Emulation.setVirtualTimePolicy", budget)
            await expired.wait()


async def _how_it_ended(
    course: asyncio.Future[Ended], crashed: asyncio.Future[Ended], watch: asyncio.Future[Ended]
) -> Ended:
    """What came first: the memory limit, a crash, or the end of the course."""
    first = next(task for task in (watch, crashed, course) if task.done())
    for task in (course, watch):
        task.cancel()
    await asyncio.gather(course, watch, return_exceptions=True)
    failure = first.exception()
    if failure is None:
        return first.result()
    if not isinstance(failure, browser_errors()):
        raise failure
    return "crash"  # the page or its browser went away under the program


async def _close_socket(socket: WebSocketRoute) -> None:
    with contextlib.suppress(*browser_errors()):
        await socket.close()
