"""The kernel is optional: builds without a compiler work, builds with sanitizers survive damaged input."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src/orthotype"
FIT = """
import numpy as np
from orthotype.cells.native import ROWS, native
from orthotype.models.linear.kernel import describe
from orthotype.models.linear import solve
from orthotype.models.nearest import KERNEL
found = {native(ROWS) is None, native(KERNEL) is None, describe().startswith("scipy")}
assert len(found) == 1, "some kernels are there and some are not"
rng = np.random.default_rng(0)
X = rng.poisson(1.0, size=(50, 8)).astype(float)
from scipy.sparse import csr_array
solution = solve(csr_array(X), np.arange(50) % 3, n_classes=3, alpha=0.1, tol=1e-10)
print(describe().split(" ")[0], *solution.coef.ravel().round(5).tolist())
"""

hatchling = pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None, reason="HATCHLING IS NOT INSTALLED: builds are not tested"
)


def install(folder: Path, name: str, environment: dict[str, str]) -> tuple[str, list[float]]:
    """Build a wheel in the given environment, unpack it, fit with it; return the kernel and the weights."""
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    wheels, target = folder / f"{name}-wheels", folder / name
    wheels.mkdir()
    keep = {key: value for key, value in os.environ.items() if key not in ("CC", "ORTHOTYPE_KERNEL")}
    subprocess.run(
        [sys.executable, "-c", build, str(wheels)],
        cwd=ROOT,
        env=keep | environment,
        check=True,
        capture_output=True,
    )
    [wheel] = wheels.glob("*.whl")
    assert ("none-any" in wheel.name) == (environment != {})
    shutil.unpack_archive(wheel, target, "zip")
    done = subprocess.run(
        [sys.executable, "-c", FIT],
        cwd=folder,
        env=keep | {"PYTHONPATH": str(target)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    kernel, *weights = done.stdout.split()
    return kernel, [float(weight) for weight in weights]


@hatchling
@pytest.mark.parametrize("environment", [{"CC": "/nowhere/cc"}, {"PATH": ""}])
def test_without_a_compiler_everything_works_through_scipy(environment, tmp_path):
    import numpy as np
    from scipy.sparse import csr_array

    from orthotype.models.linear import solve

    kernel, weights = install(tmp_path, "without", environment)
    assert kernel == "scipy"
    X = np.random.default_rng(0).poisson(1.0, size=(50, 8)).astype(float)
    here = solve(csr_array(X), np.arange(50) % 3, n_classes=3, alpha=0.1, tol=1e-10)
    np.testing.assert_allclose(weights, here.coef.ravel(), atol=1e-4)


@hatchling
@pytest.mark.skipif(shutil.which("cc") is None, reason="NO C COMPILER: the native build is not tested")
def test_with_a_compiler_the_kernel_is_inside(tmp_path):
    assert install(tmp_path, "with", {})[0] == "native"


TORTURE = """
import importlib.util, sys
import numpy as np
spec = importlib.util.spec_from_file_location("_kernel", sys.argv[1])
kernel = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kernel)
rng = np.random.default_rng(0)
levels = []
for level in ("baseline", "avx2", "avx512"):
    try:
        levels.append(kernel.level(level))
    except ValueError:
        pass
