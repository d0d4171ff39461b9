"""The testing protocol: two systems, one data set, and what may honestly be said.

Every function returns a frozen `StatResult`: estimate, interval, p, n and its unit, the smallest p that the
test could have given, a verdict in words ("cannot tell" where the data cannot) and warnings.
`compare_systems` puts them together over benchmarks and levels, with one family-wise correction over all that
was planned, and `comparison_report` writes the table and sentences of a paper.

The pieces live in `stats_bootstrap`, `stats_permutation`, `stats_multiplicity`, `stats_counts`,
`stats_effects`, `stats_correlation`, `stats_calibration`, `stats_weighting`, `stats_compare` and
`stats_markdown`; this list is the door to them.
"""

from lawful.stats_bootstrap import bootstrap_mean, paired_bootstrap
from lawful.stats_calibration import brier_score, expected_calibration_error
from lawful.stats_compare import Comparison, ComparisonRow, compare_systems
from lawful.stats_correlation import (
    correlation,
    correlation_from_r,
    correlation_power,
    critical_correlation,
    level_correlation,
)
from lawful.stats_counts import against_chance, binomial_test, mcnemar, mcnemar_from_answers, tango_interval
from lawful.stats_effects import cohens_d, hedges_factor
from lawful.stats_markdown import comparison_report
from lawful.stats_multiplicity import adjust_p
from lawful.stats_permutation import paired_permutation, unpaired_permutation
from lawful.stats_result import StatResult, resamples_needed
from lawful.stats_weighting import (
    Reweighting,
    best_reweighting,
    reweight,
    stratified_accuracy,
    stratified_f1,
    stratified_mean,
)

__all__ = [
    "Comparison",
    "ComparisonRow",
    "Reweighting",
    "StatResult",
    "adjust_p",
    "against_chance",
    "best_reweighting",
    "binomial_test",
    "bootstrap_mean",
    "brier_score",
    "cohens_d",
    "compare_systems",
    "comparison_report",
    "correlation",
    "correlation_from_r",
    "correlation_power",
    "critical_correlation",
    "expected_calibration_error",
    "hedges_factor",
    "level_correlation",
    "mcnemar",
    "mcnemar_from_answers",
    "paired_bootstrap",
    "paired_permutation",
    "resamples_needed",
    "reweight",
    "stratified_accuracy",
    "stratified_f1",
    "stratified_mean",
    "tango_interval",
    "unpaired_permutation",
]
