"""Public checkpoints of the TOFU benchmark, and the prompt format they were trained and are measured with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tokenunlearn.folders import user_path

OWNER = "open-unlearning"
FAMILIES = ("Llama-3.2-1B-Instruct", "Llama-3.2-3B-Instruct", "Llama-3.1-8B-Instruct")
TRAINED_ON = ("full", "retain90", "retain95", "retain99")
# The split to be forgotten -> the split that the retrained model has seen.
RETAINED = {"forget10": "retain90", "forget05": "retain95", "forget01": "retain99"}


@dataclass(frozen=True)
class Checkpoint:
    """A public checkpoint and its prompt.

    Source of the prompt: the model configurations of the open-unlearning benchmark (arXiv 2506.12618).

    Attributes:
        family: Model family, "Llama-3.2-1B-Instruct" for example.
        trained_on: Split of TOFU it was fine-tuned on.
        system_prompt: System turn of the chat template.
        date: The date the chat template writes; without it a prompt would change from day to day.
    """

    family: str
    trained_on: str
    system_prompt: str = "You are a helpful assistant."
    date: str = "10 Apr 2025"

    @property
    def name(self) -> str:
        """Short name: the hub id without its owner."""
        return f"tofu_{self.family}_{self.trained_on}"

    @property
    def hub_id(self) -> str:
        """Id on the hub."""
        return f"{OWNER}/{self.name}"

    def retrained(self, forget: str) -> Checkpoint | None:
        """The checkpoint of the same family trained without a forget split, or None where there is none."""
        if self.trained_on != "full" or forget not in RETAINED:
            return None
        return CHECKPOINTS[f"tofu_{self.family}_{RETAINED[forget]}"]

    def dated(self, chat_template: str) -> str:
        """The chat template with its date fixed."""
        return f"{{%- set date_string = '{self.date}' -%}}{chat_template}"


CHECKPOINTS: dict[str, Checkpoint] = {
    checkpoint.name: checkpoint
    for checkpoint in (Checkpoint(family, split) for family in FAMILIES for split in TRAINED_ON)
}


def find_checkpoint(name: str) -> Checkpoint | None:
    """The checkpoint that a short name, a hub id or a local folder of that name means, or None."""
    checkpoint = CHECKPOINTS.get(Path(name).name)
    if checkpoint is None:
        return None
    known = name in (checkpoint.name, checkpoint.hub_id) or os.path.isdir(user_path(name))
    return checkpoint if known else None
