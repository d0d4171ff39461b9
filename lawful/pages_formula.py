r"""A law's formula as a picture: LaTeX to inline SVG by matplotlib's own typesetting, without a network or TeX.

The formulas of the catalogue are written to be read in code, so a few turns are translated first: words such as
``accuracy`` become upright, ``eps_{inf}`` is epsilon with infinity below, ``h^{g}`` stays as it is. Glyphs are paths in
the colour of the text round them, so a formula suits a light and a dark page.

    >>> to_mathtext(r"error = \varepsilon - k e^{-\gamma L}")
    '\\mathrm{error} = \\varepsilon - k e^{-\\gamma L}'
"""

from __future__ import annotations

import re
from html import escape

# What matplotlib's mathtext does not know, or what the docstrings write shorter than a printed formula would.
_TRANSLATED = (
    (r"\\star", r"*"),
    (r"eps_\{inf\}", r"\\varepsilon_{\\infty}"),
    (r"eps_0", r"\\varepsilon_0"),
    (r"\\sqrt N", r"\\sqrt{N}"),
    (r"\\ge\b", r"\\geq"),
    (r"_\{N inf\}", r"_{N\\infty}"),
    (r"\\sigma2", r"\\sigma^2"),
    (r"\bkv_heads\b", r"heads_{kv}"),
    (r"\bd ff\b", r"d\\,d_{ff}"),
    (r"(?<=[A-Za-z0-9}]) ?(?=\\(?:ln|log|exp|min|max)\b)", r"\\,"),
    (r"gpu\\_hours", r"\\mathrm{GPU\\ hours}"),
    (r"\\Delta_q L", r"\\Delta_{q} L"),
)
_WORD = re.compile(r"\\[A-Za-z]+(?:\{(?:[^{}]|\\_)*\})?|[A-Za-z]{2,}")
_WRAPPERS = (r"\mathrm", r"\quad")
_LONGEST = 48  # letters and signs in a line
_ITALIC = {"ij", "st", "ff", "ND"}  # products of letters, or subscripts that are indices
_SIZE = 100  # units in which glyphs are drawn; coordinates are rounded to whole ones
_EM = 1.12 / _SIZE  # of the reader's letters in one unit: a formula a little larger than the text


def to_mathtext(latex: str) -> str:
    r"""The formula as matplotlib's mathtext reads it, without dollar signs: words upright, stars as printed."""
    text = latex
    for pattern, instead in _TRANSLATED:
        text = re.sub(pattern, instead, text)
    return _WORD.sub(lambda m: _upright(m.group()), text)


def _upright(found: str) -> str:
    if found.startswith("\\"):
        command = re.match(r"\\[A-Za-z]+", found)
        assert command is not None
        if command.group() in _WRAPPERS:
            return found
        return command.group() + _WORD.sub(lambda m: _upright(m.group()), found[command.end() :])
    return found if found in _ITALIC else rf"\mathrm{{{found}}}"


def lines(latex: str) -> list[str]:
    """The formula in lines: one for each equation, and a long equation broken where its docstring breaks."""
    rows: list[str] = []
    for equation in re.split(r"(?<!\\),\s*(?:\\quad\s)?(?=[^,]*\s=\s)", latex):
        parts = [" ".join(part.split()) for part in equation.strip().removeprefix(r"\quad").split("\n")]
        row = parts[0]
        for part in parts[1:]:
            if row.count(r"\left") > row.count(r"\right") or _letters(row + part) <= _LONGEST:
                row = f"{row} {part}"
            else:
                rows, row = [*rows, row], rf"\quad {part}"
        rows.append(row.strip().rstrip(","))
    return rows


def _letters(row: str) -> int:
    return len(re.sub(r"\\[a-z]+|[{}_^ ]", "", row))


def formula(latex: str) -> str:
    """The formula as a block of HTML: one inline SVG for each line, read aloud as its LaTeX.

    Raises ValueError where mathtext cannot read the formula; then `_TRANSLATED` needs a line.
    """
    return '<div class="law-formula">' + "".join(_svg(line) for line in lines(latex)) + "</div>"


def _svg(line: str) -> str:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=text_to_path.FONT_SCALE, math_fontfamily="stix")
    try:
        vertices, codes = text_to_path.get_text_path(font, f"${to_mathtext(line)}$", ismath=True)
    except ValueError as problem:
        raise ValueError(f"the formula {line!r} cannot be typeset: {problem}") from problem
    scale = _SIZE / text_to_path.FONT_SCALE
    points = [(round(x * scale), round(-y * scale)) for x, y in vertices]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    left, top, wide, high = min(xs) - 2, min(ys) - 2, max(xs) - min(xs) + 4, max(ys) - min(ys) + 4
    path = _outline(points, [int(c) for c in codes])
    return (
        f'<svg role="img" aria-label="{escape(line)}" viewBox="{left} {top} {wide} {high}" '
        f'style="width:{wide * _EM:.2f}em" fill="currentColor"><path d="{path}"/></svg>'
    )


def _outline(points: list[tuple[int, int]], codes: list[int]) -> str:
    """SVG path data of a matplotlib path: move 1, line 2, quadratic 3, cubic 4, close 79."""
    letters, needed = {1: "M", 2: "L", 3: "Q", 4: "C"}, {1: 1, 2: 1, 3: 2, 4: 3}
    out: list[str] = []
    i = 0
    while i < len(points):
        code = codes[i]
        if code == 79:
            out.append("Z")
            i += 1
            continue
        out.append(letters[code] + " ".join(f"{x} {y}" for x, y in points[i : i + needed[code]]))
        i += needed[code]
    return "".join(out)
