"""The figures of docs/plan.md: Chinchilla's law by the values of Besiroglu et al. 2024, planned at 1e23 FLOP.

python docs/figures/plan.py             # writes plan_frontier and plan_near, as PNG and SVG, to docs/figures
"""

from pathlib import Path

import lawful
from lawful.plot import save
from lawful.plot_plan import plan_figures


def main() -> None:
    held = lawful.belief("chinchilla", "besiroglu2024")
    for figure in plan_figures(held, lawful.plan(held, flops=1e23)):
        save(figure, Path(__file__).parent)


if __name__ == "__main__":
    main()
