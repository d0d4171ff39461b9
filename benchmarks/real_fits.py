"""Laws on published data: every set against the fit that its paper published, in one table.

    python benchmarks/real_fits.py [DATA] [--slow]

prints the table and writes docs/real-fits.md. DATA: the folder with the data sets (default: shared/data beside the
repository). --slow adds the fits that take minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from real_fits_losses import bnsl_addition, chinchilla, datablations, gemstones, moe_routing, vocab, xlstm
from real_fits_plans import gadre, lr_schedules, mixing_laws, multi_power, olmo_ladder, porian, regmix, steplaw
from real_fits_rows import Row, table
from real_fits_skills import flp_rows, observational_rows, sloth_rows

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
QUICK: tuple[Callable[[Path], list[Row]], ...] = (
    chinchilla, porian, gemstones, datablations, moe_routing, vocab, mixing_laws, regmix, steplaw, lr_schedules, gadre,
    olmo_ladder, xlstm, bnsl_addition, observational_rows, sloth_rows, flp_rows,
)  # fmt: skip
SLOW = (multi_power,)

_HEAD = """# Laws on published data

Written by `python benchmarks/real_fits.py --slow`. Every row sets a published figure beside ours, both on the points
of the released data that we hold, often a part of the paper's. An objective is what the fit minimised: at the
published values and at our optimum. Where the points are the same, a lower one is a better optimum; where they are a
part, it is only lower on these rows. For procedures without a published figure the second column says what it
holds instead.

"""


def main(arguments: list[str]) -> None:
    folders = [a for a in arguments if not a.startswith("-")]
    data = Path(folders[0]) if folders else DATA
    if not data.is_dir():
        sys.exit(f"{data} is not a folder; give the one that holds chinchilla_epoch, porian_refinedweb and so on")
    wanted = [*QUICK, *(SLOW if "--slow" in arguments else ())]
    text = table([row for one in wanted for row in one(data)])
    print(text)
    (ROOT / "docs").mkdir(exist_ok=True)
    (ROOT / "docs" / "real-fits.md").write_text(f"{_HEAD}{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
