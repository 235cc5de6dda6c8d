"""Inside the sandbox: values as JSON, between the Python of a program and the Python of its checks.

In: Python values. Out: lists of JSON values that begin with a letter for their kind, and back. Plain data goes over
by value, exactly: what arrives is of Python's own types, whatever the sender's code says of itself. Anything else
stays where it is, and its number goes over. Lists, dictionaries and sets are numbered too, so that one that stands in
two places is still one, and what a function changed in its arguments can be told.
"""

from __future__ import annotations

import operator
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

_DICTS = (dict, OrderedDict, defaultdict, Counter)
_BASES = (bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset)


def _call(function: Any, *args: Any, **named: Any) -> Any:
    return function(*args, **named)


def _is_instance(value: Any, kind: Any) -> bool:
    return isinstance(value, kind)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "call": _call, "getattr": getattr, "setattr": setattr, "delattr": delattr, "isinstance": _is_instance, "getitem":
    operator.getitem, "setitem": operator.setitem, "delitem": operator.delitem, "contains": operator.contains, "len":
    len, "iter": iter, "next": next, "str": str, "repr": repr, "bool": bool, "hash": hash, "format": format, "int":
    int, "float": float, "index": operator.index, "abs": abs, "round": round, "dir": dir, "neg": operator.neg, "pos":
    operator.pos, "invert": operator.invert, **{
        name: getattr(operator, name)
        for name in ("eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "floordiv", "mod", "pow",
                     "matmul", "and_", "or_", "xor", "lshift", "rshift")
    },
}  # fmt: skip
"""What checks can do with a program's object."""


class Objects:
    """Objects that stay, by number."""

    def __init__(self) -> None:
        self._kept: list[Any] = []

    def number(self, value: Any) -> list[Any]:
        """An object as JSON: its number, its plain content if it has any, and what it is."""
        self._kept.append(value)
        plain = next((base for base in _BASES if issubclass(type(value), base)), None)
        content = None if plain is None or plain is bool else Writer(self.number).write(_plainly(value, plain))
        return ["o", len(self._kept) - 1, content, type(value).__name__, callable(value)]

    def get(self, number: int) -> Any:
        """The object of a number."""
        return self._kept[number]


def _plainly(value: Any, base: Any) -> Any:
    """The content of a plain type's subclass, by the plain type's own means."""
    if base in (tuple, list, set, frozenset):
        return base(base.__iter__(value))
    if base is dict:
        return {key: dict.__getitem__(value, key) for key in dict.__iter__(value)}
    if base is str:
        return str.__str__(value)
    if base is bytes:
        return bytes.__getitem__(value, slice(None))
    return base.__add__(value, base(0))


class Writer:
    """Values to JSON; to be used for one message.

    Args:
        other: Writes what is no plain data.
        known: Containers that have numbers already.
    """

    def __init__(self, other: Callable[[Any], list[Any]], known: Iterable[Any] = ()) -> None:
        self._other = other
        self.containers = [*known]
        self._numbers = {id(value): number for number, value in enumerate(self.containers)}

    def write(self, value: Any) -> list[Any]:
        """A value as JSON."""
        kind = type(value)
        if value is None:
            return ["n"]
        if kind is bool:
            return ["b", int(value)]
        if kind is int:
            return ["i", hex(value)]
        if kind is float:
            return ["f", value.hex()]
        if kind is complex:
            return ["c", value.real.hex(), value.imag.hex()]
        if kind is str:
            return ["s", value]
        if kind is bytes or kind is bytearray:
            return ["y", value.hex(), kind is bytearray]
        if kind is Decimal or kind is Fraction:
            return ["q", kind.__name__, str(value)]
        if kind is range:
            return ["r", hex(value.start), hex(value.stop), hex(value.step)]
        if kind is tuple or kind is frozenset:
            return ["t" if kind is tuple else "z", [self.write(each) for each in value]]
        if kind in (list, set, deque, *_DICTS):
            return self._container(value)
        return self._other(value)

    def contents(self, containers: list[Any]) -> dict[str, list[Any]]:
        """What is in containers now, by their numbers."""
        return {str(number): self._content(value) for number, value in enumerate(containers)}

    def _container(self, value: Any) -> list[Any]:
        number = self._numbers.get(id(value))
        if number is not None:
            return ["#", number]
        number = self._numbers[id(value)] = len(self.containers)
        self.containers.append(value)
        return ["@", number, *self._content(value)]

    def _content(self, value: Any) -> list[Any]:
        kind = type(value)
        if kind in _DICTS:
            return ["d", [[self.write(key), self.write(each)] for key, each in list(dict.items(value))]]
        letter = "l" if kind is list else "e" if kind is set else "q"
        return [letter, [self.write(each) for each in list(value)]]


class Reader:
    """JSON to values; to be used for one message, and for what it says of containers' contents.

    Args:
        mine: The object of a number of this side.
        theirs: Stands for an object of the other side.
        known: Containers that have numbers already.
    """

    def __init__(self, mine: Callable[[int], Any], theirs: Callable[..., Any], known: Iterable[Any] = ()) -> None:
        self._mine, self._theirs = mine, theirs
        self.containers: list[Any] = [*known]

    def read(self, told: list[Any]) -> Any:
        """The value that JSON stands for.

        Raises:
            ValueError: It stands for none; so may KeyError, TypeError and IndexError say.
        """
        match told:
            case ["n"]:
                return None
            case ["b", flag]:
                return bool(flag)
            case ["i", str(digits)]:
                return int(digits, 16)
            case ["f", str(digits)]:
                return float.fromhex(digits)
            case ["c", str(real), str(imaginary)]:
                return complex(float.fromhex(real), float.fromhex(imaginary))
            case ["s", str(text)]:
                return text
            case ["y", str(digits), changes]:
                return bytearray.fromhex(digits) if changes else bytes.fromhex(digits)
            case ["q", str(kind), str(text)]:
                return {"Decimal": Decimal, "Fraction": Fraction}[kind](text)
            case ["r", str(start), str(stop), str(step)]:
                return range(int(start, 16), int(stop, 16), int(step, 16))
            case ["t", list(items)]:
                return tuple([self.read(each) for each in items])
            case ["z", list(items)]:
                return frozenset([self.read(each) for each in items])
            case ["#", int(number)]:
                return self.containers[number]
            case ["@", int(number), str(kind), list(items)]:
                return self._new(number, kind, items)
            case ["h", int(number)]:
                return self._mine(number)
            case ["o" | "k", int(number), *more]:
                return self._theirs(number, *more)
        raise ValueError("no value")

    def refill(self, changed: dict[str, list[Any]], known: int) -> None:
        """Give the first `known` containers the contents that they have on the other side."""
        for number in range(known):
            kind, items = changed[str(number)]
            self._fill(self.containers[number], kind, items, anew=True)

    def _new(self, number: int, kind: str, items: list[Any]) -> Any:
        if number != len(self.containers):
            raise ValueError("no value")
        makers: dict[str, Callable[[], Any]] = {"d": dict, "l": list, "e": set, "q": deque}
        made = makers[kind]()
        self.containers.append(made)
        self._fill(made, kind, items)
        return made

    def _fill(self, value: Any, kind: str, items: list[Any], *, anew: bool = False) -> None:
        if kind == "d":
            pairs = [(self.read(key), self.read(each)) for key, each in items]
            if anew:
                value.clear()
            value.update(pairs)
            return
        values = [self.read(each) for each in items]
        if anew:
            value.clear()
        (value.update if kind == "e" else value.extend)(values)
