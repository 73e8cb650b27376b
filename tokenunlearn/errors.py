"""Errors whose message is one sentence for the user: what was wrong, where, and what would be right."""

from __future__ import annotations


class Cancelled(Exception):
    """Someone asked the work in progress to stop."""


class TokenUnlearnError(ValueError):
    """Any fault in what the user gave; the command line prints it and exits with 2, the app shows it."""


class FileError(TokenUnlearnError):
    """A stored file that cannot be read, or holds something else than it should."""


class ModelNotFoundError(TokenUnlearnError):
    """A model id, folder or packaged model that cannot be loaded."""


class DatasetError(TokenUnlearnError):
    """Samples that cannot be read or do not fit the schema."""


class ColumnsError(DatasetError):
    """Columns whose names do not tell what holds the samples.

    Attributes:
        found: Which columns there are, as the beginning of a sentence.
    """

    def __init__(self, message: str, found: str = "") -> None:
        super().__init__(message)
        self.found = found


class TemplateError(TokenUnlearnError):
    """A chat template failed, or does not write messages as they are."""


class SampleTooLongError(TokenUnlearnError):
    """A sample whose prompt and response do not fit the model's context."""


class NothingSelectedError(TokenUnlearnError):
    """A hard selection that leaves no token to forget."""


class ScoreSetError(TokenUnlearnError):
    """A score set that does not belong to the model or the samples it is used with."""


class RunError(TokenUnlearnError):
    """A run that cannot be found, started or continued."""


class AccessError(TokenUnlearnError):
    """Something that a visitor of the app may not do, or a path that the app may not read."""
