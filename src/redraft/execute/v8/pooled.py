"""What engines share whose programs run in a pool of watched processes.

In: how an engine's workers are started, and what they are told first. Out: the engine's beginning, end and version.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from importlib import metadata
from types import TracebackType
from typing import Any, ClassVar, Self

from redraft.errors import RedraftError
from redraft.execute.engine import EngineOptions, Wall, refuse_lacking
from redraft.execute.registry import ENGINES
from redraft.execute.v8.isolation import found_by
from redraft.execute.v8.pool import Pool, PoolLimits
from redraft.execute.v8.usage import RunLimits


class PooledEngine:
    """The engine without its programs; a context manager.

    Args:
        options: Workers, seed and how strict.
        limits: What a program may use; by default the engine's own.
    """

    name: ClassVar[str]
    """As `ENGINES` has it."""
    command: ClassVar[tuple[str, ...]]
    """What starts a worker."""
    limits: ClassVar[RunLimits]
    pool_limits: ClassVar[PoolLimits] = PoolLimits()

    def __init__(self, options: EngineOptions, limits: RunLimits | None = None) -> None:
        self._options, self._limits = options, limits or self.limits

    @classmethod
    def told(cls) -> dict[str, Any]:
        """What workers are told first, beside limits and walls."""
        return {}

    @classmethod
    def made_of(cls) -> dict[str, Any]:
        """What programs run in, for the version: all that verdicts depend on beside limits, seed and package."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Start the workers.

        Raises:
            RedraftError: Processes can't be copied here, what programs run in is missing, or a wall is lacking and that
                was to be refused.
        """
        setup = self.setup(self._limits, strict=self._options.strict)
        package = metadata.version("redraft")
        parts = {**self.made_of(), "limits": setup["limits"], "package": package, "seed": self._options.seed}
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        self._version = f"{self.name}-{digest[:16]}"
        if self._options.strict:
            refuse_lacking(self.name, self.isolation())
        self.pool = Pool(self.command, setup, workers=self._options.workers, limits=self.pool_limits)
        self.pool.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers."""
        self.pool.__exit__(kind, error, trace)

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that the engine judges."""
        return ENGINES[self.name].languages

    @property
    def version(self) -> str:
        """A hash of what programs run in, the limits, the seed and the package's version."""
        return self._version

    @classmethod
    def isolation(cls) -> list[Wall]:
        """What stands between a program and this system, as a worker finds it; raises as `__enter__` does."""
        cls.made_of()  # says what is missing better than a worker that can't start
        return found_by(cls.command, cls.setup(cls.limits, strict=False))

    @classmethod
    def setup(cls, limits: RunLimits, *, strict: bool) -> dict[str, Any]:
        """All that workers are told first."""
        if not hasattr(os, "fork"):
            raise RedraftError(
                "programs are run in copies of a process (fork), which this system doesn't make.",
                where=f"the engine {cls.name}",
                remedy="Run this command on Linux; on Windows, in its Subsystem for Linux (WSL).",
            )
        return {**cls.told(), "limits": asdict(limits), "strict": strict}
