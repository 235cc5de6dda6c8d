"""Embeddings of the probed prefixes, by model and voice, kept on disk so that a killed study goes on.

In: a run's models and the sampled traces. Out: arrays (N, D). They are kept in `RUN/work/probe/MODEL-VOICE/` (see
`common.work`), in parts of some hundred traces each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from redraft.data.matching import habits
from redraft.data.trace import Trace
from redraft.execute.dataset import find_verdicts, read_messages
from redraft.lm.checkpoint import Model
from redraft.lm.embed import Reading, cut, embed, untrained
from redraft.metrics.shuffle import Derangement, derange
from redraft.progress import bar
from redraft.rundir import sha256_file, sha256_json
from redraft.studies.common.models import open_model
from redraft.studies.common.run import Run
from redraft.studies.common.work import kept_array, work_folder
from redraft.studies.probe.settings import ProbeConfig

PART = 256
"""Traces embedded and written at once; what a killed run loses at most."""


class Vectors:
    """Embeddings of all prefixes of some traces.

    Args:
        run: Whose models read.
        traces: What is read, every prefix of it.
        config: Settings.
    """

    def __init__(self, run: Run, traces: Sequence[Trace], config: ProbeConfig) -> None:
        self.run, self.traces, self.config = run, traces, config
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._models: dict[tuple[str, bool], Model] = {}

    def of(self, view: str, voice: str = "own", *, hide_title: bool = False) -> NDArray[np.float64]:
        """Embeddings (N, D).

        Args:
            view: The view whose model reads.
            voice: `own`: with each student's vector; `shuffled`, `matched`: with another's; `untrained`: with fresh
                weights throughout.
            hide_title: Read without the title.
        """
        model = self._model(view, untrained_one=voice == "untrained")
        others = self.voices(voice).of if voice in ("shuffled", "matched") else {}
        readings = [
            Reading(trace=trace, voice=others.get(trace.student, trace.student), hide_title=hide_title)
            for trace in self.traces
        ]
        name = f"{view}-{voice}{'-untitled' if hide_title else ''}"
        folder, parts = work_folder(self.run.path, f"probe/{name}", **self._key(model, readings)), []
        with bar(f"embed {name}", len(readings)) as watcher:
            for start in range(0, len(readings), PART):
                file, group = folder / f"part-{start // PART:05d}.npy", readings[start : start + PART]
                if file.exists():
                    watcher.advance(len(group))
                make = partial(embed, model, group, over=self.config.over, verdicts=self._messages(model),
                               batch_tokens=self.config.batch_tokens, done=watcher.advance)  # fmt: skip
                parts.append(kept_array(file, make))
        return np.concatenate(parts).astype(np.float64) if parts else np.empty((0, 1))

    def cut(self, view: str) -> NDArray[np.bool_]:
        """Which prefixes (N,) are too long for the context of a view's model."""
        model = self._model(view)
        readings = [Reading(trace=trace, voice=None) for trace in self.traces]
        return cut(model, readings, verdicts=self._messages(model))

    def voices(self, control: str) -> Derangement:
        """Whose vector each student is read with in a control."""
        students = sorted({trace.student for trace in self.traces})
        habit = habits(self.run.dataset, students) if control == "matched" else {}
        traits = [habit.get(student, ()) for student in students]
        return derange(students, traits, np.random.default_rng([self.config.seed, 1]))

    def _model(self, view: str, *, untrained_one: bool = False) -> Model:
        if (view, untrained_one) not in self._models:
            self._models.clear()  # one at a time: they may be large
            model = open_model(self.run, view)
            model = untrained(model, seed=self.config.seed) if untrained_one else model
            model.lm.to(self._device)
            self._models[view, untrained_one] = model
        return self._models[view, untrained_one]

    def _messages(self, model: Model) -> Mapping[str, str] | None:
        return self._feedback if model.codec.run_id is not None else None

    @cached_property
    def _feedback(self) -> Mapping[str, str]:
        return read_messages(self.run.dataset)

    def _key(self, model: Model, readings: Sequence[Reading]) -> dict[str, Any]:
        verdicts = find_verdicts(self.run.dataset) if model.codec.run_id is not None else ()
        return {
            "model": model.fingerprint,
            "context": model.lm.context,
            "dataset": self.run.dataset.fingerprint,
            "split": self.run.split.hash,
            "verdicts": " ".join(map(sha256_file, verdicts)) or None,
            "readings": sha256_json([[*r.trace.pair, r.trace.sample, r.voice, r.hide_title] for r in readings]),
            "over": self.config.over,
        }
