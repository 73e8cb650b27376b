"""TrainingArguments of one device in each process."""

from __future__ import annotations

from transformers import TrainingArguments


class OneDeviceArguments(TrainingArguments):
    """Arguments of transformers that leave all GPUs but one of a process alone.

    A Trainer would otherwise spread each batch over all GPUs that it sees (``torch.nn.DataParallel``), in
    pieces that are no batches of their own. Several GPUs take several processes.
    """

    @property
    def n_gpu(self) -> int:
        """GPUs that this process uses: 1, or 0 on other devices."""
        return min(1, super().n_gpu)
