"""Good files and bad ones, by name. What is wrong with each is said where the table uses it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from nnlite.network import Network, load
from nnlite.profile import Profile

__all__ = ["FEATURES", "LABELS", "MODELS", "write_files"]

FEATURES = ("tilt", "speed", "turn")
LABELS = ("at rest", "lifted", "thrown")
#: networks that the board gets to hold
MODELS = ("before", "old", "new")

_HEAD = ",".join((*FEATURES, "state"))
_TWO = f"{_HEAD}\n1,2,3,at rest\n4,5,6,lifted\n"
_CSV = {
    "no rows": f"{_HEAD}\n",
    "short row": f"{_TWO}7,8,thrown\n",
    "long row": f"{_TWO}7,8,9,10,thrown\n",
    "text": f"{_TWO}7,fast,9,thrown\n",
    "nan": f"{_TWO}7,nan,9,thrown\n",
    "infinite": f"{_TWO}7,8,-inf,thrown\n",
    "huge": f"{_TWO}7,8,1e39,thrown\n",
    "hole": f"{_TWO}7,,9,thrown\n",
    "no answer": f"{_TWO}7,8,9,\n",
    "one class": f"{_HEAD}\n1,2,3,at rest\n4,5,6,at rest\n",
    "unseen": f"{_TWO}7,8,9,dancing\n",
    "narrow": "tilt,speed,state\n1,2,at rest\n3,4,lifted\n",
    "wide": "a,b,c,d,state\n1,2,3,4,at rest\n5,6,7,8,lifted\n",
    "twice": "tilt,tilt,turn,state\n1,2,3,at rest\n",
    "other target": _TWO.replace("state", "mood"),
    "semicolons": _TWO.replace(",", ";"),
    "tabs": _TWO.replace(",", "\t"),
    "decimal commas": f"{_HEAD}\n" + '"1,5",2,3,at rest\n',
    "no header": "1,2,3,4\n5,6,7,8\n",
    "no header, with labels": "1,2,3,at rest\n4,5,6,lifted\n",
    "empty": "",
    "blank": "\n\n",
}
#: the same data in several ways
_FINE = {
    "plain": _TWO,
    "byte-order mark": "\ufeff" + _TWO,
    "crlf": _TWO.replace("\n", "\r\n"),
    "quoted": _TWO.replace("at rest", '"at rest"'),
    "blank lines": _TWO.replace("\n", "\n\n"),
    "turned": "state,turn,tilt,speed\nat rest,3,1,2\nlifted,6,4,5\n",
}


def _network(seed: int, inputs: int = 3) -> Network:
    net = Network([inputs, 38, 3], seed=seed)
    net.mean, net.scale = np.arange(inputs) + 0.5, np.full(inputs, 0.25)
    net.labels = LABELS
    net.features = FEATURES if inputs == 3 else ("a", "b", "c", "d")
    return net


def write_files(folder: Path) -> None:
    """All of them, into a folder that any user may write."""
    for name, content in (_CSV | _FINE).items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8", newline="")
    rows = np.random.default_rng(5).normal(size=(50, 3)).round(3).tolist()
    good = "".join(",".join(map(str, [*row, LABELS[n % 3]])) + "\n" for n, row in enumerate(rows))
    (folder / "good.csv").write_text(f"{_HEAD}\n{good}", encoding="utf-8")
    (folder / "latin1.csv").write_bytes(f"{_TWO}7,8,9,größer\n".encode("latin-1"))
    (folder / "binary.csv").write_bytes(bytes(range(256)))
    (folder / "null.csv").write_bytes(_TWO.encode() + bytes(8))
    _write_npz(folder)
    _write_models(folder)
    _write_profiles(folder)
    (folder / "folder").mkdir()
    (folder / "folder.toml").mkdir()
    locked = folder / "locked"
    locked.mkdir()
    for name, like in (("data.csv", "good.csv"), ("m.safetensors", "old.safetensors"), ("p.toml", "own.toml")):
        (locked / name).write_bytes((folder / like).read_bytes())
        (locked / name).chmod(0)
    (folder / "protected").write_bytes(b"what was there before")
    (folder / "protected").chmod(0o444)
    os.chmod(locked, 0o555)


def _write_npz(folder: Path) -> None:
    def npz(**arrays: object) -> bytes:
        out = io.BytesIO()
        np.savez(out, **arrays)  # type: ignore[arg-type]
        return out.getvalue()

    X, y = np.ones((2, 3)), np.array(["at rest", "lifted"])
    (folder / "cut.npz").write_bytes(npz(X=X, y=y)[:200])
    (folder / "empty.npz").write_bytes(b"")
    (folder / "foreign.npz").write_bytes(npz(images=X))
    (folder / "pickle.npz").write_bytes(npz(X=np.array([[1, object()]], object), y=y[:1]))
    (folder / "nan.npz").write_bytes(npz(X=np.array([[1, 2, 3], [4, np.nan, 6]]), y=y))
    (folder / "ragged.npz").write_bytes(npz(X=X, y=y[:1]))


def _write_models(folder: Path) -> None:
    for seed, name in enumerate(MODELS):
        _network(seed).save(folder / f"{name}.safetensors")
    _network(9, inputs=4).save(folder / "wide.safetensors")
    Network([3, 20_000, 3], seed=1).save(folder / "big.safetensors")
    good = (folder / "old.safetensors").read_bytes()
    (folder / "empty.safetensors").write_bytes(b"")
    (folder / "cut.safetensors").write_bytes(good[: len(good) // 2])
    (folder / "short.safetensors").write_bytes(good[:5])
    (folder / "foreign.safetensors").write_bytes(save({"weight": np.ones(3, np.float32)}))
    (folder / "nan.safetensors").write_bytes(good[:-4] + b"\xff" * 4)
    net = load(folder / "old.safetensors")
    (folder / "future.safetensors").write_bytes(save({"parameters": net.parameters}, {"nnlite_format": "2"}))


def _write_profiles(folder: Path) -> None:
    from importlib import resources

    assert Profile.load("microbit")
    own = (resources.files("nnlite") / "profiles" / "microbit.toml").read_text(encoding="utf-8")
    (folder / "own.toml").write_text(own, encoding="utf-8")
    (folder / "empty.toml").write_bytes(b"")
    (folder / "binary.toml").write_bytes(bytes(range(128, 256)))
    (folder / "text.toml").write_text(_TWO, encoding="utf-8")
    (folder / "future.toml").write_text("radios = 2\n" + own, encoding="utf-8")
