"""The bundled data: seven shoulder exercises of ten people, as windows of a wrist-worn sensor, and how to split them.

From the study of shoulder physiotherapy exercises by Burns et al. (arXiv 1802.01489), through the
package seglearn (BSD-3-Clause, see THIRD_PARTY.md). `scripts/make_dataset` makes the file again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from nnlite.errors import UsageError

__all__ = ["Shoulder", "load_shoulder"]

Mask = npt.NDArray[np.bool_]
_SENSORS = {"accelerometer": "a", "imu": "aw"}


@dataclass(frozen=True, eq=False)
class Shoulder:
    """4,677 windows of 2 seconds at 50 Hz, half overlapping, in 140 recordings.

    Attributes
    ----------
    features : (4677, 30) float32: mean, standard deviation, minimum, maximum and mean absolute successive
        difference of each channel. Acceleration in g, rotation in rad/s.
    feature_names : such as "mean_ax".
    exercise : (4677,) uint8, index into `exercise_names`.
    exercise_names : the seven exercises, as the source abbreviates them.
    subject : (4677,) uint8, 1 to 10, the source's ids.
    side : (4677,) uint8, 0 left, 1 right arm.
    recording : (4677,) uint8, 0 to 139.
    window : (4677,) uint8, number of the window in its recording.
    """

    features: npt.NDArray[np.float32]
    feature_names: tuple[str, ...]
    exercise: npt.NDArray[np.uint8]
    exercise_names: tuple[str, ...]
    subject: npt.NDArray[np.uint8]
    side: npt.NDArray[np.uint8]
    recording: npt.NDArray[np.uint8]
    window: npt.NDArray[np.uint8]

    def sensors(self, sensors: str) -> Shoulder:
        """Keep the columns of some sensors only: "accelerometer" (15 features) or "imu" (all 30).

        Raises
        ------
        UsageError : another name.
        """
        if sensors not in _SENSORS:
            raise UsageError(f"sensors must be one of {', '.join(_SENSORS)}, not '{sensors}'")
        keep = [n for n, name in enumerate(self.feature_names) if name.split("_")[1][0] in _SENSORS[sensors]]
        return Shoulder(
            np.ascontiguousarray(self.features[:, keep]),
            tuple(self.feature_names[n] for n in keep),
            self.exercise,
            self.exercise_names,
            self.subject,
            self.side,
            self.recording,
            self.window,
        )

    @property
    def labels(self) -> npt.NDArray[np.str_]:
        """Exercise of each window by name."""
        return np.array(self.exercise_names)[self.exercise]

    def people(self, subjects: Sequence[int]) -> Mask:
        """Select the windows of some people: (4677,) bool."""
        return np.isin(self.subject, list(subjects))

    def personal_split(self, subject: int) -> tuple[Mask, Mask]:
        """One person's windows to learn from, the first third of each recording, and to test on, the rest.

        Neighbouring windows overlap by half, so the first of the rest shares samples with the last of the
        third; it is dropped.
        """
        learn = np.zeros(self.subject.size, np.bool_)
        test = np.zeros(self.subject.size, np.bool_)
        for recording in np.unique(self.recording[self.subject == subject]):
            rows = np.flatnonzero(self.recording == recording)
            cut = rows.size // 3
            learn[rows[:cut]] = True
            test[rows[cut + 1 :]] = True
        return learn, test

    def arm_split(self, subject: int, learn_side: int) -> tuple[Mask, Mask]:
        """One person's windows of one arm to learn from, of the other to test on."""
        mine = self.subject == subject
        return mine & (self.side == learn_side), mine & (self.side != learn_side)


@cache
def load_shoulder() -> Shoulder:
    """The bundled data set, read once a process."""
    with (resources.files("nnlite") / "datasets" / "shoulder.npz").open("rb") as stream:
        file = np.load(stream, allow_pickle=False)
        return Shoulder(
            file["features"],
            tuple(map(str, file["feature_names"])),
            file["exercise"],
            tuple(map(str, file["exercise_names"])),
            file["subject"],
            file["side"],
            file["recording"],
            file["window"],
        )
