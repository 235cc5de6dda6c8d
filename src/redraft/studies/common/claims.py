"""The claims studies are judged by, fixed in each study's `claims.toml` before any result is seen, and the judge.

In: those files, whose fields docs/studies.md explains; results rows of any studies. Out: a `Verdict` for every claim.
A row belongs to a claim if study, metric,
statistic, model, baseline, split and condition are exactly the claim's; a claim without a row is not testable, and says
so. The rule, in this order:

- not testable: no such row, the row is unscored, without interval or with one of no width, or there are fewer students
  or titles than the claim needs;
- not testable, too, if the two sides are alike because both stand within two margins of an end of their scale;
- equivalent: two one-sided tests at .05 find the difference within the margin, that is, its 90% bootstrap interval
  lies inside (rows without one: the 95% interval, which is stricter). It comes first: a difference that is certainly
  too small to matter is no support, whichever side of zero it is on;
- supported: the 95% interval is beyond zero in the claim's direction, p after Holm's correction over the study's
  testable claims is below .05, and the estimate reaches the smallest difference of interest;
- contradicted: the same on the other side of zero, whatever the size; for a claim of no difference, on either side;
- inconclusive: everything else; and of students' traces any verdict on a model that had not converged, of which only
  what is seen of these checkpoints is told.

In a simulated class a planted effect that isn't found is missed only if a difference of the size of interest would have
been found with 80% power; else it isn't findable at this size.

A bootstrap p is at least 2 / (B + 1), so a study with n claims can support one only with B above 40 n replicates.

Not guaranteed: that a verdict says anything about students. That depends on who wrote the traces; `Verdict.words` says
only what the data's origin allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from redraft.config import build, read_toml
from redraft.data.split import TEST_SPLITS
from redraft.errors import InputError, suggestion
from redraft.metrics.agreement import holm
from redraft.metrics.registry import METRICS
from redraft.results import Result, early_models
from redraft.studies.registry import STUDIES

FINAL_ONLY = frozenset({"last"})
"""Views whose models write final programs only; trace metrics don't apply to them."""

CONTRASTS = (
    ("trace", "last"), ("trace", "synthetic"), ("trace-downsampled", "last"),
    ("trace-downsampled", "synthetic-downsampled"), ("trace", "other-student"), ("trace", "matched-student"),
)  # fmt: skip
"""Models, and baselines to the right, that are compared on every metric both have, where a run has them."""

PRIMARY_FAMILY = "behaviour: primary"

STATISTICS = {"within_r": "within-title r", "pooled_r": "pooled r", "between_r": "between-title r", "mean": "mean"}
"""Statistics of several studies -> words; a study's own stand in its `claims.toml`."""

SIGNIFICANT = 0.05
BOUNDED = ("0 to 1", "share", "1 or 0", "cosine")
"""Words in the units of scales that end at 0 and at 1."""

