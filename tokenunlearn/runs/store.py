"""All runs under one folder: made, listed, found by id, deleted."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tokenunlearn.errors import RunError
from tokenunlearn.files import check_folder, new_folder, write_json
from tokenunlearn.folders import user_path
from tokenunlearn.runs.resume import requeue
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.state import RunState

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet
    from tokenunlearn.runs.spec import RunSpec


class RunStore:
    """All runs under one folder.

    Args:
        root: The folder.
        read_only: Refuse to make and delete runs; for the runs that are shipped with the repository.
    """

    def __init__(self, root: str | Path, *, read_only: bool = False) -> None:
        self.root = user_path(root)
        self.read_only = read_only

    def create(self, spec: RunSpec, scores: ScoreSet | None = None) -> Run:
        """Make the run's folder, whole or not at all; it waits as queued and belongs to this process.

        Raises:
            RunError: If it is to go on from weights of a run that has not ended, which may still change.
            TokenUnlearnError: If the folder cannot be written.
        """
        self._check_writable()
        start = Run(self.root / spec.adapter)
        if spec.adapter and start.adapter and start.state.active:
            raise RunError(f'The weights of "{start.id}" may still change; go on from it once it has ended.')
        run = Run(self.root / spec.id)
        with new_folder(run.folder) as scratch:
            write_json(scratch / "spec.json", spec.to_json())
            write_json(scratch / "state.json", asdict(RunState("queued")))
            if scores is not None:
                scores.save(scratch / "scores.parquet")
        run.take()
        return run

    def check(self) -> None:
        """Refuse a place that no run can be written to before any work is spent on one.

        Raises:
            TokenUnlearnError: If the folder cannot be written.
        """
        self._check_writable()
        check_folder(self.root)

    def runs(self) -> list[Run]:
        """Every run, the newest first; damaged ones too.

        Raises:
            RunError: If the folder cannot be read.
        """
        if not os.path.isdir(self.root):
            return []
        try:
            names = sorted(os.listdir(self.root), reverse=True)
        except OSError as error:
            raise RunError(f'The runs in "{self.root}" cannot be read: {error.strerror}.') from None
        return [Run(self.root / name) for name in names if not name.startswith(".") and self._is_run(name)]

    def _is_run(self, name: str) -> bool:
        """Whether a folder has the frozen files of a run, or cannot be looked into."""
        folder = self.root / name
        files = any(os.path.lexists(folder / file) for file in ("spec.json", "state.json"))
        return files or (os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK))

    def get(self, run_id: str) -> Run:
        """The run of an id, or of the only id that begins so.

        Raises:
            RunError: If there is none, or several begin so.
        """
        found = [run for run in self.runs() if run.id.startswith(run_id)] if run_id else []
        exact = [run for run in found if run.id == run_id]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if found:
            raise RunError(f'{len(found)} runs start with "{run_id}"; use more of the id.')
        raise RunError(f'There is no run "{run_id}" in {self.root}.')

    def continued(self, run: Run) -> list[Run]:
        """The runs that go on from a run directly, the earliest first; unreadable ones are left out."""
        later = []
        for other in reversed(self.runs()):
            with suppress(RunError):
                later += [other] if other.spec.adapter == run.id else []
        return later

    def check_last(self, run: Run) -> None:
        """Refuse a run that others go on from, before it is removed.

        Raises:
            RunError: If there is one.
        """
        for later in self.continued(run):
            raise RunError(f'The run "{later.id}" goes on from "{run.id}"; delete that one first.')

    def locate(self, adapter: str) -> str:
        """What a spec calls an adapter: the id of a run of this store, else an absolute folder.

        Args:
            adapter: Id of a run, a run's folder, its ``adapter`` folder, or the folder of another adapter.

        Raises:
            RunError: If there is none.
        """
        path = user_path(adapter)
        if not os.path.isdir(path) and path.name != adapter:
            raise RunError(f'There is no run or adapter folder "{adapter}".')
        if not os.path.isdir(path):
            return self.get(adapter).id
        path = path.resolve()
        folder = path.parent if os.path.isfile(path.parent / "spec.json") else path
        return folder.name if folder.parent == self.root.resolve() else str(folder)

    def resume(self, run_id: str) -> Run:
        """Have this process go on with a run where it ended; it waits as queued.

        Raises:
            RunError: If there is no such run, it has nothing left to do, it has been resumed already, or
                another run goes on from its present weights.
            TokenUnlearnError: If its folder cannot be written.
        """
        self._check_writable()
        run = self.get(run_id)
        for later in self.continued(run):
            raise RunError(
                f'The run "{later.id}" goes on from the weights of "{run.id}", which would change; start a '
                "new run instead."
            )
        requeue(run)
        return run

    def delete(self, run_id: str) -> None:
        """Remove a run and everything in its folder.

        Raises:
            RunError: If there is no such run, it is still active, another goes on from it, it was shipped, or
                the folder may not be removed.
        """
        self._check_writable()
        run = self.get(run_id)
        self.check_last(run)
        if run.state.active:
            raise RunError(f'The run "{run.id}" is {run.state.status}; cancel it first.')
        try:
            run.folder.unlink() if run.folder.is_symlink() else shutil.rmtree(run.folder)
        except OSError as error:
            raise RunError(f'The run "{run.id}" cannot be deleted: {error.strerror}.') from None

    def _check_writable(self) -> None:
        if self.read_only:
            raise RunError("The runs shipped with TokenUnlearn are read-only.")
