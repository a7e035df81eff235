"""The numbers both ends of the link agree on; docs/PROTOCOL.md explains them.

`scripts/generate_wire` writes the C header `firmware/wire.h` from this module and
from `nnlite/layout.py`, so a number lives in one place. All integers are little-endian.
"""

from __future__ import annotations

import enum

__all__ = [
    "ERROR_REPLY",
    "FRAME_CRC_BYTES",
    "FRAME_HEADER",
    "PROTOCOL_VERSION",
    "READ_REPLY_HEADER",
    "REPLY_BIT",
    "REPLY_HEADER",
    "CommitFlag",
    "HelloField",
    "ImageFault",
    "LearnBeginFlag",
    "LearnFlag",
    "Message",
    "NonFinite",
    "Optimizer",
    "Region",
    "RunFlag",
    "SlotState",
    "Status",
]

PROTOCOL_VERSION = 2

#: type u8, flags u8, session u16, sequence u16
FRAME_HEADER = "<BBHH"
FRAME_CRC_BYTES = 4
#: set in the type of every frame that the device sends
REPLY_BIT = 0x80
#: every reply's payload starts with status u8, detail u8, reserved u16 (zero)
REPLY_HEADER = "<BBH"
#: after the header of a reply whose status is not OK: value u32, limit u32
ERROR_REPLY = "<II"
#: after the header of a READ reply: offset u32; the bytes follow
READ_REPLY_HEADER = "<I"


class Message(enum.IntEnum):
    """Types of request frames."""

    HELLO = 0x01
    VERIFY = 0x02
    ROLLBACK = 0x03
    ECHO = 0x04
    BAUD = 0x05
    FLASH_BEGIN = 0x10
    FLASH_DATA = 0x11
    FLASH_COMMIT = 0x12
    PAGES = 0x13
    RUN = 0x20
    READ = 0x21
    LEARN_BEGIN = 0x30
    LEARN = 0x31
    LEARN_COMMIT = 0x32
    LEARN_ABORT = 0x33
    LEARN_RATE = 0x34
    LEARN_KEEP = 0x35


class Status(enum.IntEnum):
    """First byte of every reply."""

    OK = 0
    BAD_MESSAGE = 1
    BAD_SESSION = 2
    BAD_STATE = 3
    NO_MODEL = 4
    TOO_LARGE = 5
    NO_MEMORY = 6
    BAD_IMAGE = 7
    BAD_DIGEST = 8
    FLASH_FAILED = 9
    NON_FINITE = 10
    BAD_LABEL = 11
    BAD_POSITION = 12
    BAD_ARGUMENT = 13
    NO_OTHER_MODEL = 14
    BAD_VERSION = 15


class ImageFault(enum.IntEnum):
    """Detail byte of BAD_IMAGE: which check of docs/FORMAT.md failed, in the order made."""

    LENGTH = 1
    MAGIC = 2
    FORMAT = 3
    LAYERS = 4
    HIDDEN = 5
    OUTPUT = 6
    PARAMETER_TYPE = 7
    FLAGS = 8
    SIZE = 9
    PADDING = 10
    PARAMETER_COUNT = 11
    NON_FINITE = 12


class NonFinite(enum.IntEnum):
    """Detail byte of NON_FINITE: what was not finite."""

    SAMPLE = 1
    TARGET = 2
    OUTPUT = 3
    PARAMETER = 4
    WEIGHT = 5


class Region(enum.IntEnum):
    """What READ reads: the active model's image, the outputs of the last RUN, or the parameters being learned."""

    IMAGE = 0
    OUTPUT = 1
    LEARNED = 2


class CommitFlag(enum.IntFlag):
    """Frame flags of FLASH_COMMIT. With TRIAL nothing is committed: the image serves until the next HELLO or reset."""

    TRIAL = 1


class RunFlag(enum.IntFlag):
    """Frame flags of RUN. Without PROBABILITIES the reply holds logits."""

    PROBABILITIES = 1


class LearnFlag(enum.IntFlag):
    """Frame flags of LEARN. END_OF_EPOCH applies a partial batch after this frame."""

    END_OF_EPOCH = 1


