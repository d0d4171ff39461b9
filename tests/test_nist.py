"""The solver against the National Institute of Standards and Technology: 27 regressions certified to eleven digits."""

import numpy as np
import pytest
from nist_laws import LAWS, digits, read

import lawful

# From its file, Lanczos1 leaves residuals of 9e-14 of data near 1: rounding the data to doubles moves the standard
# errors by 4e-4 of their size (in exact arithmetic), so no program that reads doubles can have more than 3.4 digits.
ERROR_DIGITS = {"Lanczos1": 2.5}


@pytest.mark.parametrize("start", [1, 2])
@pytest.mark.parametrize("name", LAWS)
def test_certified_values_and_standard_errors(shared, name, start):
    law, certified = LAWS[name], read(shared / "data" / "nist_strd" / f"{name}.dat")
    columns = {column: certified.points[column] for column in (*law.variables, law.predicts)}
    begin = dict(zip(law.parameter_names, certified.starts[start - 1]))
    fit = lawful.fit(law, columns, target=law.predicts, objective="lsq", starts=begin)
    assert digits(np.array(list(fit.estimates.values())), certified.values) >= 6
    assert digits(np.sqrt(np.diag(fit.covariance)), certified.errors) >= ERROR_DIGITS.get(name, 4)


def test_digits_count_the_worst_entry():
    certified = np.array([1.0, -2.0])
    assert digits(certified, certified) == 11
    assert digits(np.array([1.0, -2.002]), certified) == pytest.approx(3.0)
    assert digits(np.array([1.0, np.nan]), certified) == 0
    assert digits(np.array([1.0, 2.0]), certified) == 0
