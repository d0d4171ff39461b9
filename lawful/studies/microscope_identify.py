"""Second opinion, first part: which parameters of the loss laws do the data determine at all?

A profile says how far a number can be moved, all others following, before the fit is significantly worse. Where the
profile has no end within a wide scan, or leaves in what nobody believes, the number is not an estimate.
"""

from __future__ import annotations

import numpy as np

from lawful.fit import Fit, fit
from lawful.profiles import Profile, profile
from lawful.spread import condition
from lawful.studies.microscope_evidence import COLUMNS, SEED_NOISE, Evidence
from lawful.studies.parts import Part, floats, span
from lawful.studies.results import Figure, Layer, Panel
from lawful.tasks import Scores

SECTION = "Identifiability"
_FREE = {"E": (-np.inf, np.inf)}
_EXPONENTS = (0.02, 1.5)  # scanned for exponents: all that was ever published lies well inside
_GOLDEN = {  # L_inf upper end; alpha upper end with L_inf free; alpha lower end with L_inf >= 0; p of 0, 0.5066, 1.0
    "loss_card": (1.23, 0.253, 0.091, (0.90, 0.63, 0.16)),
    "loss": (1.06, 0.219, 0.100, (0.37, 0.88, 0.08)),
}
_CANDIDATES = (0.0, 0.5066, 1.0)  # no irreducible loss; Cerebras' own law; a round number in nats


def identifiability(evidence: Evidence) -> Part:
    """Profiles of L_inf and of the exponents, and what a second family adds."""
    part, scans = Part(), {}
    for column in COLUMNS:
        found, scans[column] = three_parameters(evidence["cerebras"], column)
        part.add(found)
    part.figures.append(_figure(scans))
    _definition_of_size(part, evidence["cerebras"])
    _scatter(part, evidence["cerebras"])
    _five_parameters(part, evidence["cerebras"])
    _with_pythia(part, evidence)
    return part


def kaplan(answers: Scores, column: str, size: str = "params_nominal", **options) -> Fit:
    """Least squares of a N^-alpha + L_inf, L_inf of any sign unless bounds say otherwise."""
    table = {"N": answers.column(size), "loss": answers.column(column)}
    made = fit("power_law_constant_n", table, objective="lsq", **{"bounds": _FREE, **options})
    assert isinstance(made, Fit)
    return made


def three_parameters(answers: Scores, column: str) -> tuple[Part, Profile]:
    """What seven losses say of a N^-alpha + L_inf: intervals of both, tests of L_inf, and the profile of L_inf."""
    part = Part()
    name, (top, alpha_top, alpha_low, golden_p) = COLUMNS[column], _GOLDEN[column]
    free, positive = kaplan(answers, column), kaplan(answers, column, bounds={})
    lowest = float(answers.column(column).min())
    L = profile(free, "E", limits=(-20.0, 0.999 * lowest))
    wide, narrow = profile(free, "alpha"), profile(positive, "alpha")
    p = _p_values(free, answers, column)
    key = f"identifiability.{column}"
    part.check(f"{key}.l_inf_upper", SECTION, f"upper 95 % end of L_inf, {name}", L.upper, top, 0.01)
    part.check(f"{key}.alpha_upper", SECTION, f"upper 95 % end of alpha, {name}", wide.upper, alpha_top, 0.001)
    what = f"lower 95 % end of alpha with L_inf >= 0, {name}"
    part.check(f"{key}.alpha_lower_bounded", SECTION, what, narrow.lower, alpha_low, 0.001)
    for value, found, golden in zip(_CANDIDATES, p, golden_p):
        part.check(f"{key}.p_{value:g}", SECTION, f"p of L_inf = {value:g}, {name}", found, golden, 0.02)
    kept = [f"{v:g} (p = {q:.2g})" for v, q in zip(_CANDIDATES, p) if q > 0.05]
    unknown = L.open_below or L.open_above or L.lower <= 0
    part.say(
        f"{key}.l_inf", SECTION,
        f"The irreducible loss, {name} column: {L.estimate:.3f}, 95 % "
        f"{span(L.lower, L.upper, L.open_below, L.open_above)} by F-profile with {free.dof} degrees of freedom."
        + (f" Not rejected: {', '.join(kept)}. The data cannot tell whether there is one." if unknown else ""),
        "cannot tell" if unknown else "supported",
        estimate=L.estimate, lower=L.lower, upper=L.upper, open_below=L.open_below,
        p=dict(zip(map(str, _CANDIDATES), p)),
    )  # fmt: skip
    part.say(
        f"{key}.alpha", SECTION,
        f"The exponent, {name} column: {wide.estimate:.3f}, 95 % {span(wide.lower, wide.upper, wide.open_below)} with "
        f"L_inf free and {span(narrow.lower, narrow.upper)} with L_inf >= 0. Kaplan's 0.076 is "
        + ("inside the first." if wide.lower <= 0.076 <= wide.upper else "outside both."),
        "note", estimate=wide.estimate, lower=wide.lower, upper=wide.upper, bounded=(narrow.lower, narrow.upper),
    )  # fmt: skip
    return part, L


