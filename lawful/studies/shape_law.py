r"""Bian's conditional law at one budget of parameters and data, and what its optimum is worth when it is trained.

At one N and D the law (``bian_conditional``) is
$L = L_{best}\,(1 + a\,[\ln(z/z_0) + z_0/z - 1])\,(1 + b\,[\ln(r/r_0) + r_0/r - 1])$
with z = width / sqrt(N) and r MLP over attention parameters: the same terms, each factor fixed at 1 at its least value,
so that the optimum (z_0, r_0) stands in the law and has an interval.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from lawful.fit import Fit, fit
from lawful.law import law, width
from lawful.studies.lab_exponents import Contrast, contrast, over_seeds
from lawful.studies.lab_runs import plain_number
from lawful.studies.parts import Part, floats
from lawful.studies.results import Figure, Layer, Panel
from lawful.studies.shape_models import Model
from lawful.uncertainty import Interval, intervals

LAW = "The conditional law and its optimum"
_NEAR = 0.02  # a loss within this share of the best shape's counts as as good
_RATIOS = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)


@law(predicts="y", topic="general")
def shape_at_one_budget(
    x1, x2, *, best=width("loss of the best shape", start=(0.1, 3.0)), a=width(start=(0.01, 1.0)),
    z0=width("best width / sqrt(N)", lower=0.01, upper=2.0, start=(0.03, 0.5)), b=width(start=(0.01, 1.0)),
    r0=width("best MLP / attention", lower=0.1, upper=16.0, start=(0.3, 5.0)),
):  # fmt: skip
    r"""$y = L (1 + a [\ln(x_1/z_0) + z_0/x_1 - 1]) (1 + b [\ln(x_2/r_0) + r_0/x_2 - 1])$

    x1: width over the root of the parameters, x2: MLP over attention parameters. Bian et al. 2025 at one N and D, with
    a_1 = a, a_2 = a z_0, b_1 = b, b_2 = b r_0 and both factors 1 at their least.
    """
    by_width = 1 + a * (np.log(x1 / z0) + z0 / x1 - 1)
    return best * by_width * (1 + b * (np.log(x2 / r0) + r0 / x2 - 1))


def by_law(found: list[Model]) -> Part:
    """The law fitted to the grid of each task and budget, its optimum, and the check with fresh seeds."""
    part, lines = Part(), []
    groups: dict[tuple[str, int], list[Model]] = {}
    for model in found:
        if not model.fresh and not model.given_heads:
            groups.setdefault((model.task, model.budget), []).append(model)
    fitted = {}
    for key, group in sorted(groups.items(), reverse=True):
        if len({m.r for m in group}) >= 3 and len({m.z for m in group}) >= 4:
            fitted[key] = made = fitted_law(group)
            lines.append(_line(key, group, made))
    if not fitted:
        part.say("law", LAW, "Too few shapes for the law: it takes four widths and three MLP shares.", "cannot tell")
        return part
    columns = ("task", "params", "shapes", "runs", "best width / sqrt(N)", "best MLP / attention",
               "sd of ln L about the law", "between seeds", "p of lack of fit")  # fmt: skip
    part.table("law", LAW, "The law at each budget", columns, lines,
               "Intervals are profiles at 95 %. Lack of fit: F test of the shapes' means about the law against the "
               "scatter of seeds. Grouped queries are left out, as in the paper.")  # fmt: skip
    key, made = next(iter(fitted.items()))
    _say_law(part, groups[key], made)
    _check(part, groups[key], [m for m in found if m.fresh and (m.task, m.budget) == key], made)
    part.figures.append(_figure(groups[key], [m for m in found if m.fresh and (m.task, m.budget) == key], made))
    return part


def fitted_law(group: list[Model]) -> Fit:
    """The law at one budget, fitted to every run of the shapes."""
    table = {
        "x1": np.concatenate([np.full(len(m.loss), m.z) for m in group]),
        "x2": np.concatenate([np.full(len(m.loss), m.r) for m in group]),
        "y": np.concatenate([m.loss for m in group]),
    }
    made = fit(shape_at_one_budget, table)
    assert isinstance(made, Fit)  # there are no groups
    return made


def predicted(made: Fit, z: float, r: float) -> float:
    """The law's loss of a shape."""
    return float(shape_at_one_budget(z, r, **made.values))


