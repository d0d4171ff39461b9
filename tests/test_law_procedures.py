"""What laws are used for beyond a prediction: choosing models, calls and methods, and schedules of any length."""

from __future__ import annotations

import json
from math import comb, inf
from pathlib import Path

import numpy as np
import pytest

from lawful.dual import Dual
from lawful.laws.finetuning import accept_then_stop, critical_examples, rectified, zhang_finetuning
from lawful.laws.inference import optimal_calls, pass_at_k, vote_two_level
from lawful.laws.schedules import annealing, changes, multi_power, optimal_schedule, tissue
from lawful.laws.transfer import finetuned_loss, hernandez
from lawful.laws.tuning import deepseek_scale, deepseek_tokens

# Schedules: the exact sums over every step, as the papers write them


def cosine(steps: int = 24000, warmup: int = 2160, peak: float = 3e-4, end: float = 3e-5) -> np.ndarray:
    t = np.arange(steps - warmup) / (steps - warmup)
    return np.concatenate([np.linspace(0, peak, warmup), end + 0.5 * (peak - end) * (1 + np.cos(np.pi * t))])


def decay_at_end(steps: int = 24000, decay: int = 4000) -> np.ndarray:
    lr = np.concatenate([np.linspace(0, 3e-4, 2160), np.full(steps - 2160, 3e-4)])
    lr[-decay:] *= 0.1 ** (np.arange(decay) / decay)
    return lr


def jump(steps: int = 16000, at: int = 8000) -> np.ndarray:
    lr = decay_at_end(steps, 1)
    lr[at:] = 9e-5
    return lr


SCHEDULES = {
    "cosine": cosine(), "decay": decay_at_end(), "jump": jump(), "after the jump": jump(8100), "cut": cosine()[:9000],
    "to zero": np.concatenate([np.linspace(0, 3e-4, 500), np.linspace(3e-4, 0, 2000)]),
    "warm again": np.concatenate([cosine(3000, 300), cosine(3000, 300)[300:]]),
}  # fmt: skip
every_schedule = pytest.mark.parametrize("lr", SCHEDULES.values(), ids=list(SCHEDULES))


def exact_annealing(lr: np.ndarray, lam: float) -> float:
    falls = -np.diff(lr)
    falls[: np.flatnonzero(falls > 0)[0]] = 0
    momentum = area = 0.0
    for fall in falls:
        momentum = lam * momentum + fall
        area += momentum
    return area


def exact_multi_power(lr: np.ndarray, L0, A, alpha, B, C, beta, gamma) -> float:
    rest = np.cumsum(lr[::-1])[::-1]
    change = np.diff(lr, prepend=0.0)
    there = (change != 0) & (lr > 0)
    gain = 1 - (1 + C * lr[there] ** -gamma * rest[there]) ** -beta
    return L0 + A * lr.sum() ** -alpha + B * np.sum(change[there] * gain)


@every_schedule
def test_merged_changes_give_the_sums_over_every_step(lr: np.ndarray) -> None:
    for lam in (0.9, 0.99, 0.9999):
        assert annealing(lr, lam) == pytest.approx(exact_annealing(lr, lam), rel=1e-4)
    for values in tissue.values.values():
        v = dict(values.values)
        exact = v["L0"] + v["A"] * lr.sum() ** -v["alpha"] - v["C"] * exact_annealing(lr, v["lam"])
        assert tissue(lr, **v) == pytest.approx(exact, abs=1e-5)
    for values in multi_power.values.values():
        assert multi_power(lr, **values.values) == pytest.approx(exact_multi_power(lr, **values.values), abs=1e-5)


def test_groups_are_few() -> None:
    assert len(changes(cosine()).fall) < 500
    assert len(changes(jump()).fall) < 190  # the warm-up's groups and the jump itself
    c = changes(cosine())
    np.testing.assert_array_equal(np.sort(c.age[c.fall > 0])[:32], np.arange(1, 33))


def test_shorter_runs_have_zeros_in_front() -> None:
    runs = list(SCHEDULES.values())
    padded = np.zeros((max(map(len, runs)), len(runs)))
    for i, lr in enumerate(runs):
        padded[len(padded) - len(lr) :, i] = lr
    for law in (tissue, multi_power):
        values = next(iter(law.values.values())).values
        together = law(padded, **values)
        np.testing.assert_allclose(together, [law(lr, **values) for lr in runs], rtol=1e-6)


def test_schedules_are_remembered_by_content() -> None:
    v = dict(multi_power.values["luo2025_100m"].values)
    lr = cosine(3000, 300)
    before = multi_power(lr, **v)
    lr[2000] *= 1.5  # in place: the same array, another schedule
    assert multi_power(lr, **v) != before


def test_one_row_per_start() -> None:
    runs = np.stack([cosine(3000, 300), jump(3000, 1000)], axis=1)
    v = dict(multi_power.values["luo2025_25m"].values)
    rows = {k: Dual(np.array([[x], [1.1 * x]]), {i: 1.0}) for i, (k, x) in enumerate(v.items())}
    found = multi_power(runs, **rows)
    assert found.v.shape == (2, 2)
    np.testing.assert_allclose(found.v[0], multi_power(runs, **v), rtol=1e-12)


def test_a_negative_or_missing_rate_is_refused() -> None:
    for bad in (np.nan, -1e-4):
        with pytest.raises(ValueError, match="lr_schedule: run 0 has the learning rate .* at step 1"):
            tissue(np.array([1e-4, bad, 1e-4]), **tissue.values["tissue2024_25m"].values)


