"""Linear maps and exponentials in compiled loops."""

from __future__ import annotations

import numpy as np
import pytest

from redraft.lm.fast.loops import exponentials
from redraft.lm.fast.product import TALL, panels_of, product


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_out", [1, 15, 16, 31, 32, 64, 77])
@pytest.mark.parametrize("n_tokens", [0, 1, 3, TALL, 2 * TALL + TALL // 2 + 1])
def test_product_equals_its_definition(dtype: type[np.floating], n_out: int, n_tokens: int) -> None:
    rng = np.random.default_rng(n_out)
    x, weight = (rng.standard_normal(shape).astype(dtype) for shape in ((n_tokens, 9), (n_out, 9)))
    bias, before = (rng.standard_normal(shape).astype(dtype) for shape in (n_out, (n_tokens, n_out)))
    panels = panels_of(weight)
    atol = 1e-5 if dtype == np.float32 else 1e-13
    for with_bias in (bias, bias[:0]):
        expected = x @ weight.T + (with_bias if len(with_bias) else 0)
        out = np.full_like(before, np.nan)  # what is there before doesn't matter
        product(x, panels, with_bias, out, False)
        np.testing.assert_allclose(out, expected, rtol=0, atol=atol)
        out = before.copy()
        product(x, panels, with_bias, out, True)
        np.testing.assert_allclose(out, before + expected, rtol=0, atol=atol)


def test_a_token_is_summed_alike_whatever_its_neighbours() -> None:
    rng = np.random.default_rng(0)
    x, weight = (rng.standard_normal(shape).astype(np.float32) for shape in ((29, 300), (70, 300)))
    panels, none = panels_of(weight), np.empty(0, np.float32)
    together = np.empty((29, 70), np.float32)
    product(x, panels, none, together, False)
    for n in range(29):
        alone = np.empty((1, 70), np.float32)
        product(x[n : n + 1], panels, none, alone, False)
        assert np.array_equal(alone[0], together[n])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exponentials_are_right_to_the_last_bits(dtype: type[np.floating]) -> None:
    x = np.concatenate([np.linspace(-87, 88, 100_001), np.linspace(-1e-3, 1e-3, 1001)]).astype(dtype)
    expected = np.exp(x.astype(np.float64))
    exponentials(x)
    assert np.abs(x / expected - 1).max() < 4 * np.finfo(dtype).eps
    if dtype == np.float32:
        ends = np.array([-1e4, 1e4], dtype)
        exponentials(ends)
        np.testing.assert_allclose(ends, np.exp([-87.0, 88.0]), rtol=1e-6)
