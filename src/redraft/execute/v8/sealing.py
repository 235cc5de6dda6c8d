"""The walls around a program: what the processes that see it give up, step by step, and what of it this system gave.

In: a process that is about to meet programs. Out: one that can do little but compute and answer, and for each of
`WALLS` (isolation.py) whether it stands. The isolate is the first wall; these hold if V8 itself is broken and native
code runs.

The order of steps:

`begin`    the worker, first of all: no new privileges; whatever it makes inherits that
`settle`   the worker and the process that is copied, each once V8 is loaded and before it has threads: another user,
           namespaces of its own, no capabilities, no core dumps, a few descriptors only
`enclose`  the worker, which compiles programs: Landlock and a filter of system calls
`seal`     each copy, before its program: the same, stricter, and every descriptor but the answer's is closed

What a system lacks is written down by a first copy, and does no harm. A wall that stood then and fails in a later copy
ends that copy: no program runs behind fewer walls than were told of.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
from collections.abc import Callable

from redraft.execute.v8.landlock import Ruleset
from redraft.execute.v8.linux import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, prctl, syscall
from redraft.execute.v8.seccomp import COMPILER, Filter, Rules

NOBODY = 65534
"""The user and group of processes that need none."""
DESCRIPTORS = 16
"""Beyond those open at the start: pipes to a copy, the rules for it, and what reading /proc takes."""
_CAPABILITIES_3 = 0x20080522
_USERS, _NETWORK = 0x10000000, 0x48000000
"""Namespaces: of users; of the network and of System V's messages between processes."""


class Seal:
    """The steps, and what they met."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        """Wall -> why it doesn't stand."""
        self._rules: Callable[[], None] | None = None
        self._filter: Callable[[], None] | None = None

    def begin(self) -> None:
        """The worker's first step; to be taken by its only thread."""
        self._try("privileges", lambda: prctl(PR_SET_NO_NEW_PRIVS, 1))
        self._try("orphans", die_with_parent)

    def settle(self) -> None:
        """Give up user, network, capabilities and limits; to be taken by the only thread of a process."""
        self._try("limits", _limit_process)
        # Root has a network of its own by right; anybody else only together with users of their own.
        by_right = os.geteuid() == 0 and self._try("network", lambda: syscall("unshare", _NETWORK))
        self._try("user", _become_nobody)
        if by_right:
            self._try("user namespace", lambda: syscall("unshare", _USERS))
        elif self._try("user namespace", lambda: syscall("unshare", _USERS | _NETWORK)):
            self.problems.pop("network", None)
        else:
            self.problems["network"] = self.problems["user namespace"]
        self._try("capabilities", _drop_capabilities)
        self._try("orphans", die_with_parent)  # another user forgets it

    def enclose(self) -> None:
        """Wall in the process that compiles; to be taken before it has threads."""
        self._try("landlock", _install_rules)
        self._try("seccomp", lambda: Filter(COMPILER).install())

    def prepare(self, calls: Rules) -> None:
        """Make what `seal` takes: for the process that is copied, before its first copy.

        Args:
            calls: The system calls that a copy may make.
        """
        self._try("landlock", self._make_rules)
        self._try("seccomp", lambda: self._make_filter(calls))

    def seal(self, answer: int, *, first: bool = False) -> int:
        """Wall in a copy.

        Args:
            answer: The descriptor to keep.
            first: Write down what doesn't stand, for the copies to come.

        Returns:
            Its number from now on: that of standard error, so that V8's last words go there, too.

        Raises:
            OSError: A wall that stood in the first copy fails.
        """
        os.dup2(answer, 2)
        for name, take in (
            ("orphans", die_with_parent),
            ("landlock", self._rules),
            ("descriptors", _close_others),
            ("limits", _limit_copy),
            ("seccomp", self._filter),
        ):
            if take is None or name in self.problems:
                continue
            if first:
                self._try(name, take)
            else:
                take()
        return 2

    def _make_rules(self) -> None:
        self._rules = Ruleset().install

    def _make_filter(self, calls: Rules) -> None:
        self._filter = Filter(calls).install

    def _try(self, name: str, take: Callable[[], object]) -> bool:
        try:
            take()
        except (OSError, ValueError) as error:
            self.problems.setdefault(name, getattr(error, "strerror", None) or str(error))
            return False
        return True


def die_with_parent() -> None:
    """Be killed when the thread that made this process ends."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _become_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _drop_capabilities() -> None:
    head, none = struct.pack("=Ii", _CAPABILITIES_3, 0), bytes(24)
    syscall("capset", ctypes.create_string_buffer(head, len(head)), ctypes.create_string_buffer(none, len(none)))


def _install_rules() -> None:
    rules = Ruleset()
    rules.install()
    rules.close()


def _limit_process() -> None:
    most = max(int(name) for name in os.listdir("/dev/fd")) + DESCRIPTORS  # noqa: PTH208 - names alone
    for limit, value in ((resource.RLIMIT_NOFILE, most), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        resource.setrlimit(limit, (value, value))


def _limit_copy() -> None:
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC):
        resource.setrlimit(limit, (0, 0))


def _close_others() -> None:
    os.closerange(0, 2)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
