"""Draw the figures of docs/next-runs.md: python docs/figures/next_runs.py."""

from pathlib import Path

import lawful
from lawful.datasets import load
from lawful.plot import save
from lawful.plot_design import design_figure, recipes_figure

FOLDER = Path(__file__).resolve().parent


def main() -> None:
    sizes = [30e6] * 3 + [100e6] * 3 + [300e6] * 3 + [1e9] * 3
    tokens = [0.15e9, 0.6e9, 2.4e9, 0.5e9, 2e9, 8e9, 1.5e9, 6e9, 24e9, 5e9, 20e9, 80e9]
    losses = [5.1267, 4.2888, 3.7689, 3.9405, 3.4069, 3.0723, 3.2551, 2.9101, 2.6653, 2.7350, 2.5158, 2.3730]
    fit = lawful.fit("chinchilla", {"N": sizes, "D": tokens, "L": losses})
    made = lawful.next_runs(fit, lawful.loss_at(1e22), flops=1e20, run_flops=5e19, most=10)
    found = lawful.recipes(load("cerebras_gpt", "cerebras_gpt_mup"), by="family", flops=1e23)
    for figure in (design_figure(made, fit), recipes_figure(found)):
        for path in save(figure, FOLDER):
            print(path)


if __name__ == "__main__":
    main()
