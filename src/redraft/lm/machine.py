"""What this machine can do at once: how many models side by side, and how many threads each."""

from __future__ import annotations

import os

import torch


def parallel_models() -> int:
    """Models worth training or sampling side by side: one a core without a GPU, else one."""
    return 1 if torch.cuda.is_available() else len(os.sched_getaffinity(0))


def one_thread() -> None:
    """Keep this process to one thread, as a model beside others should."""
    torch.set_num_threads(1)
