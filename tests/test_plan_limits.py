"""Plans under limits: Sardana's and Muennighoff's published optima, closed forms, what binds, and refusals."""

import time

import numpy as np
import pytest

import lawful
from lawful.belief import belief
from lawful.laws import find
from lawful.limits import spending
from lawful.plan_limits import optimal_tokens
from lawful.surface import lowest, surface, worth

SARDANA = ("chinchilla", "sardana2024")


@pytest.mark.parametrize(
    "like, served, N, D, ratio, more",  # published: Sardana et al. 2024, section 2 and appendix B.1, as printed
    [
        (30e9, 1e13, 13.6e9, None, 0.72, 2.84),
        (7e9, 1e11, 6.0e9, None, None, 1.18),
        (70e9, 1e13, 41.6e9, 7.92e12, 0.88, None),
    ],
)
def test_sardana_flops(like, served, N, D, ratio, more):
    plan = lawful.plan(SARDANA, like=like, inference_tokens=served)
    assert plan["N"].estimate == pytest.approx(N, rel=0.01)
    assert D is None or plan["D"].estimate == pytest.approx(D, rel=0.01)
    assert ratio is None or plan["flops_ratio"].estimate == pytest.approx(ratio, rel=0.01)
    assert more is None or plan["tokens_ratio"].estimate == pytest.approx(more, rel=0.01)
    assert plan["N"].verdict == "published without interval" and np.isnan(plan["N"].lower)


@pytest.mark.parametrize(
    "like, requests, N, D, ratio, within",  # published: section 6 and appendix B.2, two digits printed
    [(30e9, 1.5e9, 16e9, 3.35e12, 0.83, 0.01), (70e9, 35.1e9, 21.5e9, 27e12, 0.46, 0.02)],
)
def test_sardana_money(like, requests, N, D, ratio, within):
    plan = lawful.plan(
        SARDANA, like=like, input_tokens=70 * requests, output_tokens=215 * requests, prices="sardana2024"
    )
    assert plan["N"].estimate == pytest.approx(N, rel=within)
    assert plan["D"].estimate == pytest.approx(D, rel=within)
    assert plan["money_ratio"].estimate == pytest.approx(ratio, rel=0.01)


def test_muennighoff():
    law = find("muennighoff")
    for N, D, loss in [(6.34e9, 242e9, 2.2256440889984477), (8.67e9, 178e9, 2.2269634075087867)]:
        assert float(law.at("muennighoff2023", N=N, D=D, U=25e9)) == pytest.approx(loss, rel=1e-6)
    plan = lawful.plan(("muennighoff", "muennighoff2023"), flops=1e22, unique_tokens=25e9)
    # published: the authors' grid of 500 steps
    assert plan["N"].estimate == pytest.approx(7.0223647e9, rel=0.01)
    assert plan["epochs"].estimate == pytest.approx(9.493478, rel=0.01)
    assert float(worth(100e9, 25e9)) == pytest.approx(93.1418e9, rel=1e-5)  # computed independently


def test_a_law_without_repetition_takes_muennighoffs():
    """With the values of one paper both roads agree: chinchilla's form and the law with its own U."""
    values = ("chinchilla", "muennighoff2023")
    one = lawful.plan(values, flops=1e22, unique_tokens=25e9)
    other = lawful.plan(("muennighoff", "muennighoff2023"), flops=1e22, unique_tokens=25e9)
    assert one["N"].estimate == pytest.approx(other["N"].estimate, rel=1e-6)
    assert any(f.code == "repetition" for f in one.findings)
    plenty = lawful.plan(values, flops=1e22, unique_tokens=1e15)
    closed = find("chinchilla").optimum["N"](1e22, find("chinchilla").published("muennighoff2023"))
    assert plenty["N"].estimate == pytest.approx(closed, rel=1e-6)


