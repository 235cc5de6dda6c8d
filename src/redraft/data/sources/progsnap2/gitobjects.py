"""Files of a commit in a Git repository, by reading its objects alone.

In: a repository's own folder (`.git`, or a bare one), and the hash of a commit. Out: its files, path and bytes. No git
is started, and nothing of the repository is run or obeyed: no hook, no filter, no configuration, no link to another
repository (`alternates`, a `.git` that is a file). Loose objects and packs (index of version 2, both kinds of deltas,
SHA-1 and SHA-256) are read. What a hostile repository may ask for is bounded: an object's size, the length of a chain
of deltas, a tree's depth and a commit's files.

Not guaranteed: that an object is what its hash says. Submodules and symbolic links aren't files.
"""

from __future__ import annotations

import mmap
import re
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

LONGEST_OBJECT = 8_000_000
"""Bytes of an object that is read."""
LONGEST_CHAIN = 5_000
"""Deltas upon each other; Git's own programs make at most 4,095."""
DEEPEST, MOST_FILES = 64, 20_000
"""Folders within each other, and files, of one commit."""
_REMEMBERED = 64 * 10**6
"""Bytes of objects kept, as commits share most of theirs."""
_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_COMMIT, _TREE, _BLOB, _TAG, _BY_OFFSET, _BY_NAME = 1, 2, 3, 4, 6, 7
_KINDS = {b"commit": _COMMIT, b"tree": _TREE, b"blob": _BLOB, b"tag": _TAG}
_FOLDER, _FILES = 0o40000, (0o100000, 0o100644, 0o100664, 0o100755)


class GitError(Exception):
    """An object isn't there, is damaged, or asks for too much."""


class Object(NamedTuple):
    """What is stored under a hash."""

    kind: int
    data: bytes


