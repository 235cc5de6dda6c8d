"""`redraft train`, `redraft add-students` and `redraft sample`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from redraft.cli.options import EngineName, options_for, resolve
from redraft.data.split import TEST_SPLITS, load_split
from redraft.data.store import open_dataset
from redraft.execute.registry import DEFAULT_ENGINE
from redraft.lm.settings import FitConfig, SampleConfig, TrainConfig
from redraft.rundir import Output

if TYPE_CHECKING:
    from redraft.lm.checkpoint import Model
    from redraft.lm.generate import Tell
    from redraft.lm.settings import SampleConfig as SampleOptions
    from redraft.lm.settings import TrainConfig as TrainOptions
else:
    TrainOptions, SampleOptions = options_for(TrainConfig), options_for(SampleConfig)


def train(
    *,
    dataset: Path,
    view: str,
    out: Path,
    split_name: str = "default",
    tokenizer: Path | None = None,
    overwrite: bool = False,
    config: list[Path] | None = None,
    options: Annotated[TrainOptions, Parameter(name="*")] | None = None,
) -> None:
    """Train a student model on a view of a dataset's train split.

    Killed and started again with the same options, it goes on and ends with the same model.

    Example: redraft train --dataset class.dataset --view trace --out trace.model --epochs 5

    Parameters
    ----------
    dataset: Path
        The dataset's folder; it must have been split.
    view: str
        What the model sees of a trace: trace, last, synthetic, synthetic-complex, trace-downsampled,
        synthetic-downsampled.
    out: Path
        The model's folder, made anew.
    split_name: str
        The split's name.
    tokenizer: Path
        A model's or tokenizer's folder to take the tokenizer from; default: the base model's, or one trained on the
        train split's whole traces, the same for all views.
    overwrite: bool
        Replace another model at OUT.
    config: list[Path]
        Files of settings (TOML); a later one's keys win over an earlier one's, and options win over all.
    options: dict
        Settings, an option each.
    """
    from redraft.lm import train as training  # loads torch

    data = open_dataset(dataset)
    made = training.train(
        data,
        split=load_split(data, split_name),
        view=view,
        out=out,
        config=resolve(TrainConfig, config, options),
        tokenizer_from=tokenizer,
        overwrite=overwrite,
    )
    outcome, last = made.card["training"], made.history[-1]
    validation = "" if last.validation_loss is None else f", validation loss {last.validation_loss:.3f} nats per token"
    state = "converged" if outcome["converged"] else f"not converged (stopped by {outcome['stopped_by']})"
    print(f"{out}: {outcome['steps']:,} steps, {outcome['tokens']:,} tokens{validation}, {state}")
    for name, bits in outcome["bits"].items():
        print(f"{name}: {_bits(bits)}")


def _bits(bits: Mapping[str, Any]) -> str:
    """A split's line: how well the model knows it."""
    said = f"{bits['per_trace']:,.1f} bits per trace"
    if bits["per_character"] is not None:
        said += f", {bits['per_character']:.3f} a character"
    said += f" ({bits['traces']:,} traces)"
    if bits["gained_over_unknown"] is not None:
        said += f"; knowing the student saves {bits['gained_over_unknown']:,.1f} bits per trace"
    if bits["gained_over_another"] is not None:
        said += f", {bits['gained_over_another']:,.1f} against another student's vector"
    return said


@contextmanager
def _teller(model: Model, engine: str) -> Iterator[Tell | None]:
    """Who says what a student saw of a program, if the model was trained to be told."""
    if model.codec.run_id is None:
        yield None
        return
    from redraft.execute.cache import Cache, default_folder
    from redraft.execute.engine import EngineOptions, make_engine, what_students_see

    with make_engine(engine, EngineOptions()) as made, Cache(default_folder()) as cache:
        yield what_students_see(made, model.card["language"], cache)


