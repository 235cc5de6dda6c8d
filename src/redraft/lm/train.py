"""Train a student model: one loop, resumable to the bit, in one process or several.

In: a dataset, its split, a view, settings. Out: a model folder, published as `redraft.rundir.output` says. Until then
everything is in `OUT.partial`: the encoded traces, the tracker's logs, `checkpoint.pt` and the best model so far. A run
killed at any moment and started again ends with the same weights, bit for bit, on a CPU with the same number of
threads: data order, hidden titles and students, and dropout depend on seed and step alone. Not guaranteed: that on a
GPU, or with a time limit.

Several processes (started by torchrun or `accelerate launch`) take each its share of every batch and all the same
step; the loss is that of one process with the same batch, up to rounding. Only the main one writes.
"""

from __future__ import annotations

import functools
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from redraft.data.split import VALIDATION, Split
from redraft.data.store import Dataset
from redraft.errors import DatasetError, RedraftError
from redraft.lm import job
from redraft.lm.batch import Batch, Chunks, Collator, plan
from redraft.lm.checkpoint import (
    CARD,
    MODEL,
    Evaluation,
    Model,
    check_model,
    load_model,
    save_model,
    write_model,
    writing,
)
from redraft.lm.launch import check_launch, launch, precision, start_tracker
from redraft.lm.optimizer import Optimizer
from redraft.lm.prepare import Prepared, check, filled_in, prepare
from redraft.lm.schedule import Cooldown, Schedule
from redraft.lm.settings import Recipe, TrainConfig, decay_of
from redraft.lm.tokenizer import load_tokenizer
from redraft.lm.validate import Known, bits_of, validate
from redraft.lm.voice import Voice, own
from redraft.progress import Bar, bar, hush, say
from redraft.rundir import Output, atomic_file, check_seal
from redraft.rundir.seals import BLANK, seal

__all__ = ["TrainConfig", "train"]


def train(
    dataset: Dataset,
    *,
    split: Split,
    view: str,
    out: Path,
    config: TrainConfig | None = None,
    tokenizer_from: Path | None = None,
    corpus: Path | None = None,
    overwrite: bool = False,
) -> Model:
    """Train a model on the train traces of `split` under a view; go on if an earlier attempt was cut short.

    Without `tokenizer_from` (a model's or tokenizer's folder) the tokenizer is the base model's, or is trained on the
    trace view of the train traces, whatever `view` is, so that all views of a split share one. `corpus` is a folder in
    which `prepare.read_for` put what models of several views start from; without it the dataset is read here.

    Raises:
        InputError: Unknown view, codec or preset; no traces to train on; a base model that can't be used.
        DatasetError: `out` holds something else, or another process writes it.
        TrainingError: The loss is no longer a number.
    """
    config, recipe = filled_in(config or TrainConfig())
    check(view, config)
    check_launch(config)
    config = replace(config, precision=precision(config.precision))
    if tokenizer_from and (tokenizer_from / CARD).exists():
        check_model(tokenizer_from, ["tokenizer.json"])
    tokenizer = load_tokenizer(tokenizer_from) if tokenizer_from else None
    request = job.request(dataset, split, view, config, tokenizer)
    read = [dataset.path, *([tokenizer_from] if tokenizer_from else [])]
    output = Output(out, kind=MODEL, request=request, overwrite=overwrite, inputs=read)
    accelerator = launch(config, output.scratch)
    with output if accelerator.is_main_process else nullcontext():
        accelerator.wait_for_everyone()  # the main process has claimed the folder
        if not accelerator.is_main_process:
            hush()
        if output.is_done():
            say(f"{out}: already trained.")
            return load_model(out)
        with accelerator.main_process_first():  # it reads the dataset, and the others find what it read
            prepared = prepare(
                dataset, split, view, config,
                card=request, tokenizer=tokenizer, folder=output.scratch / "corpus", shared=corpus,
            )  # fmt: skip
        trained = _Run(prepared, config, recipe, output.scratch, accelerator).fit()
        if accelerator.is_main_process:
            _publish(trained, output)
    accelerator.wait_for_everyone()
    return load_model(out)


