"""A run's folder as the studies see it: which data, which split, which models' samples.

In: a folder with `run.toml`. Out: a `Run`; its datasets are opened when asked for. A model's samples are given out only
if the model was trained on this run's split: on another one, test traces may have been trained on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

from redraft.config import build, fits, read_toml
from redraft.data.split import Split, load_split
from redraft.data.store import MANIFEST, Dataset, open_dataset
from redraft.errors import DatasetError, InputError, suggestion
from redraft.execute.dataset import ExecuteConfig
from redraft.progress import say
from redraft.rundir import other_level, refuse_links_out
from redraft.studies.registry import renamed

C = TypeVar("C")
_NAME = re.compile(r"\w[\w.@-]*")

OLD_NAMES = {"recovery_views": "unsampled_views"}
"""Names of settings in earlier versions -> today's."""

CONTROLS = {
    "other-student": "drawn in the voice of another student of the test pairs",
    "matched-student": "the same, of one who mostly works in the same year and editor mode, where there is one",
}
"""Control -> what it is: what a model says of a pair that it was not told the student of."""


@dataclass(frozen=True)
class Run:
    """An opened run."""

    path: Path
    """The run's folder."""
    settings: Mapping[str, Any]
    """What `run.toml` says."""

    @cached_property
    def dataset(self) -> Dataset:
        """The real traces (of whatever origin) that models are compared with."""
        path = self.path / self._text("dataset")
        if not path.resolve().is_relative_to(self.path.resolve()):
            _tell_dataset(self.path, path.resolve())
        return open_dataset(path)

    @cached_property
    def split(self) -> Split:
        """The run's split of that dataset."""
        return load_split(self.dataset, self._of_type("split", str, "default"))

    @cached_property
    def rule(self) -> str:
        """By which rule programs count as running in this run.

        Raises:
            InputError: The section [execute] of `run.toml` is wrong.
        """
        return self.section("execute", ExecuteConfig).rule

    @cached_property
    def views(self) -> list[str]:
        """Views with samples, in the order of `run.toml`.

        Raises:
            DatasetError: No view has any.
        """
        named: list[str] = self._of_type("views", list[str], [])
        found = [view for view in named if (self.path / "samples" / view / MANIFEST).exists()]
        if not found:
            raise DatasetError(
                f"has no samples of {', '.join(named) or 'any view'}.", where=self.path / "samples",
                remedy="Make them with `redraft sample MODEL --dataset D --split S --out RUN/samples/VIEW`.",
            )  # fmt: skip
        return found

    def samples(self, view: str) -> Dataset:
        """The samples of a view's model.

        Raises:
            DatasetError: The model was trained on another split than this run's, or doesn't say on which.
        """
        samples = open_dataset(self.path / "samples" / view)
        theirs = samples.manifest.provenance.get("split_hash")
        if theirs != self.split.hash:
            made = f"on another split ({str(theirs)[:12]})" if theirs else "on a split they don't name"
            raise DatasetError(
                f"these samples are of a model trained {made}, not on this run's {self.split.name!r} "
                f"({self.split.hash[:12]}), so its test traces may have been trained on.",
                where=samples.path, remedy="Train and sample the model on this run's split.",
            )  # fmt: skip
        return samples

    def controls(self, view: str) -> dict[str, Dataset]:
        """Samples that a view's model drew in other students' voices, by control (`CONTROLS`); there may be none."""
        folders = {name: control_folder(view, name) for name in CONTROLS}
        return {
            name: self.samples(folder)
            for name, folder in folders.items()
            if (self.path / "samples" / folder / MANIFEST).exists()
        }

    def section(self, name: str, cls: type[C]) -> C:
        """The settings of one stage.

        Raises:
            InputError: Unknown keys or values of a wrong type, all named.
        """
        try:
            return build(cls, self._of_type(name, dict[str, Any], {}))
        except InputError as error:
            raise InputError(f"[{name}]: {error.cause}", where=self.path / "run.toml", remedy=error.remedy) from error

    def _of_type(self, key: str, hint: Any, default: Any) -> Any:
        value = self.settings.get(key, default)
        if not fits(value, hint):
            what = getattr(hint, "__name__", str(hint))
            raise InputError(f"{key!r} is not {what}.", where=self.path / "run.toml", remedy="Correct that line.")
        return value

    def _text(self, key: str) -> str:
        value = self.settings.get(key)
        if not isinstance(value, str):
            raise InputError(
                f"has no {key!r}. {suggestion(key, self.settings)}", where=self.path / "run.toml",
                remedy=f"Add a line like {key} = '...'.",
            )  # fmt: skip
        return value


def control_folder(view: str, control: str) -> str:
    """The folder in `samples/` of a view's control."""
    return f"{view}@{control}"


def open_run(folder: str | Path) -> Run:
    """Open a run's folder.

    Raises:
        InputError: It has no `run.toml`, or that can't be read.
    """
    path = Path(folder)
    file = path / "run.toml"
    if not file.is_file():
        raise InputError(
            "is not a run: it has no run.toml.", where=path,
            remedy=other_level(path, "run.toml") or "Start one with `redraft demo` or `redraft reproduce`.",
        )  # fmt: skip
    refuse_links_out(path)
    settings = read_settings(file)
    for key in ("views", "unsampled_views", "controls"):
        if wrong := [name for name in settings.get(key, ()) if not (isinstance(name, str) and _NAME.fullmatch(name))]:
            raise InputError(
                f"{key!r} holds {str(wrong[0])[:60]!r}, which can't name a folder of the run.", where=file,
                remedy="Use letters, digits, '.', '-', '_' and '@'.",
            )  # fmt: skip
    return Run(path, settings)


def read_settings(file: Path) -> dict[str, Any]:
    """The settings of a run in a file; names that earlier versions used are read as today's, and a note says so.

    Raises:
        InputError: The file can't be read, or isn't TOML.
    """
    today = renamed() | OLD_NAMES
    table = read_toml(file)
    old = {name: table.pop(name) for name in today if name in table}
    for name in old:
        _tell(file, name, today[name])
    return {today[name]: value for name, value in old.items()} | table


@cache
def _tell_dataset(run: Path, dataset: Path) -> None:
    say(f"{run}: run.toml names the dataset {dataset}, outside this folder; it is read.")


@cache
def _tell(file: Path, old: str, new: str) -> None:
    say(f"{file}: {old!r} is now called {new!r}, and is read as that.")