def add_students(
    model: Path,
    *,
    dataset: Path,
    out: Path,
    fit: bool = False,
    epochs: int = FitConfig.epochs,
    lr: float = FitConfig.lr,
    overwrite: bool = False,
) -> None:
    """Give a model a vector for each student of a dataset that it doesn't know.

    Each begins as the unknown student's vector, and with --fit is then fitted to the student's traces. All others, and
    the model itself, stay as they are.

    Example: redraft add-students trace.model --dataset newcomers.dataset --fit --out larger.model

    Parameters
    ----------
    model: Path
        The model's folder.
    dataset: Path
        The dataset's folder.
    out: Path
        The folder of the larger model, made anew.
    fit: bool
        Fit the new vectors to all the dataset's traces of their students. Students' fits don't influence each other.
    epochs: int
        Passes over a student's traces; `redraft adapt` says how many are right.
    lr: float
        Learning rate.
    overwrite: bool
        Replace what is at OUT.
    """
    from redraft.execute.dataset import read_messages
    from redraft.lm import students  # loads torch
    from redraft.lm.adapt import fit_students
    from redraft.lm.checkpoint import MODEL, load_model, write_model

    data, known = open_dataset(dataset), load_model(model)
    wanted = {"grown_from": known.fingerprint, "by": data.fingerprint, "fit": [fit, epochs, lr]}
    with Output(out, kind=MODEL, request=wanted, overwrite=overwrite, inputs=[model, dataset]) as output:
        if fit:
            verdicts = read_messages(data) if known.codec.config.feedback else None
            made = fit_students(known, data.traces(), FitConfig(epochs=epochs, lr=lr), verdicts=verdicts)
        else:
            made = students.add_students(known, data.pairs()["student"].to_pylist())
        write_model(output.folder, made)
        output.publish()
    print(f"{out}: {len(made.students):,} students, {len(made.students) - len(known.students):,} of them new")


def sample(
    model: Path,
    *,
    dataset: Path,
    out: Path,
    split: str = ",".join(TEST_SPLITS),
    split_name: str = "default",
    max_pairs: int | None = None,
    assignments: bool = False,
    neural_cache: Path | None = None,
    engine: EngineName = DEFAULT_ENGINE,
    overwrite: bool = False,
    config: list[Path] | None = None,
    options: Annotated[SampleOptions, Parameter(name="*")] | None = None,
) -> None:
    """Draw traces from a model for the (student, title) pairs of test splits, into a dataset.

    Killed and started again with the same options, it goes on and ends with the same dataset.

    Example: redraft sample trace.model --dataset class.dataset --split seen-seen --per-pair 5 --out drawn.dataset

    Parameters
    ----------
    model: Path
        The model's folder.
    dataset: Path
        The dataset's folder.
    out: Path
        The folder for the generated dataset.
    split: str
        Test splits, separated by commas.
    split_name: str
        The split's name; the model must have been trained on it.
    max_pairs: int
        Pairs of each test split, at most; drawn by the seed.
    assignments: bool
        Only titles that count as assignments.
    neural_cache: Path
        A neural cache of the model (`redraft neural-cache`): what a student wrote before they began the title is mixed
        into what the model says.
    engine: str
        What runs each program as it is drawn, for a model trained with feedback.
    overwrite: bool
        Replace another dataset at OUT.
    config: list[Path]
        Files of settings (TOML); a later one's keys win over an earlier one's, and options win over all.
    options: dict
        Settings, an option each.
    """
    from redraft.lm import sample as sampling  # loads torch
    from redraft.lm.checkpoint import load_model
    from redraft.lm.neural_cache.store import open_cache

    settings = resolve(SampleConfig, config, options)
    divided = load_split(open_dataset(dataset), split_name)
    loaded = load_model(model)
    loaded.check_split(divided.hash)
    names = [name.strip() for name in split.split(",") if name.strip()]
    if split == ",".join(TEST_SPLITS):  # by default, those that have pairs
        names = [name for name in names if divided.counts()[name]]
    requests = sampling.requests_for(divided, names, max_pairs=max_pairs, seed=settings.seed, assignments=assignments)
    cache = open_cache(neural_cache, loaded) if neural_cache else None
    with _teller(loaded, engine) as tell:
        made = sampling.sample(loaded, requests, out=out, config=settings, overwrite=overwrite, tell=tell, cache=cache)
    refused = "".join(f", {count:,} {reason}" for reason, count in sorted(made.manifest.rejected.items()))
    print(f"{out}: {len(made):,} traces of {len(requests):,} pairs{refused}")
    if unknown := made.manifest.provenance["unknown_students"]:
        print(f"{unknown:,} students that the model doesn't know were drawn by the unknown student's vector.")
