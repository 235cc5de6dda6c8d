"""The system calls that a sealed process may make: everything else ends in EPERM (seccomp, a filter in the kernel).

In: a list of names from the tables below. Out: a program of the kernel's old packet filter (BPF), installed for good.
What V8 needs to compute and to answer is allowed. Not guaranteed: that a filter reads memory that arguments point to;
it sees numbers only, so nothing is allowed here that would have to be judged by a path or an address.

Why written by hand: the bindings of libseccomp on PyPI need the system's library, which not every system has, and the
filter is a list of comparisons.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Mapping
from typing import NamedTuple

from redraft.execute.v8.linux import PR_SET_SECCOMP, number, prctl, processor


class Only(NamedTuple):
    """A call is allowed only if an argument has some bits and lacks others."""

    argument: int
    """Its place, from 0; its lower 32 bits are looked at."""
    mask: int
    wanted: int


PROT_EXEC, CLONE_THREAD = 0x4, 0x10000
_NOT_EXECUTABLE = Only(2, PROT_EXEC, 0)
Rules = Mapping[str, Only | int | None]
"""System call -> None: allowed; `Only`: under a condition; a number: this error. Whatever is missing: EPERM."""

COPY: Rules = {
    **dict.fromkeys(("write", "exit", "exit_group")),
    # Memory. No new page may be executable: what V8 compiles while it runs goes where its mother process put it.
    **dict.fromkeys(("munmap", "madvise", "mremap", "brk")),
    **dict.fromkeys(("mmap", "mprotect", "pkey_mprotect"), _NOT_EXECUTABLE),
    # Time, waiting, chance, who I am.
    **dict.fromkeys(("clock_gettime", "clock_getres", "gettimeofday", "clock_nanosleep", "nanosleep")),
    **dict.fromkeys(("futex", "sched_yield", "getrandom", "getpid", "gettid", "getcpu", "restart_syscall")),
    "sched_getaffinity": None,  # the C library asks for it when V8 asks where its stack begins
    # Signals that reach this process itself.
    **dict.fromkeys(("rt_sigreturn", "rt_sigprocmask", "rt_sigaction", "sigaltstack")),
}
"""For the copy that runs a program."""

TALKING: Rules = {**COPY, "read": None}
"""For a copy that is told more than one thing: of its only descriptor, a socket to the process that watches it."""

COMPILER: Rules = {
    **COPY,
    "read": None,
    # A new isolate comes with memory for the code that V8 makes.
    **dict.fromkeys(("mmap", "mprotect", "pkey_mprotect")),
    # And with a thread. What clone3 is asked for can't be seen, so the C library must take clone.
    "clone": Only(0, CLONE_THREAD, CLONE_THREAD),
    "clone3": errno.ENOSYS,
    **dict.fromkeys(("set_robust_list", "rseq")),
}
"""For the process that compiles programs and asks for their copies."""

# What a filter may do: load a word of `struct seccomp_data`, compare, mask, return.
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
"""x86_64 knows every call by a second number, from here on."""
_FILTER_MODE = 2


class Filter:
    """A filter, ready to be installed. To be made before it is needed: what a copy writes to memory costs time.

    Raises:
        OSError: This system has no filters, or its processor isn't known.
    """

    def __init__(self, rules: Rules) -> None:
        code = assemble(rules)
        self._code = ctypes.create_string_buffer(code, len(code))
        self._head = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(self._code)))

    def install(self) -> None:
        """Filter this thread's calls from now on, and those of threads and processes that it makes.

        Raises:
            OSError: The kernel doesn't take it; it wants `no_new_privs` first.
        """
        prctl(PR_SET_SECCOMP, _FILTER_MODE, ctypes.addressof(self._head))


def assemble(rules: Rules) -> bytes:
    """The filter's program, eight bytes an instruction; raises as `linux.processor` does."""
    lines = [
        _line(_LOAD, _ARCHITECTURE),
        _line(_JUMP_IF_EQUAL, _ARCHITECTURES[processor()], yes=1),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER),
        _line(_JUMP_IF_AT_LEAST, _X32, no=1),
        _line(_RETURN, _ERROR | errno.EPERM),
    ]
    for call, rule in rules.items():
        match rule:
            case Only():
                block = [
                    _line(_LOAD, _ARGUMENTS + 8 * rule.argument),
                    _line(_AND, rule.mask),
                    _line(_JUMP_IF_EQUAL, rule.wanted, no=1),
                    _line(_RETURN, _ALLOW),
                    _line(_RETURN, _ERROR | errno.EPERM),
                ]
            case None:
                block = [_line(_RETURN, _ALLOW)]
            case _:
                block = [_line(_RETURN, _ERROR | rule)]
        lines += [_line(_JUMP_IF_EQUAL, number(call), no=len(block)), *block]
    return b"".join([*lines, _line(_RETURN, _ERROR | errno.EPERM)])


def _line(operation: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """An instruction; `yes` and `no` are how many of those after it a comparison skips."""
    return struct.pack("=HBBI", operation, yes, no, value)
