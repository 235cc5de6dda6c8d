"""The learning rate of each step: a rise and a fall over the steps or the time, and a cooldown once patience ran out.

In: the steps and seconds trained so far. Out: the rate of the step that comes next. Steps and time both bound a
training, and the rate has fallen to 0 by whichever ends first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from redraft.lm.settings import Recipe

SCHEDULES: dict[str, Callable[[float], float]] = {
    "linear": lambda done: 1 - done,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    "wsd": lambda done: min(1.0, (1 - done) / 0.4),
}
"""Schedule -> share of the peak learning rate after a share of the steps that follow the warm-up."""


COOLDOWN_EPOCHS = 2.0
"""Passes over the data that a cooldown takes, at most."""


@dataclass(frozen=True, kw_only=True)
class Cooldown:
    """The end of a training whose patience ran out: from the best weights on, at a rate that falls to 0."""

    step: int
    """Steps taken before it."""
    seconds: float
    """Seconds trained before it."""
    steps: int
    """Steps it has, if time allows them all."""
    rate: float
    """Learning rate of its first step."""

    @property
    def end(self) -> int:
        """Steps taken when it is over."""
        return self.step + self.steps


class Schedule:
    """The learning rates of a training.

    Args:
        recipe: How they rise and fall.
        steps: All there will be, at most.
        minutes: How long they may take; None: any time.
        steps_per_epoch: Steps of a pass over the data.
    """

    def __init__(self, recipe: Recipe, *, steps: int, minutes: float | None, steps_per_epoch: int) -> None:
        self._recipe, self._steps, self._per_epoch = recipe, steps, steps_per_epoch
        self._seconds = math.inf if minutes is None else 60 * minutes

    def out_of_time(self, seconds: float) -> bool:
        """Whether the time is over."""
        return seconds >= self._seconds

    def rate(self, step: int, seconds: float, cooldown: Cooldown | None = None) -> float:
        """The rate of the step after `step` steps and `seconds`, in the cooldown if it has begun."""
        if cooldown:
            done = (step - cooldown.step) / cooldown.steps
            done = max(done, (seconds - cooldown.seconds) / (self._seconds - cooldown.seconds))
            return cooldown.rate * (1 - done)
        done = max(step / self._steps, seconds / self._seconds)
        warmup = self._recipe.warmup
        rise = (done + 1 / self._steps) / warmup if warmup else 1.0
        fallen = min(1.0, max(0.0, done - warmup) / (1 - warmup))
        return self._recipe.lr * min(rise, SCHEDULES[self._recipe.schedule](fallen))

    def cooldown(self, step: int, seconds: float, *, best_step: int, best_seconds: float) -> Cooldown:
        """The cooldown that begins after `step` steps and `seconds`, with the weights and the rate of the best ones.

        It lasts for a share of the steps that these weights took: what has learned for longer takes longer to settle.
        But patience runs out where the data is being learned by heart, so it is over after `COOLDOWN_EPOCHS`. Less than
        the steps between two validations couldn't show what it is worth.
        """
        share = self._recipe.cooldown
        most = round(COOLDOWN_EPOCHS * self._per_epoch)
        wanted = max(min(round(share * best_step), most), self._recipe.validate_every) if share else 0
        steps = min(wanted, self._steps - step)
        return Cooldown(step=step, seconds=seconds, steps=steps, rate=self.rate(best_step, best_seconds))
