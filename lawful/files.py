"""Writing a file so that it is either the old one or the whole new one, whatever happens on the way."""

import os
from pathlib import Path


def write_text(path: str | Path, text: str) -> Path:
    r"""Write UTF-8 text with ``\n`` line ends by way of a temporary file beside it; missing folders are made.

    A link keeps pointing where it did. Raises IsADirectoryError where the path is a folder.
    """
    target = Path(path).resolve()
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if target.exists() and not target.is_file():  # a pipe or a terminal has nothing to be replaced
        target.write_text(text, encoding="utf-8", newline="\n")
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    return target
