"""What a law's page shows running: a call with a published set, and a fit on published runs that ship."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from lawful.fit import fit
from lawful.forecast import forecast
from lawful.law import Law
from lawful.pages_figure import axis_label, complete_sets, draw_fit, short
from lawful.pages_tables import cell
from lawful.runs import Runs
from lawful.uncertainty import intervals

_FAMILY = "cerebras_gpt"  # seven models from 111M to 13B, loss and seven tasks
_TASK = "hellaswag"
_MINUTES = ("m4",)  # defined implicitly: its profiles take a minute of computing, a page should not


def example(law: Law) -> str:
    """A call of the law in Python and its result, and the command that fits it; empty where no call can be shown."""
    sets = complete_sets(law)
    command = f"```bash\nlawful laws show {law.name}\nlawful fit runs.csv --law {law.name} --out fit.json\n```"
    if not sets or law.arrays or not set(law.variables) <= set(law.over):
        return "## Use it\n\n" + command if law.parameters else ""
    key, values = next(iter(sets.items()))
    at = {v: _round(law.over[v]) for v in law.variables}
    result = float(law.at(values, **at))
    given = ", ".join(f"{v}={_literal(x)}" for v, x in at.items())
    whole = key and not any(isinstance(x, dict) for x in law.values[key].values.values())
    first = f'"{key}"' if whole else "{}" if not key else repr(values)
    code = f"from lawful.laws import find\n\nfind({law.name!r}).at({first}, {given})  # {result:.4g}"
    return f"## Use it\n\n```python\n{code}\n```" + (f"\n\n{command}" if law.parameters else "")


def _round(span: tuple[float, float]) -> float:
    low, high = span
    return float(f"{(low * high) ** 0.5 if low > 0 else (low + high) / 2:.1g}")


def _literal(x: float) -> str:
    return f"{x:g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def shipped_fit(law: Law) -> str:
    """The law fitted to the runs that ship, with intervals, as a section; empty where those runs do not measure it.

    Seven models: a law needs two points more than it has parameters. "Cannot tell" is printed where it is the answer.
    """
    found = _runs_for(law)
    if found is None:
        return ""
    runs, variables, target = found
    try:
        done = fit(law, runs, target=target, variables=variables, seed=0)
    except ValueError as problem:
        return f"{_TITLE}\n\nNot fitted: {problem}"
    lines = ["| parameter | estimate | 95 % interval | |", "| --- | --- | --- | --- |"]
    for name, i in intervals(done, seed=0).items():  # type: ignore[union-attr]
        verdict = i.verdict.replace("|", "\\|")
        lines.append(f"| `{name}` | {i.estimate:.4g} | {i.lower:.4g} to {i.upper:.4g} | {verdict} |")
    parts = [f"{_TITLE}\n\n{_sentence(law, done, target)}", "\n".join(lines), _picture(law, done, target, variables)]
    return "\n\n".join(p for p in parts if p)


_TITLE = "## On runs that ship"


def _sentence(law: Law, done: Any, target: str) -> str:
    from lawful.datasets import card

    what = f"{target} of {_TASK}, zero-shot" if target == "accuracy" else target
    warnings = [cell(finding) for finding in done.findings]
    said = "".join(f"\n\n- {w}" if i == 0 else f"\n- {w}" for i, w in enumerate(warnings))
    return f"{card(_FAMILY).title}: {what}, {done.n} runs, objective `{done.objective.name}`.{said}"


@cache
def _shipped(target: str) -> Runs:
    from lawful.datasets import load, tasks

    if target == "accuracy":
        return tasks(_FAMILY, where=f"task == '{_TASK}' and shots == 0", by=())
    return load(_FAMILY)


def _runs_for(law: Law) -> tuple[Runs, dict[str, str] | None, str] | None:
    target = {"L": "loss", "accuracy": "accuracy", "y": "loss"}.get(law.predicts)
    if target is None or law.name in _MINUTES or law.arrays or not law.parameters or len(law.parameters) > 5:
        return None
    runs = _shipped(target)
    if law.variables == ("x",):
        return (runs, {"x": "params"}, target) if law.topic in ("general", "pre-training") else None
    if not all(v in runs for v in law.variables) or (target != "accuracy" and law.predicts == "y"):
        return None
    return runs, None, target


def _picture(law: Law, done: Any, target: str, variables: dict[str, str] | None) -> str:
    """Data, curve and band for a law of one variable."""
    if len(law.variables) != 1:
        return ""
    symbol = law.variables[0]
    x = np.asarray(done.points.X[symbol], float)
    grid = np.geomspace(x.min() / 1.5, x.max() * 4, 9)  # each place of the band is a profile of its own
    band = forecast(done, level=0.9, seed=0, **{symbol: grid})
    caption = (
        f"{law.name} fitted to {len(x)} runs, with the 90 % interval of the mean, to {short(float(f'{grid[-1]:.2g}'))}."
    )
    label = axis_label("N" if variables else symbol)
    y = np.asarray(done.points.y, float)
    return draw_fit((x, y), (grid, band.estimate, band.lower, band.upper), label, target, caption)
