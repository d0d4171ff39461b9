"""The best law against each other law, in sentences: is its extra number shown, and can the two be told apart?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lawful.fit import Fit
from lawful.nesting import Against, Vuong, against, contains, vuong

_LEVEL = 0.05  # of all tests together


@dataclass(frozen=True)
class Duel:
    """The best law and another.

    relation: "contains" or "contained" (of the best), "same" (the same curves), "apart" (neither contains the other).
    tests: of the smaller of a nested pair, or both ways. p: of each, Holm-adjusted over all tests of a comparison.
    """

    best: str
    other: str
    relation: str
    tests: tuple[Against, ...]
    p: tuple[float, ...]
    nearer: Vuong | None
    sentence: str


def duels(best: str, fits: Mapping[str, Fit], draws: int = 199, seed: int = 0) -> list[Duel]:
    """Test the law called ``best`` against every other of ``fits``."""
    from lawful.stats import adjust_p

    draws = max(draws, 80 * (len(fits) - 1) - 1)  # two tests each: Holm's smallest p must lie below the level
    met = {k: _meet(fits[best], fit, draws, seed) for k, fit in fits.items() if k != best}
    raw = np.array([t.p for _, tests in met.values() for t in tests])
    adjusted = iter(adjust_p(raw, "holm") if len(raw) else ())
    out = []
    for name, (relation, tests) in met.items():
        p = tuple(float(next(adjusted)) for _ in tests)
        near = vuong(fits[best], fits[name]) if relation == "apart" else None
        extra = abs(len(fits[best].estimates) - len(fits[name].estimates))
        sentence = _sentence(best, name, relation, tests, p, near, extra)
        out.append(Duel(best, name, relation, tests, p, near, sentence))
    return out


def _meet(best: Fit, other: Fit, draws: int, seed: int) -> tuple[str, tuple[Against, ...]]:
    small, large = sorted((best, other), key=lambda f: len(f.estimates))
    how = contains(large, small, seed)
    if how is None:
        return "apart", (against(best, other, None, draws, seed), against(other, best, None, draws, seed))
    if len(large.estimates) == len(small.estimates):
        return "same", ()
    return ("contains" if large is best else "contained"), (against(small, large, how, draws, seed),)


def _sentence(
    best: str,
    other: str,
    relation: str,
    tests: tuple[Against, ...],
    p: tuple[float, ...],
    near: Vuong | None,
    extra: int,
) -> str:
    """What the tests of one pair say."""
    if relation == "same":
        return f"{other} is {best} with its numbers written otherwise."
    if near is None:
        large, small = (best, other) if relation == "contains" else (other, best)
        more = "one more number is" if extra == 1 else f"{extra} more numbers are"
        book = tests[0].textbook
        told = f"textbook p {_p(book)}, unadjusted" if np.isfinite(book) else f"no textbook test: {tests[0].why_not}"
        shown = "shown" if p[0] < _LEVEL else "not shown"
        how = f"p {_p(p[0])}, simulated and adjusted; {told}"
        return f"{large} contains {small}: its {more} {shown} by these data ({how})."
    rejected = [value < _LEVEL for value in p]
    if all(rejected):
        verdict = f"Neither {best} nor {other} explains how well the other fits"
    elif not any(rejected):
        verdict = f"The data cannot tell {best} from {other}"
    else:
        kept, gone = (other, best) if rejected[0] else (best, other)
        verdict = f"{gone} is rejected in favour of {kept}"
    leans = "" if near.verdict else f"; Vuong's z for {best} {near.z:+.2g}, p {_p(near.p)}"
    return f"{verdict} (p {_p(p[0])} if {best} holds, p {_p(p[1])} if {other} holds, simulated and adjusted{leans})."


def _p(value: float) -> str:
    return "< 0.001" if value < 1e-3 else f"= {value:.2g}"
