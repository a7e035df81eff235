"""COBS, CRC-32 and the incremental decoder, against vectors made by other software and under damage."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite.link.frame import (
    BadFrame,
    Frame,
    FrameDecoder,
    cobs_decode,
    cobs_encode,
    decode_frame,
    encode_frame,
    encoded_frame_bytes,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "frames.json").read_text(encoding="utf-8"))
PAYLOAD_BYTES = 600

FRAMES = st.builds(
    Frame,
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 65_535),
    st.integers(0, 65_535),
    st.binary(max_size=300)
    | st.integers(0, PAYLOAD_BYTES).map(bytes)
    | st.integers(0, PAYLOAD_BYTES).map(b"\x01".__mul__),
)


@pytest.mark.parametrize("case", GOLDEN["cobs"], ids=lambda case: case["name"])
def test_cobs_vectors(case: dict[str, str]) -> None:
    data, encoded = bytes.fromhex(case["data"]), bytes.fromhex(case["encoded"])
    assert cobs_encode(data) == encoded
    assert cobs_decode(encoded) == data


@pytest.mark.parametrize("case", GOLDEN["frames"], ids=lambda case: case["name"])
def test_frame_vectors(case: dict[str, str | int]) -> None:
    fields = [int(case[name]) for name in ("type", "flags", "session", "sequence")]
    frame = Frame(*fields, bytes.fromhex(str(case["payload"])))
    encoded = bytes.fromhex(str(case["encoded"]))
    assert encode_frame(frame) == encoded
    assert FrameDecoder(PAYLOAD_BYTES).feed(encoded) == [frame]


@pytest.mark.parametrize(
    ("data", "encoded"),
    [
        ("00", "0101"),
        ("0000", "010101"),
        ("11220033", "0311220233"),
        ("11223344", "0511223344"),
        ("11000000", "0211010101"),
    ],
)
def test_cobs_examples_of_the_paper(data: str, encoded: str) -> None:
    assert cobs_encode(bytes.fromhex(data)).hex() == encoded


@given(data=st.binary(max_size=1000))
def test_cobs_round_trip_is_free_of_zeros_and_short(data: bytes) -> None:
    encoded = cobs_encode(data)
    assert 0 not in encoded
    assert len(encoded) <= len(data) + 1 + len(data) // 254
    assert cobs_decode(encoded) == data


@given(encoded=st.binary(max_size=300))
def test_decoding_anything_never_raises(encoded: bytes) -> None:
    decoded = cobs_decode(encoded)
    assert decoded is None or len(decoded) <= len(encoded)
    decode_frame(encoded)


@given(frames=st.lists(FRAMES, max_size=4), cuts=st.lists(st.integers(0, 2500), max_size=6))
def test_round_trip_however_the_bytes_are_cut(frames: list[Frame], cuts: list[int]) -> None:
    line = b"".join(encode_frame(frame) for frame in frames)
    edges = sorted({0, len(line), *(cut % (len(line) + 1) for cut in cuts)})
    decoder = FrameDecoder(PAYLOAD_BYTES)
    received = [f for start, end in itertools.pairwise(edges) for f in decoder.feed(line[start:end])]
    assert received == frames
    assert decoder.pending == 0


@given(frame=FRAMES)
def test_bytes_that_are_due_do_come_and_all_of_a_frame_is_due_in_time(frame: Frame) -> None:
    """Reading what is due never waits for more than the frame, and ends with it."""
    line, at, received = encode_frame(frame), 0, []
    decoder = FrameDecoder(PAYLOAD_BYTES)
    while not received:
        due = decoder.due
        assert 1 <= due <= len(line) - at
        received = decoder.feed(line[at : at + due])
        at += due
    assert (received, at, decoder.due) == ([frame], len(line), 1)


@given(frame=FRAMES)
def test_the_longest_a_frame_can_get(frame: Frame) -> None:
    assert len(encode_frame(frame)) <= encoded_frame_bytes(len(frame.payload))


@given(frame=FRAMES, flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 7)), min_size=1, max_size=4))
def test_flipped_bits_are_never_taken_for_a_frame(frame: Frame, flips: list[tuple[int, int]]) -> None:
    """Four flipped bits at most: within 371 bytes CRC-32 catches them all; beyond, a miss is one in 2^32."""
    line = bytearray(encode_frame(frame))
    for at, bit in flips:
        line[at % len(line)] ^= 1 << bit
    if bytes(line) == encode_frame(frame):
        return
    received = FrameDecoder(PAYLOAD_BYTES).feed(bytes(line) + b"\0")
    assert not [one for one in received if isinstance(one, Frame) and one != frame]


@given(frame=FRAMES, noise=st.binary(max_size=2000))
def test_a_frame_behind_noise_and_a_delimiter_arrives(frame: Frame, noise: bytes) -> None:
    decoder = FrameDecoder(PAYLOAD_BYTES)
    before = decoder.feed(noise + b"\0")
    assert all(isinstance(one, BadFrame) for one in before)
    assert decoder.feed(encode_frame(frame)) == [frame]


def test_what_has_no_end_is_dropped_without_being_kept() -> None:
    decoder = FrameDecoder(16)
    for _ in range(1000):
        assert decoder.feed(b"\x55" * 100) == []
    assert len(decoder._buffer) == encoded_frame_bytes(16) - 1
    assert decoder.feed(b"\0") == [BadFrame("long", 100_000)]


def test_each_way_to_be_no_frame() -> None:
    whole = encode_frame(Frame(1, 2, 3, 4, b"five"))[:-1]
    assert decode_frame(b"\x09\x01") == BadFrame("cobs", 2)
    assert decode_frame(cobs_encode(b"123456789")) == BadFrame("short", 10)
    damaged = whole[:-1] + bytes([whole[-1] ^ 1])
    assert decode_frame(damaged) == BadFrame("crc", len(whole))


def test_empty_frames_are_ignored() -> None:
    frame = Frame(1, 0, 2, 3, b"")
    assert FrameDecoder(16).feed(b"\0\0" + encode_frame(frame) + b"\0") == [frame]
