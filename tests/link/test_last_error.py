"""The last refusal in words: every status has some, and a detail that has a name is named."""

from __future__ import annotations

import pytest

from nnlite.link.last_error import last_error_words, status_name
from nnlite.link.wire import ImageFault, Message, NonFinite, Status


@pytest.mark.parametrize("status", [status for status in Status if status], ids=lambda status: status.name)
def test_every_status_has_words(status: Status) -> None:
    assert last_error_words(status, 0)
    assert status_name(status) == status.name


@pytest.mark.parametrize(
    ("status", "detail", "end"),
    [
        (Status.BAD_MESSAGE, Message.FLASH_DATA, "(flash data)"),
        (Status.BAD_MESSAGE, 0x7F, "does not know"),
        (Status.BAD_IMAGE, ImageFault.PARAMETER_COUNT, "(parameter count)"),
        (Status.NON_FINITE, NonFinite.TARGET, "(target)"),
        (Status.BAD_STATE, 1, "out of turn"),
    ],
)
def test_a_detail_is_named(status: Status, detail: int, end: str) -> None:
    assert last_error_words(status, detail).endswith(end)


def test_what_a_newer_device_says_is_a_number() -> None:
    assert (status_name(99), last_error_words(99, 0)) == ("status 99", "")
