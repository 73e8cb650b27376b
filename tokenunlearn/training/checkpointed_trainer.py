"""A transformers Trainer whose checkpoints are written whole or not at all."""

from __future__ import annotations

import logging
import shutil
from abc import abstractmethod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import Trainer
from transformers.trainer_utils import rotate_checkpoints

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.training import checkpoints
from tokenunlearn.training.checkpoints import Checkpoint

logger = logging.getLogger(__name__)


class CheckpointedTrainer(Trainer):
    """Writes each checkpoint in a scratch folder, has it completed and sealed, and puts it into place."""

    @abstractmethod
    def _check_space(self, output: Path) -> None:
        """Raise a TokenUnlearnError where a folder has no room for a checkpoint."""

    @abstractmethod
    def _save_state(self, folder: Path) -> None:
        """Complete a checkpoint by what transformers does not write, and seal it."""

    def _checkpoint(self, resume: str | bool | Checkpoint | None) -> Checkpoint | None:
        if not resume or isinstance(resume, Checkpoint):
            return resume or None
        output = self.args.output_dir
        if resume is not True and Path(resume).is_dir():
            return Checkpoint.verified(Path(resume))
        checkpoint = checkpoints.newest(Path(str(output))) if resume is True else None
        if checkpoint is None:
            where = f'in "{output}"' if resume is True else f'at "{resume}"'
            raise TokenUnlearnError(f"There is no whole checkpoint {where} to resume from.")
        return checkpoint

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write a checkpoint whole or not at all; one that cannot be written does not end training."""
        output, name = Path(str(self.args.output_dir)), f"{checkpoints.PREFIX}{self.state.global_step}"
        scratch = output / checkpoints.SCRATCH
        self.args.output_dir = str(scratch)
        try:
            self._check_space(output)
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                self._save_state(scratch / name)
                checkpoints.place(scratch / name, output / name)
                best = self.state.best_model_checkpoint
                rotate_checkpoints(str(output), self.args.save_total_limit, best, use_mtime=True)
        except (OSError, SafetensorError, RuntimeError, TokenUnlearnError) as error:
            logger.warning("No checkpoint of step %d was written: %s", self.state.global_step, error)
        finally:
            self.args.output_dir = str(output)
            if self.args.should_save:
                shutil.rmtree(scratch, ignore_errors=True)