class LearnBeginFlag(enum.IntFlag):
    """Flags in LEARN_BEGIN. WEIGHTED: each row ends with its weight. KEEP: room for what LEARN_KEEP sets aside."""

    WEIGHTED = 1
    KEEP = 2


class Optimizer(enum.IntEnum):
    """Optimiser byte of LEARN_BEGIN."""

    SGD = 0
    MOMENTUM = 1
    ADAM = 2


class SlotState(enum.IntEnum):
    """State of one slot in HELLO."""

    EMPTY = 0
    VALID = 1
    UNCOMMITTED = 2
    BROKEN = 3
    RETIRED = 4
    FOREIGN = 5


class HelloField(enum.IntEnum):
    """Tags of the HELLO reply: tag u8, length u8, value. Unknown tags are skipped."""

    PROTOCOL = 1  # oldest u8, newest u8
    FIRMWARE = 3  # ASCII version
    BOARD = 4  # ASCII profile name
    UNIQUE_ID = 5  # 8 bytes
    RECEIVE_BUFFER_BYTES = 6  # u32
    PAYLOAD_BYTES = 7  # u16, largest payload of a frame
    PAGE_BYTES = 8  # u32
    WRITE_BYTES = 9  # u8, smallest unit of programming
    SLOT_IMAGE_BYTES = 10  # u32, largest image a slot holds
    ARENA_BYTES = 11  # u32
    CLOCK_HZ = 12  # u32
    ERASE_PAGE_US = 13  # u32
    ACTIVE_SLOT = 14  # u8, 255 for none
    SLOT = 15  # once a slot: see SLOT_FIELD
    BAUD_RATES = 16  # u32 each, the first one that of HELLO
    LAST_ERROR = 17  # status u8, detail u8, of this power-up
    TICK_HZ = 18  # u32, of the counter that RUN and LEARN measure with
    SIMULATED = 19  # u8, 1 on a simulated board
    UPTIME_SECONDS = 20  # u32, since power-up or reset


#: index u8, SlotState u8, record flags u16, generation u32, image length u32, erase count u32, digest
SLOT_FIELD = "<BBHIII32s"
#: payload of HELLO: oldest version u8, newest version u8, zero u16
HELLO_REQUEST = "<BBH"
#: after the reply header of VERIFY, FLASH_COMMIT, LEARN_COMMIT and ROLLBACK: generation, length, digest
MODEL_REPLY = "<II32s"
#: baud rate u32, from the end of the reply on
BAUD_REQUEST = "<I"
#: first page u32, pages u32; of the image in the slot that does not serve
PAGES_REQUEST = "<II"
#: for each page: 1 when it is whole, 0 when a cut has left it torn, u8; CRC-32 u32
PAGES_ENTRY = "<BI"
#: image length u32, BLAKE2s-256 digest of the image; then a bit for each page of it, the lowest first, in whole bytes:
#: whether it will be sent
FLASH_BEGIN_HEADER = "<I32s"
#: offset u32 in the bytes of the pages that are sent, one page after the other; the bytes follow
FLASH_DATA_HEADER = "<I"
#: next expected offset u32, first offset that may not be sent yet u32 (also the reply to FLASH_BEGIN)
FLASH_CREDIT_REPLY = "<II"
#: position u32 in 32-bit words since the stream began; the words follow. LEARN has the same header
RUN_HEADER = "<I"
#: rows completed u16, output words that follow u16, ticks of computing u32, ticks since the request was whole u32
RUN_REPLY = "<HHII"
#: Region u8, zeros, offset u32, length u32
READ_REQUEST = "<B3xII"
#: learning rate float32, batch size u16, Optimizer u8, LearnBeginFlag u8, last layers to train u8 (0 for all), zeros;
#: then float32 each: momentum or beta1, beta2, epsilon, weight decay, norm to clip at (0 for none)
LEARN_BEGIN_REQUEST = "<fHBBB3x5f"
#: learning rate float32, from the next step on
LEARN_RATE_REQUEST = "<f"
#: arena bytes used u32
LEARN_BEGIN_REPLY = "<I"
#: training samples seen u32, sum of their losses float32, ticks as in RUN_REPLY
LEARN_REPLY = "<IfII"
