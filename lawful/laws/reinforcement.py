"""Reinforcement learning: games, environments, reward models and language models.

What is predicted is hardly ever a loss: Elo, the score of a match, intrinsic performance (the least compute that
reaches a return), a reward or a pass rate. Such outcomes are bounded or relative, and the laws bend accordingly.
"""

from __future__ import annotations

import numpy as np

from lawful.law import Paper, amplitude, coefficient, exponent, law, location, scale, share, values

jones2021 = Paper("jones2021", "Andy L. Jones", "Scaling Scaling Laws with Board Games", 2021, arxiv="2104.03113")
neumann2023 = Paper(
    "neumann2023",
    "Oren Neumann, Claudius Gros",
    "Scaling Laws for a Multi-Agent Reinforcement Learning Model",
    2023,
    arxiv="2210.00849",
    venue="ICLR 2023",
)
hilton2023 = Paper(
    "hilton2023",
    "Jacob Hilton, Jie Tang, John Schulman",
    "Scaling Laws for Single-Agent Reinforcement Learning",
    2023,
    arxiv="2301.13442",
)
gao2022 = Paper(
    "gao2022",
    "Leo Gao, John Schulman, Jacob Hilton",
    "Scaling Laws for Reward Model Overoptimization",
    2022,
    arxiv="2210.10760",
    venue="ICML 2023",
)
khatri2025 = Paper(
    "khatri2025",
    "Devvrit Khatri, Lovish Madaan, Rishabh Tiwari, others",
    "The Art of Scaling Reinforcement Learning Compute for LLMs",
    2025,
    arxiv="2510.13786",
)
tan2025 = Paper(
    "tan2025",
    "Zelin Tan, others",
    "Scaling Behaviors of LLM Reinforcement Learning Post-Training",
    2025,
    arxiv="2509.25300",
)


@law(jones2021, values={"jones2021": values("Table III", mf=510.0, mb=-430.0, c0=-4400.0, pb=-270.0, p0=570.0)},
    optimum={"C": lambda C, v, board: 10 ** (-(v["mb"] * board + v["c0"]) / v["mf"])}, predicts="elo",
    topic="reinforcement learning", status="official repository", aliases=("jones_hex_compute_frontier",),
    over={"C": (1e7, 1e17), "board": (3, 9)})  # fmt: skip
def jones_hex(
    C, board, *, mf=coefficient("Elo per decade of compute", lower=0, start=(50, 1000)),
    mb=coefficient("Elo per cell of the side", upper=0, start=(-1000, -50)), c0=coefficient(start=(-1e4, 0)),
    pb=coefficient("plateau per cell of the side", upper=0, start=(-1000, -50)), p0=coefficient(start=(-1000, 1000)),
):  # fmt: skip
    r"""$\mathrm{elo} = \min(0, \max(p_b b + p_0, m_f \log_{10} C + m_b b + c_0))$
    AlphaZero at Hex on a board of side b: a plateau, an incline in compute, and perfect play at 0.
    Fitted: L-BFGS, squared error of interpolated frontiers. The optimum C is the compute for perfect play.
    Trap: frontier points are the best of many runs (selection bias); gradients vanish on both plateaus.
    Trap: compute at the foot of the incline grows 2.06-fold per cell by these numbers, 4-fold by the text: doubtful.
    """
    return np.minimum(0.0, np.maximum(pb * board + p0, mf * np.log10(C) + mb * board + c0))


@law(jones2021, values={"jones2021": values("figure 9, board of side 9", a=-1.2, b=0.004, c=29.0)}, predicts="C_inf",
    topic="reinforcement learning", status="official repository", aliases=("jones_train_test_tradeoff",),
    over={"C": (1e12, 1e17), "elo": (-1500, 0)})  # fmt: skip
def jones_train_test(
    C, elo, *, a=coefficient(start=(-3, 0)), b=coefficient(start=(0, 0.01)), c=coefficient(start=(0, 50))
):
    r"""$\log_{10} C_{test} = a \log_{10} C + b\, \mathrm{elo} + c$
    Compute of the tree search per move that reaches an Elo after training compute C: ten times more training saves
    a factor of about 15 per move.
    Fitted: ordinary least squares.
    Trap: the line ends at one search node; b has one digit, so use ratios at one Elo only.
    """
    return 10 ** (a * np.log10(C) + b * elo + c)


@law(neumann2023, predicts="win_rate", topic="reinforcement learning", status="memory",
    aliases=("neumann_alphazero_elo",), over={"x1": (1e3, 1e7), "x2": (1e3, 1e7)},
    values={
        "neumann2023_params": values("parameters, Connect Four, from memory", status="memory", alpha=0.88),
        "neumann2023_compute": values("compute, both games, from memory", status="memory", alpha=0.55),
    },
)  # fmt: skip
def neumann_match(x1, x2, *, alpha=exponent()):
    r"""$p = 1/(1 + (x_2/x_1)^{\alpha})$
    Expected score of player 1 with the resource x1 (parameters, or compute at the best size) against player 2;
    as Elo the difference is 400 alpha log10(x1/x2).
    Fitted: ratings from matches of 800 games, then a line through the logs.
    Trap: Elo has no zero: only differences are modelled.
    """
    return 1 / (1 + (x2 / x1) ** alpha)


