"""Procedures that are more than a curve, on models held out for being larger than those that were fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from real_fits_rows import Row, frame

import lawful
from lawful.flp import flp, flp_m, loss_at, score_at
from lawful.skills import capabilities, observational, score_at_flops, score_from_benchmarks, scores_at, skills

_RUAN = ("mmlu", "arc_challenge", "hellaswag", "winogrande", "truthfulqa", "gsm8k", "xwinograd", "humaneval")
_SLOTH = {"mmlu": 0.230, "arc": 0.205, "hellaswag": 0.249, "winogrande": 0.479, "truthfulqa": 0.317, "gsm8k": 0.0}
_NAN = float("nan")


def observational_rows(data: Path) -> list[Row]:
    """Every emergent task, fitted below the upper quartile of compute and predicted above it."""
    import polars as pl

    every = frame(data / "observational/base_models.csv")
    explained = capabilities(every, _RUAN).explained
    miss, held = {"benchmarks": [], "compute": [], "alone": []}, []
    for task in (c for c in every.columns if c.startswith("em_") and "bleu" not in c):
        scored = every.filter(pl.col(task).is_not_null() & pl.col("flops").is_not_null())
        cut = scored["flops"].quantile(0.75)
        small = pl.col("flops").is_not_null() & (pl.col("flops") <= cut)
        train = every.filter(small | pl.col("flops").is_null())
        train = train.with_columns(pl.when(small).then(pl.col(task)).otherwise(None).alias(task))
        large = scored.filter(pl.col("flops") > cut)
        found = observational(train, task, _RUAN, draws=100)
        made, truth = score_from_benchmarks(found, large), large[task].to_numpy()
        miss["benchmarks"] += [(m.estimate - v) ** 2 for m, v in zip(made, truth)]
        held += [m.lower <= v <= m.upper for m, v in zip(made, truth)]
        known = [i for i, f in enumerate(large["family"]) if f in found.families]
        ahead = [score_at_flops(found, large["family"][i], large["flops"][i]).estimate for i in known]
        miss["compute"] += [(a - truth[i]) ** 2 for a, i in zip(ahead, known)]
        miss["alone"] += list((_compute_alone(train, task, large) - truth) ** 2)
    rms = {k: float(np.sqrt(np.mean(v))) for k, v in miss.items()}
    n = f"n = {len(held)}"
    larger = "the quarter of models with the most compute, 7 tasks; published column: a sigmoid of compute alone"
    return [
        Row("observational", "variance on the first component", _NAN, float(explained[0]), "models to 8.4e22 FLOP"),
        Row("observational", "variance on three components", _NAN, float(explained.sum()), "as above"),
        Row("observational", f"held out, RMSE from benchmarks, {n}", rms["alone"], rms["benchmarks"], larger),
        Row("observational", f"held out, RMSE from family and compute, n = {len(miss['compute'])}", rms["alone"],
            rms["compute"], larger + ", of all"),
        Row("observational", "held out, share inside 90 % intervals", 0.9, float(np.mean(held)), "nominal and found"),
    ]  # fmt: skip


def _compute_alone(train: Any, task: str, large: Any) -> np.ndarray:
    known = train.drop_nulls([task, "flops"])
    table = {"c": np.log10(known["flops"].to_numpy() / 1e21), "score": known[task].to_numpy()}
    fit = lawful.fit("ruan_downstream", table, target="score", variables={"capability": ["c"]}, objective="lsq")
    return fit.predict(capability=np.log10(large["flops"].to_numpy() / 1e21)[None])


def sloth_rows(data: Path) -> list[Row]:
    """The models of the largest size of every family of two sizes or more, predicted from the rest."""
    import polars as pl

    every = frame(data / "sloth/models.csv").drop_nulls(["mmlu", "tokens"])
    top, low = pl.col("params").max().over("family"), pl.col("params").min().over("family")
    largest = (pl.col("params") == top) & (low < top)
    large, train = every.filter(largest), every.filter(~largest)
    found = skills(train, list(_SLOTH), dimension=2, floors=_SLOTH)
    kept: dict[bool, list[tuple[float, float, bool]]] = {True: [], False: []}
    for row in large.iter_rows(named=True):
        made = scores_at(found, row["family"], row["params"], row["tokens"])
        smaller = train.filter(pl.col("family") == row["family"]).sort("params", "model")
        before, several = smaller.row(-1, named=True), smaller["params"].n_unique() > 1
        for b in _SLOTH:
            inside = made[b].lower <= row[b] <= made[b].upper
            kept[several].append((abs(before[b] - row[b]), abs(made[b].estimate - row[b]), inside))
    rows = []
    why = "published column: the score of the next smaller sibling; one sibling does not say what more tokens bring"
    for several, misses in kept.items():
        sibling, miss, held = np.mean(misses, axis=0)
        what = f"2 skills, {'several smaller sizes' if several else 'one smaller size'}, n = {len(misses)}"
        rows.append(Row("sloth", f"{what}: mean absolute error", float(sibling), float(miss), why))
        rows.append(Row("sloth", f"{what}: share inside 90 % intervals", 0.9, float(held), "nominal and found"))
    return rows


def flp_rows(data: Path) -> list[Row]:
    """Open_lm 1.4B from four smaller sizes, for each corpus; and FLP-M's losses on two domains."""
    import polars as pl

    runs = frame(data / "gadre_overtraining/runs.csv").with_columns((1 - pl.col("error_avg17")).alias("score"))
    tasks = frame(data / "gadre_overtraining/tasks.csv.gz").filter("in_17")
    chance = float(tasks.unique("task")["random_baseline"].mean())
    runs = runs.with_columns((pl.col("token_multiplier") == 20).alias("optimal"))
    rows = []
    for corpus in ("c4_original", "rpj", "rw_original"):
        own = runs.filter(pl.col("train_data") == corpus)
        big = own.filter(pl.col("model") == "open_lm_1b").row(0, named=True)
        small = own.filter(pl.col("model") != "open_lm_1b")
        chain = flp(small, "score", loss="loss_c4_val", converged="optimal", chance=chance)
        loss, score = loss_at(chain, "loss_c4_val", C=big["flops"]), score_at(chain, C=big["flops"])
        for name, truth, made in (("loss", big["loss_c4_val"], loss), ("accuracy of 17 tasks", big["score"], score)):
            within = f"90 % interval {made.lower:.3f} to {made.upper:.3f}"
            why = f"FLP, whose law of the loss has no floor; published column: measured; {within}"
            rows.append(Row("gadre_overtraining", f"{corpus}: {name} at 1.4B", truth, made.estimate, why))
    return [*rows, *_two_domains(data)]


