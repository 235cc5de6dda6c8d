"""Train a student model: one loop on `accelerate`, resumable to the bit.

In: a dataset, its split, a view, settings. Out: a model folder, published by one rename. Until then everything is in
`OUT.partial`: the job's request, the tokenizer, TensorBoard's logs, `checkpoint.pt` and the best model so far. A run
killed at any moment and started again ends with the same weights, bit for bit, on a CPU with the same number of
threads: data order, hidden titles and students depend on seed and step alone, and dropout's generator is in the
checkpoint. Not guaranteed: that on a GPU, or with a time limit.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from redraft.data.split import Split
from redraft.data.store import Dataset
from redraft.errors import DatasetError, InputError, RedraftError
from redraft.lm.batch import Chunks, Collator, plan
from redraft.lm.checkpoint import CARD, Evaluation, Model, load_model, read_card, save_model, write_model, writing
from redraft.lm.model import StudentLM
from redraft.lm.prepare import check, prepare
from redraft.lm.settings import BASE_BATCH_TOKENS, BASE_LR, PRESETS, TrainConfig
from redraft.lm.tokenizer import Tokenizer, load_tokenizer
from redraft.progress import Bar, bar, say
from redraft.rundir import atomic_file, exclusive, fsync, replace_folder, sha256_json, versions, write_json

__all__ = ["TrainConfig", "train"]


def train(
    dataset: Dataset,
    *,
    split: Split,
    view: str,
    out: Path,
    config: TrainConfig | None = None,
    tokenizer_from: Path | None = None,
    overwrite: bool = False,
) -> Model:
    """Train a model on the train traces of `split` under a view; go on if an earlier attempt was cut short.

    Without `tokenizer_from` (a model's or tokenizer's folder) the tokenizer is the base model's, or is trained on the
    trace view of the train traces, whatever `view` is, so that all views of a split share one.

    Raises:
        InputError: Unknown view, codec or preset; no traces to train on; a base model that can't be used.
        DatasetError: `out` holds something else, or another process writes it.
        TrainingError: The loss is no longer a number.
    """
    config = config or TrainConfig()
    check(view, config)
    tokenizer = load_tokenizer(tokenizer_from) if tokenizer_from else None
    request = _request(dataset, split, view, config, tokenizer)
    partial = out.with_name(out.name + ".partial")
    if _is_done(out, request, overwrite):
        shutil.rmtree(partial, ignore_errors=True)
        say(f"{out}: already trained.")
        return load_model(out)
    with exclusive(partial):
        _claim(partial, request, overwrite)
        try:
            prepared = prepare(
                dataset, split, view, config, card=request, tokenizer=tokenizer, folder=partial / "tokenizer"
            )
            trained = _Run(*prepared, config, partial).fit()
            _publish(trained, partial, out)
        except RedraftError:
            if not (partial / "checkpoint.pt").exists():
                shutil.rmtree(partial)
            raise
        shutil.rmtree(partial)
    return load_model(out)


class TrainingError(RedraftError):
    """Training went wrong in a way that more steps don't mend."""


# What the job is, and whether it is done


def _request(
    dataset: Dataset, split: Split, view: str, config: TrainConfig, tokenizer: Tokenizer | None
) -> dict[str, Any]:
    """All that decides the weights, and where the data comes from; the card begins with it."""
    card = {
        "view": view,
        "split": split.name,
        "split_hash": split.hash,
        "dataset": dataset.name,
        "dataset_fingerprint": dataset.fingerprint,
        "origin": dataset.origin,
        "given_tokenizer": sha256_json(tokenizer.backend.to_str()) if tokenizer else None,
        "config": asdict(config),
        "versions": versions(),
    }
    normal: dict[str, Any] = json.loads(json.dumps(card))
    return normal


def _is_done(out: Path, request: Mapping[str, Any], overwrite: bool) -> bool:
    """Whether `out` holds the model asked for.

    Raises:
        DatasetError: It holds something else, which isn't to be overwritten.
    """
    if (out / CARD).exists():
        card = read_card(out)
        if all(card.get(key) == value for key, value in request.items()):
            return True
        if not overwrite:
            raise DatasetError(
                "already holds another model, or one of other settings.",
                where=out,
                remedy="Choose another --out, or add --overwrite.",
            )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError("exists and is not a model; it is left alone.", where=out, remedy="Choose another --out.")
    return False


def _claim(partial: Path, request: Mapping[str, Any], overwrite: bool) -> None:
    """Make sure that what is in `partial` was begun for the same request; without a checkpoint it is nothing yet."""
    file = partial / "request.json"
    if not file.exists() or json.loads(file.read_text()) != request:
        if (partial / "checkpoint.pt").exists() and not overwrite:
            raise DatasetError(
                "holds the beginnings of a training with other settings.",
                where=partial,
                remedy="Choose another --out, add --overwrite, or remove that folder.",
            )
        for path in partial.iterdir():
            if path.name != ".lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(file, request)


