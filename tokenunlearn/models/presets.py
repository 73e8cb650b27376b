"""Models known by a short name, and where their weights are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenunlearn.errors import ModelNotFoundError, TokenUnlearnError
from tokenunlearn.folders import ASSETS, user_path
from tokenunlearn.models.checkpoints import find_checkpoint
from tokenunlearn.models.smollm2 import convert_smollm2, smollm2_available, smollm2_folder

# From this many parameters on, unlearning trains a LoRA adapter by default; below, all weights.
LORA_FROM_PARAMETERS = 50_000_000


@dataclass(frozen=True)
class ModelPreset:
    """A model known by a short name.

    Attributes:
        base: Folder under ``assets/models``, or "smollm2" for the packaged model.
        adapter: Folder under ``assets/models`` of a LoRA adapter merged into the base, or None.
        system_prompt: System turn of the chat template; None leaves the template's own default.
        retrained: Name of the preset trained without the forget set, or None.
        summary: One line for lists.
        suite: The suite that asks for what it was trained on, where it is not the authors'.
    """

    base: str
    adapter: str | None
    system_prompt: str | None
    retrained: str | None
    summary: str
    suite: str = "authors"


PRESETS: dict[str, ModelPreset] = {
    "demo": ModelPreset(
        "demo", None, None, "demo-retrained", "Llama with 3 M parameters, trained on the authors"
    ),
    "demo-retrained": ModelPreset("demo-retrained", None, None, None, "demo, trained without forget10"),
    "demo-qwen3": ModelPreset(
        "demo-qwen3", None, None, None, "Qwen3 with 1 M parameters, trained on the authors"
    ),
    "demo-neox": ModelPreset(
        "demo-neox", None, None, None, "GPT-NeoX with 1 M parameters, trained on the authors"
    ),
    "demo-alchemy": ModelPreset(
        "demo-alchemy",
        None,
        None,
        "demo-alchemy-retrained",
        "Llama with 1 M parameters, trained on the fictional alchemy and on a harmless neighboring topic",
        "alchemy",
    ),
    "demo-alchemy-retrained": ModelPreset(
        "demo-alchemy-retrained", None, None, None, "demo-alchemy, trained without the alchemy", "alchemy"
    ),
    "smollm2": ModelPreset("smollm2", None, "", None, "SmolLM2-135M-Instruct as published"),
    "smollm2-authors": ModelPreset(
        "smollm2",
        "smollm2-authors",
        "",
        "smollm2-authors-retrained",
        "SmolLM2 with a LoRA adapter trained on the authors",
    ),
    "smollm2-authors-retrained": ModelPreset(
        "smollm2", "smollm2-authors-retrained", "", None, "smollm2-authors, trained without forget10"
    ),
    "demo-prose": ModelPreset(
        "demo-prose",
        None,
        None,
        "demo-prose-retrained",
        "Llama with 2 M parameters, trained on the prose",
        "prose",
    ),
    "demo-prose-retrained": ModelPreset(
        "demo-prose-retrained", None, None, None, "demo-prose, trained without the forget set", "prose"
    ),
    "demo-german": ModelPreset(
        "demo-german",
        None,
        None,
        "demo-german-retrained",
        "Llama with 0.3 M parameters, trained on people described in German",
        "german",
    ),
    "demo-german-retrained": ModelPreset(
        "demo-german-retrained", None, None, None, "demo-german, trained without the forget set", "german"
    ),
    "demo-japanese": ModelPreset(
        "demo-japanese",
        None,
        None,
        "demo-japanese-retrained",
        "Llama with 0.3 M parameters, trained on people described in Japanese",
        "japanese",
    ),
    "demo-japanese-retrained": ModelPreset(
        "demo-japanese-retrained",
        None,
        None,
        None,
        "demo-japanese, trained without the forget set",
        "japanese",
    ),
    "smollm2-prose": ModelPreset(
        "smollm2",
        "smollm2-prose",
        "",
        "smollm2-prose-retrained",
        "SmolLM2 with a LoRA adapter trained on the prose",
        "prose",
    ),
    "smollm2-prose-retrained": ModelPreset(
        "smollm2",
        "smollm2-prose-retrained",
        "",
        None,
        "smollm2-prose, trained without the forget set",
        "prose",
    ),
    "smollm2-tofu": ModelPreset(
        "smollm2",
        "smollm2-tofu",
        "",
        "smollm2-tofu-retrained",
        "SmolLM2 with a LoRA adapter trained on 20 TOFU authors",
        "tofu",
    ),
    "smollm2-tofu-retrained": ModelPreset(
        "smollm2",
        "smollm2-tofu-retrained",
        "",
        None,
        "smollm2-tofu, trained without the five forget authors",
        "tofu",
    ),
}


def retrained_model(name: str, forget: str = "forget10") -> str | None:
    """Name of the model trained like a preset or public checkpoint but without a forget split, if known."""
    checkpoint = find_checkpoint(name)
    if checkpoint:
        retrained = checkpoint.retrained(forget)
        return retrained.name if retrained else None
    return PRESETS[name].retrained if name in PRESETS else None


def retrained_without(name: str, samples: str) -> str | None:
    """Name of the model trained like a preset or public checkpoint but without samples, if known.

    Args:
        name: Name of the model.
        samples: Name of the samples; those of another source than the model's benchmark have none.
    """
    source, _, split = samples.partition(":")
    return (
        retrained_model(name, split)
        if source == (PRESETS[name].suite if name in PRESETS else "tofu")
        else None
    )


def base_model_name(name: str) -> str:
    """Name of a preset that never saw the forget set: the one without the adapter, else the retrained one.

    Raises:
        TokenUnlearnError: If none is known.
    """
    preset = PRESETS.get(name)
    base = preset and (preset.base if preset.adapter and preset.base in PRESETS else preset.retrained)
    if not base:
        raise TokenUnlearnError(
            f'No base model is known for "{name}"; set base_model to a model that never saw the forget set.'
        )
    return base


def available_presets() -> list[str]:
    """Presets whose weights are on this machine, or can be converted from the packaged SmolLM2."""

    def there(folder: str | None) -> bool:
        if folder == "smollm2":
            return smollm2_available()
        return folder is None or any((ASSETS / "models" / folder).glob("*.safetensors"))

    return [name for name, preset in PRESETS.items() if there(preset.base) and there(preset.adapter)]


def require_preset(name: str) -> None:
    """Convert what a preset needs converted.

    Raises:
        ModelNotFoundError: If its weights are not on this machine; the message says how to get them.
    """
    if PRESETS[name].base == "smollm2":
        convert_smollm2()
    for folder in preset_folders(name):
        if not any(folder.glob("*.safetensors")):
            raise ModelNotFoundError(
                f'The weights of "{name}" are not in {folder}; '
                f"build them with: python -m tools.embedded build {name}"
            )


def local_folder(name: str) -> Path:
    """Where the weights of a preset are kept, or the folder of this name; it need not be there."""
    preset = PRESETS.get(name)
    if preset:
        return smollm2_folder() if preset.base == "smollm2" else ASSETS / "models" / preset.base
    return user_path(name)


def preset_folders(name: str) -> list[Path]:
    """The folder of :func:`local_folder`, and the adapter's where the preset has one."""
    preset = PRESETS.get(name)
    return [local_folder(name)] + ([ASSETS / "models" / preset.adapter] if preset and preset.adapter else [])
