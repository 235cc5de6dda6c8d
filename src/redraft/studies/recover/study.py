"""The study of recover: can a model go on with a failing program so that it runs and stays the student's own?

In: a run's folder with models (paper section 4.5, appendix J, figure 7, table 4). Out: `results/recover.parquet` (and
CSV), and `metrics/recover.parquet` with a value per case. Models go on with the trace of a held-out student from a
program that fails, at several times and in several voices; baselines without a model propose as many programs; the
student's own next programs stand beside them. Continuations are kept in `work/recover/`, verdicts in the user's cache,
so that a killed run goes on.

Cases that give no verdict are left out, a model that can't go on from one leaves it unscored; both are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from redraft import results
from redraft.execute.judged import find_judgements, read_judgements
from redraft.lm.checkpoint import Model
from redraft.metrics.bootstrap import Floats
from redraft.progress import say, track
from redraft.results import Result
from redraft.rundir.tables import write_table
from redraft.studies.common.claims import FINAL_ONLY
from redraft.studies.common.models import open_model, views_with_models
from redraft.studies.common.run import Run, open_run
from redraft.studies.common.running import Runner, open_runner
from redraft.studies.recover.baselines import BASELINES, Knowledge, proposals
from redraft.studies.recover.cases import Case, find_cases
from redraft.studies.recover.draws import Condition, conditions, draw
from redraft.studies.recover.estimates import BESIDE, STUDENT, Side, rows_of
from redraft.studies.recover.evidence import gather
from redraft.studies.recover.measures import Candidates, columns
from redraft.studies.recover.names import in_turn
from redraft.studies.recover.settings import BLAMED, RecoverConfig
from redraft.studies.recover.style import Style
from redraft.studies.recover.voices import KINDS, Voices, choose

UNJUDGED = "no engine judges the language of these programs, so what a model proposes can't be judged"
FEEDBACK = "this model was trained with feedback, and can't go on without it"


def recover(folder: str | Path, config: RecoverConfig | None = None) -> list[Result]:
    """Study a run's models, and write the results.

    Args:
        folder: The run's folder: `run.toml`, and models in `models/VIEW/`.
        config: Settings; None: those in `run.toml`.

    Raises:
        InputError: The folder is no run, or its settings are wrong.
        DatasetError: No models, or a model trained on another split.
    """
    run = open_run(folder)
    config = config or run.section("recover", RecoverConfig)
    models = _models(run, config)
    evidence = gather(run.dataset, run.split, config)
    said = read_judgements(find_judgements(run.dataset, run.rule))
    with open_runner(config.engine, workers=config.workers, rule=run.rule, platform=said) as runner:
        cases, left_out = find_cases(evidence, runner, config)
        say(f"{len(cases)} failing programs of {len(evidence.wanted)} test pairs looked at")
        programs = {title: list(drawn) for title, drawn in evidence.programs.items()}
        knowledge = Knowledge(runner=runner, programs=programs)
        style = Style.of([one.code for one in evidence.finals], _language(cases))
        voices = choose(evidence.habits, config)
        proposed = _proposed(cases, knowledge, config.candidates[-1])
        sides = _baseline_sides(cases, proposed, runner, style, config)
        for view, model in models.items():
            sides += _model_sides(run, view, model, cases, proposed["rules"], voices, runner, style, config)
    told = [one for one in cases if not runner.judges(one.problem.failing.language)]
    if told:
        sides = [replace(side, note=results.noted(side.note, said.words)) for side in sides]
    reasons = ", ".join(f"{count} with {reason}" for reason, count in left_out.most_common())
    rows = rows_of(run, sides, cases, config, empty=f"no failing program to mend ({reasons or 'no test pairs'})")
    results.write(rows, run.path / "results" / "recover.parquet")
    write_table(_points(sides, cases), run.path / "metrics" / "recover.parquet")
    return rows


def _models(run: Run, config: RecoverConfig) -> dict[str, Model]:
    """The models to study, by view; each of this run's split."""
    named = config.views or tuple(view for view in run.settings.get("views", ()) if view not in FINAL_ONLY)
    return {view: open_model(run, view) for view in views_with_models(run, named)}


def _language(cases: Sequence[Case]) -> str | None:
    """The commonest language of the failing programs."""
    languages = [case.problem.failing.language for case in cases]
    return max(dict.fromkeys(languages), key=languages.count) if languages else None


def _proposed(cases: Sequence[Case], knowledge: Knowledge, most: int) -> dict[str, list[Candidates]]:
    """What each baseline proposes for each case."""
    found: dict[str, list[Candidates]] = {name: [] for name in BASELINES}
    for case in track(cases, "baselines"):
        for name in BASELINES:
            found[name].append([(code,) for code in proposals(name, case.problem, knowledge, most)])
    return found


