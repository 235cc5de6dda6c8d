"""Runs that differ in their seed alone: what of their findings is the data's, and what is chance of training.

In: the folders of such runs, with results. Out: `seeds.md`, a line per claim with every run's estimate; figures of the
claims, one per study (`figures/seeds-STUDY.svg`), in smallest differences of interest; `seeds.csv`, the rows behind
both at full precision, with the run's seed as a condition.

A run's interval resamples students and titles and takes its models' weights and samples as they are; the spread over
seeds is what those add. No interval over seeds is given: a handful of them is too few for one.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from redraft import results
from redraft.errors import DatasetError, UsageError
from redraft.plots.style import INK, MUTED, OTHER_STYLES, RULE, VIEW_STYLE, Figure, draw, origin_words, quiet, save
from redraft.plots.tables import DASH, number, to_csv, with_interval
from redraft.plots.words import BANNERS
from redraft.results import Result
from redraft.rundir import write_text
from redraft.studies.common.claims import Claim, Verdict, judge
from redraft.studies.common.findings import claim_sides, markdown_row, read_rows
from redraft.studies.common.run import Run, open_run
from redraft.visible import visible

MARKS = (*VIEW_STYLE.values(), *OTHER_STYLES)
"""Colour and marker of each seed, in order."""


class Repeated(NamedTuple):
    """A claim, and what came out for it with each seed."""

    claim: Claim
    verdicts: dict[int, Verdict]
    """Seed -> verdict."""

    @property
    def values(self) -> list[float]:
        """The estimates of the runs that scored the claim."""
        rows = [verdict.row for verdict in self.verdicts.values()]
        return [row.value for row in rows if row is not None and row.value is not None]

    @property
    def agreed(self) -> bool:
        """Whether all seeds came to the same verdict."""
        return len({*map(_outcome, self.verdicts.values())}) == 1

    @property
    def outcomes(self) -> str:
        """How many seeds came to which verdict, in the words the data's origin allows."""
        counts = Counter(map(_outcome, self.verdicts.values()))
        if self.agreed:
            return f"{next(iter(counts))}, by every seed"
        return "; ".join(f"{outcome}: {count} of {len(self.verdicts)}" for outcome, count in counts.most_common())


def compare_seeds(folders: Sequence[str | Path], out: Path) -> list[Repeated]:
    """Set runs of different seeds beside one another; returns the claims that any of them measured, in order.

    Args:
        folders: Runs of the same data and split, each with its own seed; two or more.
        out: The folder for `seeds.md`, `seeds.csv` and `figures/`.

    Raises:
        UsageError: Fewer than two runs, or two with the same seed.
        DatasetError: Runs of other data, another split, protocol or other views; or one without results.
    """
    runs = _by_seed([open_run(folder) for folder in folders])
    rows = {seed: read_rows(run.path) for seed, run in runs.items()}
    for seed, run in runs.items():
        if not rows[seed]:
            raise DatasetError("has no results yet.", where=run.path, remedy=f"First: redraft behaviour {run.path}")
    judged = {seed: judge(mine) for seed, mine in rows.items()}
    claims = [Repeated(verdicts[0].claim, dict(zip(judged, verdicts, strict=True)))
              for verdicts in zip(*judged.values(), strict=True)]  # fmt: skip
    found = [one for one in claims if any(verdict.row is not None for verdict in one.verdicts.values())]
    first = next(iter(rows.values()))[0]
    stamp = origin_words(first.origin, first.dataset)
    drawn = [figure for study, mine in _studies(found) if (figure := _figure(study, mine, stamp))]
    for figure in drawn:
        save(figure, out)
    write_text(out / "seeds.csv", to_csv([row for one in found for row in _rows(one)]))
    write_text(out / "seeds.md", visible(_page(found, runs, stamp, BANNERS[first.origin], drawn), lines=True))
    return found


def _by_seed(runs: Sequence[Run]) -> dict[int, Run]:
    """Seed -> run, in the order of seeds; only if the runs may be compared."""
    if len(runs) < 2:
        raise UsageError("seeds are compared between two runs or more.", remedy="Name several folders of runs.")
    by_seed: dict[int, Run] = {}
    for run in runs:
        seed = int(run.settings.get("seed", 0))
        if seed in by_seed:
            raise UsageError(
                f"{by_seed[seed].path} and {run.path} have the same seed, {seed}.",
                remedy="Give each run a seed of its own: redraft reproduce --seed 2 --out OTHER",
            )
        by_seed[seed] = run
    for run in runs[1:]:
        for what, ours, theirs in (
            ("data", runs[0].dataset.fingerprint, run.dataset.fingerprint),
            ("split", runs[0].split.hash, run.split.hash),
            ("protocol", runs[0].settings.get("protocol"), run.settings.get("protocol")),
            ("views", runs[0].settings.get("views"), run.settings.get("views")),
        ):
            if ours != theirs:
                raise DatasetError(f"has other {what} than {runs[0].path}: not only the seed differs.", where=run.path,
                                   remedy="Compare runs of one dataset, split, protocol and set of views.")  # fmt: skip
    return dict(sorted(by_seed.items()))


def _outcome(verdict: Verdict) -> str:
    origin = verdict.row.origin if verdict.row else None
    return verdict.seen if origin in ("simulated", "model") else verdict.outcome


def _studies(found: Sequence[Repeated]) -> list[tuple[str, list[Repeated]]]:
    return [(study, list(mine)) for study, mine in groupby(found, key=lambda one: one.claim.study)]