class Repository:
    """The objects of one repository; close it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "objects"
        self._packs = [_Pack(index) for index in sorted((self._folder / "pack").glob("*.idx"))]
        self._known: OrderedDict[str, Object] = OrderedDict()
        self._held = 0
        self.read = 0
        """Bytes of objects that were unpacked so far."""

    def close(self) -> None:
        """Close the packs."""
        for pack in self._packs:
            pack.close()

    def has(self, name: str) -> bool:
        """Whether there is an object of this hash."""
        return bool(_HASH.fullmatch(name)) and (
            self._loose(name).is_file() or any(pack.place(name) is not None for pack in self._packs)
        )

    def files(self, commit: str) -> Iterator[tuple[str, bytes]]:
        """The files of a commit, by path, in Git's own order.

        Raises:
            GitError: It can't be read.
        """
        found = self._object(commit)
        if found.kind != _COMMIT:
            raise GitError("it is no commit")
        match = re.match(rb"tree ([0-9a-f]{40,64})\n", found.data)
        if not match:
            raise GitError("the commit names no tree")
        self._left = MOST_FILES
        yield from self._tree(match[1].decode(), "", 0)

    def _tree(self, name: str, path: str, depth: int) -> Iterator[tuple[str, bytes]]:
        if depth > DEEPEST:
            raise GitError("its folders lie too deep")
        tree = self._object(name)
        if tree.kind != _TREE:
            raise GitError("a folder is no tree")
        size, start = len(name) // 2, 0
        while start < len(tree.data):
            blank, end = tree.data.find(b" ", start), tree.data.find(b"\0", start)
            if not start < blank < end or end + 1 + size > len(tree.data):
                raise GitError("a tree is damaged")
            self._left -= 1
            if self._left < 0:
                raise GitError("it has too many files")
            mode = int(tree.data[start:blank], 8) if tree.data[start:blank].isdigit() else 0
            label = path + tree.data[blank + 1 : end].decode("utf-8", "replace")
            start = end + 1 + size
            child = tree.data[end + 1 : start].hex()
            if mode == _FOLDER:
                yield from self._tree(child, label + "/", depth + 1)
            elif mode in _FILES:
                blob = self._object(child)
                if blob.kind != _BLOB:
                    raise GitError("a file is no blob")
                yield label, blob.data

    def _loose(self, name: str) -> Path:
        return self._folder / name[:2] / name[2:]

    def _object(self, name: str) -> Object:
        if name in self._known:
            self._known.move_to_end(name)
            return self._known[name]
        if not _HASH.fullmatch(name):
            raise GitError("a hash is none")
        found = self._read_loose(name) or self._read_packed(name, 0)
        if found is None:
            raise GitError("an object is missing")
        self.read += len(found.data)
        self._known[name] = found
        self._held += len(found.data)
        while self._held > _REMEMBERED:
            _, old = self._known.popitem(last=False)
            self._held -= len(old.data)
        return found

    def _read_loose(self, name: str) -> Object | None:
        path = self._loose(name)
        if not path.is_file():
            return None
        try:
            data = _inflated(path.read_bytes() if path.stat().st_size <= LONGEST_OBJECT else b"", LONGEST_OBJECT + 64)
        except OSError as error:
            raise GitError("an object can't be read") from error
        head, sign, body = data.partition(b"\0")
        word = head.split(b" ")[0]
        if not sign or word not in _KINDS:
            raise GitError("an object is damaged")
        return Object(_KINDS[word], body)

    def _read_packed(self, name: str, depth: int) -> Object | None:
        for pack in self._packs:
            place = pack.place(name)
            if place is not None:
                return self._from_pack(pack, place, depth)
        return None

    def _from_pack(self, pack: _Pack, place: int, depth: int) -> Object:
        """An object of a pack: its chain of deltas is followed down, and applied on the way back."""
        deltas: list[bytes] = []
        while True:
            if len(deltas) + depth > LONGEST_CHAIN:
                raise GitError("a chain of deltas is too long")
            kind, base, data = pack.entry(place)
            if kind in _KINDS.values():
                found = Object(kind, data)
                break
            deltas.append(data)
            if sum(map(len, deltas)) > 8 * LONGEST_OBJECT:
                raise GitError("a chain of deltas is too long")
            if not isinstance(base, str):
                place = base
                continue
            inside = pack.place(base)
            if inside is not None:
                place = inside
                continue
            other = self._read_loose(base) or self._read_packed(base, depth + len(deltas))
            if other is None:
                raise GitError("an object is missing")
            found = other
            break
        made = 0
        for delta in reversed(deltas):
            found = Object(found.kind, _applied(delta, found.data))
            made += len(found.data)
            if made > 64 * LONGEST_OBJECT:
                raise GitError("a chain of deltas is too long")
        return found


class _Pack:
    """A pack and its index, mapped into memory."""

    def __init__(self, index: Path) -> None:
        self._files: list[IO[bytes]] = []
        self._index = self._mapped(index)
        self._data = self._mapped(index.with_suffix(".pack"))
        if self._index[:8] != b"\xfftOc\0\0\0\2" or self._data[:4] != b"PACK":
            self._count = 0
            return
        self._count = self._number(8 + 4 * 255, 4)
        # names, checksums of 4 bytes, places of 4 bytes, then some of 8: what is left tells how long a name is
        tail = len(self._index) - 8 - 1024 - 8 * self._count
        self._size = 20 if tail < 32 * self._count + 64 else 32
        if len(self._index) < 1032 + (self._size + 8) * self._count:
            self._count = 0

    def _mapped(self, path: Path) -> mmap.mmap | bytes:
        try:
            file = path.open("rb")
            self._files.append(file)
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            return b""

    def close(self) -> None:
        for mapped in (self._index, self._data):
            if isinstance(mapped, mmap.mmap):
                with suppress(BufferError):
                    mapped.close()
        for file in self._files:
            file.close()

    def _number(self, place: int, size: int) -> int:
        return int.from_bytes(self._index[place : place + size], "big")

    def place(self, name: str) -> int | None:
        """Where an object begins; None if it isn't here."""
        wanted = bytes.fromhex(name)
        if not self._count or len(wanted) != self._size:
            return None
        first = wanted[0]
        low = self._number(8 + 4 * (first - 1), 4) if first else 0
        high = min(self._number(8 + 4 * first, 4), self._count)
        names = 1032
        while low < high:
            middle = (low + high) // 2
            found = self._index[names + middle * self._size : names + (middle + 1) * self._size]
            if found == wanted:
                return self._offset(middle)
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return None

    def _offset(self, number: int) -> int:
        places = 1032 + (self._size + 4) * self._count
        offset = self._number(places + 4 * number, 4)
        if offset & 0x80000000:
            offset = self._number(places + 4 * self._count + 8 * (offset & 0x7FFFFFFF), 8)
        return offset

    def entry(self, place: int) -> tuple[int, int | str, bytes]:
        """The kind of what stands at `place`; what a delta is based on (a place or a hash, else 0); and its data."""
        data, start = self._data, place
        if not 12 <= place < len(data):
            raise GitError("a pack is damaged")
        byte = data[place]
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        place += 1
        while byte & 0x80 and shift < 64:
            byte = self._byte(place)
            size |= (byte & 0x7F) << shift
            place, shift = place + 1, shift + 7
        if size > LONGEST_OBJECT:
            raise GitError("an object is too long")
        base: int | str = 0
        if kind == _BY_OFFSET:
            byte = self._byte(place)
            back, place = byte & 0x7F, place + 1
            while byte & 0x80 and back < 1 << 56:
                byte = self._byte(place)
                back, place = (back + 1) << 7 | byte & 0x7F, place + 1
            base = start - back
            if back <= 0:
                raise GitError("a pack is damaged")
        elif kind == _BY_NAME:
            base, place = data[place : place + self._size].hex(), place + self._size
        elif kind not in _KINDS.values():
            raise GitError("a pack is damaged")
        return kind, base, _inflated(data[place : place + size + size // 1000 + 1024], size, exact=True)

    def _byte(self, place: int) -> int:
        if place >= len(self._data):
            raise GitError("a pack is damaged")
        return int(self._data[place])


def _inflated(data: bytes, most: int, *, exact: bool = False) -> bytes:
    """What a stream of zlib unpacks to, of at most `most` bytes."""
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(data, most + 1)
    except zlib.error as error:
        raise GitError("an object is damaged") from error
    if len(plain) > most:
        raise GitError("an object is too long")
    if (not stream.eof and not (exact and len(plain) == most)) or (exact and len(plain) != most):
        raise GitError("an object is damaged")
    return plain


def _applied(delta: bytes, base: bytes) -> bytes:
    """A delta's result: pieces of `base`, and new ones."""
    place = 0

    def size() -> int:
        nonlocal place
        total = shift = 0
        while place < len(delta):
            byte = delta[place]
            place += 1
            total |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return total
            if shift > 56:
                break
        raise GitError("a delta is damaged")

    if size() != len(base):
        raise GitError("a delta is damaged")
    wanted, made = size(), bytearray()
    if wanted > LONGEST_OBJECT:
        raise GitError("an object is too long")
    while place < len(delta):
        code = delta[place]
        place += 1
        if code & 0x80:
            numbers = [0, 0]
            for bit in range(7):
                if code & 1 << bit:
                    if place >= len(delta):
                        raise GitError("a delta is damaged")
                    numbers[bit >= 4] |= delta[place] << 8 * (bit if bit < 4 else bit - 4)
                    place += 1
            start, count = numbers[0], numbers[1] or 0x10000
            if start + count > len(base):
                raise GitError("a delta is damaged")
            made += base[start : start + count]
        elif code:
            made += delta[place : place + code]
            place += code
        else:
            raise GitError("a delta is damaged")
        if len(made) > wanted:
            raise GitError("a delta is damaged")
    if len(made) != wanted:
        raise GitError("a delta is damaged")
    return bytes(made)