def lack_of_fit(group: list[Model], made: Fit) -> float:
    """p of the F test of the shapes' mean ln L about the law, n - 5 and runs - n degrees of freedom."""
    from scipy.special import fdtrc

    n, runs = len(group), sum(len(m.loss) for m in group)
    if n <= 5 or runs == n:
        return float("nan")
    lack = sum(len(m.loss) * (np.log(m.loss).mean() - np.log(predicted(made, m.z, m.r))) ** 2 for m in group) / (n - 5)
    return float(fdtrc(n - 5, runs - n, lack / _pure(group) ** 2))


def _pure(group: list[Model]) -> float:
    """Standard deviation of ln L between seeds of one shape."""
    runs = sum(len(m.loss) for m in group)
    return float(
        np.sqrt(sum(((np.log(m.loss) - np.log(m.loss).mean()) ** 2).sum() for m in group) / (runs - len(group)))
    )


def _line(key: tuple[str, int], group: list[Model], made: Fit) -> tuple:
    sure = intervals(made, method="profile")
    N = float(np.median([m.N for m in group]))
    return (
        key[0], plain_number(N), len(group), sum(len(m.loss) for m in group), str(sure["z0"]), str(sure["r0"]),
        f"{made.sigma:.1%}", f"{_pure(group):.1%}", round(lack_of_fit(group, made), 3),
    )  # fmt: skip


def best_shape(group: list[Model], made: Fit) -> tuple[int, int, float]:
    """Depth, width and MLP units per width of the least predicted loss that can be built of the budget.

    Among depths 1 to 16 and seven MLP shares, widths in multiples of 4 within a fifth of the budget's median size.
    """
    N = float(np.median([m.N for m in group]))
    options = []
    for depth, ratio in product(range(1, 17), _RATIOS):
        d = max(4, 4 * round(np.sqrt(N / (depth * (4 + 2 * ratio))) / 4))
        size = depth * (4 + 2 * ratio) * d * d
        if abs(size / N - 1) <= 0.2:
            options.append((predicted(made, d / np.sqrt(size), ratio / 2), depth, d, ratio))
    _, depth, d, ratio = min(options)
    return depth, d, ratio


def _say_law(part: Part, group: list[Model], made: Fit) -> None:
    sure, p = intervals(made, method="profile"), lack_of_fit(group, made)
    z, r = sure["z0"], sure["r0"]
    inside = [min(m.z for m in group) < z.estimate < max(m.z for m in group),
              min(m.r for m in group) < r.estimate < max(m.r for m in group)]  # fmt: skip
    depth, d, ratio = best_shape(group, made)
    edge = {(True, True): "both inside the grid", (True, False): "that of the MLP at the edge of the grid or beyond",
            (False, True): "that of width at the edge of the grid or beyond",
            (False, False): "both at the edge of the grid or beyond"}[inside[0], inside[1]]  # fmt: skip
    part.say(
        "law", LAW,
        f"Bian's law leaves {made.sigma:.1%} of scatter where seeds alone scatter by {_pure(group):.1%} (lack of fit: "
        f"p {p:.2g}"
        + (": the two factors do not describe these shapes" if p < 0.05 else ": no sign against it")
        + f"). Its optimum is width / sqrt(N) = {z} and MLP / attention = {r}, {edge}; the paper's lie near 0.08 and "
        f"1. The nearest shape that can be built has depth {depth}, width {d} and {ratio:g} MLP units per width.",
        "contradicted" if p < 0.05 else "cannot tell" if np.isnan(p) or not all(inside) else "supported",
        z0=z.estimate, r0=r.estimate, p=p, depth=depth, width=d, mlp_ratio=ratio,
    )  # fmt: skip