def test_without_inference_the_optimum_is_the_closed_form():
    """Least compute for a loss and least loss for a compute are the same point."""
    held = belief("chinchilla", "besiroglu2024")
    plan = lawful.plan(held, loss=2.2, inference_tokens=1.0)
    best = find("chinchilla").optimum
    C = plan["C"].estimate
    assert plan["N"].estimate == pytest.approx(best["N"](C, held.values), rel=1e-5)
    assert plan["L"].estimate == pytest.approx(2.2)
    form = surface(held)
    assert optimal_tokens(form, held.values, 1e9) == pytest.approx(
        next(D for D in [best["D"](6e9 * x, held.values) for x in [optimal_tokens(form, held.values, 1e9)]]), rel=1e-4
    )


def test_more_to_serve_means_smaller_and_longer():
    sizes = [lawful.plan(SARDANA, like=30e9, inference_tokens=x)["N"].estimate for x in (1e11, 1e12, 1e13, 1e14)]
    assert sizes == sorted(sizes, reverse=True)


def test_which_limit_binds():
    known = dict(hardware="8x h100", utilisation=0.4, price=2.0)
    held = belief("chinchilla", "besiroglu2024")
    short = lawful.plan(held, days=3, money=1e6, **known)
    assert short.limits[0].startswith("days binds") and short["days"].estimate == pytest.approx(3)
    poor = lawful.plan(held, days=300, money=500, **known)
    assert poor.limits[0].startswith("money binds") and poor["money"].estimate == pytest.approx(500)
    capped = lawful.plan(held, days=3, max_params=1e8, **known)
    assert any(text.startswith("max_params binds") for text in capped.limits)
    assert capped["N"].estimate == pytest.approx(1e8, rel=1e-3)
    rows = {row["limit"]: row for row in short.choices}
    assert rows["days"]["gain_if_doubled"] > 0 == rows["money"]["gain_if_doubled"]


def test_assumptions_alone_give_an_interval():
    plan = lawful.plan(("chinchilla", "besiroglu2024"), days=10, hardware="rtx4090")
    assert plan["N"].lower < plan["N"].estimate < plan["N"].upper and plan["N"].verdict == "assumptions alone"
    assert any(f.code == "assumptions_alone" for f in plan.findings)
    low, high = plan.near["N"]
    assert low < plan["N"].estimate < high
    exact = lawful.plan(
        ("chinchilla", "besiroglu2024"), days=10, hardware="rtx4090", utilisation=0.35, price=0.4, power_share=1,
        overhead=1, carbon_intensity=0.4,
    )  # fmt: skip
    assert exact["N"].verdict == "published without interval"


def test_near_optimal_ends_are_half_a_percent_worse():
    held = belief("chinchilla", "besiroglu2024")
    plan = lawful.plan(held, flops=1e22, inference_tokens=1e12)
    best = plan["L"].estimate
    for N in plan.near["N"]:
        D = (1e22 - 2 * N * 1e12) / (6 * N)
        assert float(held.law.at(held.values, N=N, D=D)) == pytest.approx(1.005 * best, rel=1e-6)


