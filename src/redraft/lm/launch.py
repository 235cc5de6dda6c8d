"""What a training runs on: its processes, its precision, what draws its curves.

In: settings, and what torchrun or `accelerate launch` put into the environment. Out: accelerate's `Accelerator`.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from accelerate import Accelerator

from redraft.errors import InputError, suggestion
from redraft.lm.machine import good_at_bf16
from redraft.lm.settings import Precision, TrainConfig

TRACKERS = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow", "none": ""}
"""Tracker -> the library it needs."""


def precision(wanted: Precision) -> Precision:
    """fp32 or bf16; auto: what the hardware is good at."""
    return wanted if wanted != "auto" else "bf16" if good_at_bf16() else "fp32"


def check_launch(config: TrainConfig) -> None:
    """Refuse a precision or a tracker that there isn't.

    Raises:
        InputError: Says which, or what to install.
    """
    for name, choices in (("precision", get_args(Precision)), ("tracker", TRACKERS)):
        if (value := getattr(config, name)) not in choices:
            raise InputError(f"unknown {name} {value!r}. {suggestion(value, choices)}")
    if (library := TRACKERS[config.tracker]) and not find_spec(library):
        raise InputError(
            f"the tracker {config.tracker!r} isn't installed.",
            remedy=f"Install it (pip install {library}), or choose another tracker, or none.",
        )


def launch(config: TrainConfig, folder: Path) -> Accelerator:
    """The processes, and where to log.

    Raises:
        InputError: There are several processes, but each takes itself for the only one.
    """
    accelerator = Accelerator(
        mixed_precision="no",  # one for all trainings of a process; the loop casts by itself
        log_with=None if config.tracker == "none" else config.tracker,
        project_dir=folder,
    )
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if accelerator.num_processes != started:
        raise InputError(
            f"{started} processes were started, but accelerate joins {accelerator.num_processes}.",
            remedy="Without GPUs, set ACCELERATE_USE_CPU=true.",
        )
    return accelerator


def start_tracker(accelerator: Accelerator, tracker: str, *, run: str, step: int) -> None:
    """Begin to draw the curves of a training, or go on after `step` steps.

    Raises:
        InputError: The tracker refuses, with what it says.
    """
    options: dict[str, dict[str, object]] = {
        "tensorboard": {"purge_step": step + 1},
        "wandb": {"name": run},
        "mlflow": {"run_name": run},
    }
    given = {tracker: options[tracker]} if tracker in options else {}
    # TensorBoard's files lie beside the model, in a folder of that name; the others keep runs by project
    project = "logs" if tracker == "tensorboard" else "redraft"
    try:
        accelerator.init_trackers(project, init_kwargs=given)
    except Exception as error:  # each library has its own
        raise InputError(
            f"the tracker {tracker!r} can't be started: {error}",
            remedy="Set it up as it says, or choose another --tracker, or none.",
        ) from error
