"""Metrics know themselves: one declaration is enough, and nothing else lists them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import redraft
from redraft.metrics.metric import Place
from redraft.metrics.registry import METRICS, labels, shown

SOURCE = Path(redraft.__file__).parent
REGISTRIES = ("metrics/registry.py", "metrics/running.py", "metrics/released/")
"""Where metrics are declared; the released code's own have names in common with ours."""

TOY = """
    import sys
    from pathlib import Path

    from redraft.metrics import registry
    from redraft.metrics.metric import Group, Metric, Place

    toy = Metric(
        name="toy_share", label="toys at play", level="trace", unit="share", group=Group.COURSE, source="-",
        definition="What a toy is.", shown={Place.WHOLE_TRACES: 99}, compute=lambda facts: 1 / len(facts.programs),
    )
    registry.METRICS[toy.name], registry.MEASURED[toy.name] = toy, toy.compute  # before anyone asks

    import fabricate
    import pyarrow.parquet as pq
    from redraft.metrics.reference import document
    from redraft.studies.behaviour.figures import figures
    from redraft.studies.behaviour.settings import BehaviourConfig
    from redraft.studies.behaviour.study import behaviour
    from redraft.studies.variance.settings import VarianceConfig

    assert document().count("toy_share") == 2, "declared, and where it is shown"
    assert "What a toy is." in document()
    assert "toy_share" in VarianceConfig().metrics
    run = fabricate.make_run(Path(sys.argv[1]), students=12, titles=6)
    behaviour(run, BehaviourConfig(replicates=20, workers=1))
    assert min(pq.read_table(run / "metrics" / "real.parquet")["toy_share"].to_pylist()) > 0
    drawn = {figure.name: figure.svg for figure in figures(run)}
    assert "toys at play" in drawn["whole-traces"]
    assert "toys at play" not in drawn["final-programs"]
"""


def test_a_metric_is_measured_documented_and_shown_by_its_declaration_alone(tmp_path: Path) -> None:
    path = os.pathsep.join([str(SOURCE.parent), str(Path(__file__).parents[1] / "support")])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TOY), str(tmp_path)], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_no_other_module_lists_metrics() -> None:
    found = [
        f"{file.relative_to(SOURCE)}:{node.lineno} {sorted(names)}"
        for file in sorted(SOURCE.rglob("*.py")) if not str(file.relative_to(SOURCE)).startswith(REGISTRIES)
        for node, names in _lists(file.read_text(encoding="utf-8")) if len(names) >= 3
    ]  # fmt: skip
    assert not found, "ask metrics.registry, for example by `shown`"


def test_lists_are_found_wherever_they_stand() -> None:
    text = (
        'x = {"attempts": 1, "mended": 2, 3: "runs_mean"}\ny = (*x, "attempts")\nz = ["mended", "other", "runs_mean"]'
    )
    assert [len(names) for _, names in _lists(text)] == [3, 1, 2]


def _lists(text: str) -> Iterator[tuple[ast.expr, set[str]]]:
    """Tuples, lists, sets and dicts, with the names of metrics that stand in them."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            parts = node.elts
        elif isinstance(node, ast.Dict):
            parts = [*(key for key in node.keys if key is not None), *node.values]
        else:
            continue
        yield node, {part.value for part in parts if isinstance(part, ast.Constant) and part.value in METRICS}


def test_metrics_have_names_for_people_that_tell_them_apart() -> None:
    words = [metric.words for metric in METRICS.values()]
    assert len({*words}) == len(words)
    assert not any("_" in each for each in words)
    assert labels(["comments_final", "attempts"]) == {"comments_final": "comments", "attempts": "attempts"}
    assert labels(["bleu_final", "bleu_trace"])["bleu_trace"] == "BLEU, whole trace"


def test_a_place_shows_metrics_in_the_order_that_they_ask_for() -> None:
    finals, both = shown(Place.FINAL_PROGRAMS), shown(Place.FINAL_PROGRAMS, Place.WHOLE_TRACES)
    assert finals[:2] == ("comments_final", "functions_final"), "as in the paper's figure 2"
    assert both == finals + shown(Place.WHOLE_TRACES)
    assert {METRICS[name].level for name in finals} == {"program"}
    for place in Place:
        ranks = [METRICS[name].shown[place] for name in shown(place)]
        assert ranks == sorted({*ranks}), place
