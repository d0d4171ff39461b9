"""Rolling origins on a cluster: the same answers to the last bit, whoever computes them and whoever dies."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from cluster import LAWS, _lost, dask_workers, digest, run


def test_the_digest_sees_every_number():
    made = run(2, LAWS[:1])
    first = digest(made)
    assert digest(run(2, LAWS[:1])) == first and _lost(made) == 0
    made[LAWS[0]][1].predicted[0, 3] += 1e-15
    assert digest(made) != first


@pytest.mark.slow
@pytest.mark.enable_socket
@pytest.mark.filterwarnings("ignore")  # of distributed's own threads and sockets
def test_dask_workers_give_the_same_bits_though_one_is_killed():
    pytest.importorskip("distributed", reason="needs distributed, which the extra `cluster` installs")
    killed: list[int] = []
    with dask_workers(2, killed, kill_after=1.0):
        there = run(40, LAWS[:4])
    here = run(40, LAWS[:4])
    assert killed, "the work was done before the worker was to be killed"
    assert digest(there) == digest(here)
