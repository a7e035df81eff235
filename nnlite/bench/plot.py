"""Plots as SVG text with a logarithmic axis across. Written by hand, since nothing else here draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["dot_plot", "log_plot"]

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 150, 16, 48
#: told apart also by those who see no red and green
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_ROW, _GAP = 18, 8


class _Axis:
    """From left to right, a power of ten every so far, with rules from the top to `floor`."""

    def __init__(self, low: float, high: float, floor: float) -> None:
        self._low, self._high, self._floor = math.log10(low), math.log10(high), floor
        self.end = _WIDTH - _RIGHT

    def at(self, value: float) -> float:
        """How far to the right."""
        return _LEFT + (math.log10(value) - self._low) / (self._high - self._low) * (self.end - _LEFT)

    def rules(self) -> list[str]:
        """At every power of ten, named."""
        out = []
        for power in range(math.ceil(self._low), math.floor(self._high) + 1):
            at = self.at(10.0**power)
            out.append(f'<line x1="{at:.1f}" y1="{_TOP}" x2="{at:.1f}" y2="{self._floor:.1f}" stroke="#dddddd"/>')
            out.append(f'<text x="{at:.1f}" y="{self._floor + 18:.1f}" text-anchor="middle">1e{power}</text>')
        return out

    def label(self, text: str, height: int) -> str:
        """Of the whole axis."""
        return f'<text x="{(_LEFT + self.end) / 2:.0f}" y="{height - 10}" text-anchor="middle">{text}</text>'


def _begin(height: int) -> list[str]:
    box = f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]


def _legend(names: Iterable[str]) -> list[str]:
    out, end = [], _WIDTH - _RIGHT
    for n, (name, colour) in enumerate(zip(names, _COLOURS, strict=False)):
        y = _TOP + 14 + 18 * n
        out.append(f'<rect x="{end + 12}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        out.append(f'<text x="{end + 28}" y="{y}">{name}</text>')
    return out


def log_plot(
    lines: dict[str, Sequence[float]], x: Sequence[float], x_label: str, y_label: str, top: float, step: float
) -> str:
    """Lines, each a value for every x, all x above 0; y from 0 to `top` with a rule at every `step`."""

    def up(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM)

    axis = _Axis(min(x), max(x), up(0))
    out = _begin(_HEIGHT)
    for n in range(round(top / step) + 1):
        y = up(n * step)
        out.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{axis.end}" y2="{y:.1f}" stroke="#dddddd"/>')
        out.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{n * step:,.0f}</text>')
    out += axis.rules()
    for values, colour in zip(lines.values(), _COLOURS, strict=False):
        points = [(axis.at(a), up(b)) for a, b in zip(x, values, strict=True)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
    out += _legend(lines)
    middle = (_TOP + up(0)) / 2
    out.append(axis.label(x_label, _HEIGHT))
    out.append(
        f'<text x="14" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 14 {middle:.0f})">{y_label}</text>'
    )
    return "\n".join([*out, "</svg>", ""])


def dot_plot(groups: Sequence[Mapping[str, Mapping[str, float]]], x_label: str) -> str:
    """A row for each name with a dot for each of its series, groups of rows apart; all values above 0."""
    names = list(dict.fromkeys(name for group in groups for dots in group.values() for name in dots))
    colours = dict(zip(names, _COLOURS, strict=False))
    values = [value for group in groups for dots in group.values() for value in dots.values()]
    floor = _TOP + sum(_ROW * len(group) for group in groups) + _GAP * (len(groups) - 1)
    height = max(floor + _BOTTOM, _TOP + 18 * len(names) + _BOTTOM)
    axis = _Axis(10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values) * 1.01)), floor)
    out = [*_begin(height), *axis.rules()]
    y = _TOP + _ROW // 2
    for group in groups:
        for row, dots in group.items():
            out.append(f'<line x1="{_LEFT}" y1="{y}" x2="{axis.end}" y2="{y}" stroke="#eeeeee"/>')
            out.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{row}</text>')
            out += [
                f'<circle cx="{axis.at(x):.1f}" cy="{y}" r="4" fill="{colours[name]}"/>' for name, x in dots.items()
            ]
            y += _ROW
        y += _GAP
    return "\n".join([*out, *_legend(names), axis.label(x_label, height), "</svg>", ""])
