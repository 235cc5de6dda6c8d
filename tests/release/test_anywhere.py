"""What works on any system: the package's modules and every command's help, on one without Unix's own parts.

The system is this one with those parts taken away, for redraft's own code alone: libraries have ways of their own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LACKING = """
import builtins, os, signal, types

GONE = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "syslog", "posix"}
LESS = {"os": types.ModuleType("os"), "signal": types.ModuleType("signal")}
vars(LESS["os"]).update(vars(os))
vars(LESS["signal"]).update(vars(signal))
for name in ("fork", "forkpty", "geteuid", "getuid", "getpgid", "killpg", "setsid", "sysconf", "sched_getaffinity",
             "waitpid", "wait4", "set_blocking"):
    delattr(LESS["os"], name)
for name in ("SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1"):
    delattr(LESS["signal"], name)
given = builtins.__import__

def without(name, globals=None, locals=None, fromlist=(), level=0):
    if level or not str((globals or {}).get("__name__", "")).startswith("redraft"):
        return given(name, globals, locals, fromlist, level)
    if name in GONE:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    module = given(name, globals, locals, fromlist, level)
    return LESS.get(name, module)

builtins.__import__ = without
"""
COPIES = (
    *(f"redraft.execute.v8.{name}" for name in ("copies", "isolate", "sealing", "worker", "working", "zygote")),
    *(f"redraft.execute.python.{name}" for name in ("nursery", "talk", "worker")),
    "redraft.__main__",
)
"""Modules of the processes that are copied, which only such a system starts; and the one that is a command."""


def elsewhere(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python on a system that lacks these parts."""
    command = [sys.executable, "-c", LACKING + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_module_imports() -> None:
    done = elsewhere(
        "import importlib, pkgutil, sys, redraft\n"
        "for module in pkgutil.walk_packages(redraft.__path__, 'redraft.'):\n"
        "    if module.name not in sys.argv[1:]: importlib.import_module(module.name)\n"
        "for name in redraft.__all__: getattr(redraft, name)\n"
        "print('all')",
        *COPIES,
    )
    assert done.stdout == "all\n", done.stderr


def test_every_command_explains_itself() -> None:
    done = elsewhere(
        "from redraft.cli import app, main\n"
        "from redraft.cli.reference import commands, help_text\n"
        "for words, command in commands(app): print(len(help_text(words)) > 50)\n"
        "main(['--help'])"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("True") > 20
    assert "False" not in done.stdout
    assert "redraft COMMAND" in done.stdout


def test_a_command_that_needs_copies_of_a_process_says_so(tmp_path: Path) -> None:
    programs = tmp_path / "programs.jsonl"
    programs.write_text('{"id": "a", "code": "fd 100"}\n')
    code = (
        "import sys\nfrom redraft.cli import main\nmain(['execute', sys.argv[1], '--out', sys.argv[2], '--no-cache'])"
    )
    done = elsewhere(code, programs, tmp_path / "out.jsonl")
    assert done.returncode == 1, done.stderr
    assert "fork" in done.stderr
    assert "Run this command on Linux" in done.stderr
    assert "inside redraft" not in done.stderr
    assert not (tmp_path / "out.jsonl").exists()
