"""The Linux system calls that seal a process, which Python's own modules don't offer, called by number.

In: numbers and flags. Out: what the kernel answers. Kept apart because numbers differ by processor, while everything
above this file is the same on all. Elsewhere than on Linux, and on other processors, every call ends in an `OSError`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys

_NUMBERS = {
    # name: x86_64, aarch64
    "brk": (12, 214),
    "capset": (126, 91),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "clone": (56, 220),
    "clone3": (435, 435),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "futex": (202, 98),
    "getcpu": (309, 168),
    "getpid": (39, 172),
    "getrandom": (318, 278),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "landlock_create_ruleset": (444, 444),
    "landlock_restrict_self": (446, 446),
    "madvise": (28, 233),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "pkey_mprotect": (329, 288),
    "read": (0, 63),
    "restart_syscall": (219, 128),
    "rseq": (334, 293),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    "set_robust_list": (273, 99),
    "sigaltstack": (131, 132),
    "unshare": (272, 97),
    "write": (1, 64),
}
_PROCESSORS = ("x86_64", "aarch64")
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38


def processor() -> str:
    """The name of this machine's processor, one of those whose numbers are known.

    Raises:
        OSError: They aren't known, or this isn't Linux.
    """
    name = platform.machine()
    if _LIBC is None or name not in _PROCESSORS or sys.maxsize < 1 << 32:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return name


def number(call: str) -> int:
    """The number of a system call on this processor; raises as `processor` does."""
    return _NUMBERS[call][_PROCESSORS.index(processor())]


def syscall(call: str, *arguments: int | ctypes.Array[ctypes.c_char] | None) -> int:
    """Call the kernel.

    Raises:
        OSError: It says no, or there is no such call here.
    """
    wanted = number(call)
    assert _LIBC is not None
    given = (ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)
    return _checked(_LIBC.syscall(ctypes.c_long(wanted), *given))


def prctl(option: int, *arguments: int) -> int:
    """Change something about this process; raises as `syscall` does."""
    if _LIBC is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    given = (*arguments, 0, 0, 0, 0)[:4]
    return _checked(_LIBC.prctl(option, *(ctypes.c_ulong(each) for each in given)))


def _checked(answer: int) -> int:
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer
