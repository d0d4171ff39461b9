"""What a picture of choices shows: how far each moves the decision, and where all combinations lie."""

from __future__ import annotations

import numpy as np

from lawful.sensitivity import Sensitivity, word
from lawful.studies.results import Figure, Layer, Panel

_TITLES = {"ratio": "Tokens per parameter", "N": "Parameters", "loss": "Forecast loss"}


def choices_figure(made: Sensitivity) -> Figure:
    """A panel for tokens per parameter, N and the loss: all combinations in order, by the options of one choice.

    The choice coloured is the one that matters most to that outcome. The band is the 90 % interval of the default,
    which is what the noise of the runs leaves open.
    """
    panels = tuple(_panel(made, outcome) for outcome in _TITLES)
    caption = (
        f"{len(made.settings)} defensible ways to fit the same runs, at {made.flops:.3g} FLOP; the band is the 90 % "
        "interval of the default alone."
    )
    return Figure("choices", "", caption, panels)


def _panel(made: Sensitivity, outcome: str) -> Panel:
    values = made.outcomes[outcome]
    order = [int(i) for i in np.argsort(values, kind="stable") if np.isfinite(values[i])]
    place = {row: k + 1 for k, row in enumerate(order)}
    noise = made.noise[outcome]
    layers: list[Layer] = []
    if np.isfinite([noise.lower, noise.upper]).all():
        ends = (0.0, len(order) + 1.0)
        layers.append(
            Layer("band", "default, 90 %", ends, (), (noise.lower,) * 2, (noise.upper,) * 2, role="reference")
        )
    lead, share = max(made.shares[outcome].items(), key=lambda item: item[1], default=("", 0.0))
    for option in made.options.get(lead, ()):
        rows = [i for i in order if made.settings[i][lead] == option]
        x, y = tuple(float(place[i]) for i in rows), tuple(float(values[i]) for i in rows)
        layers.append(Layer("points", f"{lead}: {word(option)}", x, y))
    if 0 in place:
        layers.append(Layer("points", "the default", (float(place[0]),), (float(values[0]),), role="published"))
    title = f"{_TITLES[outcome]}: {lead} makes {share:.0%} of the spread" if lead else _TITLES[outcome]
    return Panel(title, "combinations, in order", _TITLES[outcome].lower(), tuple(layers), False, outcome != "loss")