def _check(part: Part, group: list[Model], fresh: list[Model], made: Fit) -> None:
    """Fresh seeds of the predicted shape, the best of the grid and the usual one: nothing here entered the fit."""
    depth, d, ratio = best_shape(group, made)
    ours = next((m for m in fresh if (m.depth, m.width, m.mlp_ratio) == (depth, d, ratio)), None)
    if ours is None:
        part.say(
            "optimum", LAW,
            f"The predicted shape (depth {depth}, width {d}, {ratio:g} MLP units per width) was not trained with fresh "
            "seeds (10 and up): add it to the sweep and run again.", "cannot tell",
        )  # fmt: skip
        return
    others = [m for m in fresh if m is not ours]
    tests = {m.name: contrast(np.log(ours.loss), np.log(m.loss), max(1, len(others))) for m in others}
    lines = [_checked(m, made, tests.get(m.name)) for m in (ours, *others)]
    part.table("check", LAW, "Trained with fresh seeds", ("shape", "params", "seeds", "loss predicted", "loss trained",
               "predicted shape against it"), lines,
               "The first is the shape that the law predicts. Last column: ratio of its loss to the other's, less 1, "
               f"Welch intervals that hold together for {len(others)} comparisons.")  # fmt: skip
    if not others:
        return
    top = min(group, key=lambda m: m.loss.mean())
    rival = next((m for m in others if (m.depth, m.width, m.mlp_ratio) == (top.depth, top.width, top.mlp_ratio)), None)
    _say_check(part, ours, rival or min(others, key=lambda m: m.loss.mean()), made, tests)


def _checked(m: Model, made: Fit, one: Contrast | None) -> tuple:
    against = "" if one is None else _share(one.interval)
    return (
        m.name,
        plain_number(m.N),
        len(m.seeds),
        round(predicted(made, m.z, m.r), 3),
        str(over_seeds(m.loss)),
        against,
    )


def _share(one: Interval) -> str:
    return f"{np.expm1(one.estimate):+.1%} [{np.expm1(one.lower):+.1%}, {np.expm1(one.upper):+.1%}]"


def _say_check(part: Part, ours: Model, rival: Model, made: Fit, tests: dict[str, Contrast]) -> None:
    one = tests[rival.name]
    good, bad = one.interval.upper < np.log1p(_NEAR), one.interval.lower > 0
    said, got = predicted(made, ours.z, ours.r), over_seeds(ours.loss)
    hit = "inside" if got.lower <= said <= got.upper else "outside"
    part.say(
        "optimum", LAW,
        f"Trained with {len(ours.seeds)} fresh seeds the predicted shape has a loss of {got} (the law said {said:.3f}, "
        f"{hit} that interval), {_share(one.interval)} beside the best shape of the grid ({rival.name}). "
        + ("It is as good as the best or better." if good else "It is worse: the law's optimum is not the best shape."
           if bad else f"Whether it is within {_NEAR:.0%} of the best is not told"
           + (f"; {one.needed} seeds each would tell a difference of this size." if one.needed else ".")),
        "supported" if good else "contradicted" if bad else "cannot tell",
        estimate=one.interval.estimate, lower=one.interval.lower, upper=one.interval.upper, predicted=said,
    )  # fmt: skip


def _figure(group: list[Model], fresh: list[Model], made: Fit) -> Figure:
    panels = []
    for title, x, value, fixed in (
        ("Width", "Width / sqrt(parameters)", "z", lambda v: (v, 2.0)),
        (
            "MLP share",
            "MLP / attention parameters",
            "r",
            lambda v: (np.median([m.z for m in group if m.depth == 2]), v),
        ),
    ):
        rows = [m for m in group if m.usual] if value == "z" else [m for m in group if m.depth == 2]
        if not rows:
            continue
        xs = np.concatenate([np.full(len(m.loss), getattr(m, value)) for m in rows])
        layers = [Layer("points", "runs", floats(xs), floats(np.concatenate([m.loss for m in rows])), role="data")]
        line = np.geomspace(xs.min() / 1.2, xs.max() * 1.2, 60)
        layers.append(
            Layer("line", "law", floats(line), floats([predicted(made, *fixed(v)) for v in line]), role="ours")
        )
        if fresh and value == "z":
            new = floats(np.concatenate([np.full(len(m.loss), m.z) for m in fresh]))
            losses = floats(np.concatenate([m.loss for m in fresh]))
            layers.append(Layer("points", "fresh seeds", new, losses, role="held_out"))
        panels.append(Panel(title, x, "Loss, nats", tuple(layers), log_x=True))
    caption = (
        "The law at one budget of parameters beside the runs it was fitted to. Left: four MLP units per width (the "
        "fresh seeds may have others); right: two blocks, the law at their median width."
    )
    return Figure("law", LAW, caption, tuple(panels))