# The loop


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

    @property
    def waits(self) -> int:
        """Validations since the best one."""
        return sum(point.step > self.best_step for point in self.history)


class _Run:
    """A training in progress."""

    def __init__(self, model: Model, training: Chunks, validation: Chunks, config: TrainConfig, folder: Path) -> None:
        self.model, self.config, self.folder = model, config, folder
        self.training, self.validation = training, validation
        preset = None if config.base else PRESETS[config.preset]
        self.lr = config.lr or (preset.lr if preset else BASE_LR)
        self.batch_tokens = config.batch_tokens or (preset.batch_tokens if preset else BASE_BATCH_TOKENS)
        self.per_epoch = len(self._plan(0))
        self.total = config.steps or config.epochs * self.per_epoch
        self.accelerator = Accelerator(
            mixed_precision=_precision(config.precision), log_with="tensorboard", project_dir=folder
        )
        if self.accelerator.num_processes > 1:
            raise InputError("training in several processes isn't supported.", remedy="Start one process.")
        optimizer = torch.optim.AdamW(_groups(model.lm, config), lr=self.lr, fused=True)
        self.net, self.optimizer = self.accelerator.prepare(model.lm, optimizer)
        self.state = _State()

    def fit(self) -> Model:
        """Train to the end; the best model, with its history and what training came to."""
        config, state = self.config, self._resume()
        collate = Collator(
            self.training, self.model.codec,
            seed=config.seed, title_mask=config.title_mask, student_dropout=config.student_dropout,
        )  # fmt: skip
        self.accelerator.init_trackers("logs", init_kwargs={"tensorboard": {"purge_step": state.step + 1}})
        epoch, batches = -1, self._plan(0)
        with bar("training", self.total) as watcher:
            watcher.advance(state.step)
            while not self._stopped_by():
                started = time.perf_counter()
                if epoch != state.step // self.per_epoch:
                    epoch = state.step // self.per_epoch
                    collate.start_epoch(epoch)
                    batches = self._plan(epoch)
                self._step(collate, batches[state.step % self.per_epoch], watcher)
                state.seconds += time.perf_counter() - started
                if state.step % config.validate_every == 0 or self._stopped_by():
                    self._evaluate()
        self.accelerator.end_training()
        say(f"{state.step} steps, {state.tokens / max(state.seconds, 1e-9):,.0f} tokens/s learned from")
        return self._result()

    def _plan(self, epoch: int) -> list[Any]:
        return plan(self.training, batch_tokens=self.batch_tokens, seed=self.config.seed, epoch=epoch)

    def _stopped_by(self) -> str | None:
        """Why training is over; None while it isn't."""
        config, state = self.config, self.state
        if state.waits >= config.patience:
            return "patience"
        if state.step >= self.total:
            return "steps" if config.steps else "epochs"
        if config.minutes is not None and state.seconds >= 60 * config.minutes:
            return "minutes"
        return None

    def _learning_rate(self) -> float:
        """A rise over the warm-up, then a linear fall to 0 at the end of the steps or of the time."""
        done = self.state.step / self.total
        if self.config.minutes is not None:
            done = max(done, self.state.seconds / (60 * self.config.minutes))
        rise = (done + 1 / self.total) / self.config.warmup if self.config.warmup else 1.0
        return self.lr * max(0.0, min(1.0, rise, (1 - done) / (1 - min(self.config.warmup, 0.99))))

    def _step(self, collate: Collator, which: Any, watcher: Bar) -> None:
        state = self.state
        rate = self._learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        batch = collate(which)
        ids_BL, students_B, labels_BL = (tensor.to(self.accelerator.device) for tensor in batch)
        self.net.train()
        loss = self.net(ids_BL, students_B, labels=labels_BL, use_cache=False).loss
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.net.parameters(), self.config.clip)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            raise self._diverged()
        self.optimizer.step()
        self.optimizer.zero_grad()
        value = loss.item()
        state.step += 1
        state.tokens += batch.tokens
        state.loss_sum += value
        state.loss_steps += 1
        self.accelerator.log({"loss": value, "learning_rate": rate}, step=state.step)
        watcher.advance(1, f"loss {value:.3f}")

    def _diverged(self) -> TrainingError:
        step = self.state.step + 1
        kept = f"The best model so far, of step {self.state.best_step}, is in {self._best(self.state.best_step)}. "
        return TrainingError(
            f"the loss is not a number at step {step}.",
            remedy=f"{kept if self.state.best_step else ''}Try a smaller --lr, with --overwrite.",
        )

    def _evaluate(self) -> None:
        """Validate, keep the model if it is the best, write a checkpoint."""
        state = self.state
        loss = self._validation_loss()
        state.history.append(
            Evaluation(
                step=state.step, tokens=state.tokens, train_loss=state.loss_sum / state.loss_steps, validation_loss=loss
            )
        )
        state.loss_sum, state.loss_steps = 0.0, 0
        if loss is not None:
            self.accelerator.log({"validation_loss": loss, "tokens": state.tokens}, step=state.step)
        if loss is None or loss < state.best_loss:
            state.best_step = state.step
            state.best_loss = math.inf if loss is None else loss
            save_model(self._best(state.step), self._result())
        self._write_checkpoint()

    @torch.no_grad()
    def _validation_loss(self) -> float | None:
        """Nats a token over the validation traces, titles and students shown; None if there are none."""
        if not len(self.validation):
            return None
        self.net.eval()
        collate = Collator(self.validation, self.model.codec)
        total, tokens = 0.0, 0
        for which in plan(self.validation, batch_tokens=self.batch_tokens, seed=0, epoch=0):
            batch = collate(which)
            ids_BL, students_B, labels_BL = (tensor.to(self.accelerator.device) for tensor in batch)
            loss = self.net(ids_BL, students_B, labels=labels_BL, use_cache=False).loss
            total += loss.item() * batch.tokens
            tokens += batch.tokens
        return total / tokens

    def _best(self, step: int) -> Path:
        return self.folder / f"best-{step:08d}"

    def _write_checkpoint(self) -> None:
        """All that training needs to go on; then what it replaces may go."""
        contents = {
            "weights": self.accelerator.unwrap_model(self.net).state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": torch.get_rng_state(),
            "cuda_generators": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "state": asdict(self.state),
        }
        with writing(self.folder), atomic_file(self.folder / "checkpoint.pt") as temporary:
            torch.save(contents, temporary)
        for folder in self.folder.glob("best-*"):
            if folder != self._best(self.state.best_step):
                shutil.rmtree(folder)

    def _resume(self) -> _State:
        file = self.folder / "checkpoint.pt"
        if file.exists():
            contents = torch.load(file, map_location="cpu", weights_only=True)
            self.accelerator.unwrap_model(self.net).load_state_dict(contents["weights"])
            self.optimizer.load_state_dict(contents["optimizer"])
            torch.set_rng_state(contents["generator"])
            if contents["cuda_generators"]:
                torch.cuda.set_rng_state_all(contents["cuda_generators"])
            saved = contents["state"]
            saved["history"] = [Evaluation(**point) for point in saved["history"]]
            self.state = _State(**saved)
            say(f"going on from step {self.state.step}")
        return self.state

    def _result(self) -> Model:
        """The model as it is, with its history and what training came to so far."""
        state, stopped = self.state, self._stopped_by()
        training = {
            "steps": state.step,
            "tokens": state.tokens,
            "steps_per_epoch": self.per_epoch,
            "best_step": state.best_step,
            "stopped_by": stopped or "not stopped yet",
            "converged": stopped == "patience",
        }
        lm = self.accelerator.unwrap_model(self.net)
        return replace(
            self.model, lm=lm, card={**self.model.card, "training": training}, history=tuple(state.history)
        )


def _precision(wanted: str) -> str:
    if wanted == "auto":
        return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "no"
    return {"fp32": "no"}.get(wanted, wanted)


def _groups(model: StudentLM, config: TrainConfig) -> list[dict[str, Any]]:
    """AdamW's groups: the LM's matrices decay, nothing else does; the students' module has its own rate."""
    lm = list(model.lm.parameters())
    return [
        {"params": [p for p in lm if p.ndim > 1], "weight_decay": config.weight_decay, "factor": 1.0},
        {"params": [p for p in lm if p.ndim <= 1], "weight_decay": 0.0, "factor": 1.0},
        {"params": list(model.students.parameters()), "weight_decay": 0.0, "factor": config.student_lr},
    ]


def _publish(trained: Model, partial: Path, out: Path) -> None:
    """Put the best weights, the whole history and the logs together, and move them to `out`."""
    best = load_model(partial / f"best-{trained.card['training']['best_step']:08d}")
    final = partial / "model"
    shutil.rmtree(final, ignore_errors=True)
    final.mkdir()
    write_model(final, replace(best, card=trained.card, history=trained.history))
    shutil.copytree(partial / "logs", final / "logs")
    fsync(final)
    replace_folder(final, out)
