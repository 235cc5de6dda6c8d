"""What models draw: called, or run as `plainly.py FOLDER ...` in a process that may lack `redraft/lm/fast`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

import redraft
from redraft.lm.checkpoint import load_model
from redraft.lm.fastest import decoder_for
from redraft.lm.generate import Draft, generate
from redraft.lm.settings import SampleConfig


def drawn(folder: Path) -> dict[str, Any]:
    """The ids of seven drafts in float64, the way they were drawn, and whether a compiler was loaded for it."""
    torch.set_num_threads(1)
    model = load_model(folder)
    model.lm.double()
    titles = ("square", "star", "a house")
    drafts = [Draft(student=i % 3, ids=model.codec.prefix(titles[i % 3]), stream=(1, "plain", i)) for i in range(7)]
    generate(model, drafts, SampleConfig(batch=3, rounds=2))
    return {
        "package": str(Path(redraft.__file__).parent),
        "way": type(decoder_for(model.lm, 1)).__name__,
        "compilers": sorted({"numba", "llvmlite"} & set(sys.modules)),
        "ids": [draft.ids for draft in drafts],
    }


if __name__ == "__main__":
    print(json.dumps([drawn(Path(folder)) for folder in sys.argv[1:]]))
