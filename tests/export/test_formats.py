"""Which files there are: C, Arduino, PlatformIO, image; written all or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from nnlite import Network
from nnlite.errors import DataError, IncompatibleError, PathError, UsageError
from nnlite.export.formats import FORMATS, export
from nnlite.export.native import load_exported
from nnlite.files import write_all
from nnlite.image import encode_image
from tests.export.toolchains import TOOLCHAINS, build, design

HERE = Path(__file__).resolve().parent
DESIGNS = ["bare", "even", "odd", "sgd", "momentum", "batches"]


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", DESIGNS)
def test_an_arduino_library(name: str, tmp_path: Path) -> None:
    """The files that Arduino's specification wants, and two sketches that an Arduino core's compiler takes."""
    wanted = design(name)
    folder = tmp_path / "libraries" / name
    written = export(wanted.net, "arduino", folder, learning=wanted.learning)
    second = "Serial" if wanted.learning is None else "Learning"
    sketches = {f"examples/{title}/{title}.ino" for title in ("Inference", second)}
    assert {path.relative_to(folder).as_posix() for path in written} == files_in(folder)
    assert files_in(folder) == {"library.properties", "keywords.txt", f"src/{name}.h", f"src/{name}.c"} | sketches
    properties = dict(line.split("=", 1) for line in (folder / "library.properties").read_text().splitlines())
    assert properties["name"] == name
    assert properties["includes"] == f"{name}.h"
    assert properties.keys() >= {
        "version",
        "author",
        "maintainer",
        "sentence",
        "paragraph",
        "category",
        "architectures",
    }
    rows = [line.split("\t") for line in (folder / "keywords.txt").read_text().splitlines()]
    assert {kind for _, kind in rows} == {"KEYWORD1", "KEYWORD2", "LITERAL1"}
    header = (folder / "src" / f"{name}.h").read_text()
    assert all(word in header for word, _ in rows)
    for sketch in sketches:
        for toolchain in ("gcc AVR", "gcc M4F"):
            flags = ["-x", "c++", "-std=gnu++11", "-Os", "-Wall", "-Wextra", "-Werror", "-include", "Arduino.h"]
            where = [f"-I{HERE / 'arduino'}", f"-I{folder / 'src'}", "-c", str(folder / sketch)]
            build([*TOOLCHAINS[toolchain].command(), *flags, *where], tmp_path / "sketch.o")


@pytest.mark.parametrize("name", ["even", "adam"])
def test_platformio_packs_its_library(name: str, tmp_path: Path) -> None:
    wanted = design(name)
    folder = tmp_path / name
    export(wanted.net, "platformio", folder, learning=wanted.learning)
    manifest = json.loads((folder / "library.json").read_text())
    assert manifest["name"] == name
    assert {f"{entry['base']}/{entry['files'][0]}" for entry in manifest["examples"]} <= files_in(folder)
    pio = shutil.which("pio")
    if pio is None:
        pytest.skip("pio is not installed (PyPI's platformio)")
    settings = {"PLATFORMIO_CORE_DIR": str(tmp_path / "core"), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
    packed = tmp_path / "packed.tar.gz"
    done = subprocess.run(
        [pio, "pkg", "pack", str(folder), "-o", str(packed)],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(packed) as archive:
        assert files_in(folder) <= set(archive.getnames())


def test_an_image_is_the_bytes_of_a_slot(tmp_path: Path) -> None:
    net = design("even").net
    assert export(net, "image", tmp_path / "net.bin") == [tmp_path / "net.bin"]
    assert (tmp_path / "net.bin").read_bytes() == encode_image(net)


def test_c_goes_beside_or_into_a_folder(tmp_path: Path) -> None:
    net = design("bare").net
    assert export(net, "c", tmp_path / "in here") == [tmp_path / "in here" / f"in_here.{end}" for end in "hc"]
    assert export(net, "c", tmp_path / "gestures.c") == [tmp_path / f"gestures.{end}" for end in "hc"]
    assert export(net, "c", tmp_path / "x.c", "named") == [tmp_path / f"named.{end}" for end in "hc"]
    (tmp_path / "folder.c").mkdir()
    assert export(net, "c", tmp_path / "folder.c", "named")[0] == tmp_path / "folder.c" / "named.h"
    (tmp_path / "in here" / "mine.txt").write_text("stays")
    export(net, "c", tmp_path / "in here")
    assert files_in(tmp_path / "in here") == {"in_here.h", "in_here.c", "mine.txt"}


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    """A folder in the place of one of them: the others, the folders that were made, and what was there before."""
    (tmp_path / "lib" / "src" / "net.c").mkdir(parents=True)
    (tmp_path / "lib" / "keywords.txt").write_text("before")
    with pytest.raises(PathError, match=r"cannot write .*lib: it is a directory; nothing was changed"):
        export(design("bare").net, "arduino", tmp_path / "lib", "net")
    assert files_in(tmp_path) == {"lib/keywords.txt"}
    assert (tmp_path / "lib" / "keywords.txt").read_text() == "before"
    assert not (tmp_path / "lib" / "examples").exists()
    with pytest.raises(PathError, match="cannot write"):
        write_all(tmp_path / "new" / "deep", {"a/b": b"1", "a": b"2"})
    assert not (tmp_path / "new").exists()


def test_what_is_refused(tmp_path: Path) -> None:
    net = Network([2, 2])
    with pytest.raises(UsageError, match=f"an export goes to {', '.join(FORMATS)}, not to 'onyx'"):
        export(net, "onyx", tmp_path / "x")
    with pytest.raises(UsageError, match="no way of learning of its own"):
        export(net, "image", tmp_path / "x", learning=design("sgd").learning)
    with pytest.raises(UsageError, match="a Network is needed"):
        export("net", "c", tmp_path / "x")  # type: ignore[arg-type]
    (tmp_path / "file").write_text("here")
    with pytest.raises(PathError, match="cannot write"):
        export(net, "arduino", tmp_path / "file")
    net.parameters[0] = float("nan")
    with pytest.raises(DataError, match="parameters number 0 is nan"):
        export(net, "c", tmp_path / "x")
    assert files_in(tmp_path) == {"file"}


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(PathError, match="cannot read"):
        load_exported(tmp_path / "gone.c")
    (tmp_path / "other.h").write_text("#define OTHER_INPUTS 3u\n")
    with pytest.raises(DataError, match="is not the header of an export"):
        load_exported(tmp_path / "other.c")
    export(Network([2, 2]), "c", tmp_path / "net.c")
    with pytest.raises(IncompatibleError, match="cannot run the compiler"):
        load_exported(tmp_path / "net.c", [str(tmp_path / "no compiler")])
    (tmp_path / "net.c").write_text("int broken(")
    with pytest.raises(IncompatibleError, match="does not build"):
        load_exported(tmp_path / "net.c")