def _two_domains(data: Path) -> list[Row]:
    """FLP-M's losses of Github and Pile-CC at twice the steps fitted; a million tokens a step."""
    import polars as pl

    text = [pl.col(c).cast(pl.String) for c in ("series", "size", "eval_domain")]
    losses = frame(data / "mixing_laws/losses.parquet").with_columns(text)
    both = (pl.col("p1") > 0) & (pl.col("p2") > 0) & pl.col("eval_domain").is_in(["Github", "Pile-CC"])
    two = losses.filter(both & (pl.col("series") == "2Mix") & (pl.col("step") >= 5000))
    index = ["size", "mixture", "step", "p1", "p2", "params_nominal"]
    wide = two.pivot(on="eval_domain", index=index, values="loss", aggregate_function="first").drop_nulls()
    compute = 6e6 * pl.col("params_nominal") * pl.col("step")
    wide = wide.with_columns((compute * pl.col("p2")).alias("C_general"), (compute * pl.col("p1")).alias("C_code"))
    late = wide["step"].max()
    train, ahead = wide.filter(pl.col("step") <= late / 2), wide.filter(pl.col("step") == late)
    train = train.with_columns(
        (1 - 0.1 * pl.col("Github")).alias("made_up")
    )  # no scores here: only the first step counts
    chain = flp_m(train, "made_up", ["Github", "Pile-CC"], draws=50)
    rows = []
    for name, fit in chain.losses.items():
        predicted = fit.predict(C_general=ahead["C_general"].to_numpy(), C_code=ahead["C_code"].to_numpy())
        apart = float(np.mean(np.abs(predicted / ahead[name].to_numpy() - 1)))
        what = f"FLP-M: {name}, mean relative error at twice the steps, n = {len(ahead)}"
        rows.append(Row("mixing_laws", what, _NAN, apart, f"in the runs fitted: {fit.sigma:.4f}; no floor in the law"))
    return rows
