"""A good table of runs, and what it means to refuse a bad one, for the tests of reading."""

import re

import pytest

from lawful.runs import Finding, Runs, RunsError, read

GOOD = """n_params,train_tokens,val_loss,family
70e6,1e9,3.9,a
70e6,9e9,3.3,a
160e6,2e9,3.5,b
410e6,2e9,3.2,b
410e6,30e9,2.7,b
"""


def refused(source, *parts: str, **options) -> RunsError:
    """The table is refused, and the message holds all these parts."""
    with pytest.raises(RunsError) as caught:
        read(source, **options)
    for part in parts:
        assert part in str(caught.value)
    return caught.value


def found(runs: Runs, code: str) -> Finding:
    findings = [f for f in runs.findings if f.code == code]
    assert len(findings) == 1, [f.code for f in runs.findings]
    assert re.search(r"\d", findings[0].message), "a finding is a sentence with a number"
    return findings[0]