def _rows(one: Repeated) -> list[Result]:
    return [replace(verdict.row, condition={**verdict.row.condition, "run_seed": str(seed)}, p_adjusted=verdict.p)
            for seed, verdict in one.verdicts.items() if verdict.row is not None]  # fmt: skip


def _page(found: Sequence[Repeated], runs: Mapping[int, Run], stamp: str, banner: str, drawn: Sequence[Figure]) -> str:
    """The claims that any run measured, a line each, by study."""
    seeds = [f"seed {seed}" for seed in runs]
    lines = [
        f"# {len(runs)} seeds", "", f"**{stamp}.** {banner}", "",
        "The same data and split. A seed draws the models' first weights, the order of training, which test pairs are "
        "sampled where not all are, the samples, and what the studies draw. A run's 95% interval is over students and "
        "titles, for its own models; the mean and standard deviation are over the seeds. A claim that seeds judge "
        "differently is no finding.", "",
        *_differing([run.settings for run in runs.values()]),
    ]  # fmt: skip
    header = ("claim", "compared", *seeds, "mean (sd)", "verdicts")
    drawings = {figure.name: figure for figure in drawn}
    for study, mine in _studies(found):
        lines += [f"## {study[0].upper()}{study[1:]}", "", markdown_row(header), "| --- " * len(header) + "|"]
        lines += [markdown_row((one.claim.about, claim_sides(one.claim), *_estimates(one), _mean(one.values),
                                one.outcomes)) for one in mine]  # fmt: skip
        if figure := drawings.get(f"seeds-{study}"):
            lines += ["", f"![{figure.alt}](figures/{figure.name}.svg)", "", f"*{figure.caption}*"]
        lines.append("")
    return "\n".join(lines)


def _estimates(one: Repeated) -> list[str]:
    return [with_interval(verdict.row) if verdict.row else DASH for verdict in one.verdicts.values()]


def _mean(values: Sequence[float]) -> str:
    if len(values) < 2:
        return DASH
    return f"{number(statistics.mean(values))} ({number(statistics.stdev(values))})"


def _differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings that differ beside the seed, as the number of sampled pairs does when a budget sets it."""
    flat = [dict(_flat(one)) for one in settings]
    names = [name for name in dict.fromkeys(name for one in flat for name in one)
             if name.split(".")[-1] not in ("seed", "command", "dataset")]  # fmt: skip
    other = [f"`{name}` ({', '.join(str(one.get(name, DASH)) for one in flat)})"
             for name in names if len({str(one.get(name)) for one in flat}) > 1]  # fmt: skip
    return [f"Settings that differ beside the seed: {'; '.join(other)}.", ""] if other else []


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _figure(study: str, found: Sequence[Repeated], stamp: str) -> Figure | None:
    """A study's claims, a line each and a mark per seed, in smallest differences of interest."""
    shown = [one for one in found if one.values]
    if not shown:
        return None
    seeds = list(shown[0].verdicts)
    rows = [row for one in shown for row in _rows(one)]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        _claims(axes, shown, seeds)
        canvas.legend(loc="outside upper left", ncols=len(seeds))

    return draw(
        f"seeds-{study}", paint, size=(7.8, 0.9 + 0.4 * len(shown)), stamp=stamp, points=results.to_table(rows),
        title=f"Seeds: {study}",
        caption=f"{stamp}. Each claim's difference in its smallest difference of interest, so that claims of different "
        "units share an axis; to the right the model is ahead, or as low as a claim of less says. Grey: from -1 to 1, "
        "too small to matter. Bars are 95% intervals over students and titles, given a seed's models.",
        alt=f"Claims of the study {study}, a line each, with a dot and an interval per seed.",
    )  # fmt: skip


def _claims(axes: Axes, shown: Sequence[Repeated], seeds: Sequence[int]) -> None:
    axes.axvspan(-1, 1, color=RULE, alpha=0.4, linewidth=0, zorder=0)
    axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    for place, seed in enumerate(seeds):
        colour, marker = MARKS[place % len(MARKS)]
        shift = (place - (len(seeds) - 1) / 2) * 0.6 / len(seeds)
        scored = [(line + shift, one.verdicts[seed].row, _scale(one.claim)) for line, one in enumerate(shown)]
        dots = [(row.value * scale, y) for y, row, scale in scored if row is not None and row.value is not None]
        bars = [(y, row.low * scale, row.high * scale) for y, row, scale in scored
                if row is not None and row.low is not None and row.high is not None]  # fmt: skip
        for y, low, high in bars:
            axes.hlines(y, low, high, color=colour, linewidth=1.4, zorder=2)
        axes.plot([x for x, _ in dots], [y for _, y in dots], marker, color=colour, markersize=5,
                  markeredgecolor="white", markeredgewidth=0.6, label=f"seed {seed}", zorder=3)  # fmt: skip
    axes.set_yticks(range(len(shown)), [claim_sides(one.claim).replace(", ", ",\n", 1) for one in shown],
                    size=7, color=INK)  # fmt: skip
    axes.set(ylim=(len(shown) - 0.5, -0.5), xlabel="difference, in smallest differences of interest")
    axes.grid(visible=False, axis="y")
    quiet(axes, keep="bottom")


def _scale(claim: Claim) -> float:
    return (1 if claim.direction == "higher" else -1) / claim.smallest
