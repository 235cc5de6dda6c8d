"""What this machine can do at once: how many models side by side, and how many threads each."""

from __future__ import annotations

import os
import threading
import time

import torch


def parallel_models() -> int:
    """Models worth training or sampling side by side: one a core without a GPU, else one."""
    if torch.cuda.is_available():
        return 1
    # Not every system tells which of its cores a process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def good_at_bf16() -> bool:
    """Whether bf16 is faster than fp32 here: on a GPU that has it, and on CPUs with matrix units for it (AMX).

    Other CPUs emulate it, or have it in vectors alone, and are up to many times slower.
    """
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_amx_tile_supported())


def be_a_worker() -> None:
    """Set up a process that works beside others: one thread, and an end as soon as its parent has ended.

    A parent that was killed can't tell its workers; left alone they would keep its folders locked.
    """
    torch.set_num_threads(1)
    threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)  # whatever is being written is published by a rename, so nothing half-written can be taken for whole
