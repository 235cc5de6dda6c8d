"""Presets stand in one list: docs, help and whatever takes one by name agree with it."""

from __future__ import annotations

import re
import tomllib

from places import ROOT
from redraft.lm.settings import PRESETS, Preset, TrainConfig
from redraft.pipeline.settings import PRESET

SHIPPED = dict(PRESETS)  # as imported: tests add toys later
TRAINING = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
HEADER = "| preset | family | blocks | width | context | codec | for |"


def _row(name: str, preset: Preset) -> str:
    cells = (
        f"`{name}`",
        preset.family,
        preset.layers,
        preset.width,
        f"{preset.context:,}",
        preset.codec,
        preset.summary,
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def test_the_table_of_presets_is_current() -> None:
    table = TRAINING[TRAINING.index(HEADER) :].split("\n\n")[0].splitlines()
    assert table[2:] == [_row(name, preset) for name, preset in SHIPPED.items()]


def test_help_names_every_preset() -> None:
    text = (ROOT / "src" / "redraft" / "lm" / "settings.py").read_text(encoding="utf-8")
    (words,) = re.findall(r'preset: str = .*?\n    """(.*?)"""', text, re.S)
    assert set(re.findall(r"\b(?:llama|cpu|paper)-\w+|\bsmollm2\b", words)) == set(SHIPPED)


def test_whatever_takes_a_preset_by_name_finds_it() -> None:
    assert TrainConfig().preset in SHIPPED
    assert PRESET in SHIPPED
    protocols = [*(ROOT / "src" / "redraft" / "pipeline" / "protocols").glob("*.toml")]
    runs = [*(ROOT / "docs" / "results").glob("*/run.toml")]
    assert protocols
    assert runs
    for file in (*protocols, *runs):
        assert tomllib.loads(file.read_text(encoding="utf-8"))["train"]["preset"] in SHIPPED, file