def _p_values(free: Fit, answers: Scores, column: str) -> list[float]:
    """F-tests of given values of L_inf: 1 and n - p degrees of freedom."""
    from scipy.special import fdtrc

    held = [kaplan(answers, column, bounds={}, fixed={"E": value}) for value in _CANDIDATES]
    return [float(fdtrc(1, free.dof, max(h.rss - free.rss, 0) / (free.rss / free.dof))) for h in held]


def _definition_of_size(part: Part, answers: Scores) -> None:
    total, inner = ({c: kaplan(answers, c, size) for c in COLUMNS} for size in ("params_nominal", "params_nonembed"))
    for column, golden in (("loss_card", -1.63), ("loss", -0.54)):
        value = inner[column].estimates["E"]
        what = f"L_inf over non-embedding parameters, {COLUMNS[column]}"
        part.check(f"identifiability.{column}.l_inf_nonembedding", SECTION, what, value, golden, 0.01)
    moves = {c: (total[c].estimates["E"], inner[c].estimates["E"]) for c in COLUMNS}
    flips = all(a > 0 > b for a, b in moves.values())
    listed = "; ".join(f"{COLUMNS[c]} {a:.2f} and {b:.2f}" for c, (a, b) in moves.items())
    part.say(
        "identifiability.definition_of_size", SECTION,
        f"The study's irreducible loss, over all parameters and over non-embedding parameters: {listed}."
        + (" Its sign is decided by how parameters are counted." if flips else ""),
        "contradicted" if flips else "note", l_inf=moves,
    )  # fmt: skip


def _scatter(part: Part, answers: Scores) -> None:
    from scipy.special import chdtrc

    for column, golden in (("loss_card", 62.7), ("loss", 27.5)):
        free = kaplan(answers, column)
        relative = free.residuals / free.points.y
        chi2 = float(((relative / SEED_NOISE) ** 2).sum())
        p = float(chdtrc(free.dof, chi2))
        sd = free.sigma / float(np.mean(free.points.y))
        what = f"chi2 of the residuals with seed noise, {COLUMNS[column]}"
        part.check(f"identifiability.{column}.chi2", SECTION, what, chi2, golden, 0.05 * golden)
        part.say(
            f"identifiability.{column}.scatter", SECTION,
            f"Residuals of the {COLUMNS[column]} column have an sd of {sd:.1%}, against {SEED_NOISE:.2%} between "
            f"seeds (chi2 = {chi2:.1f} on {free.dof}, p = {p:.1g}): "
            + ("the models differ by more than their seeds." if p < 0.01 else "no more than seeds explain."),
            "note", chi2=chi2, p=p, sd=sd,
        )  # fmt: skip


