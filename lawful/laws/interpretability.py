"""Interpretability: dictionaries of features (sparse autoencoders) scale like models do."""

from __future__ import annotations

import numpy as np

from lawful.law import Paper, amplitude, coefficient, exponent, law, values

gao2024 = Paper(
    "gao2024",
    "Leo Gao, Tom Dupré la Tour, Henk Tillman, Gabriel Goh, Rajan Troll, Alec Radford, Ilya Sutskever, Jan Leike, "
    "Jeffrey Wu",
    "Scaling and Evaluating Sparse Autoencoders",
    2024,
    arxiv="2406.04093",
    venue="ICLR 2025",
)
lindsey2024 = Paper(
    "lindsey2024",
    "Jack Lindsey, Adly Templeton, Tom Conerly, Jonathan Marcus, Tom Henighan",
    "Circuits Updates - April 2024",
    2024,
    venue="transformer-circuits.pub",
)


@law(gao2024, predicts="nmse", topic="interpretability", status="secondary source", aliases=("gao_sae_joint",),
    over={"latents": (2**11, 2**24), "latents_active": (8, 512)},
    values={
        "gao2024": values(
            "GPT-4 autoencoders, from memory", status="memory",
            alpha=-0.5, beta_k=0.26, beta_n=-0.017, gamma=-0.042, zeta=-1.32, eta=-0.085,
        )
    },
)  # fmt: skip
def gao_sae(
    latents, latents_active, *, alpha=coefficient(), beta_k=coefficient(), beta_n=coefficient(start=(-0.5, 0.5)),
    gamma=coefficient(start=(-0.2, 0.2)), zeta=coefficient(), eta=coefficient(),
):  # fmt: skip
    r"""$\mathrm{MSE} = \exp(\alpha + \beta_k \ln k + \beta_n \ln n + \gamma \ln k \ln n) + \exp(\zeta + \eta \ln k)$
    Reconstruction error over variance of an autoencoder with n latents, k of them active.
    Trap: the second term depends on k: a floor in n, none in k. Holds for k far below the width of the model.
    """
    log_n, log_k = np.log(latents), np.log(latents_active)
    return np.exp(alpha + beta_k * log_k + beta_n * log_n + gamma * log_k * log_n) + np.exp(zeta + eta * log_k)


@law(lindsey2024, predicts="y", topic="interpretability", status="doubtful", aliases=("lindsey_sae_compute",),
    over={"C": (1e14, 1e22)})  # fmt: skip
def lindsey_sae(C, *, a=amplitude("C", "b"), b=exponent()):
    r"""$L = a C^{-b}$
    Autoencoder loss (reconstruction and sparsity) at the best number of latents and steps for the compute C.
    Trap: form from memory, exponents not found: a plain power law.
    """
    return a * C**-b
