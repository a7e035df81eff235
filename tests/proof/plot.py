"""A plot as SVG text: lines over a logarithmic axis. Written by hand, since nothing else here draws."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["log_plot"]

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 150, 16, 48
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # told apart also by those who see no red and green


def log_plot(
    lines: dict[str, Sequence[float]], x: Sequence[float], x_label: str, y_label: str, top: float, step: float
) -> str:
    """Lines, each a value for every x, all x above 0; y from 0 to `top` with a rule at every `step`."""
    low, high = math.log10(min(x)), math.log10(max(x))

    def across(value: float) -> float:
        return _LEFT + (math.log10(value) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def up(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM)

    end = _WIDTH - _RIGHT
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12"'
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" {box}>']
    out.append(f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>')
    for n in range(round(top / step) + 1):
        y = up(n * step)
        out.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}" stroke="#dddddd"/>')
        out.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{n * step:,.0f}</text>')
    for power in range(math.ceil(low), math.floor(high) + 1):
        at = across(10.0**power)
        out.append(f'<line x1="{at:.1f}" y1="{_TOP}" x2="{at:.1f}" y2="{up(0):.1f}" stroke="#dddddd"/>')
        out.append(f'<text x="{at:.1f}" y="{up(0) + 18:.1f}" text-anchor="middle">1e{power}</text>')
    for values, colour in zip(lines.values(), _COLOURS, strict=False):
        points = [(across(a), up(b)) for a, b in zip(x, values, strict=True)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
    for n, (name, colour) in enumerate(zip(lines, _COLOURS, strict=False)):
        y = _TOP + 14 + 18 * n
        out.append(f'<rect x="{end + 12}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        out.append(f'<text x="{end + 28}" y="{y}">{name}</text>')
    middle = (_TOP + up(0)) / 2
    out.append(f'<text x="{(_LEFT + end) / 2:.0f}" y="{_HEIGHT - 10}" text-anchor="middle">{x_label}</text>')
    out.append(
        f'<text x="14" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 14 {middle:.0f})">{y_label}</text>'
    )
    return "\n".join([*out, "</svg>", ""])
