"""How large should the vocabulary be? IsoFLOP profiles over vocabularies (Tao et al. 2024, approach 1).

Runs of a few sizes, each with several vocabularies, are cut at the same compute. At every budget a parabola through
the losses over log V gives the best vocabulary of each size, and the best size; then the best vocabulary parameters
grow as a power of compute, and compute as the square of the other parameters. Losses of different vocabularies are
comparable only relative to a unigram model (or per byte).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.uncertainty import Interval, percentiles

_FEWEST = 4  # vocabularies that a parabola with one degree of freedom needs


@dataclass(frozen=True)
class VocabularyPlan:
    """Power laws N_v = exp(K2) F**a2 and N_nv = exp(K1) F**0.5 through the best models at the budgets F.

    flops, params_vocab, params_nonvocab: the best models. edge: budgets left out because the best vocabulary lies
    outside those tried. draws (draws, 3): K1, K2, a2 with whole runs resampled.
    """

    K1: Interval
    K2: Interval
    a2: Interval
    flops: np.ndarray
    params_vocab: np.ndarray
    params_nonvocab: np.ndarray
    edge: np.ndarray
    draws: np.ndarray

    def __str__(self) -> str:
        kept, all_ = len(self.flops), len(self.flops) + len(self.edge)
        return f"N_v = exp(K2) F**a2, N_nv = exp(K1) F**0.5 from {kept} of {all_} budgets\n" + "\n".join(
            f"{name} = {one}" for name, one in (("K1", self.K1), ("K2", self.K2), ("a2", self.a2))
        )


def isoflop_vocabulary(
    runs: Any, target: str = "loss_unigram", *, budgets: int = 30, level: float = 0.9, draws: int = 400, seed: int = 0
) -> VocabularyPlan:
    """The laws through the IsoFLOP optima of runs with the columns params_nonvocab, params_vocab, vocab_size, flops.

    Each (params_nonvocab, vocab_size) is one run, its rows checkpoints. target: the column of the loss.
    Raises ValueError where fewer than three budgets have their best vocabulary inside those tried.
    """
    size, vocab, N_v, F, loss = (
        np.asarray(runs[c], float) for c in ("params_nonvocab", "vocab_size", "params_vocab", "flops", target)
    )
    sizes, vocabs = np.unique(size), np.unique(vocab)
    width = np.array([np.median((N_v / vocab)[size == s]) for s in sizes])
    grid = np.geomspace(F.min(), F.max(), budgets + 2)[1:-1]
    table = _profiles(size, vocab, F, loss, grid)
    x, once = np.log(vocabs), np.ones(table.shape[:2])
    best, log_v = _optima(table, x, once)
    inside = np.isfinite(log_v)
    K = _power_laws(best, log_v, sizes, width, grid)
    if not np.isfinite(K).all():
        raise ValueError(f"{inside.sum()} of {budgets} budgets have their best vocabulary inside those tried; 3 needed")
    rng = np.random.default_rng(seed)
    again = (rng.multinomial(once.size, np.full(once.size, 1 / once.size)).reshape(once.shape) for _ in range(draws))
    sample = np.array([_power_laws(*_optima(table, x, counts), sizes, width, grid) for counts in again])
    K1, K2, a2 = (_interval(sample[:, i], K[i], level) for i in range(3))
    n_v = np.exp(log_v[inside]) * width[best[inside]]
    return VocabularyPlan(K1, K2, a2, grid[inside], n_v, sizes[best[inside]], grid[~inside], sample)


def vocabulary_for(plan: VocabularyPlan, params_nonvocab: float, width: float) -> Interval:
    """Best vocabulary size of a compute-optimal model with that many other parameters and that embedding width."""

    def size(K1: Any, K2: Any, a2: Any) -> Any:
        return np.exp(K2 + 2 * a2 * (np.log(params_nonvocab) - K1)) / width

    one = _interval(
        size(*plan.draws.T), float(size(plan.K1.estimate, plan.K2.estimate, plan.a2.estimate)), plan.K1.level
    )
    beyond = params_nonvocab / plan.params_nonvocab.max()
    if one.verdict or beyond <= 10:
        return one
    verdict = f"the model is {beyond:.3g} times the largest run's: an extrapolation"
    return Interval(one.estimate, one.lower, one.upper, one.level, one.method, verdict)


def _profiles(size: np.ndarray, vocab: np.ndarray, F: np.ndarray, loss: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Losses (sizes, vocabularies, budgets), each run read between its checkpoints; nan where it does not reach."""
    sizes, vocabs = np.unique(size), np.unique(vocab)
    table = np.full((len(sizes), len(vocabs), len(grid)), np.nan)
    for i, s in enumerate(sizes):
        for j, v in enumerate(vocabs):
            rows = np.flatnonzero((size == s) & (vocab == v))
            rows = rows[np.argsort(F[rows])]
            if len(rows):
                table[i, j] = np.interp(np.log(grid), np.log(F[rows]), loss[rows], left=np.nan, right=np.nan)
    return table


def _optima(table: np.ndarray, x: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At each budget the index of the best size, and log V at its parabola's minimum (nan where not inside).

    table (sizes, vocabularies, budgets) of losses, counts (sizes, vocabularies): how often each run was drawn.
    """
    known = np.isfinite(table) & (counts[:, :, None] > 0)
    powers = (x - x.mean())[:, None] ** np.arange(3)
    w = counts[:, :, None] * known
    G = np.einsum("svb,vi,vj->sbij", w, powers, powers)
    right = np.einsum("svb,vi->sbi", w * np.where(known, table, 0.0), powers)
    enough = known.sum(1) >= _FEWEST
    G[~enough] = np.eye(3)
    c = np.linalg.solve(G, right[..., None])[..., 0]
    with np.errstate(all="ignore"):
        at = -c[..., 1] / (2 * c[..., 2])
    inside = enough & (c[..., 2] > 0) & (at > (x - x.mean())[0]) & (at < (x - x.mean())[-1])
    lowest = np.where(known, table, np.inf).min(1)
    with np.errstate(all="ignore"):
        depth = np.where(inside, c[..., 0] + 0.5 * c[..., 1] * at, np.where(enough, lowest, np.inf))
    best = depth.argmin(0)
    column = np.arange(table.shape[2])
    return best, np.where(inside[best, column], at[best, column] + x.mean(), np.nan)


def _power_laws(
    best: np.ndarray, log_v: np.ndarray, sizes: np.ndarray, width: np.ndarray, flops: np.ndarray
) -> tuple[float, float, float]:
    """K1, K2 and a2 by least squares of logs; nan with fewer than three budgets."""
    ok = np.isfinite(log_v)
    if ok.sum() < 3:
        return np.nan, np.nan, np.nan
    log_f = np.log(flops[ok])
    a2, K2 = np.polyfit(log_f, log_v[ok] + np.log(width[best[ok]]), 1)
    return float(np.mean(np.log(sizes[best[ok]]) - 0.5 * log_f)), float(K2), float(a2)


def _interval(sample: np.ndarray, estimate: float, level: float) -> Interval:
    lower, upper, open_end = percentiles(sample, level, estimate)
    return Interval(
        estimate, lower, upper, level, "cluster", "cannot tell: too many resamples failed" if open_end else ""
    )
