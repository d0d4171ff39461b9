"""results.json: a study as one JSON file, checked against the nouns of `results` before it gets its name."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from lawful.files import write_text
from lawful.studies.results import Study

FILE = "results.json"


def write_results(study: Study, out: str | os.PathLike[str]) -> Path:
    """Write ``out/results.json`` and return its path; a reader never sees half a file.

    Numbers that JSON has no name for are the words "inf", "-inf" and "nan". Raises pydantic.ValidationError, which
    names the place, where a value is not of the kind that `results` declares.
    """
    from pydantic import TypeAdapter

    text = json.dumps(_plain(study.to_dict()), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    TypeAdapter(Study).validate_json(text)
    return write_text(Path(out) / FILE, text)


def _plain(value: Any) -> Any:
    """Python's own types in place of NumPy's, and words for numbers that are not finite."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
