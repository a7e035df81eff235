"""Status of a reply -> exception: the one place that says what a device's refusal means to a person."""

from __future__ import annotations

from collections.abc import Callable

from nnlite.errors import (
    DataError,
    DeviceError,
    DeviceTimeoutError,
    DivergedError,
    DoesNotFitError,
    IncompatibleError,
    IntegrityError,
    NNLiteError,
)
from nnlite.link.last_error import status_name
from nnlite.link.protocol import Refusal
from nnlite.link.wire import PROTOCOL_VERSION, ImageFault, Message, NonFinite, Status

__all__ = ["refusal_error"]

_SERVES_ON = "the model that was committed last serves on"


def refusal_error(message: Message, refusal: Refusal) -> NNLiteError:
    """The exception for a refused request.

    Parameters
    ----------
    message : what was asked.
    refusal : what the device answered.
    """
    explain = _EXPLAIN.get(refusal.status)
    return _defect(message, refusal) if explain is None else explain(message, refusal)


def _defect(message: Message, refusal: Refusal) -> NNLiteError:
    return DeviceError(
        f"the device refused {message.name} with {status_name(refusal.status)} (detail {refusal.detail}, "
        f"value {refusal.value}, limit {refusal.limit}); {_SERVES_ON}. Put the firmware of this version on it ('nnlite firmware'), "
        "and report this if it comes again"
    )


def _restarted(message: Message, _: Refusal) -> NNLiteError:
    return DeviceTimeoutError(
        f"the device restarted or was taken over by another program before {message.name}; {_SERVES_ON}. "
        "Check its power and cable, then run the command again"
    )


def _no_model(_: Message, __: Refusal) -> NNLiteError:
    return IncompatibleError("there is no model on the device; flash one first: 'nnlite flash MODEL'")


def _too_large(message: Message, refusal: Refusal) -> NNLiteError:
    if message == Message.FLASH_BEGIN:
        return DoesNotFitError(
            f"the model takes {refusal.value:,} bytes, the device has room for {refusal.limit:,}; nothing was erased. "
            "Train a smaller network; 'nnlite plan' tells what fits"
        )
    return _defect(message, refusal)


def _no_memory(_: Message, refusal: Refusal) -> NNLiteError:
    return DoesNotFitError(
        f"this takes {refusal.value:,} bytes of RAM, the device has {refusal.limit:,} for it; {_SERVES_ON}. "
        "Use smaller batches or a smaller network; 'nnlite plan' tells what fits"
    )


def _bad_image(_: Message, refusal: Refusal) -> NNLiteError:
    known = refusal.detail in ImageFault._value2member_map_
    fault = ImageFault(refusal.detail).name.lower().replace("_", " ") if known else f"number {refusal.detail}"
    return IncompatibleError(
        f"the device does not accept the model (check: {fault}); {_SERVES_ON}. "
        "Its firmware may be older than this version: renew it ('nnlite firmware'), then flash again"
    )


def _bad_digest(message: Message, _: Refusal) -> NNLiteError:
    if message == Message.VERIFY:
        return IntegrityError(
            "the model in the device's flash no longer matches its digest and was taken out of service; flash it again"
        )
    return IntegrityError(
        f"what the device read back from its flash does not match what was sent; {_SERVES_ON}. Flash again"
    )


def _flash_failed(_: Message, refusal: Refusal) -> NNLiteError:
    return IntegrityError(
        f"the device's flash did not take what was written (at {refusal.value:#x}); {_SERVES_ON}. "
        "Try again; if it fails at the same place the chip is worn out"
    )


def _non_finite(message: Message, refusal: Refusal) -> NNLiteError:
    if refusal.detail in (NonFinite.SAMPLE, NonFinite.TARGET, NonFinite.WEIGHT):
        what = NonFinite(refusal.detail).name.lower()
        return DataError(f"word {refusal.value} of the data is a {what} that is not finite; correct or drop that row")
    if message == Message.RUN:
        return DataError(
            f"an output is not finite at word {refusal.value} of the data: that row lies far outside of what "
            "the model was trained on"
        )
    what = "a parameter" if refusal.detail == NonFinite.PARAMETER else "an output"
    return DivergedError(
        f"learning diverged: after {refusal.value} samples {what} was not finite; {_SERVES_ON}. "
        "Use a smaller learning rate, or look for outliers in the data"
    )


def _bad_label(_: Message, refusal: Refusal) -> NNLiteError:
    return DataError(f"there is no class {refusal.value}, the model has {refusal.limit}; {_SERVES_ON}")


def _no_other_model(_: Message, __: Refusal) -> NNLiteError:
    return IncompatibleError(
        "there is no earlier model on the device to go back to; the one that serves was kept. Flash the one you want"
    )


def _bad_version(_: Message, refusal: Refusal) -> NNLiteError:
    oldest, newest = refusal.value, refusal.limit
    versions = f"version {newest}" if oldest == newest else f"versions {oldest} to {newest}"
    newer = ", or use a newer nnlite" if oldest > PROTOCOL_VERSION else ""
    return IncompatibleError(
        f"the device speaks {versions} of the protocol, this program version {PROTOCOL_VERSION}; put the firmware of "
        f"this program on it ('nnlite firmware'){newer}"
    )


_EXPLAIN: dict[int, Callable[[Message, Refusal], NNLiteError]] = {
    Status.BAD_SESSION: _restarted,
    Status.NO_MODEL: _no_model,
    Status.TOO_LARGE: _too_large,
    Status.NO_MEMORY: _no_memory,
    Status.BAD_IMAGE: _bad_image,
    Status.BAD_DIGEST: _bad_digest,
    Status.FLASH_FAILED: _flash_failed,
    Status.NON_FINITE: _non_finite,
    Status.BAD_LABEL: _bad_label,
    Status.NO_OTHER_MODEL: _no_other_model,
    Status.BAD_VERSION: _bad_version,
}