def test_optimal_schedule_beats_cosine_and_every_decay_at_the_end() -> None:
    v = dict(multi_power.values["luo2025_25m"].values)
    best = optimal_schedule(v, 3000, peak=3e-4, warmup=300)
    assert best.shape == (3000,) and best.max() == pytest.approx(3e-4)
    assert np.all(np.diff(best[:301]) > 0) and np.all(np.diff(best[300:]) <= 0)
    loss = exact_multi_power(best, **v)
    assert loss < exact_multi_power(cosine(3000, 300), **v) - 0.03
    for share in (0.05, 0.1, 0.2, 0.4):
        for power in (0.5, 1.0, 1.5, 2.0):
            other = np.concatenate([3e-4 * np.arange(300) / 300, np.full(2700, 3e-4)])
            length = int(share * 3000)
            other[-length:] *= (1 - np.arange(length) / length) ** power
            assert loss < exact_multi_power(other, **v)
    with pytest.raises(ValueError, match="leaves fewer steps than the 24 knots"):
        optimal_schedule(v, 100, 3e-4, warmup=90)


# Fine-tuning and transfer


def test_accept_then_stop_on_its_own_data(shared: Path) -> None:
    entry = next(e for e in json.loads((shared / "laws" / "catalogue.json").read_text()) if e["id"] ==
                 "rectified_scaling_law")  # fmt: skip
    data = entry["data"]["lamini_gpt124m_flan"]
    check = entry["optimum"][0]["checks"][0]
    predicted = accept_then_stop(data["D"][:9], data["L"][:9], 1638400)
    assert predicted == pytest.approx(check["output"], rel=1e-5)
    assert accept_then_stop(data["D"][8::-1], data["L"][8::-1], 1638400) == predicted  # in any order
    flat = rectified.at("lin2024_gpt124m_flan", D_f=1638400)
    assert abs(flat - data["L"][-1]) < abs(predicted - data["L"][-1])  # the whole curve knows more than its end


def test_accept_then_stop_takes_a_power_law_in_whole_and_leaves_a_flat_start_out(rng) -> None:
    sizes = 200.0 * 2 ** np.arange(9)
    noise = 1 + 1e-3 * rng.standard_normal(9)
    assert accept_then_stop(sizes, 30 * sizes**-0.25 * noise, 1e6) == pytest.approx(30 * 1e6**-0.25, rel=0.01)
    flat = np.where(sizes < 2000, 30 * 2000**-0.25, 30 * sizes**-0.25) * noise
    assert accept_then_stop(sizes, flat, 1e6) == pytest.approx(30 * 1e6**-0.25, rel=0.02)
    with pytest.raises(ValueError, match="two or more positive sizes"):
        accept_then_stop([100], [2.0], 1e6)


def test_methods_cross_where_their_reducible_losses_are_equal() -> None:
    full = zhang_finetuning.values["zhang2024_wmt14_ende_fmt_model_size"]
    prompt = zhang_finetuning.values["zhang2024_wmt14_ende_prompt_model_size"]
    D = critical_examples(1e9, full.values, prompt.values)
    assert D == pytest.approx(13255.3, rel=1e-5)
    losses = [zhang_finetuning.at(dict(v.values) | {"E": 0.0}, x=1e9, D_f=D) for v in (full, prompt)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)
    with pytest.raises(ValueError, match="never cross"):
        critical_examples(1e9, full.values, full.values)


def test_transfer_lowers_the_loss_of_fine_tuning() -> None:
    v = hernandez.values["hernandez2021_text"].values
    assert finetuned_loss(3e5, 4e7, v) == pytest.approx(3.44508, rel=1e-5)
    assert finetuned_loss(3e6, 4e7, v) < finetuned_loss(3e5, 4e7, v)


# Inference


def majority(calls: int, p: float) -> float:
    """An even number of calls breaks ties by a fair coin."""
    tail = sum(comb(calls, i) * p**i * (1 - p) ** (calls - i) for i in range(calls // 2 + 1, calls + 1))
    tie = comb(calls, calls // 2) * (p * (1 - p)) ** (calls // 2) if calls % 2 == 0 else 0.0
    return tail + tie / 2


def test_votes_are_binomial_tails() -> None:
    calls = np.arange(1, 60)
    for p in (0.05, 0.3, 0.5, 0.8, 1.0):
        found = vote_two_level(calls, alpha=1.0, p1=p, p2=0.2)
        np.testing.assert_allclose(found, [majority(int(k), p) for k in calls], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("p1", [0.55, 0.7, 0.85, 0.95])
@pytest.mark.parametrize("p2", [0.02, 0.1, 0.3, 0.45])
@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.6, 0.9])
def test_optimal_calls_by_search(alpha: float, p1: float, p2: float) -> None:
    v = {"alpha": alpha, "p1": p1, "p2": p2}
    accuracy = vote_two_level(np.arange(1, 4001, 2), **v)
    best = optimal_calls(v)
    if best == inf:
        assert alpha >= accuracy.max() - 1e-9
    else:
        assert accuracy[(int(best) - 1) // 2] >= max(accuracy.max(), alpha) - 1e-12


def test_optimal_calls_needs_easy_and_hard_questions() -> None:
    with pytest.raises(ValueError, match="p2 below, p1 above one half"):
        optimal_calls({"alpha": 0.5, "p1": 0.4, "p2": 0.3})


def test_pass_at_k_is_the_mean_over_subsets() -> None:
    assert pass_at_k(20, 3, 5) == pytest.approx(1 - comb(17, 5) / comb(20, 5), rel=1e-12)
    assert pass_at_k(20, 18, 5) == 1.0
    assert pass_at_k(10_000, 0, 100) == pytest.approx(0.0, abs=1e-9)


def test_deepseek_splits_all_of_the_compute() -> None:
    size, tokens = (law.at("deepseek2024", C=1e20) for law in (deepseek_scale, deepseek_tokens))
    assert size * tokens == pytest.approx(1e20, rel=1e-3)