refused = used = 0
for case in range(300):
    kernel.level(levels[case // 3 % len(levels)])
    n, p, K = int(rng.integers(1, 300)), int(rng.integers(1, 20)), int(rng.integers(1, 70))
    real, index = [np.float32, np.float64][case % 2], [np.int32, np.int64][case // 2 % 2]
    rows = rng.integers(0, p + 1, n)
    indptr = np.r_[0, np.cumsum(rows)].astype(index)
    indices = rng.integers(0, p, int(indptr[-1])).astype(index)
    data = None if case % 5 == 0 else rng.random(len(indices)).astype(real)
    kind = case % 7
    if kind == 1 and len(indices):
        indices[rng.integers(len(indices))] = rng.choice([-1, p, 2**31 - 1, -(2**31)])
    elif kind == 2: indptr[rng.integers(n + 1)] = rng.choice([-5, 2**31 - 1])
    elif kind == 3: indptr = indptr[::-1].copy()
    elif kind == 4: indices = indices[: len(indices) // 2].copy()
    elif kind == 5: indptr[-1] += 1
    wide = 8 if data is None or real == np.float32 else 4
    real = np.float32 if wide == 8 else np.float64
    width = -(-K // wide) * wide
    W, offset = rng.normal(size=(p, width)).astype(real), np.zeros(width, real)
    extras = case % 3
    columns = -(-(2 * K + extras) // 8) * 8
    try:
        held = kernel.matrix(indptr, indices, data, p, False)
        genes = rng.integers(-2, 2 * p, p).astype(np.int32)
        scores, mean = np.empty((n, 2, K), np.float32), np.empty((n, K), np.float32)
        votes = np.empty((n, K), np.int32)
        extra, squares = np.empty((n, extras), np.float32), np.empty(n, np.float32)
        Wf, of = np.ones((p, columns), np.float32), np.zeros(columns, np.float32)
        shape = (Wf, of, p, 2, K, extras)
        kernel.label(held, genes, True, case % 3, 1e4, *shape, 3, scores, mean, votes, extra, squares)
    except (ValueError, LookupError):
        refused += 1
    try:
        held = kernel.matrix(indptr, indices, data, p, True)
    except ValueError:
        refused += 1
        continue
    for level in levels:
        kernel.level(level)
        y, weights = rng.integers(0, K, n).astype(np.int32), rng.random(n)
        kernel.loss_gradient(held, y, weights, W, offset, K, 3, np.empty((p, K)), np.empty(K), np.empty(K))
        kernel.scores(held, np.array([n - 1, 0]), W, offset, K, 2, np.empty((2, K), real))
        kernel.transposed(held, np.ones((n, K), real), K, 2, np.empty((p, K)))
        kernel.moments(held, weights, 2, np.empty(p), np.empty(p))
        used += 1
print(refused, used)
"""


ROWS = """
import importlib.util, sys
import numpy as np
spec = importlib.util.spec_from_file_location("_rows", sys.argv[1])
kernel = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kernel)
rng = np.random.default_rng(0)
refused = used = 0
for case in range(600):
    n, p, width = int(rng.integers(0, 40)), int(rng.integers(1, 20)), int(rng.integers(0, 200))
    index, kind = [np.int32, np.int64][case % 2], [np.int32, np.int64, np.float32, np.float64][case // 2 % 4]
    indptr = np.r_[0, np.cumsum(rng.integers(0, p + 1, n))].astype(index)
    indices = rng.integers(0, p, int(indptr[-1])).astype(index)
    damage = case % 7
    if damage == 1 and len(indices):
        indices[rng.integers(len(indices))] = rng.choice([-1, p, 2**31 - 1, -(2**31)])
    elif damage == 2: indptr[rng.integers(n + 1)] = rng.choice([-5, 2**31 - 1])
    elif damage == 3: indptr = indptr[::-1].copy()
    elif damage == 4: indices = indices[: len(indices) // 2].copy()
    elif damage == 5: indptr[-1] += 1
    stored = (rng.normal(size=len(indices)) * 1e4).astype(kind)
    values, m = stored.astype(np.float32), len(indices)
    genes = rng.integers(-2, 2 * width + (damage == 6), p).astype(np.int32)
    room = np.empty(m, np.float32), np.empty(m, np.int32), np.empty(n + 1, np.int32), np.empty(n)
    for call, arrays in (
        (kernel.check, (indptr, indices, p)),
        (kernel.look, (indptr, stored, np.empty(n, np.uint8))),
        (kernel.add, (indptr, indices, values, np.zeros(p))),
        (kernel.moments, (indices, values.astype(np.float64), np.zeros(p), np.zeros(p))),
        (kernel.align, (indptr, indices, values, genes, width, *room)),
    ):
        try:
            call(*arrays)
            used += 1
        except ValueError:
            refused += 1
print(refused, used)
"""

NEAREST = """
import importlib.util, sys
import numpy as np
spec = importlib.util.spec_from_file_location("_nearest", sys.argv[1])
kernel = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kernel)
rng = np.random.default_rng(0)
refused = used = 0
for case in range(300):
    try:
        kernel.level(("baseline", "avx2", "avx512")[case % 3])
    except ValueError:
        pass
    n, m, d, k = (int(rng.integers(low, high)) for low, high in ((0, 200), (1, 150), (0, 50), (0, 20)))
    points, landmarks = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    if case % 5 == 0 and points.size:
        points.flat[rng.integers(points.size)] = rng.choice([np.nan, np.inf, 1e300])
    if case % 7 == 0:
        landmarks = np.repeat(landmarks[:1], m, axis=0)
    room = np.empty((n, k + (case % 11 == 0))), np.empty((n, max(k - (case % 13 == 0), 0)), np.int32)
    try:
        kernel.nearest(points, landmarks, d, k, 1 + case % 3, *room)
        used += 1
    except ValueError:
        refused += 1
print(refused, used)
"""


@pytest.mark.parametrize(
    ("source", "torture", "enough"),
    [
        ("models/linear/_kernel.c", TORTURE, (150, 50)),
        ("cells/_rows.c", ROWS, (400, 500)),
        ("models/_nearest.c", NEAREST, (10, 100)),
    ],
)
def test_nothing_damaged_makes_a_kernel_read_out_of_bounds(source, torture, enough, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("NO C COMPILER FOR SANITIZERS HERE: out-of-bounds reads are not tested")
    runtime = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    target = tmp_path / Path(source).with_suffix(".abi3.so").name
    options = [
        "-O1",
        "-g",
        "-std=gnu11",
        "-fPIC",
        "-shared",
        "-pthread",
        "-fsanitize=address,undefined",
    ]
    include = f"-I{sysconfig.get_path('include')}"
    built = subprocess.run(
        [
            compiler,
            *options,
            "-fno-sanitize-recover=all",
            include,
            str(SOURCES / source),
            "-o",
            str(target),
            "-lm",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode != 0 or not Path(runtime).is_absolute():
        pytest.skip(f"NO SANITIZER RUNTIME HERE: out-of-bounds reads are not tested ({built.stderr[:200]})")
    done = subprocess.run(
        [sys.executable, "-c", torture, str(target)],
        env=os.environ
        | {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    refused, used = map(int, done.stdout.split())
    assert refused > enough[0] and used > enough[1]
