"""docs/performance.md, written from the JSON results and nothing else."""

import json
from pathlib import Path
from typing import Any

from engine.measure import RESULTS

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
INTRODUCTION = """# Performance

Generated from `benchmarks/results/*.json` by the scripts in `benchmarks/`; run them to get your own:

```
python benchmarks/solver.py      # time to within 1e-3 of the minimum, against other solvers
python benchmarks/predict.py     # cells a second from raw counts to labels
python benchmarks/fewshot.py     # refits on a handful of cells
python benchmarks/nonzeros.py    # training from 1 to 200 million stored values
python benchmarks/mapping.py     # sixty thousand gene names brought to another species
```

Times are medians; ratios hold across machines better than seconds do. The objective is
`mean CE + alpha/2 ||W||^2` with a free intercept, evaluated in float64 the same way for everyone; *gap* is
its relative distance from the best value known. *Extra memory* is what the process grew by while fitting.
"""
PREDICT = """*predict* is the whole of `LabelTransfer.predict` with `alignment="none"`, `unknown="none"` and
`n_neighbors=0`: checks, gene names, orthologs and five models. Alignment and neighbours come on top."""


def write() -> None:
    """Write the page from whatever results exist."""
    parts = [INTRODUCTION]
    for name, section in SECTIONS:
        path = RESULTS / f"{name}.json"
        if path.is_file():
            results = json.loads(path.read_text())
            parts += [section(results), _machine(results)]
    PAGE.write_text("\n".join(parts))


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _seconds(result: dict[str, Any]) -> str:
    if "error" in result:
        return "not run"
    value = result["seconds"]
    return f"{value * 1e3:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def _solver(results: dict[str, Any]) -> str:
    text = ["## Solvers\n"]
    for name, entry in results["problems"].items():
        text.append(
            f"**{name}**: {entry['what']}, {entry['cells']:,} cells x {entry['genes']:,} genes, "
            f"{entry['classes']} classes, {entry['nonzeros'] / 1e6:.2f} M nonzeros, alpha {entry['alpha']}.\n"
        )
        ours = entry["solvers"].get("orthotype", {}).get("seconds")
        rows = []
        for solver, r in entry["solvers"].items():
            if "error" in r:
                rows.append([solver, "not run", "", "", "", "", ""])
                continue
            ratio = f"{r['seconds'] / ours:.1f}" if ours else ""
            gap = f"{r['gap']:.1e}" if "gap" in r and "SGD" not in solver else "other objective"
            memory = f"{r['extra_mb']:.0f} MB"
            rows.append(
                [solver, _seconds(r), ratio, gap, f"{r['accuracy']:.3f}", f"{r['mean_recall']:.3f}", memory]
            )
        head = ["solver", "time", "times ours", "gap", "accuracy", "mean recall", "extra memory"]
        text.append(_rows(head, rows))
        path = entry["path"]
        if "error" not in path:
            text.append(
                f"Five folds times {path['alphas']} of 10 penalties, and the refit: {_seconds(path)}; "
                f"chosen alpha {path['alpha']:.3g}, accuracy {path['accuracy']:.3f}, "
                f"mean recall {path['mean_recall']:.3f} "
                "(class-balanced).\n"
            )
    return "\n".join(text)


def _predict(results: dict[str, Any]) -> str:
    rows = []
    for setting, entry in results["settings"].items():
        for kind, r in entry.items():
            rate = "not run" if "error" in r else f"{r['cells'] / r['seconds'] / 1e3:,.0f}"
            memory = "" if "error" in r else f"{r['extra_mb']:.0f} MB"
            rows.append([setting, kind, rate, memory])
    return f"## From raw counts to labels\n\n{PREDICT}\n\n" + _rows(
        ["setting", "way", "thousand cells a second", "extra memory"], rows
    )


def _fewshot(results: dict[str, Any]) -> str:
    rows = []
    for setting, entry in results["settings"].items():
        rows += [[setting, method, _seconds(r), str(r.get("steps", ""))] for method, r in entry.items()]
    return "## Refits on a handful of cells\n\n" + _rows(["problem", "method", "time", "steps"], rows)


def _nonzeros(results: dict[str, Any]) -> str:
    rows = [
        [
            f"{size['nonzeros'] / 1e6:,.0f} M",
            f"{size['cells']:,}",
            _seconds(size),
            f"{size['extra_mb']:.0f} MB",
        ]
        for size in results["sizes"]
    ]
    head = ["stored values", "cells", f"{results['iterations']} iterations", "extra memory"]
    text = f"Time grows with the power {results['exponent']:.2f} of the number of stored values.\n"
    return "## Size\n\n" + _rows(head, rows) + "\n" + text


def _mapping(results: dict[str, Any]) -> str:
    rows = [
        [species, f"{r['names']:,}", f"{r['mapped']:,}", _seconds(r), f"{r['extra_mb']:.0f} MB"]
        for species, r in results["species"].items()
    ]
    head = ["human genes to", "names", "mapped", "time", "extra memory"]
    return "## Gene names\n\n" + _rows(head, rows) + "\nReading the bundled tables is in it.\n"


def _machine(results: dict[str, Any]) -> str:
    m = results["machine"]
    shown = ("python", "numpy", "scipy", "scikit-learn", "torch")
    versions = ", ".join(f"{name} {m['versions'][name]}" for name in shown)
    return (
        f"\n{m['processor']}, {m['cores']} cores, {m['memory_gb']} GB; load before {m['load_before']}; "
        f"two threads each; {results['runs']} runs; {', '.join(m['blas'])}; "
        f"kernel: {m['versions']['kernel']}; {versions}.\n"
    )


SECTIONS = (
    ("solver", _solver),
    ("predict", _predict),
    ("fewshot", _fewshot),
    ("nonzeros", _nonzeros),
    ("mapping", _mapping),
)