def _baseline_sides(
    cases: Sequence[Case], proposed: Mapping[str, Sequence[Candidates]], runner: Runner, style: Style,
    config: RecoverConfig,
) -> list[Side]:  # fmt: skip
    """What each baseline, and the students themselves, come to."""
    sides = [
        Side(baseline=name, columns=_measured(cases, attempts, runner, style, config))
        for name, attempts in proposed.items()
    ]
    own: list[Candidates] = [[tuple(state.code for state in case.after)] for case in cases]
    sides.append(Side(baseline=STUDENT, columns=columns(cases, own, [1], runner, style, config, steps=True)))
    return sides


def _measured(
    cases: Sequence[Case], attempts: Sequence[Candidates | None], runner: Runner, style: Style, config: RecoverConfig
) -> dict[tuple[int, str], Floats]:
    sizes = sorted({*config.candidates, config.grid_candidates})
    return columns(cases, attempts, sizes, runner, style, config, steps=True)


def _model_sides(
    run: Run, view: str, model: Model, cases: Sequence[Case], rules: Sequence[Candidates], voices: Voices,
    runner: Runner, style: Style, config: RecoverConfig,
) -> list[Side]:  # fmt: skip
    """What a model comes to under each condition, and where it begins at the blamed place also beside the rules."""
    strangers = not any(case.problem.student in model.students for case in cases)
    wanted = conditions(view, config, strangers=strangers, others=bool(voices.strong))
    judged = [runner.judges(case.problem.failing.language) for case in cases]
    if not any(judged) or model.codec.run_id is not None:
        why = UNJUDGED if cases and not any(judged) else FEEDBACK if cases else None
        return [Side(view=view, condition=_condition(one), columns={}, reason=why) for one in wanted]
    depends = [run.dataset.fingerprint, run.split.hash]
    sides = []
    for one in wanted:
        drawn = draw(model, cases, one, voices, config, run.path / "work" / "recover", depends)
        attempts: list[Candidates | None] = [drawn.get(case.id) for case in cases]
        if one.seconds == config.main_seconds:
            found = _measured(cases, attempts, runner, style, config)
        else:
            found = columns(cases, attempts, [one.candidates], runner, style, config, steps=False)
        note = _note(one, model, strangers, voices)
        sides.append(Side(view=view, condition=_condition(one), columns=found, note=note))
        if one.start == BLAMED:
            both = [None if own is None else [*in_turn(rule, own)] for rule, own in zip(rules, attempts, strict=True)]
            found = _measured(cases, both, runner, style, config)
            sides.append(Side(view=view, condition={**_condition(one), **BESIDE}, columns=found, note=note))
    return sides


def _condition(condition: Condition) -> dict[str, str]:
    return {"voice": condition.voice, "seconds": f"{condition.seconds:g}", "start": condition.start}


def _note(condition: Condition, model: Model, strangers: bool, voices: Voices) -> str | None:
    own, unknown, *others = KINDS
    if condition.voice in others:
        return voices.note
    notes = []
    if condition.voice == own and strangers:
        notes.append("the model has met none of these students: their own vector is the unknown student's")
    if (condition.voice == unknown or strangers) and not model.card["config"]["student_dropout"]:
        notes.append("trained without student dropout: the unknown student's vector is untrained")
    return results.noted(*notes)


def _points(sides: Sequence[Side], cases: Sequence[Case]) -> pa.Table:
    """A row per case, side, number of candidates and measure; cases are numbered, students left out."""
    parts = []
    for side in sides:
        for (size, measure), values in side.columns.items():
            n = len(cases)
            parts.append(pa.table({
                "case": pa.array(range(n), pa.int32()), "split": [case.split for case in cases],
                "model": pa.array([side.view] * n, pa.string()), "baseline": pa.array([side.baseline] * n, pa.string()),
                "voice": pa.array([side.condition.get("voice")] * n, pa.string()),
                "seconds": pa.array([side.condition.get("seconds")] * n, pa.string()),
                "start": pa.array([side.condition.get("start")] * n, pa.string()),
                "beside": pa.array([side.condition.get("beside")] * n, pa.string()),
                "candidates": pa.array([size] * n, pa.int32()), "measure": [measure] * n,
                "value": pa.array(values, pa.float64(), from_pandas=True),
            }))  # fmt: skip
    return pa.concat_tables(parts) if parts else POINTS.empty_table()


POINTS = pa.schema(
    [("case", pa.int32()), ("split", pa.string()), ("model", pa.string()), ("baseline", pa.string()),
     ("voice", pa.string()), ("seconds", pa.string()), ("start", pa.string()), ("beside", pa.string()),
     ("candidates", pa.int32()), ("measure", pa.string()), ("value", pa.float64())]
)  # fmt: skip
"""Columns of `metrics/recover.parquet`."""
