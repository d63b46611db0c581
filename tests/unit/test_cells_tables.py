"""Small tables of text, as programs and people write them."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from orthotype.cells.checks import check_random_state
from orthotype.cells.tables import read_fields
from orthotype.errors import InputError, Problems

MEMORY = "CD4-positive, alpha-beta, memory T cell"


def read(path: Path, text: str | bytes, *, known: tuple[str, ...] = ("c1", "c2", "c3")) -> list[list[str]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_fields(path, known=known).rows


@pytest.mark.parametrize(
    "text",
    [
        f"cell\tlabel\nc1\t{MEMORY}\nc2\t{MEMORY}\n",
        f"c1\t{MEMORY}\nc2\t{MEMORY}\n",
        f"cell;label\nc1;{MEMORY}\nc2;{MEMORY}\n",
        f'cell,label\nc1,"{MEMORY}"\nc2,"{MEMORY}"\n',
        f'"cell", "label"\n"c1", "{MEMORY}"\n"c2", "{MEMORY}"\n',
        f"label\nc1\t{MEMORY}\nc2\t{MEMORY}\n",
    ],
    ids=["tabs", "no names", "semicolons", "quoted", "blanks", "no corner"],
)
def test_labels_with_commas(tmp_path: Path, text: str) -> None:
    assert read(tmp_path / "a.txt", text) == [["c1", MEMORY], ["c2", MEMORY]]


def test_of_two_ways_to_split_the_one_that_comes_first_in_a_line(tmp_path: Path) -> None:
    assert read(tmp_path / "a.txt", "c1\tT cell, old\nc2\tB cell, new\n")[0] == ["c1", "T cell, old"]
    assert read(tmp_path / "b.txt", "c1,T cell; old\nc2,B cell; new\n")[0] == ["c1", "T cell; old"]


def test_a_comma_without_quotes_is_told(tmp_path: Path) -> None:
    text = f"cell,label\nc1,T cell\nc2,{MEMORY}\n"
    with pytest.raises(InputError, match=r"1 row has more values than the 2 columns: 'c2'; put .* in quotes"):
        read(tmp_path / "a.csv", text)
    with pytest.raises(InputError, match="2 rows have more values than the 2 columns"):
        read(
            tmp_path / "a.csv",
            "c1,A\nc2,B, old\nc3,C, old\nc4,D\nc5,E\n",
            known=("c1", "c2", "c3", "c4", "c5"),
        )
    assert read(tmp_path / "b.csv", "cell,label\nc1,A,\nc2,B\n") == [["c1", "A", ""], ["c2", "B"]]


def test_a_mark_of_byte_order_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "c1,A\nc2,B\n".encode("utf-8-sig")) == [["c1", "A"], ["c2", "B"]]
    packed = gzip.compress("cell,label\nc1,A\n".encode("utf-8-sig"))
    assert read(tmp_path / "b.csv", packed) == [["c1", "A"]]
    assert read_fields(tmp_path / "b.csv", known=["c1"]).header == ["cell", "label"]


def test_a_file_that_is_damaged(tmp_path: Path) -> None:
    for name, data in {"cut": gzip.compress(b"c1,A\n")[:-4], "long": b'c1,"' + b"x" * 200_000}.items():
        with pytest.raises(InputError, match=f"{name} cannot be read"):
            read(tmp_path / name, data)
    with pytest.raises(InputError, match="neither does the folder"):
        read_fields(tmp_path / "none" / "a.csv", known=[])


@pytest.mark.parametrize("seed", [0, 7, np.int64(3), 2**32 - 1])
def test_seeds(seed: object) -> None:
    problems = Problems("it")
    check_random_state(seed, problems=problems)
    assert not problems.found


@pytest.mark.parametrize("seed", [-1, 1.5, "x", None, True, 2**32, np.nan])
def test_what_is_no_seed(seed: object) -> None:
    problems = Problems("it")
    check_random_state(seed, problems=problems)
    with pytest.raises(
        InputError, match=r"random_state is .*; expected a whole number from 0 to 4,294,967,295"
    ):
        problems.raise_if_any()