def test_a_fit_gives_intervals_that_grow_with_the_distance():
    rng = np.random.default_rng(1)
    N = np.repeat([1e7, 3e7, 1e8, 3e8, 1e9], 3)
    D = N * np.tile([5.0, 20.0, 80.0], 5)
    true = dict(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
    loss = find("chinchilla")(N, D, **true) * np.exp(0.002 * rng.standard_normal(len(N)))
    fit = lawful.fit("chinchilla", lawful.read({"params": N, "tokens": D, "loss": loss}))
    held = belief(fit, draws=300)
    near, far = (lawful.plan(held, flops=C, inference_tokens=1e6)["N"] for C in (1e20, 1e23))
    assert near.lower < near.estimate < near.upper
    assert far.upper / far.lower > near.upper / near.lower


def test_small_plans_and_laptops():
    plan = lawful.plan(("chinchilla", "besiroglu2024"), days=2, hardware="m1-max", unique_tokens=1e9)
    assert 1e6 < plan["N"].estimate < 5e8 and plan["days"].estimate == pytest.approx(2)
    assert "energy" not in plan.answers


@pytest.mark.parametrize(
    "asked, words",
    [
        (dict(loss=1.5, inference_tokens=1e9), "out of reach: .* does not fall below 1.8"),
        (dict(loss=2.0, max_params=1e8, inference_tokens=1e9), "max_params binds: 1e.08 parameters reach 2.6"),
        (dict(loss=2.0, unique_tokens=1e8), "out of reach: .* with 1e.08 unique tokens"),
        (dict(loss=2.2, flops=1e20, inference_tokens=1e9), "flops binds: the cheapest model .* needs"),
        (dict(flops=1e10, inference_tokens=1e13), "flops binds: even a model of 1000 parameters"),
        (dict(money=100, unique_tokens=1e9), "money=100 needs hardware or prices"),
        (dict(days=3), "days=3 needs hardware"),
        (dict(energy=3, hardware="m1"), "energy=3 needs hardware whose power is published"),
        (dict(hardware="m1"), "nothing limits the run"),
        (dict(unique_tokens=1e9), "nothing limits the run"),
        (dict(days=-1, hardware="m1"), "days is -1"),
        (dict(days=1, hardware="m1", utilization=0.3), "knows no 'utilization'"),
        (dict(days=1, hardware="m1", accuracy=0.5), "limits are planned with a loss"),
        (dict(flops=1e20, inference_tokens=-1), "inference_tokens is -1"),
        (dict(loss=2.2, like=1e9), "not both"),
        (dict(like=1e9, minimise="days"), "minimise is 'days'"),
        (dict(like=1e9, prices={"c_tr": 1.0}), "prices lack c_inf"),
    ],
)
def test_refusals_say_what_binds(asked, words):
    with pytest.raises(ValueError, match=words):
        lawful.plan(("chinchilla", "besiroglu2024"), **asked)


def test_other_laws():
    plan = lawful.plan(("chinchilla_outer", "busbridge2025"), flops=1e21, inference_tokens=1e11)
    assert plan["N_nonemb"].estimate > 1e8
    with pytest.raises(ValueError, match="needs a law of the loss by one number of parameters and tokens"):
        lawful.plan(("kaplan_n", "kaplan2020"), flops=1e21, inference_tokens=1e11)


def test_plans_are_quick():
    """Each of these takes under a second, imports included in the first."""
    for asked in (dict(like=3e10, inference_tokens=1e13), dict(days=9, money=1e4, hardware="8x h100")):
        start = time.process_time()
        lawful.plan(SARDANA, **asked)
        assert time.process_time() - start < 1.0


def test_lowest_finds_minima_elementwise():
    at = np.array([0.3, -2.0, 5.0])
    assert lowest(lambda x: (x - at) ** 2, np.full(3, -10.0), 10.0) == pytest.approx(at, abs=1e-6)
    assert float(lowest(lambda x: np.where(x < 1, np.inf, x), -5.0, 9.0)) == pytest.approx(1.0, abs=1e-6)


def test_serving_on_hardware_says_what_it_assumes():
    plan = lawful.plan(SARDANA, like=7e9, input_tokens=1e11, output_tokens=1e10, hardware="8x a100")
    assert plan["N"].estimate < 7e9 and any("on generated tokens" in f.message for f in plan.findings)
    assert "least_money" in plan.answers and plan["money"].lower < plan["money"].upper


def test_money_counts_prompts_and_answers_apart():
    spent = spending(None, input_tokens=70.0, output_tokens=215.0, prices="sardana2024")
    dear = 2 * 4.407051282051283e-19 * (70 / 0.5 + 215 / 0.01)
    assert spent["money"][1][0] == pytest.approx(dear)


def test_overtraining_against_gadres_closed_form():
    from lawful.plan_overtraining import overtraining

    law = find("gadre")
    plan = overtraining(flops=1e21, ratios=[20, 320])
    v = law.published("gadre2024_c4").values
    assert plan["TPP"].estimate == pytest.approx((v["b"] / v["a"]) ** (1 / (2 * v["eta"])), rel=1e-6)
    for row in plan.choices:
        level = v["a"] * row["TPP"] ** v["eta"] + v["b"] * row["TPP"] ** -v["eta"]
        assert row["L"].estimate == pytest.approx(v["E"] + level * 1e21 ** -v["eta"], rel=1e-9)
        share = (2 * (v["a"] * v["b"]) ** 0.5 / level) ** (1 / v["eta"])  # compute of the best split for that loss
        assert row["wasted"].estimate == pytest.approx(1 - share, abs=1e-6)
    assert plan.choices[1]["serving"].estimate < 0.2 < plan.choices[0]["serving"].estimate
    other = overtraining(("chinchilla", "besiroglu2024"), flops=1e21, ratios=[plan["TPP"].estimate])
    assert other.choices[0]["excess"].estimate >= 0
    with pytest.raises(ValueError, match="ratios is -1"):
        overtraining(flops=1e21, ratios=[-1])


def test_runs_on_a_line_cannot_tell():
    """Runs of 20 tokens per parameter alone say nothing of a split: the limits' plan says so too."""
    N = np.geomspace(1e7, 1e9, 8)
    true = dict(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
    noise = np.exp(0.002 * np.random.default_rng(2).standard_normal(8))
    runs = lawful.read({"params": N, "tokens": 20 * N, "loss": find("chinchilla")(N, 20 * N, **true) * noise})
    fixed = {"E": 1.8172, "alpha": 0.3478, "beta": 0.3658}
    plan = lawful.plan(lawful.fit("chinchilla", runs, fixed=fixed), flops=1e21, inference_tokens=1e9, draws=100)
    assert plan["N"].verdict.startswith("cannot tell") and not plan.near
    assert any(f.code == "not_identified" and f.severity == "error" for f in plan.findings)


@pytest.mark.slow
def test_intervals_of_a_lifetime_plan_cover():
    """90 % intervals of the best size and its loss, tokens served included, over 100 sets of 20 runs: 87 inside."""
    true = dict(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
    asked = [dict(flops=C, inference_tokens=C / 1e10) for C in (1e20, 1e21)]
    truth = [lawful.plan(("chinchilla", true), **one) for one in asked]
    N = np.repeat([1e7, 3e7, 1e8, 3e8, 1e9], 4)
    D = N * np.tile([5.0, 20.0, 80.0, 200.0], 5)
    inside = np.zeros((2, 2))
    for seed in range(100):
        noise = np.exp(0.003 * np.random.default_rng(seed).standard_normal(len(N)))
        runs = lawful.read({"params": N, "tokens": D, "loss": find("chinchilla")(N, D, **true) * noise})
        held = belief(lawful.fit("chinchilla", runs), draws=200, seed=seed)
        for i, one in enumerate(asked):
            made = lawful.plan(held, **one)
            for j, name in enumerate(("N", "L")):
                inside[i, j] += made[name].lower <= truth[i][name].estimate <= made[name].upper
    assert (inside >= 84).all() and (inside <= 96).all()


def test_latency_and_memory_cap_the_size():
    free = lawful.plan(("chinchilla", "besiroglu2024"), flops=1e22, inference_tokens=1.0)
    quick = lawful.plan(("chinchilla", "besiroglu2024"), flops=1e22, token_ms=20, serve_on="l4")
    assert quick["N"].estimate == pytest.approx(0.020 * 300e9 * 0.65 / 2, rel=1e-3)
    assert quick["N"].estimate < free["N"].estimate
    assert quick["N"].lower < quick["N"].estimate < quick["N"].upper  # the share of bandwidth is assumed
    assert quick.limits[0].startswith("token_ms binds")
    small = lawful.plan(("chinchilla", "besiroglu2024"), flops=1e22, serve_on="t4", serve_bits=32)
    assert small["N"].estimate == pytest.approx(0.8 * 16e9 / 4, rel=1e-3) and small.limits[0].startswith(
        "memory of 1x t4"
    )
    wide = lawful.plan(("chinchilla", "besiroglu2024"), flops=1e18, token_ms=100, serve_on="h100")
    assert not any("token_ms" in text for text in wide.limits)
    with pytest.raises(ValueError, match="token_ms binds: .* reach .* at best"):
        lawful.plan(("chinchilla", "besiroglu2024"), loss=1.9, token_ms=1, serve_on="l4")
    with pytest.raises(ValueError, match="token_ms=20 needs serve_on"):
        lawful.plan(("chinchilla", "besiroglu2024"), flops=1e20, token_ms=20)