Outcome = Literal["supported", "contradicted", "equivalent", "inconclusive", "not testable"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A comparison that counts: an entry of a study's `claims.toml`."""

    study: str
    """The study that measures it."""
    name: str
    """Its name within the study."""
    about: str
    """The claim in words a teacher understands: a sentence without its full stop."""
    metric: str
    """The metric's name."""
    statistic: str
    """within_r, pooled_r, mean ...; the claim is about the difference of it, if `against` is given."""
    model: str
    """The side expected to be ahead."""
    against: str = ""
    """Another model, or a baseline; empty: the model under another condition (`condition.against`), or zero."""
    split: str | None = None
    """Where; None in studies without splits."""
    condition: dict[str, str] = field(default_factory=dict)
    """The rest of the row's address."""
    direction: Literal["higher", "lower"] = "higher"
    """Which way the claim goes."""
    expected: Literal["supported", "equivalent"] = "supported"
    """`equivalent`: the claim is that there is no difference."""
    smallest: float
    """The smallest difference of interest, in the statistic's unit."""
    margin: float
    """Differences inside it are as good as none."""
    min_students: int = 10
    """Fewer students: not testable."""
    min_titles: int = 10
    """Fewer titles: not testable."""
    planted: bool = False
    """A simulated class has this effect: its students keep their habits from title to title."""
    source: str
    """Where the paper has it, or `added`."""
    printed: dict[str, float] = field(default_factory=dict)
    """The values the paper prints, by side."""

    @property
    def other(self) -> str:
        """What the model is compared with: another model, a baseline, or the same model under another condition."""
        return self.against or self.condition.get("against", "")

    @property
    def row_statistic(self) -> str:
        """The statistic as the row names it."""
        return f"{self.statistic}_difference" if self.other else self.statistic

    def is_of(self, row: Result) -> bool:
        """Whether a row measures this claim, whatever the row's condition."""
        return (row.study, row.metric, row.statistic, row.model, row.baseline or "", row.split, row.subgroup) == (
            self.study, self.metric, self.row_statistic, self.model, self.against, self.split, None,
        )  # fmt: skip

    def find(self, rows: Iterable[Result]) -> Result | None:
        """The row that measures this claim."""
        return next((row for row in rows if self.is_of(row) and row.condition == self.condition), None)


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What the studies' `claims.toml` hold."""

    claims: tuple[Claim, ...]
    """Study by study, in the files' order."""
    metrics: Mapping[str, str]
    """Metrics beyond the registry's -> words."""
    statistics: Mapping[str, str]
    """Statistics -> words."""

    def of(self, study: str) -> tuple[Claim, ...]:
        """A study's claims, in order of importance."""
        return tuple(claim for claim in self.claims if claim.study == study)


def load_claims(study: str, file: Path) -> Claims:
    """Read a study's claims.

    Raises:
        InputError: The file can't be read, or anything in it is wrong; all problems are named together.
    """
    tables = read_toml(file)
    metrics, statistics = (dict(tables.pop(name, {})) for name in ("metrics", "statistics"))
    problems: list[str] = []
    claims: list[Claim] = []
    for name, entry in tables.items():
        found = _claim(study, name, entry)
        if isinstance(found, Claim):
            claims.append(found)
            found = _problems(found, {*METRICS, *metrics}, {*STATISTICS, *statistics})
        problems += [f"[{name}] {problem}" for problem in found]
    if problems:
        raise InputError(" ".join(problems), where=file)
    return Claims(claims=tuple(claims), metrics=metrics, statistics=statistics)


def _claim(study: str, name: str, entry: object) -> Claim | list[str]:
    """A claim, or what keeps the entry from being one."""
    if not isinstance(entry, Mapping):
        return ["is not a table."]
    required = [f for f in fields(Claim) if f.default is MISSING and f.default_factory is MISSING]
    table: dict[str, Any] = {"study": study, "name": name, **entry}
    missing = [f.name for f in required if f.name not in table]
    problems = [f"lacks {', '.join(missing)}."] if missing else []
    # What is missing is filled in, so that what is there is checked all the same.
    filled = {f.name: 1.0 if f.type == "float" else "" for f in required if f.name in missing}
    try:
        made = build(Claim, {**table, **filled})
    except InputError as error:
        return [*problems, str(error)]
    return problems or made


def _problems(claim: Claim, metrics: Iterable[str], statistics: Iterable[str]) -> list[str]:
    """What is wrong with a claim's values."""
    given = [("metric", claim.metric, metrics), ("statistic", claim.statistic, statistics)]
    # Means over the traces of several splits have these joined by a plus.
    given += [("split", part, ("all", *TEST_SPLITS)) for part in (claim.split or "all").split("+")]
    found = [
        f"has an unknown {key} {value!r}. {suggestion(value, names)}"
        for key, value, names in given if value not in set(names)
    ]  # fmt: skip
    bad_texts = [k for k, v in claim.condition.items() if not isinstance(v, str)]
    bad_numbers = [k for k, v in claim.printed.items() if not isinstance(v, int | float)]
    rules = (
        (claim.smallest <= 0 or claim.margin <= 0, "needs a `smallest` and a `margin` above 0."),
        (claim.min_students < 0 or claim.min_titles < 0, "can't need a negative number of students or titles."),
        (claim.expected == "equivalent" and not claim.other, "expects equivalence, but with nothing."),
        (bool(bad_texts), f"has conditions that aren't text: {', '.join(bad_texts)}."),
        (bool(bad_numbers), f"has printed values that aren't numbers: {', '.join(bad_numbers)}."),
        (
            claim.study == "behaviour" and claim.metric in METRICS and METRICS[claim.metric].of_traces
            and bool(FINAL_ONLY & {claim.model, claim.against}),
            "compares whole traces with a model of final programs.",
        ),
    )  # fmt: skip
    return found + [text for wrong, text in rules if wrong]


@cache
def own_claims() -> Claims:
    """The claims of all studies, in the registry's order."""
    found = [load_claims(study.name, study.claims) for study in STUDIES if study.claims]
    return Claims(
        claims=tuple(claim for one in found for claim in one.claims),
        metrics={name: words for one in found for name, words in one.metrics.items()},
        statistics=STATISTICS | {name: words for one in found for name, words in one.statistics.items()},
    )


def metric_words(name: str) -> str:
    """What a metric is called: by the registry, or by the study that alone measures it."""
    return METRICS[name].label if name in METRICS else own_claims().metrics.get(name, name.replace("_", " "))


PRIMARY: tuple[Claim, ...] = tuple(
    claim for claim in own_claims().of("behaviour") if claim.against and not claim.condition
)
"""The behaviour study's contrasts, in order of importance; the claims under a condition are repeats of these."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came out for a claim."""

    claim: Claim
    row: Result | None
    """The row it was judged by; None: nothing was measured."""
    outcome: Outcome
    """See the module's rule."""
    reason: str = ""
    """Why it isn't testable, or what makes it inconclusive."""
    p: float | None = None
    """After Holm's correction over the study's testable claims."""
    unfinished: tuple[str, ...] = ()
    """Models compared that had not converged: whatever is seen is seen of these checkpoints."""
    checkpoints: str = ""
    """What is seen of them, if any had not."""

    @property
    def holds(self) -> bool:
        """Whether it came out as the claim says."""
        return self.outcome == self.claim.expected

    @property
    def words(self) -> str:
        """The outcome in the words the data's origin allows: only students' own traces support a claim."""
        if self.row is None or self.outcome == "not testable":
            return f"{self.outcome} ({self.reason})" if self.reason else self.outcome
        early = f"{' and '.join(self.unfinished)} not converged, these checkpoints: " if self.unfinished else ""
        seen = f"{self.seen} ({self.reason})" if self.reason else self.seen
        if self.row.origin == "students":
            plain = f"{self.outcome} ({self.reason})" if self.reason else self.outcome
            return f"{early}{seen}" if early else plain
        if self.row.origin == "simulated":
            return f"{early}{seen}: {self.of_planted if self.claim.planted else 'nothing planted'}"
        return f"{early}{seen}: imitation of a model"

    @property
    def of_planted(self) -> str:
        """What became of a planted effect. It is missed only if one of the size of interest would have been found."""
        row = self.row
        assert row is not None
        if self.holds:
            return "planted effect recovered"
        least = row.smallest_detectable
        if _significant(row, self.p) or (least is not None and least <= self.claim.smallest):
            return "planted effect missed"
        return "planted effect not findable at this size"

    @property
    def seen(self) -> str:
        """What is seen in the numbers, without any claim."""
        if self.row is None or self.outcome == "not testable":
            return "not testable"
        if self.checkpoints:
            return self.checkpoints
        if self.outcome == "equivalent":
            return "no difference that matters"
        if not _significant(self.row, self.p):
            return "not significant"
        side = "higher" if (self.row.value or 0) > 0 else "lower"
        return f"{self.claim.model} {side}" if self.claim.other else f"{'above' if side == 'higher' else 'below'} 0"


def judge(rows: Sequence[Result], claims: Sequence[Claim] | None = None) -> list[Verdict]:
    """The verdict on every claim, in order.

    Args:
        rows: Results rows of any studies of one run.
        claims: None: redraft's own.
    """
    verdicts = [_first(claim, rows) for claim in (own_claims().claims if claims is None else claims)]
    for study in {verdict.claim.study for verdict in verdicts}:
        mine = [i for i, v in enumerate(verdicts) if v.claim.study == study and v.outcome != "not testable"]
        ps = [row.p for i in mine if (row := verdicts[i].row) is not None]
        for i, p in zip(mine, holm(ps), strict=True):
            verdicts[i] = _of_checkpoints(_judged(replace(verdicts[i], p=p), rows))
    return verdicts


def _of_checkpoints(verdict: Verdict) -> Verdict:
    """If a model had not converged, what is seen of these checkpoints; of students' traces no more than that."""
    early = early_models(verdict.row) if verdict.row is not None else ()
    if not early or verdict.outcome == "not testable":
        return verdict
    told = replace(verdict, unfinished=early, checkpoints=verdict.seen)
    return replace(told, outcome="inconclusive") if verdict.row and verdict.row.origin == "students" else told


def _first(claim: Claim, rows: Sequence[Result]) -> Verdict:
    """Whether a claim is testable: 'inconclusive' until it is judged."""
    row = claim.find(rows)
    reason = _untestable(claim, row, rows)
    return Verdict(claim=claim, row=row, outcome="not testable" if reason else "inconclusive", reason=reason)


def _untestable(claim: Claim, row: Result | None, rows: Sequence[Result]) -> str:
    if row is None:
        mine = [other for other in rows if other.study == claim.study]
        if not mine:
            return f"the study {claim.study!r} was not run"
        if all(other.value is None for other in mine) and len({other.reason for other in mine}) == 1:
            return mine[0].reason or "unscored"
        known = {side for other in mine for side in (other.model, other.baseline)}
        absent = [side for side in (claim.model, claim.against) if side and side not in known]
        return f"the run has no {' and no '.join(absent)}" if absent else _elsewhere(claim, mine)
    if row.value is None:
        return row.reason or "unscored"
    if row.n_students < claim.min_students:
        return f"students: {row.n_students}; the claim needs {claim.min_students}"
    if row.n_titles < claim.min_titles:
        return f"titles: {row.n_titles}; the claim needs {claim.min_titles}"
    if row.low is None or row.high is None or row.p is None:
        return row.reason or "no interval"
    if row.low == row.high:  # resampled, cases that are all alike stay so: that shows nothing
        return "all cases alike: the interval has no width"
    return ""


def _elsewhere(claim: Claim, rows: Iterable[Result]) -> str:
    """How the claim's measurement was made instead, as by another protocol."""
    wanted = {"split": claim.split, **claim.condition}
    made = [{"split": row.split, **row.condition} for row in rows if replace(claim, split=row.split).is_of(row)]
    other = [[f"{key} {each.get(key) or 'none'}" for key in wanted if each.get(key) != wanted[key]] for each in made]
    nearest = min(other, key=len, default=[])
    return f"measured otherwise only: {', '.join(nearest)}" if nearest else "no such measurement"


def _judged(verdict: Verdict, rows: Sequence[Result]) -> Verdict:
    """The verdict on a testable claim whose corrected p is known."""
    claim, row = verdict.claim, verdict.row
    assert row is not None
    assert row.value is not None
    if is_equivalent(row, claim.margin):
        end = _end_of_scale(claim, row, rows)
        return replace(verdict, outcome="not testable", reason=end) if end else replace(verdict, outcome="equivalent")
    if not _significant(row, verdict.p):
        return replace(verdict, reason=_disagreement(row, verdict.p))
    ahead = row.value if claim.direction == "higher" else -row.value
    if claim.expected == "equivalent" or ahead < 0:
        return replace(verdict, outcome="contradicted")
    if ahead < claim.smallest:
        return replace(verdict, reason="beyond zero, but perhaps too small to matter")
    return replace(verdict, outcome="supported")


def _end_of_scale(claim: Claim, row: Result, rows: Sequence[Result]) -> str:
    """Why two sides that are alike show nothing: both stand at the floor or the ceiling, where there is no room."""
    if not any(words in row.unit for words in BOUNDED):
        return ""
    where = (claim.study, claim.metric, claim.statistic, claim.split, claim.condition, None)
    alone = {
        other.model or other.baseline: other.value
        for other in rows
        if None in (other.model, other.baseline) and other.value is not None
        and where == (other.study, other.metric, other.statistic, other.split, other.condition, other.subgroup)
        and (other.model or other.baseline) in (claim.model, claim.against)
    }  # fmt: skip
    if len(alone) < 2:
        return ""
    room = 2 * claim.margin
    if max(alone.values()) <= room:
        return f"both sides are at the floor ({max(alone.values()):.2g} at most)"
    if min(alone.values()) >= 1 - room:
        return f"both sides are at the ceiling ({min(alone.values()):.2g} at least)"
    return ""


def _disagreement(row: Result, p: float | None) -> str:
    """Which of interval and p finds something, if one of them does: both must."""
    if _beyond_zero(row):
        return "the interval is beyond zero, but not after correction for the number of claims"
    if p is not None and p < SIGNIFICANT:
        return f"though p is below {SIGNIFICANT}, the interval over clusters, which must agree, holds zero"
    return ""


def is_equivalent(row: Result, margin: float) -> bool:
    """Two one-sided tests at .05: the 90% interval (else the 95% one) lies within the margin."""
    low, high = (row.low_90, row.high_90) if row.low_90 is not None else (row.low, row.high)
    return low is not None and high is not None and -margin < low and high < margin


def _significant(row: Result, p: float | None) -> bool:
    """The interval is beyond zero and p, corrected, below .05."""
    return _beyond_zero(row) and p is not None and p < SIGNIFICANT


def _beyond_zero(row: Result) -> bool:
    return row.low is not None and row.high is not None and (row.low > 0 or row.high < 0)