class TrainingError(RedraftError):
    """Training went wrong in a way that more steps don't mend."""


# The loop

clock = time.perf_counter
"""Seconds of training; a benchmark on a shared machine puts the process's own clock here."""


@dataclass
class _State:
    """Where training is; with weights, optimizer and generators, all of a checkpoint."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_steps: int = 0
    best_step: int = 0
    best_loss: float = math.inf
    history: list[Evaluation] = field(default_factory=list)
    cooldown: Cooldown | None = None

    @property
    def waits(self) -> int:
        """Validations since the best one."""
        return sum(point.step > self.best_step for point in self.history)


class _Run:
    """A training in progress."""

    def __init__(
        self, prepared: Prepared, config: TrainConfig, recipe: Recipe, folder: Path, accelerator: Accelerator
    ) -> None:
        self.model, self.training, self.held_out = prepared
        self.config, self.recipe, self.folder, self.accelerator = config, recipe, folder, accelerator
        self.bf16 = config.precision == "bf16"
        self.alone = accelerator.num_processes == 1
        self.per_epoch = len(self._plan(0))
        self.total = config.steps or config.epochs * self.per_epoch
        self.schedule = Schedule(recipe, steps=self.total, minutes=config.minutes, steps_per_epoch=self.per_epoch)
        self.net = self.model.lm.to(accelerator.device)
        self.recipe = replace(recipe, weight_decay=decay_of(recipe, self.per_epoch))
        self.optimizer = Optimizer(
            self.net, self.recipe,
            clip=config.clip, updates=config.student_updates, bf16=self.bf16,
            add_up=None if self.alone else self._add_up,
        )  # fmt: skip
        self.state = _State()

    def fit(self) -> Model:
        """Train to the end; the best model, with its history and what training came to."""
        config, state = self.config, self._resume()
        collate = Collator(
            self.training, self.model.codec,
            seed=config.seed, title_mask=config.title_mask, student_dropout=self.recipe.student_dropout,
        )  # fmt: skip
        start_tracker(self.accelerator, config.tracker, run=self.folder.stem, step=state.step)
        epoch, batches = -1, self._plan(0)
        with bar("training", self.total) as watcher:
            watcher.advance(state.step)
            while not self._stopped_by():
                started = clock()
                if epoch != state.step // self.per_epoch:
                    epoch = state.step // self.per_epoch
                    collate.start_epoch(epoch)
                    batches = self._plan(epoch)
                self._step(collate(batches[state.step % self.per_epoch]), watcher)
                state.seconds = self._of_main(state.seconds + clock() - started)
                if state.step % self.recipe.validate_every == 0 or self._stopped_by():
                    self._evaluate()
        if self.accelerator.is_main_process:
            say(f"{state.step} steps, {state.tokens / max(state.seconds, 1e-9):,.0f} tokens/s learned from")
        made = self._finish()
        for tracker in self.accelerator.trackers:  # `end_training` would part the processes too
            tracker.finish()
        return made

    def _plan(self, epoch: int) -> list[Any]:
        """The chunks of each batch of an epoch."""
        size, seed = self.recipe.batch_size, self.config.seed
        if size is None:
            return plan(self.training, batch_tokens=self.recipe.batch_tokens, seed=seed, epoch=epoch)
        order = np.random.default_rng([seed, epoch]).permutation(len(self.training))
        return [order[start : start + size] for start in range(0, len(order), size)]

    def _stopped_by(self) -> str | None:
        """Why training is over; None while it isn't."""
        state, out_of_time = self.state, self.schedule.out_of_time(self.state.seconds)
        if state.cooldown:
            return "patience" if out_of_time or state.step >= state.cooldown.end else None
        if state.step >= self.total:
            return "steps" if self.config.steps else "epochs"
        return "minutes" if out_of_time else None

    def _step(self, batch: Batch, watcher: Bar) -> None:
        state = self.state
        rate = self.schedule.rate(state.step, state.seconds, state.cooldown)
        students_B = batch.student_ids.to(self.accelerator.device)
        self.optimizer.catch_up(students_B)
        self.net.train()
        loss = torch.zeros((), device=self.accelerator.device)
        for number, part in self._parts(batch):
            torch.manual_seed(_seed(self.config.seed, state.step, number))  # dropout's
            ids_BL, rows_B, labels_BL = (tensor.to(self.accelerator.device) for tensor in part)
            with torch.autocast(ids_BL.device.type, torch.bfloat16, enabled=self.bf16):
                mean = self.net(ids_BL, rows_B, labels=labels_BL, use_cache=False).loss
            share = mean * (part.tokens / max(batch.tokens, 1))  # of the whole batch's mean, other processes' too
            share.backward()
            loss += share.detach()
        value = (loss if self.alone else self._add_up(loss)).item()
        norm = self.optimizer.step(students_B, rate)
        if not (math.isfinite(value) and bool(torch.isfinite(norm))):
            raise self._diverged()
        state.step += 1
        state.tokens += batch.tokens
        state.loss_sum += value
        state.loss_steps += 1
        self.accelerator.log({"loss": value, "learning_rate": rate}, step=state.step)
        watcher.advance(1, f"loss {value:.3f}")

    def _parts(self, batch: Batch) -> Iterator[tuple[int, Batch]]:
        """The pieces of a batch that are this process's, numbered among all processes'."""
        world = self.accelerator.num_processes
        pieces = world * self.config.accumulate
        for number in range(self.accelerator.process_index, pieces, world):
            if number < len(batch.student_ids):
                yield number, Batch(*(tensor[number::pieces] for tensor in batch))

    def _add_up(self, tensor: Tensor) -> Tensor:
        """The sum over all processes."""
        total: Tensor = self.accelerator.reduce(tensor, reduction="sum")
        return total

    def _of_main(self, number: float) -> float:
        """The main process's number, known to all: what depends on the clock must be the same everywhere."""
        if self.alone:
            return number
        mine = number if self.accelerator.is_main_process else 0.0
        return float(self._add_up(torch.tensor(mine, device=self.accelerator.device, dtype=torch.float64)))

    def _diverged(self) -> TrainingError:
        step = self.state.step + 1
        kept = f"The best model so far, of step {self.state.best_step}, is in {self._best(self.state.best_step)}. "
        return TrainingError(
            f"the loss is not a number at step {step}.",
            remedy=f"{kept if self.state.best_step else ''}Try a smaller --lr, with --overwrite.",
        )

    def _evaluate(self) -> None:
        """Validate, keep the model if it is the best, go back to the best if patience ran out, write a checkpoint."""
        state = self.state
        self.optimizer.catch_up()
        bits, loss = self._validate()
        point = Evaluation(
            step=state.step,
            tokens=state.tokens,
            train_loss=state.loss_sum / state.loss_steps,
            validation_loss=loss,
            bits_per_trace=bits,
            seconds=state.seconds,
        )
        state.history.append(point)
        state.loss_sum, state.loss_steps = 0.0, 0
        if loss is not None:
            values = {"validation_loss": loss, "bits_per_trace": bits, "tokens": state.tokens}
            self.accelerator.log(values, step=state.step)
        best = loss is None or loss < state.best_loss
        if best:
            state.best_step = state.step
            state.best_loss = math.inf if loss is None else loss
        elif state.waits >= self.config.patience and not state.cooldown:
            self._cool_down()
        if self.accelerator.is_main_process:
            if best:
                save_model(self._best(state.step), self._result())
            self._write_checkpoint()
        self.accelerator.wait_for_everyone()

    def _cool_down(self) -> None:
        """Go back to the best weights; what follows is their cooldown. The rows must be current.

        The optimizer stays as it is. Its second moments, the sizes of gradients, change slowly; begun anew, Adam would
        take its first steps at full size in all weights. Its momenta are of the later weights, but fade within tens of
        steps, the rows' too, just as dense Adam's; keeping the best weights' own would mean writing far more each time.
        """
        state = self.state
        seconds = next(point.seconds for point in state.history if point.step == state.best_step)
        state.cooldown = self.schedule.cooldown(
            state.step, state.seconds, best_step=state.best_step, best_seconds=seconds or 0.0
        )
        self._load_best()
        if self.accelerator.is_main_process and not self._stopped_by():
            say(f"patience ran out at step {state.step}: a cooldown from the weights of step {state.best_step}")

    def _validate(self) -> tuple[float, float] | tuple[None, None]:
        """Bits per validation trace, and nats per token; None if there are no such traces."""
        chunks = self.held_out.get(VALIDATION)
        if not chunks:
            return None, None
        known = self._read(chunks)
        return float(known.bits.sum()) / int(chunks.heads.sum()), known.loss

    def _read(self, chunks: Chunks, voice: Voice = own) -> Known:
        return validate(
            self.net, chunks, self.model.codec, self.accelerator,
            batch_tokens=self.recipe.batch_tokens, voice=voice, bf16=self.bf16,
        )  # fmt: skip

    def _finish(self) -> Model:
        """The best model, the history of all, and how well it knows each split."""
        self._load_best()
        made = self._result()
        bits = {
            name: asdict(bits_of(chunks, len(made.students), functools.partial(self._read, chunks)))
            for name, chunks in self.held_out.items()
            if chunks
        }
        for name, values in bits.items():
            said = {f"{name}/bits_{what}": value for what, value in values.items() if value is not None}
            self.accelerator.log(said, step=self.state.step)
        return replace(made, card={**made.card, "training": {**made.card["training"], "bits": bits}})

    def _load_best(self) -> None:
        self.net.load_state_dict(load_model(self._best(self.state.best_step)).lm.state_dict())

    def _best(self, step: int) -> Path:
        return self.folder / f"best-{step:08d}"

    def _write_checkpoint(self) -> None:
        """All that training needs to go on; then what it replaces may go."""
        contents = {
            "weights": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "state": asdict(self.state),
        }
        with writing(self.folder), atomic_file(self.folder / "checkpoint.pt") as temporary:
            torch.save(contents, temporary)
            with temporary.open("ab") as behind:
                behind.write(BLANK)
            seal(temporary)
        for folder in self.folder.glob("best-*"):
            if folder != self._best(self.state.best_step):
                shutil.rmtree(folder)

    def _resume(self) -> _State:
        file = self.folder / "checkpoint.pt"
        if file.exists():
            check_seal(file, remedy="Begin again with --overwrite; the best model so far stands beside it.")
            try:
                contents = torch.load(file, map_location="cpu", weights_only=True)
                self.net.load_state_dict(contents["weights"])
                self.optimizer.load_state_dict(contents["optimizer"])
                saved = contents["state"]
                saved["history"] = [Evaluation(**point) for point in saved["history"]]
                if saved.get("cooldown"):
                    saved["cooldown"] = Cooldown(**saved["cooldown"])
                self.state = _State(**saved)
            except (OSError, RuntimeError, EOFError, UnpicklingError, LookupError, TypeError, ValueError) as error:
                raise DatasetError(
                    f"this checkpoint is damaged or of another version of redraft ({type(error).__name__}).",
                    where=file,
                    remedy="Begin again with --overwrite; the best model so far stands beside it.",
                ) from error
            if self.accelerator.is_main_process:
                say(f"going on from step {self.state.step}")
        return self.state

    def _result(self) -> Model:
        """The model as it is, with its history and what training came to so far."""
        state, stopped = self.state, self._stopped_by()
        training = {
            "steps": state.step,
            "tokens": state.tokens,
            "steps_per_epoch": self.per_epoch,
            "weight_decay": self.recipe.weight_decay,
            "best_step": state.best_step,
            "cooldown_steps": state.step - state.cooldown.step if state.cooldown else 0,
            "stopped_by": stopped or "not stopped yet",
            "converged": stopped == "patience",
        }
        return replace(self.model, card={**self.model.card, "training": training}, history=tuple(state.history))


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def _publish(trained: Model, output: Output) -> None:
    """Put the model and the logs together in the place of the output."""
    if (output.scratch / "logs").exists():
        shutil.copytree(output.scratch / "logs", output.folder / "logs", dirs_exist_ok=True)
    write_model(output.folder, trained)
    output.publish()
