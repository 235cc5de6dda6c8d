"""The mixture's few numbers, fitted to validation traces.

In: a model, validation traces, their students' work. Out: the `Mixing` under which those traces cost least, with what
they cost with and without. Test traces play no part but as what a student did before a validation trace.

For each of a few sharpnesses, the other three numbers are fitted by descent, all ids at once. The ceiling is at most
`HIGHEST`, so that no cache is ever trusted more than the model.

Axes in names: N ids, S sharpnesses, L tokens, K keys.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from redraft.data.trace import Trace
from redraft.lm.batch import Encoded
from redraft.lm.checkpoint import Model
from redraft.lm.chunkwise import Read, chunkwise
from redraft.lm.codec import Verdicts
from redraft.lm.model import IGNORE
from redraft.lm.neural_cache.mixture import Mixing, Past, cosines, log_mixture, log_share
from redraft.lm.neural_cache.work import READ_TOKENS, Work

SHARPNESSES = (4.0, 8.0, 16.0, 32.0, 64.0)
"""Those tried."""
HIGHEST = 0.3
"""The largest ceiling."""
START = Mixing(sharpness=16.0, ceiling=HIGHEST / 2, slope=10.0, offset=-9.0)
"""Where the descent begins, and what holds where nothing can be fitted."""
STEPS = 200


class Fit(NamedTuple):
    """What was fitted."""

    mixing: Mixing
    traces: int
    """Validation traces whose students have earlier work."""
    bits: float
    """What such a trace costs with it, on average."""
    bits_without: float
    """And without."""


def fit(
    model: Model, traces: Sequence[Trace], works: dict[str, Work], *, verdicts: Verdicts | None = None,
    sharpnesses: Sequence[float] = SHARPNESSES,
) -> Fit:  # fmt: skip
    """Fit the mixture to traces that neither trained the model nor test it.

    Args:
        model: Each trace is read in its student's own voice, like the work.
        traces: Validation traces.
        works: Of each student.
        verdicts: What students saw, for models with feedback.
        sharpnesses: Those to choose from.
    """
    pasts = [_past(works, trace) for trace in traces]
    known = [(trace, past) for trace, past in zip(traces, pasts, strict=True) if past]
    if not known:
        return Fit(START, 0, math.nan, math.nan)
    coded = model.codec.encode_many([trace for trace, _ in known], verdicts=verdicts)
    encoded = [Encoded(ids, model.students.row(trace.student)) for ids, (trace, _) in zip(coded, known, strict=True)]
    facts_XN = _facts(model, encoded, [past for _, past in known], sharpnesses)
    model_N, nearest_N, *cache_SN = facts_XN[:, facts_XN[0] < 0]  # those that aren't charged are 0
    tried = [_descended(model_N, nearest_N, cache_N, each) for each, cache_N in zip(sharpnesses, cache_SN, strict=True)]
    nats, mixing = min(tried, key=lambda one: one[0])
    in_bits = len(known) * math.log(2)
    return Fit(mixing, len(known), nats / in_bits, -float(model_N.sum()) / in_bits)


def _past(works: dict[str, Work], trace: Trace) -> Past | None:
    work = works.get(trace.student)
    return work.before(trace.title, trace.states[0].at, START) if work else None


@torch.inference_mode()
def _facts(
    model: Model, encoded: Sequence[Encoded], pasts: Sequence[Past], sharpnesses: Sequence[float]
) -> Tensor:  # fmt: skip
    """Of each id of all traces: log p by the model, the nearest key's cosine, log p by the cache at each sharpness."""

    def read(batch: Read) -> NDArray[np.float64]:
        logits_BLV, hidden_BLD = model.lm.read(batch.ids, batch.rows, use_cache=False)
        targets_BL = pad(batch.charged[:, 1:], (0, 1), value=IGNORE)
        is_charged_BL = targets_BL != IGNORE
        targets_BL1 = targets_BL.clamp(min=0)[..., None]
        found = torch.zeros(2 + len(sharpnesses), *targets_BL.shape, dtype=torch.float64)
        found[0] = torch.log_softmax(logits_BLV.float(), -1).gather(-1, targets_BL1)[..., 0]
        for line, trace in enumerate(batch.traces):
            cosines_LK = cosines(hidden_BLD[line], pasts[trace].keys)
            found[1, line] = cosines_LK.amax(-1)
            followed_LK = pasts[trace].values.to(targets_BL1.device) == targets_BL1[line]
            for number, sharpness in enumerate(sharpnesses, 2):
                shares_LK = torch.softmax(sharpness * cosines_LK, -1)
                found[number, line] = (shares_LK * followed_LK).sum(-1).log()
        return found.where(is_charged_BL.cpu(), 0.0).numpy()

    return torch.from_numpy(np.concatenate(chunkwise(model, encoded, read, batch_tokens=READ_TOKENS), axis=1))


def _descended(model_N: Tensor, nearest_N: Tensor, cache_N: Tensor, sharpness: float) -> tuple[float, Mixing]:
    """The nats of the best mixture at a sharpness, and the mixture."""
    numbers = torch.tensor([0.0, START.slope, START.offset], dtype=torch.float64, requires_grad=True)

    def of(numbers: Tensor) -> Tensor:
        ceiling, slope, offset = HIGHEST * torch.sigmoid(numbers[0]), numbers[1], numbers[2]
        return -log_mixture(model_N, cache_N, log_share(nearest_N, ceiling, slope, offset)).sum()

    descent = torch.optim.LBFGS([numbers], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        descent.zero_grad()
        loss = of(numbers)
        loss.backward()
        return loss

    descent.step(closure)
    with torch.no_grad():
        ceiling, slope, offset = HIGHEST * float(torch.sigmoid(numbers[0])), float(numbers[1]), float(numbers[2])
        return float(of(numbers)), Mixing(sharpness=sharpness, ceiling=ceiling, slope=slope, offset=offset)
