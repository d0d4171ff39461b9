"""Allocation, mixtures, hyper-parameters, schedules and chains to downstream scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from real_fits_rows import Row, against, frame, timed

import lawful
from lawful.laws import find

_PORIAN = ("hparams", "warmup", "decay", "param_count", "loss_split")


def porian(data: Path) -> list[Row]:
    """Every n exponent of the paper, and the losses at the optima."""
    import polars as pl

    pairs = frame(data / "porian_refinedweb/optimal_pairs.csv").drop_nulls()
    printed = frame(data / "porian_refinedweb/published_fits.csv").filter(pl.col("method") == "basic")
    rows = []
    for row in printed.iter_rows(named=True):
        own = pairs.filter(pl.all_horizontal([pl.col(k) == row[k] for k in _PORIAN]))
        name = " ".join(row[k] for k in _PORIAN)
        table = {"C": own["flops"], "N": own["params_opt"], "L": own["loss_opt"]}
        runs = lawful.read({k: v.to_numpy() for k, v in table.items()}, need=["C", "N"])
        fit, _ = timed("porian_n_opt", runs)
        why = "the same regression of logs"
        rows.append(Row("porian_refinedweb", f"{name}: n exponent", row["n_exponent"], fit.values["a"], why))
        if row["loss_split"] == "val":
            curve, _ = timed("power_law_constant", runs, variables={"x": "C"}, target="loss", objective="log_lsq")
            theirs = row["loss_E"] + row["loss_A"] * runs["C"] ** -row["loss_alpha"]
            at_theirs = float(curve.objective.total(runs["loss"], theirs, curve.points.w))
            stop = "no optimum of squares of the loss or its log; what their loss fit minimised is not stated"
            what = f"{name}: L(C), log_lsq objective"
            rows.append(Row("porian_refinedweb", what, at_theirs, curve.F, stop, "same"))
            alpha = curve.estimates["alpha"]
            rows.append(Row("porian_refinedweb", f"{name}: exponent of L(C)", row["loss_alpha"], alpha, stop))
    return rows


def mixing_laws(data: Path) -> list[Row]:
    """Five domains of the Pile, 70M parameters, step 30000: one law for each group of validation domains."""
    import polars as pl

    losses = frame(data / "mixing_laws/losses.parquet").filter(
        (pl.col("series") == "5Mix") & (pl.col("step") == 30000) & (pl.col("size") == "70M")
    )
    losses = losses.join(frame(data / "mixing_laws/valid_weights.csv"), on="eval_domain")
    shares = [f"p{i}" for i in range(1, 6)]
    mean = (pl.col("loss") * pl.col("weight")).sum() / pl.col("weight").sum()
    groups = losses.group_by("mixture_id", "group", *shares, maintain_order=True).agg(mean.alias("loss"))
    rows = []
    for group in ("academic", "internet"):
        runs = lawful.read(groups.filter(pl.col("group") == group).drop("mixture_id"), target="loss", need=shares)
        fit, seconds = timed("ye_mixing", runs, variables={"mixture": shares}, objective="huber:0.02")
        key, why = f"ye2024_{group}", "their fit had six more mixtures"
        rows.append(against("mixing_laws", group, fit, key, why + ".", seconds))
        rows.append(Row("mixing_laws", f"{group}: c", find("ye_mixing").published(key)["c"], fit.values["c"], why))
    return rows


def regmix(data: Path) -> list[Row]:
    """Rank correlation with 256 unseen mixtures, against the paper's boosted trees."""
    from scipy.stats import spearmanr

    train, test = (frame(data / f"regmix/{part}_1m.csv") for part in ("train", "test"))
    mixture = [c for c in train.columns if c.startswith("mix_")]
    ranks = {}
    for target in (c for c in train.columns if c.startswith("loss_")):
        runs = lawful.read(train, target=target, need=mixture)
        fit, _ = timed("regmix_linear", runs, target=target, variables={"mixture": mixture}, objective="lsq")
        predicted = fit.predict(mixture=test.select(mixture).to_numpy().T)
        ranks[target] = float(spearmanr(predicted, test[target].to_numpy())[0])
    smooth = "a line in the shares; theirs are boosted trees, which bend"
    return [
        Row("regmix", "Pile-CC: Spearman", 0.90, ranks["loss_pile_cc"], "linear on both sides"),
        Row("regmix", "lowest Spearman of 13 domains", 0.972, min(ranks.values()), smooth),
        Row("regmix", "highest Spearman of 13 domains", 0.998, max(ranks.values()), smooth),
    ]


