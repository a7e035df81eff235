"""Tables from files: what is read, and that every fault is named with its file, line and column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnlite.data import read_stream, read_table
from nnlite.errors import DataError, PathError
from tests.damage import damaged

CSV = "a,b,kind\n1,2.5,x\n-3,4e-1,y\n"


def _file(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        CSV,
        "\ufeff" + CSV,
        CSV.replace("\n", "\r\n"),
        "\n" + CSV.replace("\n", "\n\n"),
        ' a , b , kind \n"1",2.5, x \n-3, 4e-1 ,y\n',
        "kind,a,b\nx,1,2.5\ny,-3,0.4",
    ],
)
def test_csv(content: str, tmp_path: Path) -> None:
    table = read_table(_file(tmp_path, content), "kind")
    assert table.features == ("a", "b")
    assert table.X.dtype == np.float32
    np.testing.assert_array_equal(table.X, np.array([[1, 2.5], [-3, 0.4]], np.float32))
    assert table.y is not None
    assert table.y.tolist() == ["x", "y"]


def test_without_a_target_every_column_is_a_feature(tmp_path: Path) -> None:
    table = read_table(_file(tmp_path, "a,b\n1,2\n"))
    assert table.y is None
    assert table.X.tolist() == [[1, 2]]


def test_a_models_features_pick_and_order_the_columns(tmp_path: Path) -> None:
    path = _file(tmp_path, "a,note,b\n1,text,2\n")
    assert read_table(path, features=("b", "a")).X.tolist() == [[2, 1]]
    with pytest.raises(DataError, match=r"lacks the column 'c'.*it has a"):
        read_table(path, features=("a", "c"))


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (["1", "2"], [1, 2]),
        (["1.0", "2.0"], [1, 2]),
        (["0.5", "2"], [0.5, 2.0]),
        (["1", "b"], ["1", "b"]),
        (["nan", "inf"], ["nan", "inf"]),
        (["1_0", "2"], ["1_0", "2"]),
        (["1e300", "2"], [1e300, 2.0]),
    ],
)
def test_kinds_of_target(cells: list[str], wanted: list[object], tmp_path: Path) -> None:
    table = read_table(_file(tmp_path, "a,y\n" + "".join(f"0,{cell}\n" for cell in cells)), "y")
    assert table.y is not None
    assert table.y.tolist() == wanted


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("a,b,kind\n", "no rows"),
        ("1,2,3\n4,5,6\n", "no header"),
        ("a,b\n1,2\n", "no column 'kind'; it has a, b"),
        ("a,a,kind\n1,2,x\n", "two columns 'a'"),
        ("a,b,kind\n1,2,x\n1,two,x\n", "line 3, column 'b': 'two' is not a number"),
        ("a,b,kind\n1,,x\n", "line 2, column 'b': the value is missing"),
        ("a,b,kind\n1,nan,x\n", "line 2, column 'b': nan is not a finite"),
        ("a,b,kind\n-inf,1,x\n", "line 2, column 'a': -inf is not a finite"),
        ("a,b,kind\n1e39,1,x\n", "line 2, column 'a': 1e39 is not a finite"),
        ("a,b,kind\n1_000,1,x\n", "line 2, column 'a': '1_000' is not a number"),
        ("a,b,kind\n1,2\n", "line 2: 2 values where the header names 3"),
        ("a,b,kind\n1,2,x,4\n", "line 2: 4 values"),
        ("a,b,kind\n1,2,x\n1,2,\n", "line 3, column 'kind': the target is missing"),
        ('a,b,kind\n"1\n",2,x\n1,zwei,x\n', "line 4, column 'b'"),
        (b"a,b,kind\n\xff\xfe,1,x\n", "not UTF-8"),
        (b"a,b,kind\n\x00,1,x\n", "not a text file"),
        ("a,b,kind\n" + "1" * 200_000 + ",1,x\n", "line 2.*field larger"),
    ],
)
def test_faults_in_csv_are_named(content: str | bytes, message: str, tmp_path: Path) -> None:
    path = _file(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        read_table(path, "kind")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", ["", "\n", "\ufeff", "\ufeff\n\n"])
def test_a_file_with_nothing_in_it(content: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.csv is empty"):
        read_table(_file(tmp_path, content))


def test_npz(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, X=np.arange(6).reshape(3, 2), y=np.array(["a", "b", "a"]))
    table = read_table(path)
    assert table.X.dtype == np.float32
    assert table.features == ("x0", "x1")
    assert table.y is not None
    assert table.y.tolist() == ["a", "b", "a"]
    assert read_table(path, features=("p", "q")).features == ("p", "q")
    np.savez(path, X=np.zeros((3, 2)))
    assert read_table(path).y is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"Z": np.zeros(2)}, "no array X"),
        ({"X": np.zeros(3)}, r"float64 of shape \(3,\)"),
        ({"X": np.array([["a"]])}, "not numbers"),
        ({"X": np.array([[1.0, np.nan]])}, "row 0, column 1 is nan"),
        ({"X": np.array([[1.0, 1e39]])}, r"row 0, column 1 is 1e\+39"),
        ({"X": np.zeros((3, 2)), "y": np.zeros(2)}, "X has 3 rows"),
        ({"X": np.zeros((2, 2)), "y": np.array(["a", "\ud800"])}, r"y holds '\\ud800', which is not text"),
    ],
)
def test_faults_in_npz_are_named(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / "data.npz")


def test_npz_with_objects_is_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", X=np.array([[object()]], dtype=object))
    with pytest.raises(DataError, match=r"not an \.npz file"):
        read_table(tmp_path / "data.npz")


def test_a_lone_array_is_no_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "lone.npy", np.zeros(3))
    (tmp_path / "lone.npy").rename(tmp_path / "lone.npz")
    with pytest.raises(DataError, match=r"not an \.npz file"):
        read_table(tmp_path / "lone.npz")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), packed=st.booleans())
def test_any_damage_to_an_npz_is_a_data_error(tmp_path: Path, packed: bool, data: st.DataObject) -> None:
    path = tmp_path / "data.npz"
    (np.savez_compressed if packed else np.savez)(path, X=np.ones((4, 2), np.float32), y=np.arange(4))
    path.write_bytes(damaged(path.read_bytes(), data))
    try:
        table = read_table(path)
    except DataError:
        return
    assert np.all(np.isfinite(table.X))


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PathError, match=r"missing\.csv"):
        read_table(tmp_path / "missing.csv")
    with pytest.raises(PathError):
        read_table(tmp_path)


def test_the_bundled_data_by_name() -> None:
    table = read_table("shoulder", "exercise")
    assert table.X.shape == (4677, 30)
    assert table.y is not None
    assert len(set(table.y.tolist())) == 7
    names = tuple(name for name in table.features if name.split("_")[1].startswith("a"))
    assert read_table("shoulder", "exercise", names).X.shape == (4677, 15)
    assert read_table("shoulder").y is None
    with pytest.raises(DataError, match="target is exercise"):
        read_table("shoulder", "side")


def streamed(text: str, inputs: int = 2, **how: object) -> list[list[float]]:
    return [row.tolist() for row in read_stream(text.splitlines(keepends=True), inputs, **how)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("1,2\n3,4\n", {}),
        ("a,b\n1,2\n\n3,4\n", {}),
        ("a,kind,b\r\n1,press,2\r\n3,,4\r\n", {"target": "kind"}),
        ("b,a\n2,1\n4,3", {"features": ("a", "b")}),
        ('a,"the, b"\n1,"2"\n3,4\n', {}),
    ],
)
def test_a_stream_gives_the_samples_of_its_lines(text: str, how: dict[str, object]) -> None:
    assert streamed(text, **how) == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "how", "message"),
    [
        ("1,2,3\n", {}, "standard input has 3 columns of features, the model takes 2; leave the target out"),
        ("1,2\n3\n", {}, "standard input, line 2: 1 values where the first line has 2; correct that row"),
        ("1,2\n3,four\n", {}, "standard input, line 2, column '2': 'four' is not a number"),
        ("a,b\n\n1,nan\n", {}, "standard input, line 3, column 'b': nan is not a finite float32"),
        ("a;b\n1;2\n", {}, "parted by semicolons"),
        ("1,2\n", {"target": "kind"}, "standard input has no header; --target and --like need one"),
        ("a,b\n", {"target": "kind"}, "standard input has no column 'kind'"),
        ('1,2\n"3\n', {}, "line 2: 1 values where"),
    ],
)
def test_a_stream_that_cannot_be_used(text: str, how: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        streamed(text, **how)


def test_a_stream_is_not_read_ahead() -> None:
    asked: list[int] = []

    def lines() -> Iterator[str]:
        for n in range(5):
            asked.append(n)
            yield f"{n},1\n"

    stream = read_stream(lines(), 2)
    assert next(stream).tolist() == [0, 1]
    assert asked == [0]
    assert next(stream).tolist() == [1, 1]
    assert asked == [0, 1]
