"""`redraft simulate`: a class whose traits are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from redraft.data.simulate import SimulateConfig, headroom_of
from redraft.data.simulate import simulate as write_class
from redraft.data.simulate.observer import as_lines
from redraft.progress import say


def simulate(
    *,
    out: Path,
    config: Annotated[SimulateConfig | None, Parameter(name="*")] = None,
) -> None:
    """Write the access logs of a simulated class, the key to ingest them with, and the truth about its students.

    Then says how much there is to be found: how well an observer who knows how the class works foretells students'
    choices in free assignments, in bits, from nothing, from the final programs of their set assignments, and from all
    drafts of these.

    Example: redraft simulate --students 100 --titles 12 --seed 1 --out class

    Then: redraft ingest pencilcode class/access-*.log.gz --key class/ingest.key --origin simulated --out class.dataset

    Parameters
    ----------
    out: Path
        The folder to write; it must not exist yet, or hold the same class.
    config: SimulateConfig
        The class.
    """
    folder = write_class(config or SimulateConfig(), out)
    for line in as_lines(headroom_of(folder)):
        say(line)
    say(f"{folder}: access-YEAR.log.gz, ingest.key, traits.parquet. A simulated class is no evidence about students.")
