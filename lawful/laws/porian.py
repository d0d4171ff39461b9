r"""After Kaplan and Chinchilla: why the two disagree (Porian; Pearce and Song), MiniCPM, and over-training (Gadre).

Counting parameters without embeddings, leaving out the head's FLOP, long warm-ups and untuned small models each raise
the exponent of N_opt.
"""

from __future__ import annotations

from lawful.law import Paper, amplitude, exponent, law, offset, values
from lawful.laws.hoffmann import optimal_params, optimal_tokens
from lawful.laws.kaplan import PF_DAY

porian2024 = Paper(
    "porian2024",
    "Tomer Porian, Mitchell Wortsman, Jenia Jitsev, Ludwig Schmidt, Yair Carmon",
    "Resolving Discrepancies in Compute-Optimal Scaling of Language Models",
    2024,
    arxiv="2406.19146",
)
pearce2024 = Paper(
    "pearce2024", "Tim Pearce, Jinyeop Song", "Reconciling Kaplan and Chinchilla Scaling Laws", 2024, arxiv="2406.12907"
)
hu2024 = Paper(
    "hu2024",
    "Shengding Hu, Yuge Tu, Xu Han, Chaoqun He, Ganqu Cui, others",
    "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training Strategies",
    2024,
    arxiv="2404.06395",
)
gadre2024 = Paper(
    "gadre2024",
    "Samir Yitzhak Gadre, Georgios Smyrnis, Vaishaal Shankar, others",
    "Language models scale reliably with over-training and on downstream tasks",
    2024,
    arxiv="2403.08540",
)

_STEPS = {  # Table 1, exponents only: corpus and what has been corrected so far
    "openwebtext2": {
        "reproduction": 0.864, "head_flops": 0.699, "warmup": 0.603, "cosine_decay": 0.574, "tuned": 0.518,
    },
    "refinedweb": {
        "reproduction": 0.835, "head_flops": 0.706, "warmup": 0.602, "cosine_decay": 0.571, "tuned": 0.497,
        "kaplan_adjusted": 0.717,
    },
}  # fmt: skip
_KAPLAN_LINE = "line through Kaplan's N at 1 PF-day, "


@law(
    porian2024, predicts="N", over={"C": (1.25e16, 2.56e19)}, topic="allocation",
    values={
        "kaplan2020": values(_KAPLAN_LINE + "a = 0.88", k=1.6e9 / PF_DAY**0.88, a=0.88),
        "kaplan2020_adjusted": values(_KAPLAN_LINE + "a = 0.73", k=1.3e9 / PF_DAY**0.73, a=0.73),
    } | {
        f"porian2024_{corpus}_{step}": values("Table 1, exponent only", a=a)
        for corpus, steps in _STEPS.items() for step, a in steps.items()
    },
)  # fmt: skip
def porian_n_opt(C, *, k=amplitude("C", "-a"), a=exponent(upper=1.0, start=(0.1, 0.9))):
    r"""$N = k C^{a}$

    N counts the linear layers and the head, not the embedding table. From the reproduction of Kaplan's 0.88 to 0.50.
    Fitted: isoFLOP curves at 12 budgets, minima by splines of noisy copies, weighted regression of logs, bootstrap.
    Trap: head FLOP, warm-up and untuned small models each inflate a.
    """
    return k * C**a


_TRIED = {"N": (5e6, 9e8)}


@law(
    porian2024, values={"porian2024": values("Section 3.5", k=3.7, p=-0.36)}, predicts="lr", over=_TRIED,
    topic="hyper-parameters", aliases=("porian_hparams",),
)  # fmt: skip
def porian_learning_rate(N, *, k=amplitude("N", "-p"), p=exponent(lower=-1.0, upper=0.0, start=(-0.95, -0.05))):
    r"""$lr = k N^{p}$

    AdamW with a constant rate, 20 tokens per parameter.
    Fitted: log-log line through interpolated minima.
    """
    return k * N**p


@law(
    porian2024, values={"porian2024": values("Section 3.5", k=3.7e-4, p=0.703)}, predicts="B_seqs", over=_TRIED,
    topic="hyper-parameters",
)  # fmt: skip
def porian_batch_size(N, *, k=amplitude("N", "-p"), p=exponent(upper=2.0)):
    r"""$B_{seqs} = k N^{p}$

    Sequences of 2048 tokens (unit inferred from the authors' code).
    Fitted: as porian_learning_rate.
    """
    return k * N**p


@law(
    pearce2024, values={"pearce2024": values("the 50 Chinchilla shapes, vocabulary 32000", omega=47491.0)},
    predicts="N", over={"N_nonemb": (1e3, 1e11)}, topic="accounting",
)  # fmt: skip
def pearce_total_params(N_nonemb, *, omega=amplitude(meaning="vocab_size * (aspect / 12)**(1/3)")):
    r"""$N = N_{nonemb} + \omega N_{nonemb}^{1/3}$

    Trap: omega depends on vocabulary and aspect ratio (width over depth); compute it for your own models.
    """
    return N_nonemb + omega * N_nonemb ** (1 / 3)


_SCRIPT = "authors' script, "


