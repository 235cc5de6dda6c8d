"""A V8 isolate that can be forked: mini-racer's library, called without its Python objects.

In: scripts. Out: what they evaluate to. An isolate lives on a thread of its own, which the library makes; answers
arrive on that thread. Whoever listens there may fork the process: the copy then holds that one thread, with the
isolate on it as warm as it was. mini-racer's own objects answer on another thread, which no copy has; hence this.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

from py_mini_racer import init_mini_racer
from py_mini_racer._dll import mr_callback_func

COMPILING = ("--single-threaded", "--always-sparkplug")
"""V8's flags for a process that compiles one program after the other: it lives long and is soon warm."""
RUNNING = ("--single-threaded", "--no-lazy", "--no-flush-bytecode", "--no-sparkplug", "--no-maglev")
"""For a process that is copied: no threads that a copy wouldn't have; functions are compiled before the first copy is
made, not in each; and of the compilers to machine code only the last, for what runs long. A copy that lives for
milliseconds pays for the others and gains nothing."""
_SYSTEM = ctypes.PyDLL(None)
_TEXT, _OUT_OF_MEMORY, _NO_PARSE = 5, 202, 201
_TEXTS = (_TEXT, *range(200, 207))


class Result(NamedTuple):
    """What a script evaluated to."""

    kind: int
    text: bytes
    """Of a string, or the message of an exception; otherwise empty."""

    @property
    def is_text(self) -> bool:
        """A string."""
        return self.kind == _TEXT

    @property
    def out_of_memory(self) -> bool:
        """The isolate went past its limit."""
        return self.kind == _OUT_OF_MEMORY

    @property
    def no_parse(self) -> bool:
        """The script isn't JavaScript; the text says where."""
        return self.kind == _NO_PARSE


class Isolate:
    """One isolate with one context.

    Args:
        library: What `load_library` gave.
        heap_bytes: Past this it stops whatever runs in it (V8 looks after each collection).
    """

    def __init__(self, library: ctypes.CDLL, heap_bytes: int) -> None:
        self._library = library
        # Posting without giving up the interpreter's lock: a copy made while another thread is about to take it back
        # would find it locked for ever.
        self._holding = ctypes.PyDLL("mini_racer", handle=library._handle)
        for name in ("mr_alloc_string_val", "mr_eval", "mr_free_value"):
            given, held = getattr(library, name), getattr(self._holding, name)
            held.argtypes, held.restype = given.argtypes, given.restype
        self._answers: SimpleQueue[Result] = SimpleQueue()
        self._listener: Callable[[Result], None] = self._answers.put
        answered: Any = self._answered
        self._callback = mr_callback_func(answered)  # kept: the library holds its address only
        self._context = library.mr_init_context(self._callback)
        library.mr_set_hard_memory_limit(self._context, heap_bytes)

    def eval(self, script: str) -> Result:
        """Run a script and wait for its value."""
        self.post(script)
        return self._answers.get()

    def post(self, script: str) -> None:
        """Let a script run as soon as the isolate's thread is free; the listener gets the value."""
        # Lone surrogates have no UTF-8; scripts that must keep them come with escapes.
        text = script.encode("utf-8", "surrogatepass")
        handle = self._holding.mr_alloc_string_val(self._context, text, len(text), _TEXT)
        self._holding.mr_eval(self._context, handle, 0)
        self._holding.mr_free_value(self._context, handle)

    def fork(self, in_child: Callable[[Result], None]) -> int:
        """Copy the process with this isolate as its only thread.

        Args:
            in_child: The copy's listener, called at once with an empty result, then with each value of what it posts.
                It must end the copy by `os._exit`.

        Returns:
            The copy's process id.
        """
        made: SimpleQueue[int] = SimpleQueue()

        def split(_: Result) -> None:
            # The system's own fork, while this thread holds the interpreter and the other one waits for `made`: what
            # `os.fork` does for a copy that goes on as a Python program would write to 270 of its pages, a third of
            # what a copy costs.
            child = _SYSTEM.fork()
            if child:
                made.put(child)
            else:
                self._listener = in_child
                in_child(Result(0, b""))

        self._listener = split
        self.post("0")
        child = made.get()
        self._listener = self._answers.put
        if child < 0:
            raise OSError("the process can't be copied: no process or memory is left")
        return child

    def free(self) -> None:
        """Give its memory back."""
        self._library.mr_free_context(self._context)

    def _answered(self, _: int, handle: Any) -> None:
        value = handle.contents
        text = b""
        if value.type in _TEXTS:
            text = ctypes.string_at(value.value.value_ptr, value.len)
        result = Result(value.type, text)
        self._holding.mr_free_value(self._context, handle)
        self._listener(result)


def load_library(flags: Sequence[str]) -> ctypes.CDLL:
    """Load V8; once a process."""
    return init_mini_racer(flags=flags)
