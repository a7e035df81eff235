"""A device's last refusal, as HELLO tells it, in a few words: a status and its detail, and no more is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from nnlite.link.wire import ImageFault, Message, NonFinite, Status

__all__ = ["last_error_words", "status_name"]

_WORDS: Mapping[int, str] = {
    Status.BAD_MESSAGE: "a message of a type or length that it does not know",
    Status.BAD_SESSION: "a message of another session, as after a restart",
    Status.BAD_STATE: "a message out of turn",
    Status.NO_MODEL: "it was to use a model, and there was none",
    Status.TOO_LARGE: "more bytes or pages than it has",
    Status.NO_MEMORY: "more RAM than it has",
    Status.BAD_IMAGE: "an image that it cannot serve",
    Status.BAD_DIGEST: "flash did not hold what its digest says",
    Status.FLASH_FAILED: "flash did not take what was written",
    Status.NON_FINITE: "a number that is not finite",
    Status.BAD_LABEL: "a label beyond the model's classes",
    Status.BAD_POSITION: "words that do not follow on those before",
    Status.BAD_ARGUMENT: "a value that it does not take",
    Status.NO_OTHER_MODEL: "there was no other model to go back to",
    Status.BAD_VERSION: "a version of the protocol that it does not speak",
}
#: what the details of a status are numbers of
_DETAILS: Mapping[int, type[IntEnum]] = {
    Status.BAD_MESSAGE: Message,
    Status.BAD_IMAGE: ImageFault,
    Status.NON_FINITE: NonFinite,
}


def status_name(status: int) -> str:
    """Its name, or its number where this version has none."""
    return Status(status).name if status in Status._value2member_map_ else f"status {status}"


def last_error_words(status: int, detail: int) -> str:
    """What was refused; empty when nothing was, or this version does not know."""
    words = _WORDS.get(status, "")
    names = _DETAILS.get(status)
    if names is None or detail not in names._value2member_map_:
        return words
    return f"{words} ({names(detail).name.lower().replace('_', ' ')})"
