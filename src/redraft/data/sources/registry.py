"""The log formats: the only list of what can be ingested.

In: nothing. Out: `SOURCES`. The command `redraft ingest FORMAT`, the public API and the docs read it. A format is a
file beside this one and a line here. All that people see of it stands in its class: what it reads and an example
(docstring), its inputs (the first field) and its options (the other fields).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redraft.data.sources.states import Source

SOURCES: dict[str, str] = {
    "pencilcode": "redraft.data.sources.pencilcode:PencilCode",
    "progsnap2": "redraft.data.sources.progsnap2:ProgSnap2",
    "rollouts": "redraft.data.sources.rollouts:Rollouts",
    "table": "redraft.data.sources.table:Table",
}
"""Format -> `module:class`, imported when it is asked for; the command `redraft ingest FORMAT` has the same name."""


def source_class(name: str) -> type[Source]:
    """The class of the format called `name`: a frozen dataclass, whose first field is what to read."""
    module, _, attribute = SOURCES[name].partition(":")
    found: type[Source] = getattr(import_module(module), attribute)
    return found
