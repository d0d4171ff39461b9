"""The second opinion on 'Scaling Laws Under the Microscope': what the published data support or cannot tell.

The study's own numbers are recomputed elsewhere. Here the same tables, with every family that was evaluated alike, are
asked again: which parameters are determined, which form forecasts, whether accuracy follows loss, what intervals hold.
Each conclusion follows from the numbers of the run by a rule.
"""

from __future__ import annotations

from lawful.studies.microscope_accuracy import SECTION as ACCURACY
from lawful.studies.microscope_accuracy import accuracy
from lawful.studies.microscope_breaks import BREAKS, UNKNOWN, breaks, correlations, unknown
from lawful.studies.microscope_evidence import Evidence, gather
from lawful.studies.microscope_form import SECTION as FORM
from lawful.studies.microscope_form import choice_of_form
from lawful.studies.microscope_identify import SECTION as IDENTIFIABILITY
from lawful.studies.microscope_identify import identifiability
from lawful.studies.microscope_transfer import INTERVALS, TRANSFER, transfer
from lawful.studies.parts import Part

SECTIONS = (IDENTIFIABILITY, FORM, ACCURACY, TRANSFER, BREAKS, INTERVALS, UNKNOWN)
_PARTS = (identifiability, choice_of_form, accuracy, transfer, breaks, correlations)


def second_opinion(evidence: Evidence | None = None) -> Part:
    """Rows, statements, tables and figures of all sections in ``SECTIONS``; evidence: `gather` if not given."""
    evidence = evidence or gather()
    whole = Part()
    for make in _PARTS:
        whole.add(make(evidence))
    whole.add(unknown(whole.statements))
    return whole
