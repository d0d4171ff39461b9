"""Logs of training and evaluation as tables: one file per format. `lawful.read` comes here with a folder."""

from pathlib import Path
from typing import Any


def folder_columns(folder: Path) -> dict[str, list[Any]]:
    """The columns of a folder of logs: of the small-model lab (see `logs.lab`).

    Raises IsADirectoryError for a folder that holds no log known here, RunsError for a broken log.
    """
    from lawful.logs import lab

    found = lab.records(folder)
    if not found:
        raise IsADirectoryError(
            f"{folder} is a folder without runs of the lab (files KEY.json); give such a folder or one table in it"
        )
    return lab.columns(lab.rows(found))
