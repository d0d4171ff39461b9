"""What is known before: prior distributions, and those that the literature gives for the exponents of a law.

A published exponent is a fact with a source (`FACTS`, and the values that travel with each law of the catalogue). m
studies of a kind say where the next study of that kind will lie: Student's t with m - 1 degrees of freedom, centred at
their mean, with scale s sqrt(1 + 1 / m). One paper that fitted the same runs twice counts once: its sets are averaged,
and refits of another paper's runs count with that paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawful.law import Law
from lawful.laws import all_laws

_LEAST = 3  # studies from which there is a spread worth the name


@dataclass(frozen=True)
class Normal:
    """A normal prior. source: where it comes from. For an amplitude or scale it is on the natural log."""

    mean: float
    sd: float
    source: str = ""

    def log_density(self, x: np.ndarray) -> np.ndarray:
        return -0.5 * ((x - self.mean) / self.sd) ** 2

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        return self.mean + self.sd * rng.standard_normal(count)

    def ends(self, level: float) -> tuple[float, float]:
        """The central interval of this level."""
        from scipy.special import ndtri

        half = float(ndtri(0.5 + level / 2)) * self.sd
        return self.mean - half, self.mean + half

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and 0 < self.sd < np.inf):
            raise ValueError(f"prior: mean {self.mean} and sd {self.sd}; the mean must be finite, the sd positive")

    def __str__(self) -> str:
        return f"{self.mean:.3g} +- {self.sd:.2g}" + (f" ({self.source})" if self.source else "")


@dataclass(frozen=True)
class StudentT:
    """Student's t with this location, scale and degrees of freedom."""

    mean: float
    scale: float
    dof: float
    source: str = ""

    @property
    def sd(self) -> float:
        return self.scale * np.sqrt(self.dof / (self.dof - 2)) if self.dof > 2 else np.inf

    def log_density(self, x: np.ndarray) -> np.ndarray:
        return -0.5 * (self.dof + 1) * np.log1p(((x - self.mean) / self.scale) ** 2 / self.dof)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        return self.mean + self.scale * rng.standard_t(self.dof, count)

    def ends(self, level: float) -> tuple[float, float]:
        """The central interval of this level."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.dof, 0.5 + level / 2)) * self.scale
        return self.mean - half, self.mean + half

    def __str__(self) -> str:
        return f"{self.mean:.3g} +- {self.scale:.2g} (t, {self.source})"


@dataclass(frozen=True)
class Fact:
    """One published exponent: of the loss in a variable ("N" with or without embeddings, "D", "C"), with its source.

    study: key of the paper, as in the catalogue.
    """

    variable: str
    form: str
    value: float
    source: str
    study: str


# Exponents of E + A N**-alpha + B D**-beta that the catalogue does not carry as values of a law.
FACTS = (
    Fact("N", "E", 0.252, "Olmo Hybrid 2026, Transformer, Dolma 3, approach 3", "olmo2026"),
    Fact("D", "E", 0.213, "Olmo Hybrid 2026, Transformer, Dolma 3, approach 3", "olmo2026"),
    Fact("N", "E", 0.226, "Olmo Hybrid 2026, hybrid, Dolma 3, approach 3", "olmo2026"),
    Fact("D", "E", 0.219, "Olmo Hybrid 2026, hybrid, Dolma 3, approach 3", "olmo2026"),
    Fact("N", "E", 0.183, "Olmo Hybrid 2026, Gated DeltaNet, Dolma 3, approach 3", "olmo2026"),
    Fact("D", "E", 0.227, "Olmo Hybrid 2026, Gated DeltaNet, Dolma 3, approach 3", "olmo2026"),
)
# Several papers on one suite of runs.
_SAME_RUNS = {"besiroglu2024": "hoffmann2022", "sardana2024": "hoffmann2022"}
# Laws of text losses whose terms are those of a form: with a constant ("E"), or a plain power ("0").
_FORMS = {
    "E": ("chinchilla", "gemstones_parameters", "minicpm", "muennighoff"),
    "0": ("kaplan_n", "kaplan_d", "kaplan_compute", "clark_dense"),
}
# Sets of other laws that were fitted with one of these forms.
_SETS = {
    "E": (
        ("xlstm", "beck2025_llama_chinchilla"), ("xlstm", "beck2025_mlstm_chinchilla"),
        ("krajewski_moe", "krajewski2024_dense"), ("kumar_precision", "kumar2024_main"),
    ),
    "0": (),
}  # fmt: skip
_OUTSIDE = {"mcleish2025_512_3"}  # its paper calls it degenerate


def literature_priors(law: Law, names: tuple[str, ...]) -> dict[str, StudentT]:
    """Priors for the exponents of a law among ``names``, from published exponents of the same variable and form.

    Raises ValueError where fewer than three studies have published one for every exponent of the law.
    """
    form = "E" if any(p.kind == "offset" for p in law.parameters) else "0"
    out = {}
    for name in names:
        variable = variable_of(law, name)
        studies = published(variable, form) if variable else {}
        if len(studies) >= _LEAST:
            x = np.array(list(studies.values()))
            scale = float(x.std(ddof=1) * np.sqrt(1 + 1 / len(x)))
            out[name] = StudentT(float(x.mean()), scale, len(x) - 1, f"{len(x)} studies: {', '.join(studies)}")
    if not out:
        raise ValueError(
            f"prior: fewer than {_LEAST} studies have published exponents of law {law.name}'s kind; "
            "give a prior of your own, {'alpha': (mean, sd)}"
        )
    return out


def variable_of(law: Law, name: str) -> str:
    """The variable whose power this exponent is: N, D or C (N for N_nonemb); empty where it is none."""
    own = next((p for p in law.parameters if p.name == name), None)
    if own is None or own.kind != "exponent":
        return ""
    for p in law.parameters:
        if name in p.power and len(p.on) == 1:
            return "N" if p.on[0] == "N_nonemb" else p.on[0]
    return ""


def published(variable: str, form: str) -> dict[str, float]:
    """Published exponents of a variable, one per suite of runs: study -> exponent."""
    laws = all_laws()
    sets = [(laws[k], key) for k in _FORMS[form] for key in laws[k].values if key not in _OUTSIDE]
    sets += [(laws[k], key) for k, key in _SETS[form]]
    found: dict[str, list[float]] = {}
    for law, key in sets:
        study, known = key.split("_")[0], law.values[key]
        for p in law.parameters:
            if variable_of(law, p.name) == variable and p.name in known.values and known.status == "published":
                found.setdefault(_SAME_RUNS.get(study, study), []).append(float(known[p.name]))
    for fact in FACTS:
        if (fact.variable, fact.form) == (variable, form):
            found.setdefault(fact.study, []).append(fact.value)
    return {study: float(np.mean(x)) for study, x in found.items()}
