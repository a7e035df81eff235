"""Damage to a file that a reader must take or refuse, and never stumble over."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["damaged"]


def damaged(content: bytes, data: st.DataObject) -> bytes:
    """Change up to three bytes anywhere, and perhaps cut the end off."""
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.one_of(st.just(len(changed)), st.integers(0, len(changed))))
    return bytes(changed[:cut])
