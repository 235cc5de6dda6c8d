"""`redraft validate FORMAT`: does a data set keep the rules of its format?"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from redraft.visible import visible

app = App(name="validate", help="Check a data set against the rules of its format.")


@app.command(name="progsnap2")
def progsnap2(
    folder: Path, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False, memory: str = "1GB"
) -> None:
    """Check a ProgSnap2 data set against the specification 1.0, and print every deviation with its row and rule.

    Ends with 1 if a rule is broken, and with 0 if there are only warnings: what the specification advises against, or
    what is of an earlier version. No cell is printed.

    Example: redraft validate progsnap2 itap/ --json

    Args:
        folder: The folder that holds MainTable.csv, or a zip of it.
        as_json: Print JSON, an object with a list of deviations, instead of a line for each.
        memory: What the database may use before it spills to disk.
    """
    from redraft.progsnap2 import validate

    counts: Counter[str] = Counter({"error": 0, "warning": 0})
    found = validate(folder, memory=memory)
    first = next(found, None)  # before anything is printed, as this may fail
    if as_json:
        print('{"deviations": [', end="")
    for one in chain([first] if first else [], found):
        if as_json:
            print(f"{',' if counts.total() else ''}\n  {json.dumps(asdict(one))}", end="")
        else:
            print(visible(str(one)))
        counts[one.level] += 1
    if as_json:
        tail = json.dumps({"errors": counts["error"], "warnings": counts["warning"], "valid": not counts["error"]})
        print(f"\n], {tail[1:]}")
    else:
        print(f"{counts['error']:,} errors, {counts['warning']:,} warnings")
    if counts["error"]:
        sys.exit(1)