def _five_parameters(part: Part, answers: Scores) -> None:
    """The study's own losses; its forms of five parameters."""
    N, D, column = answers.column("params"), answers.column("tokens"), "loss_card"
    line = float(np.corrcoef(np.log(N), np.log(D))[0, 1] ** 2)
    lines = []
    for law, names in (("chinchilla", ("alpha", "beta")), ("corrected", ("alpha", "gamma"))):
        made = fit(law, {"N": N, "D": D, "loss": answers.column(column)}, objective="lsq")
        assert isinstance(made, Fit)
        scans = {name: profile(made, name, limits=_EXPONENTS) for name in names}
        number = condition(made.model, made.theta, made.problems, made.objective)
        for s in scans.values():
            reach = span(s.lower, s.upper, s.open_below, s.open_above)
            lines.append((law, s.name, s.estimate, reach, number, s.verdict or "determined"))
        unknown = [name for name, s in scans.items() if s.open_below or s.open_above]
        reason = f"no limit on {' and '.join(unknown)} within {list(_EXPONENTS)}" if unknown else "exponents bounded"
        part.say(
            f"identifiability.{law}", SECTION,
            f"{law.capitalize()} form on Cerebras-GPT alone: {reason}. Its five parameters stand on {made.n} points "
            f"on which D is a power of N (R2 = {line:.6f}).",
            "cannot tell" if unknown else "supported", r2=line, condition=number,
            **{name: (s.lower, s.upper) for name, s in scans.items()},
        )  # fmt: skip
    part.table(
        "five_parameter_forms", SECTION, "Exponents of the five-parameter forms on seven models",
        ("law", "exponent", "estimate", "95 % set", "condition number", "verdict"), lines,
        "Model card losses. The sets were scanned over [0.02, 1.5]. The condition number is that of the scaled "
        "Jacobian at the optimum.",
    )  # fmt: skip


def _with_pythia(part: Part, evidence: Evidence) -> None:
    both = (evidence["cerebras"], evidence["pythia"])
    table = {
        n: np.concatenate([f.column(c) for f in both]) for n, c in (("N", "params"), ("D", "tokens"), ("loss", "loss"))
    }
    made = fit("chinchilla", table, objective="log_lsq")
    assert isinstance(made, Fit)
    scans = {name: profile(made, name, limits=_EXPONENTS) for name in ("alpha", "beta")}
    scans["E"] = profile(made, "E")
    for name, low, high in (("alpha", 0.22, 0.40), ("beta", 0.04, 0.16)):
        part.check(f"identifiability.both.{name}_lower", SECTION, f"lower end of {name}, both families",
                   scans[name].lower, low, 0.01)  # fmt: skip
        part.check(f"identifiability.both.{name}_upper", SECTION, f"upper end of {name}, both families",
                   scans[name].upper, high, 0.01)  # fmt: skip
    E = scans["E"]
    known = not any(s.open_below or s.open_above for n, s in scans.items() if n != "E")
    no_floor = E.open_below or E.open_above
    listed = ", ".join(
        f"{n} = {scans[n].estimate:.3f} {span(scans[n].lower, scans[n].upper)}" for n in ("alpha", "beta")
    )
    part.say(
        "identifiability.both", SECTION,
        f"With the {len(evidence['pythia'].models)} Pythia v0 losses, where D does not follow N, the Chinchilla form "
        f"has {listed} (n = {made.n}, scatter {made.sigma:.1%}).",
        "supported" if known else "cannot tell", **{n: (s.lower, s.upper) for n, s in scans.items()},
    )  # fmt: skip
    part.say(
        "identifiability.both.E", SECTION,
        f"Even then the irreducible loss is anywhere in [0, {E.upper:.2f}]." if no_floor else
        f"The irreducible loss is then in {span(E.lower, E.upper)}.",
        "cannot tell" if no_floor else "supported", lower=E.lower, upper=E.upper,
    )  # fmt: skip


def _figure(scans: dict[str, Profile]) -> Figure:
    panels = []
    for column, scan in scans.items():
        inside = scan.excess <= 4
        x, y = scan.values[inside], scan.excess[inside]
        layers = (
            Layer("line", "best fit at each L_inf", floats(x), floats(y), role="ours"),
            Layer("line", "95 % threshold", floats((x[0], x[-1])), (1.0, 1.0), role="reference"),
            Layer("points", "least squares", (float(scan.estimate),), (0.0,), role="ours"),
        )
        title = f"{COLUMNS[column]} losses: 95 % {span(scan.lower, scan.upper, scan.open_below, scan.open_above)}"
        panels.append(Panel(title, "irreducible loss L_inf (nats)", "rise of the RSS / 95 % threshold", layers))
    return Figure(
        "l_inf_profile", SECTION,
        "How much worse the three-parameter fit gets as L_inf is moved. Below the threshold the data do not object.",
        tuple(panels),
    )  # fmt: skip