@law(
    pearce2024, predicts="C", over={"N_nonemb": (768.0, 1.5e9)}, topic="allocation",
    values={
        "besiroglu2024": values(_SCRIPT + "refit", A=482.01, B=2085.43, alpha=0.3478, beta=0.3658, omega=47491.0),
        "hoffmann2022": values(_SCRIPT + "original", A=406.4, B=410.7, alpha=0.3392, beta=0.2849, omega=47491.0),
    },
    identified="alpha, beta, omega and B / A", aliases=("pearce_compute_nonembedding",),
)  # fmt: skip
def pearce_compute(
    N_nonemb, *, A=amplitude(start=(10, 1e4)), B=amplitude(start=(10, 1e4)), alpha=exponent(start=(0.1, 1.0)),
    beta=exponent(start=(0.1, 1.0)), omega=amplitude(start=(1e2, 1e6)),
):  # fmt: skip
    r"""$C = 6 N (N + \omega N^{1/3} / 3)^{-1/\beta} (N + \omega N^{1/3})^{(1 + \alpha)/\beta}
    (\beta B / (\alpha A))^{1/\beta}, \quad N = N_{nonemb}$

    The budget 6 N_nonemb D at which a size is optimal, if chinchilla holds for all parameters.
    Trap: the slope falls from 0.96 at 1e6 parameters to beta / (alpha + beta); a power law is a local fit.
    """
    head = omega * N_nonemb ** (1 / 3)
    ratio = (N_nonemb + head) ** (1 + alpha) / (N_nonemb + head / 3) * beta * B / (alpha * A)
    return 6 * N_nonemb * ratio ** (1 / beta)


def _as_chinchilla(v):
    return {"A": v["C_N"], "B": v["C_D"], "alpha": v["alpha"], "beta": v["beta"]}


@law(
    hu2024, over={"N_nonemb": (4e7, 2e9), "D": (4e8, 1.2e11)}, topic="pre-training", aliases=("minicpm_l_nd",),
    values={
        "hu2024_figure": values(
            "figure of Section 4.5, there in 1e9", C_N=0.0754 * 1e9**0.3, C_D=0.292 * 1e9**0.3, alpha=0.3,
            beta=0.3, L_0=0.25,
        ),
        "hu2024_average": values("average exponents over corpora", alpha=0.29, beta=0.23),
    },
    optimum={
        "N_nonemb": lambda C, v: optimal_params(C, _as_chinchilla(v)),
        "D": lambda C, v: optimal_tokens(C, _as_chinchilla(v)),
    },
)  # fmt: skip
def minicpm(
    N_nonemb, D, *, C_N=amplitude("N_nonemb", "alpha"), C_D=amplitude("D", "beta"), alpha=exponent(), beta=exponent(),
    L_0=offset(),
):  # fmt: skip
    r"""$L = C_N N_{nonemb}^{-\alpha} + C_D D^{-\beta} + L_0$

    Chinchilla's form on checkpoints of one warm-up-stable-decay run per size, 10 to 60 tokens per parameter.
    Fitted: least squares on the loss, one fit per evaluation corpus (the figure's loss is normalised per corpus).
    Trap: 192 tokens per parameter is an average over corpora; the figure's example gives 96.
    """
    return C_N * N_nonemb**-alpha + C_D * D**-beta + L_0


@law(
    hu2024, predicts="B", over={"L": (2.0, 5.0)}, topic="hyper-parameters",
    values={
        "hu2024": values("Section 3.2", k=1.21e9, p=6.24),
        "hu2024_blog": values("authors' technical blog", k=1.211e9, p=6.2393),
    },
)  # fmt: skip
def minicpm_batch_size(L, *, k=amplitude("L", "p"), p=exponent(start=(1.0, 12.0))):
    r"""$B = k / L^{p}$

    Optimal batch in tokens at a loss on C4.
    Fitted: a power law through minima of parabolas.
    """
    return k / L**p


_GADRE = {  # training corpus (authors' fitting code run on their data, loss on C4): E, a, b, eta
    "c4": (1.50826054, 141.2772553944813, 189.5155215, 0.12123612),
    "redpajama": (1.83664841, 212.2361214915423, 366.687198, 0.136425353),
    "refinedweb": (1.73446209, 157.11628345643967, 246.20668624, 0.12719742),
}


@law(
    gadre2024, over={"C": (1e17, 1e22), "TPP": (5.0, 640.0)}, topic="pre-training", aliases=("gadre_overtraining",),
    values={
        f"gadre2024_{corpus}": values("authors' code on their runs", status="recomputed", E=E, a=a, b=b, eta=eta)
        for corpus, (E, a, b, eta) in _GADRE.items()
    },
    optimum={"TPP": lambda C, v: (v["b"] / v["a"]) ** (1 / (2 * v["eta"]))},
)  # fmt: skip
def gadre(
    C, TPP, *, E=offset(), a=amplitude(("C", "TPP"), ("eta", "-eta")), b=amplitude(("C", "TPP"), ("eta", "eta")),
    eta=exponent(),
):  # fmt: skip
    r"""$L = E + (a\, TPP^{\eta} + b\, TPP^{-\eta}) C^{-\eta}$

    Chinchilla with equal exponents (eta is half of them) in compute and tokens per parameter.
    Fitted: least squares on five runs, four at 20 and one at 320 tokens per parameter.
    Trap: four parameters on five points: no error bars. The repository stores b with a stray factor 6**(eta/2).
    """
    return E + (a * TPP**eta + b * TPP**-eta) * C**-eta
