#!/usr/bin/env python3
"""Draws the SVG figures of README.md into this directory; needs Python's standard library only.

    python3 docs/images/figures.py            writes block.svg and cost_per_token.svg
    python3 docs/images/figures.py --check    exits with 1 if a committed file is out of date

The measured values are read from the table in docs/performance.md.
"""

import pathlib
import sys

here = pathlib.Path(__file__).resolve().parent
INK, MUTED, LINE = "#24292f", "#57606a", "#d0d7de"
STATIC, DYNAMIC, PREDICTOR = "#eaeef2", "#d8b9ff", "#f4eaff"


class Drawing:
    def __init__(self, width, height):
        self.size, self.parts = (width, height), []

    def add(self, text):
        self.parts.append("  " + text)

    def text(self, x, y, content, size=14, color=INK, anchor="middle", style=""):
        self.add(f'<text x="{x}" y="{y}" font-size="{size}" fill="{color}" '
                 f'text-anchor="{anchor}"{style}>{content}</text>')

    def box(self, x, y, width, height, fill, *lines):
        """A box with centered lines of text."""
        self.add(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" '
                 f'fill="{fill}" stroke="{INK}"/>')
        first = y + height / 2 + 5 - 8.5 * (len(lines) - 1)
        for i, line in enumerate(lines):
            self.text(x + width / 2, first + 17 * i, line, size=14 if i == 0 else 12,
                      color=INK if i == 0 else MUTED)

    def path(self, points, dashed=False, arrow=True):
        line = " ".join(f"{x},{y}" for x, y in points)
        self.add(f'<polyline points="{line}" fill="none" stroke="{INK}" stroke-width="1.5"'
                 + (' stroke-dasharray="5 4"' if dashed else "") + "/>")
        if arrow:
            (x0, y0), (x, y) = points[-2:]
            dx, dy = (x > x0) - (x < x0), (y > y0) - (y < y0)
            self.add(f'<polygon points="{x},{y} {x - 9 * dx - 4 * dy},{y - 9 * dy - 4 * dx} '
                     f'{x - 9 * dx + 4 * dy},{y - 9 * dy + 4 * dx}" fill="{INK}"/>')

    def sum(self, x, y):
        self.add(f'<circle cx="{x}" cy="{y}" r="11" fill="white" stroke="{INK}"/>')
        self.text(x, y + 6, "+", size=18)

    def svg(self):
        width, height = self.size
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="Helvetica, Arial, sans-serif">',
            f'  <rect width="{width}" height="{height}" fill="white"/>',
            *self.parts, "</svg>", ""])


def block():
    d = Drawing(920, 300)
    y = 150  # of the forward path
    d.text(42, y - 12, "tokens", color=MUTED, size=12)
    d.text(42, y + 5, "B × N × C")
    d.box(110, y - 24, 66, 48, STATIC, "norm")
    d.box(230, y - 24, 130, 48, DYNAMIC, "depthwise conv", "3 × 3")
    d.sum(405, y)
    d.box(450, y - 24, 66, 48, STATIC, "norm")
    d.box(570, y - 24, 84, 48, DYNAMIC, "linear", "C → 4C")
    d.box(680, y - 24, 62, 48, STATIC, "GELU")
    d.box(768, y - 24, 84, 48, STATIC, "linear", "4C → C")
    d.sum(886, y)
    for begin, end in ((78, 110), (176, 230), (360, 394), (416, 450), (516, 570), (654, 680),
                       (742, 768), (852, 875)):
        d.path([(begin, y), (end, y)])
    d.path([(897, y), (918, y)])
    # Residuals: the first one begins behind the norm, the second one before it.
    d.path([(203, y), (203, y + 58), (405, y + 58), (405, y + 11)])
    d.path([(433, y), (433, y + 58), (886, y + 58), (886, y + 11)])
    # Predictors.
    d.box(205, 34, 180, 52, PREDICTOR, "kernel predictor", "3 × 3 means, 1 × 1 convs")
    d.path([(190, y), (190, 60), (205, 60)], dashed=True)
    d.path([(295, 86), (295, y - 24)], dashed=True)
    d.box(522, 34, 180, 52, PREDICTOR, "weight predictor", "2 × 2 means, low rank: LᵀQ")
    d.path([(540, y), (540, 86)], dashed=True)
    d.path([(612, 86), (612, y - 24)], dashed=True)
    d.text(302, 112, "one kernel per sample and channel", size=11, color=MUTED, anchor="start")
    d.text(619, 112, "one C × 4C matrix per sample", size=11, color=MUTED, anchor="start")
    # Legend.
    d.box(110, 250, 22, 18, DYNAMIC)
    d.text(140, 264, "weights = learned + predicted from the input", size=12, anchor="start")
    d.box(455, 250, 22, 18, STATIC)
    d.text(485, 264, "learned weights, or none", size=12, anchor="start")
    d.path([(680, 259), (715, 259)], dashed=True)
    d.text(725, 264, "prediction, O(N)", size=12, anchor="start")
    return d.svg()


def measured():
    """Resolutions and microseconds per token, from the table in docs/performance.md."""
    rows = {}
    for line in (here.parent / "performance.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 7:
            rows.setdefault(cells[0].split(",")[0], cells[1:])
    return {name: [int(value) for value in rows[name]] for name in ("px", "wfm_s", "deit_s")}


def cost_per_token():
    values = measured()
    d = Drawing(640, 330)
    left, right, top, bottom, highest = 70, 520, 50, 270, 1600
    px = values["px"]
    at = lambda size, cost: (round(left + (right - left) * (size - px[0]) / (px[-1] - px[0]), 1),
                             round(bottom - (bottom - top) * cost / highest, 1))
    d.text(left, 24, "Inference time per token, µs", size=15, anchor="start")
    for cost in range(0, highest + 1, 400):
        y = at(px[0], cost)[1]
        d.add(f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="{LINE}"/>')
        d.text(left - 10, y + 5, cost, size=12, color=MUTED, anchor="end")
    for size in px:
        x = at(size, 0)[0]
        d.text(x, bottom + 20, size, size=12, color=MUTED)
        d.text(x, bottom + 36, f"{(size // 16) ** 2:,}", size=11, color=MUTED)
    d.text(right + 32, bottom + 20, "pixels a side", size=12, color=MUTED, anchor="start")
    d.text(right + 32, bottom + 36, "tokens", size=11, color=MUTED, anchor="start")
    for name, label, color in (("deit_s", "DeiT-S", "#8c959f"), ("wfm_s", "WeightFormer-S", "#8250df")):
        points = [at(*pair) for pair in zip(px, values[name])]
        line = " ".join(f"{x},{y}" for x, y in points)
        d.add(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2.5"/>')
        for x, y in points:
            d.add(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{color}"/>')
        x, y = points[-1]
        d.text(x + 12, y + 5, label, size=13, color=color, anchor="start")
    return d.svg()


def main():
    figures = {"block.svg": block(), "cost_per_token.svg": cost_per_token()}
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(f"error: unknown arguments {' '.join(sys.argv[1:])}; known: --check")
    for name, svg in figures.items():
        path = here / name
        if not check:
            path.write_text(svg, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != svg:
            sys.exit(f"{name} is out of date: run python3 docs/images/figures.py")


main()