@law(hilton2023, predicts="I", topic="reinforcement learning", status="memory",
    aliases=("hilton_intrinsic_performance",), over={"N_nonemb": (1e4, 1e8), "env_steps": (1e6, 1e9)})  # fmt: skip
def hilton_intrinsic(
    N_nonemb, env_steps, *, beta=exponent(), N_c=scale("N_nonemb", "alpha_N"), alpha_N=exponent(),
    E_c=scale("env_steps", "alpha_E"), alpha_E=exponent(),
):  # fmt: skip
    r"""$I^{-\beta} = (N_c/N)^{\alpha_N} + (E_c/E)^{\alpha_E}$
    Intrinsic performance after E steps of the environment: the least compute, over sizes, that reaches the same return.
    Fitted: absolute error of log I, the transform of returns being learned from the frontier.
    Trap: beta is not free: I = C on the frontier wants 1/beta = 1/alpha_N + 1/alpha_E; best N grows as
    C**(1/(1 + alpha_N/alpha_E)). I exists only for a family of runs that has a frontier.
    """
    return ((N_c / N_nonemb) ** alpha_N + (E_c / env_steps) ** alpha_E) ** (-1 / beta)


@law(gao2022, optimum={"sqrt_kl": lambda C, v: v["alpha"] / (2 * v["beta"])}, predicts="reward",
    topic="reinforcement learning", status="secondary source", aliases=("gao_rm_overoptimization_bon",),
    over={"sqrt_kl": (0, 10)})  # fmt: skip
def gao_best_of_n(sqrt_kl, *, alpha=amplitude(), beta=amplitude()):
    r"""$R = d (\alpha - \beta d)$
    Gold reward of the best of n by a proxy reward, d the root of the KL from the first policy, ln n - (n - 1)/n.
    Fitted: least squares for every size of the reward model.
    Trap: the paper shows its coefficients in figures only.
    """
    return sqrt_kl * (alpha - beta * sqrt_kl)


@law(gao2022, optimum={"sqrt_kl": lambda C, v: np.exp(v["alpha"] / v["beta"] - 1)}, predicts="reward",
    topic="reinforcement learning", status="secondary source", aliases=("gao_rm_overoptimization_rl",),
    over={"sqrt_kl": (0.1, 10)})  # fmt: skip
def gao_policy(sqrt_kl, *, alpha=amplitude(), beta=amplitude()):
    r"""$R = d (\alpha - \beta \ln d)$
    Gold reward of a policy trained against a proxy reward, d the root of the KL from the first policy.
    Fitted: least squares for every size of the reward model.
    Trap: the slope at d = 0 is infinite, an artefact; a KL spent by policies compares with none spent by best of n.
    """
    return sqrt_kl * (alpha - beta * np.log(sqrt_kl))


@law(khatri2025, values={"khatri2025": values("asymptote of ScaleRL, 8B; the other values were not found", A=0.61)},
    predicts="accuracy", topic="reinforcement learning", status="secondary source",
    aliases=("khatri_scalerl_sigmoid", "scalerl"), over={"gpu_hours": (1.5e3, 1e5)})  # fmt: skip
def khatri_scalerl(
    gpu_hours, *, R0=share("pass rate at the start"), A=share("asymptote"), B=exponent("efficiency"),
    C_mid=location("gpu_hours", "half of the gain"),
):  # fmt: skip
    r"""$R = R_0 + (A - R_0)/(1 + (C_{mid}/C)^{B})$
    Pass rate on held-out prompts after C GPU hours of reinforcement learning (of a GB200 in the paper).
    Fitted: without the first 1500 GPU hours; runs of 50000 predict 100000.
    Trap: before the midpoint A, B and C_mid trade off: report A with its interval, and fix R_0 at what was measured.
    """
    return R0 + (A - R0) / (1 + (C_mid / gpu_hours) ** B)


@law(tan2025, predicts="error", topic="reinforcement learning", status="secondary source",
    aliases=("rl_posttraining_learning_efficiency",), over={"N": (5e8, 7.2e10), "x": (1e2, 1e5)})  # fmt: skip
def tan_efficiency(N, x, *, K_max=exponent("slope of an endless model"), N0=location("N"), E=coefficient()):
    r"""$\ln L = -k(N) \ln x + E, k(N) = K_{max}/(1 + N_0/N)$
    Test error of a model after reinforcement learning with the compute or the samples x.
    Trap: E belongs to one size (fit it by group): this is no law in N. Logs are assumed natural; no values were found.
    """
    return np.exp(E - K_max / (1 + N0 / N) * np.log(x))
