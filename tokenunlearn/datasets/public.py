"""Public data sets: from a local folder of their published files, else from the hub."""

from __future__ import annotations

import os
from pathlib import Path

from tokenunlearn.datasets.hub import hub_rows
from tokenunlearn.datasets.rows import Rows, parse_rows
from tokenunlearn.errors import DatasetError
from tokenunlearn.folders import cache_folder, user_path


def data_folder() -> Path:
    """Folder of published files: ``TOKENUNLEARN_DATA`` or ``data`` in :func:`.cache_folder`."""
    named = os.environ.get("TOKENUNLEARN_DATA")
    return user_path(named) if named else cache_folder() / "data"


def public_rows(file: str, hub_id: str, config: str, split: str) -> Rows:
    """Rows of one published file, each with what an error message calls it.

    Args:
        file: Path below :func:`data_folder`; read when it is there.
        hub_id: Data set on the hub that holds the same rows.
        config: Its configuration.
        split: Its split.

    Raises:
        DatasetError: If the file is unreadable, or it is missing and the hub does not answer.
    """
    path = data_folder() / file
    if path.is_file():
        return parse_rows(path.read_bytes(), path.name, limit=None)
    try:
        return hub_rows(hub_id, config, split)
    except DatasetError as error:
        raise DatasetError(
            f'"{file}" is not in the folder of public datasets, and {str(error)[:-1]}; '
            f"set TOKENUNLEARN_DATA to a folder that contains {file}."
        ) from error
