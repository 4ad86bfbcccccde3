"""Curves as SVG files: no script, no font of its own, readable on light and dark ground.

Guarantees: the same points make the same file. Must not: measure.
"""

import math
from html import escape

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 132, 40, 44
# Told apart without red and green; Okabe and Ito.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
GREY = "#888888"


def svg(title: str, x_name: str, y_name: str, curves: dict[str, list[tuple[float, float]]]) -> str:
    """One plot. The x axis is logarithmic when its values span more than a factor of 20; the y axis begins at zero."""
    xs = sorted({x for points in curves.values() for x, _ in points})
    top = nice(max(y for points in curves.values() for _, y in points))
    is_log = xs[-1] > 20 * max(xs[0], 1e-9)

    def across(x: float) -> float:
        scale = (lambda value: math.log(value)) if is_log else (lambda value: value)
        span = scale(xs[-1]) - scale(xs[0]) or 1
        return LEFT + (scale(x) - scale(xs[0])) / span * (WIDTH - LEFT - RIGHT)

    def down(y: float) -> float:
        return HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" '
        f'font-family="sans-serif" font-size="12" fill="{GREY}">',
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
        f'<text x="{(WIDTH - RIGHT + LEFT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_name)}</text>',
        f'<text transform="translate(16 {(HEIGHT - BOTTOM + TOP) / 2:.0f}) rotate(-90)" text-anchor="middle">{escape(y_name)}</text>',
    ]
    for step in range(5):
        y = top * step / 4
        parts.append(f'<path d="M{LEFT} {down(y):.1f}H{WIDTH - RIGHT}" stroke="{GREY}" stroke-opacity="0.25"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{down(y) + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in xs:
        parts.append(f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{short(x)}</text>')
    for number, (name, points) in enumerate(sorted(curves.items())):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in sorted(points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(f'<text x="{WIDTH - RIGHT + 14}" y="{TOP + 12 + 18 * number}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def nice(most: float) -> float:
    """The least of 1, 2, 4 and 8 times a power of ten that `most` fits under."""
    power = 10 ** math.floor(math.log10(max(most, 1e-9)))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= most)


def short(value: float) -> str:
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"
