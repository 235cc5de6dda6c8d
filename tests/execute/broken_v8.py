"""Plays a V8 that is broken: native code, in a process that was walled in for a program, tries to get out.

`python broken_v8.py escape FOLDER PID [--user UID] [--without WALL]` prints, as JSON, which walls don't stand and what became
of every try; FOLDER holds a file `precious` that anybody may remove, PID is a process to reach for. `python broken_v8.py
worker --without WALL` is a worker of the engine on a system without that wall. `python broken_v8.py compile` prints which
texts with the word MARK were run outside such a process, rather than handed to the compiler as data.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import importlib.readers  # noqa: F401 - read before the user changes: not everybody may read Python
import json
import os
import signal
from collections.abc import Callable
from typing import Any

from redraft.execute.v8 import landlock, seccomp, worker
from redraft.execute.v8.bundle import bundle_text
from redraft.execute.v8.copies import NEVER, V8Zygote
from redraft.execute.v8.isolate import COMPILING, Isolate, load_library
from redraft.execute.v8.sealing import Seal
from redraft.execute.v8.usage import RunLimits
from redraft.execute.v8.working import work

LIBC = ctypes.CDLL(None, use_errno=True)
PROT_READ_EXEC, PRIVATE_ANONYMOUS = 0x5, 0x22
PAGE = 4096


class Piece(ctypes.Structure):
    """`struct iovec`."""

    _fields_ = (("at", ctypes.c_void_p), ("length", ctypes.c_size_t))


def native(name: str, *arguments: Any) -> Callable[[], str]:
    """A try: a function of the C library, called; gives the error's name, or `done`."""
    function = getattr(LIBC, name)
    function.restype = ctypes.c_ssize_t if name in ("mmap", "process_vm_readv") else ctypes.c_int

    def attempt() -> str:
        answer = function(*arguments)
        if name == "fork" and answer == 0:
            os._exit(0)
        return "done" if answer >= 0 else errno.errorcode[ctypes.get_errno()]

    return attempt


def tries(folder: str, pid: int) -> dict[str, Callable[[], str]]:
    """Everything that is tried, made before the process is walled in."""
    file, other = f"{folder}/precious".encode(), f"{folder}/other".encode()
    page = ctypes.create_string_buffer(2 * PAGE)
    aligned = ctypes.c_void_p((ctypes.addressof(page) + PAGE - 1) // PAGE * PAGE)
    here, there = Piece(ctypes.addressof(page), 8), Piece(ctypes.addressof(page), 8)
    shell, nothing = ctypes.c_char_p(b"/bin/sh"), ctypes.c_void_p(None)
    calls: dict[str, tuple[Any, ...]] = {
        "open": (file, os.O_RDONLY),
        "creat": (other, 0o600),
        "unlink": (file,),
        "rename": (file, other),
        "mkdir": (other, 0o700),
        "chmod": (file, 0o777),
        "truncate": (file, ctypes.c_long(0)),
        "symlink": (file, other),
        "kill": (pid, signal.SIGTERM),
        "ptrace": (16, pid, nothing, nothing),  # attach
        "process_vm_readv": (pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0),
        "fork": (),
        "execv": (shell, (ctypes.c_char_p * 2)(shell, None)),
        "socket": (2, 1, 0),
        "memfd_create": (b"x", 0),
        "dup": (2,),
        "unshare": (0x10000000,),
        "setuid": (0,),
        "mount": (b"none", folder.encode(), b"tmpfs", ctypes.c_ulong(0), nothing),
        "prctl": (38, 1, 0, 0, 0),
        "mmap": (nothing, ctypes.c_size_t(PAGE), PROT_READ_EXEC, PRIVATE_ANONYMOUS, -1, ctypes.c_long(0)),
        "mprotect": (aligned, ctypes.c_size_t(PAGE), PROT_READ_EXEC),
    }
    found = {name: native(name, *arguments) for name, arguments in calls.items()}
    found |= {f"descriptor {each}": native("write", each, b"x", 1) for each in range(64) if each != 2}
    return found


def escape(folder: str, pid: int) -> None:
    """Try everything in a copy, and print what became of it."""
    todo, post = tries(folder, pid), Isolate.post
    facts: dict[str, Callable[[], int]] = {
        "uid": os.getuid,
        "no_new_privs": lambda: LIBC.prctl(39, 0, 0, 0, 0),
    }  # told where seccomp is lacking

    def broken(self: Isolate, script: str) -> None:
        if "MARK" not in script:
            return post(self, script)
        said = {"facts": {name: fact() for name, fact in facts.items()}, "tries": {n: t() for n, t in todo.items()}}
        os.write(2, b"\n" + json.dumps(said).encode())
        os._exit(0)

    Isolate.post = broken  # type: ignore[method-assign]
    seal = Seal()
    seal.begin()
    zygote = V8Zygote(bundle_text("runtime"), RunLimits(), seal)
    problems = zygote.problems()
    ran = zygote.run("MARK", {})
    print(json.dumps({"problems": problems, "ended": ran.ended, **json.loads(ran.text)}))


def compile_texts() -> None:
    """Give the worker texts that are hard to parse; print those that it ran itself."""
    seal = Seal()
    seal.begin()
    zygote = V8Zygote(bundle_text("runtime"), RunLimits(cpu_seconds=1), seal)
    zygote.problems()
    library, post, ran = load_library(COMPILING), Isolate.post, list[str]()
    compiler = worker.Compiler(library, bundle_text("compiler"))

    def recorded(self: Isolate, script: str) -> None:
        if "MARK" in script and not script.startswith("__compiler."):
            ran.append(script[:80])
        post(self, script)

    Isolate.post = recorded  # type: ignore[method-assign]
    lines = list[int | None]()
    deep = [f"MARK = 1; x = {'(' * depth}1{')' * depth}" for depth in range(2150, 2300)]
    for code in ["MARK = 1\nvar = 2", "'use strict'\nMARK = 1\nx = 010", "MARK = 1\nx = {", *deep]:
        task = {"code": code, "language": "javascript", "first": True, "seed": 0, "window": [1500, 0], "drawing": False}
        errors = worker.run(compiler, zygote, task)["errors"]
        lines.append(errors[0]["line"] if errors else None)
    unrun = zygote.ask(["parse", f"while (true);{NEVER}"]).ended
    print(json.dumps({"ran": ran, "lines": lines[:3], "endless": unrun}))


def take_down(wall: str) -> None:
    """Have a wall fail, as on a system that lacks it; `room`: have the filter leave V8 none to live in."""

    def lacking(self: object) -> None:
        raise OSError(errno.ENOSYS, "not here")

    if wall == "room":
        seccomp.COPY.clear()  # type: ignore[attr-defined]
        return
    kinds: dict[str, Any] = {"seccomp": seccomp.Filter, "landlock": landlock.Ruleset}
    kinds[wall].install = lacking


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("escape", "worker", "compile"))
    parser.add_argument("folder", nargs="?")
    parser.add_argument("pid", nargs="?", type=int)
    parser.add_argument("--user", type=int)
    parser.add_argument("--without")
    given = parser.parse_args()
    if given.without:
        take_down(given.without)
    if given.user is not None:
        os.setgroups([])
        os.setresgid(given.user, given.user, given.user)
        os.setresuid(given.user, given.user, given.user)
    match given.what:
        case "escape":
            escape(given.folder, given.pid)
        case "worker":
            work(worker.prepare)
        case "compile":
            compile_texts()
    print(end="", flush=True)
    os._exit(0)  # a clean exit may hang in V8


if __name__ == "__main__":
    main()
