"""Numbers as people write them."""

import math

import pytest

from orthotype.report.words import count, interval, percent, plain, score, spaced


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50.0 %"),
        (0.00001, "< 0.1 %"),
        (0.9995, "> 99.9 %"),
        (None, "\u2013"),
        (math.nan, "\u2013"),
    ],
)
def test_a_small_share_is_never_none_and_a_large_one_never_all(share, text):
    assert percent(share) == text


def test_what_is_missing_is_a_dash():
    assert count(None) == score(math.nan) == interval(math.nan, 1.0) == plain(None) == plain([]) == "\u2013"


def test_plain_values():
    assert plain(True) == "yes"
    assert plain(0.0035377) == "0.003538"
    assert plain(1_234_567.0) == "1234567"
    assert plain(list("abcdefghij")) == "a, b, c, d, e, f, g, h and 2 more"
    assert plain({"kind": "x", "n": [1, 2]}) == "kind x, n 1, 2"
    assert spaced("mean_recall") == "mean recall"
    assert count(12394.0) == "12,394"
    assert interval(0.9, 0.951) == "0.900 to 0.951"