def steplaw(data: Path) -> list[Row]:
    """Settings within 0.25 % of the lowest loss of their cell, least squares in logs, as in the paper."""
    import polars as pl

    cell = ["params_nonembed", "tokens"]
    dense = frame(data / "steplaw/dense.csv").filter("converged")
    near = dense.filter(pl.col("loss") <= 1.0025 * pl.col("loss").min().over(cell))
    runs = lawful.read(near, columns={"N_nonemb": "params_nonembed", "D": "tokens", "B": "batch_tokens", "lr": "lr"})
    (lr, _), (batch, _) = timed("steplaw_lr", runs), timed("steplaw_batch", runs)
    key, part, rows = "li2025step_bootstrap", "14 cells, N from 0.21e9 to 0.54e9 only", []
    for fit, name in ((lr, "a"), (lr, "b"), (batch, "b")):
        one = lawful.intervals(fit)[name]
        why = f"{part}: 95 % interval {one.lower:.2f} to {one.upper:.2f}"
        rows.append(Row("steplaw", f"{fit.law.name}: {name}", fit.law.published(key)[name], one.estimate, why))
    rows += [against("steplaw", fit.law.name, fit, key, part) for fit in (lr, batch)]
    theirs = _cost(dense, cell, lr.law.published(key), batch.law.published(key))
    own = "mean over 14 cells; ours on the cells that it was fitted to"
    return [*rows, Row("steplaw", "% of loss lost by the law's setting", theirs, _cost(dense, cell, lr, batch), own)]


def _cost(dense: Any, cell: list[str], lr: Any, batch: Any) -> float:
    """What the setting nearest to the laws' loses against the best of the cell, in percent, on average."""
    lr, batch = getattr(lr, "estimates", lr), getattr(batch, "estimates", batch)
    lost = []
    for (n, d), rows in dense.group_by(cell, maintain_order=True):
        want = np.log([lr["A"] * n ** lr["a"] * d ** lr["b"], batch["A"] * d ** batch["b"]])
        have = np.log(rows.select("lr", "batch_tokens").to_numpy())
        loss = rows["loss"].to_numpy()
        lost.append(100 * (loss[((have - want) ** 2).sum(1).argmin()] / loss.min() - 1))
    return float(np.mean(lost))


def schedule(name: str) -> np.ndarray:
    """The learning rates of a run by the name of its schedule: warm-up of 2160 steps, peak 3e-4, end 3e-5."""
    kind, *numbers = name.split("_")
    start, steps = 2160, 16000 if kind == "wsdcon" else int(numbers[-1])
    body = np.full(steps - start, 3e-4)
    if kind == "cosine":
        body = 3e-5 + 1.35e-4 * (1 + np.cos(np.pi * np.arange(steps - start) / (steps - start)))
    elif kind == "wsdcon":
        body[8000 - start :] = int(numbers[0]) * 1e-5
    elif kind in ("wsd", "wsdld"):
        done = np.linspace(0, 1, steps - int(numbers[0]), endpoint=False)
        body[int(numbers[0]) - start :] = 3e-4 * 0.1**done if kind == "wsd" else 3e-4 - 2.7e-4 * done
    return np.append(np.linspace(0, 3e-4, start), body)


