"""No file, no port and nobody else's process for a sealed process (Landlock, rules in the kernel without privileges).

In: nothing. Out: an empty set of rules, whose holder may do none of what the kernel's version of Landlock knows. Not
guaranteed: what a version doesn't know, such as changing a file's times in any version so far, it can't refuse; and
what is open stays open.
"""

from __future__ import annotations

import ctypes
import os
import struct

from redraft.execute.v8.linux import syscall

_VERSION = 1
_FILES = {1: 13, 2: 14, 3: 15, 5: 16}
"""Version of Landlock -> how many kinds of access to files it knows, as the lowest bits."""
_TCP, _SCOPES = 0b11, 0b11
"""Binding and connecting, from version 4 on. Abstract Unix sockets and signals, from version 6 on."""


class Ruleset:
    """Rules that allow nothing; a file descriptor until they are closed.

    Raises:
        OSError: This kernel has no Landlock, or has it switched off.
    """

    def __init__(self) -> None:
        version = syscall("landlock_create_ruleset", None, 0, _VERSION)
        known = max(count for since, count in _FILES.items() if since <= version)
        rules = struct.pack("=Q", (1 << known) - 1)
        if version >= 4:
            rules += struct.pack("=Q", _TCP)
        if version >= 6:
            rules += struct.pack("=Q", _SCOPES)
        self._descriptor = syscall(
            "landlock_create_ruleset", ctypes.create_string_buffer(rules, len(rules)), len(rules), 0
        )

    def install(self) -> None:
        """Hold this thread to the rules from now on, and the threads and processes that it makes.

        Raises:
            OSError: The kernel doesn't take them; it wants `no_new_privs` first.
        """
        syscall("landlock_restrict_self", self._descriptor, 0)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)
