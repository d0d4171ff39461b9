"""Rolling origins: what is held out, that batched refits are fits, that nothing of the held-out points is seen."""

import numpy as np
import pytest
from joblib import parallel_config

import lawful
from lawful.baselines import last_two_points, last_value
from lawful.laws import load
from lawful.origins import backtest, groups_out, rolling, scale_of
from lawful.points import points

N = np.geomspace(1e7, 1e10, 9)
LAW = load("power_law_constant")


def worlds(count, seed=0):
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        n = rng.integers(7, 10)
        loss = (rng.uniform(1, 2) + rng.uniform(20, 80) * N[:n] ** -0.3) * np.exp(0.005 * rng.standard_normal(n))
        out.append(points(LAW, {"N": N[:n], "loss": loss}))
    return out


def test_origins_move_up_and_hold_out_all_that_lies_beyond():
    splits = rolling(np.repeat(N, 3), "N")
    assert len(splits) == 6 and splits.axis == "N"
    assert np.all(splits.seen ^ splits.held) and np.all(np.diff(splits.seen.sum(1)) > 0)
    for seen, far in zip(splits.seen, splits.distance):
        assert np.all(far[seen] == 0) and np.all(far[~seen] > 0)
    assert splits.distance[-1].max() == pytest.approx(3 / 8)
    with pytest.raises(ValueError, match="2 distinct values; holding out by scale needs 3"):
        rolling([1e7, 1e8])


def test_groups_are_left_out_one_at_a_time():
    splits = groups_out(["a", "b", "a", "c"], [1, 10, 100, 1e4])
    assert splits.names == ("without a", "without b", "without c")
    assert splits.distance[2].tolist() == [0, 0, 0, 2] and splits.held.sum(0).tolist() == [1, 1, 1, 1]


def test_the_scale_of_a_table():
    table = {"N": N, "D": 20 * N, "loss": N}
    assert scale_of(table)[0] == "6ND" and scale_of({"N": N, "C": N})[0] == "C" and scale_of(table, "D")[1][0] == 2e8
    with pytest.raises(ValueError, match="no column 'flop'"):
        scale_of(table, "flop")


def test_a_batched_refit_is_the_fit_of_the_points_seen():
    sets = worlds(5)
    splits = [rolling(s.X["x"]) for s in sets]
    for data, split, record in zip(sets, splits, backtest(LAW, sets, splits)):
        for k in range(2, len(split)):
            seen = data.take(np.flatnonzero(split.seen[k]))
            fit = lawful.fit(LAW, {"N": seen.X["x"], "loss": seen.y})
            assert record.predicted[k] == pytest.approx(fit.at_points(data.X), rel=1e-6)
            assert record.sigma[k] == pytest.approx(fit.sigma, rel=1e-6) and record.dof[k] == fit.dof


def test_standard_errors_are_those_of_the_log_log_line():
    import statsmodels.api as sm

    data = worlds(1)[0]
    split = rolling(data.X["x"])
    record = backtest(load("power_law"), [data], [split])[0]
    x, y, seen = np.log(data.X["x"]), np.log(data.y), split.seen[-1]
    line = sm.OLS(y[seen], sm.add_constant(x[seen])).fit()
    assert record.se[-1] == pytest.approx(line.get_prediction(sm.add_constant(x)).se_mean, rel=1e-6)


def test_nothing_held_out_is_seen():
    data = worlds(1)[0]
    split = rolling(data.X["x"])
    first = backtest(LAW, [data], [split])[0]
    y = data.y.copy()
    y[-1] *= 1.5
    again = backtest(LAW, [points(LAW, {"N": data.X["x"], "loss": y})], [split])[0]
    assert np.array_equal(first.predicted, again.predicted, equal_nan=True)


def test_too_few_points_are_said_to_be():
    data = worlds(1)[0]
    record = backtest(load("bnsl_1"), [data], [rolling(data.X["x"])])[0]
    assert np.isnan(record.predicted[0]).all() and "points for 6 parameters" in record.why_not[0]


def test_processes_give_the_same_bits():
    sets = worlds(30)
    splits = [rolling(s.X["x"]) for s in sets]
    one = backtest(LAW, sets, splits)
    with parallel_config(backend="loky", n_jobs=2):
        two = backtest(LAW, sets, splits)
    assert all(np.array_equal(a.predicted, b.predicted, equal_nan=True) for a, b in zip(one, two))


def test_baselines():
    y = 100 * N**-0.2
    splits = rolling(N)
    line, last = last_two_points(N, y, splits), last_value(N, y, splits)
    assert line == pytest.approx(np.broadcast_to(y, line.shape))
    assert [row[0] for row in last] == pytest.approx([y[s][-1] for s in splits.seen])
