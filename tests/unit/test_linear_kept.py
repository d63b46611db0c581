"""A path of penalties that was interrupted at any fit ends where it would have ended. Simulated rows."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from orthotype.models.linear.kept import KeptFits
from orthotype.models.linear.path import FoldPath, _Fold, fit_path


class Stopped(BaseException):
    """An interruption."""


def problem(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    X = rng.poisson(1.0, size=(90, 12)) * rng.random((90, 12))
    y = np.arange(90) % 3
    X[:, :3] += 2 * np.eye(3)[y]
    return {"X": csr_array(X.astype(np.float32)), "y": y, "n_classes": 3, "folds": np.arange(90) // 3 % 4}


def same(one: FoldPath, other: FoldPath) -> None:
    for name in ("alphas", "losses", "coef", "intercept", "held_out_scores"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.alpha == other.alpha
    assert one.diagnostics == other.diagnostics


def interrupted(kept: KeptFits, at: int, **options: Any) -> None:
    """Walk a path and stop before the fit number ``at``."""
    plain, made = _Fold.fit, []

    def fit(self: _Fold, *arguments: Any, **limits: Any) -> Any:
        if len(made) == at:
            raise Stopped
        made.append(arguments)
        return plain(self, *arguments, **limits)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(_Fold, "fit", fit)
        fit_path(**problem(), kept=kept, **options)


@given(first=st.integers(0, 14), second=st.integers(0, 6), l1_ratio=st.sampled_from([0.0, 0.5]))
@settings(deadline=None, max_examples=20)
def test_a_path_goes_on_from_any_fit(first: int, second: int, l1_ratio: float) -> None:
    with TemporaryDirectory() as folder:
        kept = KeptFits(Path(folder) / "fits", "these")
        interrupted(kept, first, l1_ratio=l1_ratio)
        interrupted(kept, second, l1_ratio=l1_ratio)
        found = fit_path(**problem(), kept=kept, l1_ratio=l1_ratio)
    same(found, fit_path(**problem(), l1_ratio=l1_ratio))


def test_fits_of_other_work_and_damaged_ones_are_made_again(tmp_path: Path) -> None:
    interrupted(KeptFits(tmp_path, "others"), 9)
    expected = fit_path(**problem())
    assert KeptFits(tmp_path, "these").read(0, 0) is None
    same(fit_path(**problem(), kept=KeptFits(tmp_path, "these")), expected)
    for place in sorted(tmp_path.iterdir())[::3]:
        place.write_bytes(place.read_bytes()[:100])
    same(fit_path(**problem(), kept=KeptFits(tmp_path, "these")), expected)


def test_steps_are_kept_for_the_next_strength_alone(tmp_path: Path) -> None:
    path = fit_path(**problem(), kept=KeptFits(tmp_path, "these"))
    names = sorted(place.name for place in tmp_path.iterdir())
    last = len(path.alphas) - 1
    assert [name for name in names if name.startswith("steps")] == [f"steps-{last}-{m}.npz" for m in range(4)]
    assert sum(name.startswith("fit") for name in names) == 4 * len(path.alphas)
