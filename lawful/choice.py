"""What `choose` found: the fit with the laws that share its forecasts, and the record of every candidate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawful.fit import Fit, Fits


@dataclass(frozen=True)
class Score:
    """The rolling-origin record of one candidate.

    error: typical relative error (mean absolute error by origin, geometrically averaged, later origins counting more)
    over all held-out points. weight: its share in the forecast.
    """

    name: str
    parameters: int
    error: float
    points: int
    origins: tuple[int, ...]
    why_not: str = ""
    weight: float = 0.0


@dataclass(frozen=True)
class Choice:
    """The chosen fit (it carries the laws that share its forecasts), the scores of all candidates, the reason."""

    fit: Fit | Fits
    scores: tuple[Score, ...]
    reason: str
    axis: str

    @property
    def weights(self) -> dict[str, float]:
        """Share of each law in the forecast ("group: law" where there are groups)."""
        return {s.name: s.weight for s in self.scores if s.weight > 0}

    def __str__(self) -> str:
        rows = [f"{'candidate':<32}{'parameters':>11}{'error':>9}{'weight':>8}  held-out points"]
        for s in self.scores:
            share = f"{s.weight:>8.0%}" if s.weight else " " * 8
            shown = f"{s.error:>9.2%}{share}  {s.points}" if np.isfinite(s.error) else f"{'':>17}  {s.why_not}"
            rows.append(f"{s.name:<32}{s.parameters or '':>11}{shown}")
        return "\n".join([self.reason, *rows])
