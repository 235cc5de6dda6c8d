"""BLEU and Self-BLEU against sacrebleu, and the corners it doesn't define."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU

from redraft.metrics.text import bleu, self_bleu

texts = st.lists(st.sampled_from("abc"), min_size=1, max_size=12)


def reference_bleu(hypothesis: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Mean of sacrebleu's BLEU-m over the orders that some text is long enough for."""
    orders = min(4, max(len(text) for text in (hypothesis, *references)))
    scores: list[float] = []
    for order in range(1, orders + 1):
        metric = BLEU(tokenize="none", smooth_method="none", max_ngram_order=order, effective_order=False, force=True)
        scores.append(metric.corpus_score([" ".join(hypothesis)], [[" ".join(text)] for text in references]).score)
    return sum(scores) / len(scores) / 100


@settings(deadline=None, max_examples=60)
@given(texts, texts)
def test_bleu_is_sacrebleu_s(hypothesis: list[str], reference: list[str]) -> None:
    assert bleu(hypothesis, reference) == pytest.approx(reference_bleu(hypothesis, [reference]))


@settings(deadline=None, max_examples=40)
@given(st.lists(texts, min_size=2, max_size=5))
def test_self_bleu_is_each_against_the_others(samples: list[list[str]]) -> None:
    each = [reference_bleu(text, samples[:i] + samples[i + 1 :]) for i, text in enumerate(samples)]
    assert self_bleu(samples) == pytest.approx(sum(each) / len(each))


def test_bleu_by_hand() -> None:
    # hypothesis f 1 r 9 f 1 (6 tokens), reference f 1 r 9 (4): no brevity penalty.
    # p1 = 4/6 (f and 1 clipped to one each), p2 = 3/5, p3 = 2/4, p4 = 1/3.
    p = (4 / 6, 3 / 5, 2 / 4, 1 / 3)
    expected = sum(math.prod(p[:m]) ** (1 / m) for m in (1, 2, 3, 4)) / 4
    assert bleu(list("f1r9f1"), list("f1r9")) == pytest.approx(expected)


def test_short_texts_leave_long_orders_out() -> None:
    assert bleu(["fd", "1"], ["fd", "1"]) == 1  # orders 3 and 4 don't exist on either side
    # the reference has trigrams, so order 3 counts, and scores 0: (1 + 1 + 0) / 3 times exp(1 - 3/2)
    assert bleu(["fd", "1"], ["fd", "1", "rt"]) == pytest.approx(math.exp(-0.5) * 2 / 3)


def test_no_smoothing() -> None:
    assert bleu(["a"], ["b"]) == 0
    # unigrams match, nothing longer: only order 1 scores
    assert bleu(list("abcd"), list("dcba")) == 0.25


def test_empty_texts() -> None:
    assert bleu([], []) is None
    assert bleu([], ["a"]) == bleu(["a"], []) == 0
    assert self_bleu([["a"]]) is None
    assert self_bleu([[], []]) is None


def test_identical_samples_have_no_variety() -> None:
    assert self_bleu([list("abcde")] * 5) == pytest.approx(1)
    assert self_bleu([["a"], ["b"], ["c"]]) == 0
