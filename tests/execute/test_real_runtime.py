"""Programs on which our runtime once differed from Pencil Code's: each stands for a kind, and its verdict is right now."""

from __future__ import annotations

import json
import warnings
from functools import cache

import pytest

from places import CASES
from redraft.execute.engine import EngineOptions, execute, make_engine
from redraft.execute.verdict import Program, Verdict

FILE = CASES / "33-real-runtime" / "programs.jsonl"


def _rows() -> list[dict[str, str]]:
    if not FILE.exists():
        warnings.warn(f"SUPPLIED CASES MISSING: {FILE}. Their tests are skipped.", stacklevel=1)
        return []
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


ROWS = _rows()


@cache
def _verdicts() -> dict[str, Verdict]:
    programs = [Program(id=row["id"], code=row["code"], language=row["language"]) for row in ROWS]
    with make_engine("v8", EngineOptions(workers=2)) as engine:
        return {verdict.id: verdict for verdict in execute(programs, engine)}


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_program_of_each_kind_has_the_real_runtimes_verdict(row: dict[str, str]) -> None:
    verdict = _verdicts()[row["id"]]
    assert verdict.verdict == row["right"], (row["why"], [error.message for error in verdict.errors])
