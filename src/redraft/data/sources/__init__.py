"""One log format per file; each reads raw files into states for `redraft.data.ingest`. `SOURCES` names them all."""

from __future__ import annotations

from redraft.data.sources.pencilcode import PencilCode
from redraft.data.sources.progsnap2 import ProgSnap2
from redraft.data.sources.rollouts import Rollouts
from redraft.data.sources.states import Source
from redraft.data.sources.table import Table

SOURCES: dict[str, type[Source]] = {source.name: source for source in (PencilCode, Rollouts, ProgSnap2, Table)}
"""Format -> source; the command `redraft ingest FORMAT` has the same name."""
