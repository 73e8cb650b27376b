"""A Hub that holds uploads in memory and remembers who made them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace


class Hub:
    """What was uploaded, repository -> file -> content; ``client`` stands in for ``HfApi``."""

    def __init__(self, public: str = "", error: Exception | None = None):
        self.public, self.error = public, error
        self.token: str | None = None
        self.private: bool | None = None
        self.uploads: dict[str, dict[str, bytes]] = {}

    def client(self, token):
        self.token = token
        return self

    def create_repo(self, repository, *, private, exist_ok):
        if self.error:
            raise self.error
        self.private = private

    def repo_info(self, repository):
        return SimpleNamespace(private=self.private and repository != self.public)

    def upload_folder(self, *, repo_id, folder_path):
        files = (path for path in Path(folder_path).rglob("*") if path.is_file())
        self.uploads[repo_id] = {p.relative_to(folder_path).as_posix(): p.read_bytes() for p in files}
        return f"https://huggingface.co/{repo_id}/commit/1"
