"""What every test file shares: the folder of published data, seeded randomness, one thread per worker."""

import os

# Before NumPy is imported: pytest-xdist gives each core a worker already, and BLAS threads would compete.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ["MPLBACKEND"] = "Agg"

from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# The same examples on every run, and no time limit that a busy machine could miss.
settings.register_profile("lawful", derandomize=True, deadline=None)
settings.load_profile("lawful")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `shared` beside the repository: papers' data too large to ship; without it, a skip."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs the folder 'shared' beside the repository, with the papers' data; it is not there")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """A fresh generator with a fixed seed, so that every test sees the same numbers in any order."""
    return np.random.default_rng(20220329)


@pytest.fixture
def write(tmp_path):
    """Writes a text file into the test's own folder."""

    def write(text: str, name: str = "runs.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