def _curves(rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """Schedules up to each logged step (points, steps), zeros in front, and the losses there."""
    out = np.zeros((len(rows), int(rows["step"].max())))
    for i, (name, step) in enumerate(rows.select("schedule", "step").iter_rows()):
        out[i, out.shape[1] - step :] = schedule(name)[:step]
    return out, rows["loss"].to_numpy()


def lr_schedules(data: Path, name: str = "tissue", every: int = 6) -> list[Row]:
    """Fitted on three curves and tried on six others, every sixth logged step."""
    import polars as pl

    curves, rows = frame(data / "lr_schedule_curves/curves.csv"), []
    for size, key in ((2.5e7, "25m"), (1e8, "100m")):
        own = curves.filter(pl.col("params_nominal") == size)
        seen, ahead = (own.filter(pl.col("split") == s).gather_every(every) for s in ("fit", "predict"))
        (rates, loss), (later, unseen) = _curves(seen), _curves(ahead)
        law, printed = find(name), {"tissue": "tissue2024_", "multi_power": "luo2025_"}[name] + key
        fit, seconds = timed(name, {"lr_schedule": rates, "loss": loss}, objective="log_huber:1e-3")
        missed = [np.abs(law.at(v, lr_schedule=later.T) - unseen).mean() for v in (printed, dict(fit.values))]
        what, why = f"{name} {key}", "three curves do not determine the law: a lower objective predicts no better"
        rows.append(against("lr_schedule_curves", what, fit, printed, "three training curves.", seconds, "same"))
        rows.append(Row("lr_schedule_curves", f"{what}: MAE on six unseen schedules", *map(float, missed), why))
    return rows


def multi_power(data: Path) -> list[Row]:
    """As `lr_schedules`, for the multi-power law: minutes."""
    return lr_schedules(data, "multi_power")


def gadre(data: Path) -> list[Row]:
    """The law on five runs of each corpus, the error on six."""
    runs = lawful.read(data / "gadre_overtraining/runs.csv", columns={"L": "loss_c4_val", "TPP": "token_multiplier"})
    rows = []
    for corpus, key in (("c4_original", "c4"), ("rpj", "redpajama"), ("rw_original", "refinedweb")):
        six = runs.where(f"dataset == '{corpus}' and (TPP == 20 or (TPP == 320 and model == 'd=96_l=8_h=4'))")
        fit, _ = timed("gadre", six.where("model != 'open_lm_1b'"), objective="lsq")
        printed, name = fit.law.published(f"gadre2024_{key}"), f"gadre2024_{key}"
        rows.append(against("gadre_overtraining", f"{key} loss", fit, name, "five runs, four parameters", None, "same"))
        for n in ("E", "eta"):
            rows.append(Row("gadre_overtraining", f"{key}: {n}", printed[n], fit.values[n], "same optimum"))
        for tasks in (17, 46):
            error, _ = timed("gadre_error", six, target=f"error_avg{tasks}", objective="lsq")
            what, why = f"{key} error of {tasks} tasks", "same optimum"
            rows.append(against("gadre_overtraining", what, error, f"{name}_{tasks}tasks", why, None, "same"))
    return rows


_LADDER = {"arc_challenge_test": "arc_challenge", "arc_easy_test": "arc_easy", "csqa_val": "csqa",
           "hellaswag_val": "hellaswag", "openbookqa_test": "openbookqa", "piqa_val": "piqa",
           "socialiqa_val": "socialiqa", "mmlu_avg_test": "mmlu"}  # fmt: skip


def olmo_ladder(data: Path) -> list[Row]:
    import polars as pl

    points = frame(data / "olmo_ladder/final_points.csv").filter(~pl.col("run").str.contains("rerun|0.5xC"))
    rows = []
    for task, key in _LADDER.items():
        runs = lawful.read(points.filter(pl.col("task") == task), columns={"N_nonemb": "params"}, target="bpb_mean5")
        fit, _ = timed("bhagia_task_loss", runs, target="bpb_mean5", objective="log_huber:1e-3")
        rows.append(against("olmo_ladder", f"{key} step 1", fit, f"bhagia2024_{key}", "same optimum", None, "same"))
    steps = frame(data / "olmo_ladder/evals.parquet").with_columns(pl.col("run", "task", "metric").cast(pl.String))
    steps = steps.filter((pl.col("task") == "hellaswag_val_rc") & ~pl.col("run").str.contains("rerun|0.5xC"))
    steps = steps.filter(pl.col("metric").is_in(["bpb", "acc_len_norm"]))
    wide = steps.pivot(on="metric", index=["run", "tokens"], values="value", aggregate_function="first")
    wide = wide.sort("run", "tokens").drop_nulls()
    late = pl.col("tokens").rank("ordinal").over("run") > 0.1 * pl.len().over("run")
    smooth = [pl.col(c).rolling_mean(5).over("run") for c in ("bpb", "acc_len_norm")]
    kept = wide.with_columns(*smooth, late.alias("late")).filter("late").drop_nulls()
    table = {"bpb": np.append(kept["bpb"], 0.0), "accuracy": np.append(kept["acc_len_norm"], 1.0)}
    fit, seconds = timed("bhagia_loss_to_accuracy", table, target="accuracy", objective="lsq")
    why = "checkpoints smoothed over 5 and a point at (0, 1), as there."
    return [*rows, against("olmo_ladder", "hellaswag step 2", fit, "bhagia2024_hellaswag", why, seconds, "same")]
