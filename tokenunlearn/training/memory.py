"""How much memory a run will take, from shapes alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING

from tokenunlearn.files import size_text
from tokenunlearn.models.presets import LORA_FROM_PARAMETERS
from tokenunlearn.models.token_budget import CPU_TRAINING_TOKENS, rows_at_once
from tokenunlearn.objectives import OBJECTIVES
from tokenunlearn.training.settings import UnlearnSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FLOAT32, INT64 = 4, 8
# Floats that a decoder layer keeps for the backward pass per token: of the hidden size for norms, queries,
# keys, values, attention and residuals; of the feed-forward size for gate, activation, input and product.
KEPT_HIDDEN, KEPT_INTERMEDIATE = 10.5, 4
# (rows, vocabulary) float32 tables alive at once for a part of the head's rows: logits, log-softmax and
# gradient; with a reference the reference's logits, its log-softmax and their product too.
TABLES, REFERENCE_TABLES = 3, 6
# RMU trains the feed-forward output of its layer and of two below it.
FEW_MODULES = 3
PARTS = {
    "weights": "weights",
    "gradients": "gradients",
    "optimizer": "optimizer",
    "good_weights": "last good weights",
    "activations": "activations",
    "references": "reference outputs",
}
FORMULA = (
    "weights = parameters × bytes, plus × 4 for the trained copy in full training; "
    "gradients = 4 × trained; optimizer (AdamW) = 8 × trained; last good weights = 4 × trained; "
    "activations = tokens of one pass × layers × (10.5 × hidden + 4 × feed-forward) × bytes, "
    "or × (layers × hidden + one layer) with gradient checkpointing, "
    "+ head rows at once × vocabulary × 4 × (6 with a reference's distribution, else 3), "
    "+ vocabulary × hidden × 4 for the head's gradient that a retain loss on logits holds in full training; "
    "a CPU uses micro-batches of about 1,024 tokens, a GPU one pass per step; "
    "reference outputs = 4 per token for the NLL, hidden × bytes per token for hidden states. "
    "trained = all weights in full training, r × (in + out) per linear layer with LoRA; "
    "with a first layer, layers and LoRA count from there on. "
    "Activations are estimated with padding to the longest sample, everything else is exact; "
    "Python and its libraries add about 0.5 GB."
)


@dataclass(frozen=True)
class ModelShape:
    """What the memory of a model depends on.

    Attributes:
        parameters: Number of weights.
        linear: Sum of inputs and outputs over the linear maps that a LoRA adapter on all of them sits on.
        layers: Decoder layers.
        hidden: Hidden size d.
        intermediate: Feed-forward size.
        vocabulary: Size of the vocabulary V.
        weight_bytes: Bytes of one weight as it is loaded.
    """

    parameters: int
    linear: int
    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    weight_bytes: int = FLOAT32

    @classmethod
    def of_model(cls, model: PreTrainedModel) -> ModelShape | None:
        """The shape of a loaded model; None where its configuration does not say enough."""
        shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
        config = model.config.get_text_config().to_dict()
        hidden = config.get("hidden_size", config.get("n_embd"))
        layers = config.get("num_hidden_layers", config.get("n_layer"))
        if not shapes or not hidden or not layers:
            return None
        inside = [s for name, s in shapes.items() if len(s) == 2 and not _is_table(name)]
        sizes = ("intermediate_size", "ffn_dim", "n_inner")
        return cls(
            parameters=sum(map(prod, shapes.values())),
            linear=sum(sum(shape) for shape in inside),
            layers=layers,
            hidden=hidden,
            intermediate=next((config[name] for name in sizes if config.get(name)), 4 * hidden),
            vocabulary=config["vocab_size"],
            weight_bytes=model.dtype.itemsize,
        )


def _is_table(name: str) -> bool:
    """Whether a matrix is an embedding or the output head, which LoRA leaves alone."""
    return any(mark in name for mark in ("embed", "wte", "wpe", "lm_head"))


@dataclass(frozen=True)
class Workload:
    """What a run reads, in tokens.

    Attributes:
        forget: Response tokens of the forget set.
        retain: Response tokens of the retained samples that some step reads.
        length: Tokens of the longest sample, prompt and response.
        response: Tokens of the longest response.
    """

    forget: int
    retain: int
    length: int
    response: int


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a run takes, by what they are for."""

    weights: int
    gradients: int
    optimizer: int
    good_weights: int
    activations: int
    references: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(asdict(self).values())

    @property
    def text(self) -> str:
        """All of them in words, the largest first."""
        sizes = sorted(asdict(self).items(), key=lambda size: -size[1])
        parts = ", ".join(f"{PARTS[name]} {size_text(size)}" for name, size in sizes if round(size / 1e6))
        return f"{size_text(self.total)} of memory ({parts})"


def trained_parameters(shape: ModelShape, config: UnlearnSettings) -> int:
    """Number of weights that a run changes."""
    few = OBJECTIVES[config.objective].few_modules
    modules = min(FEW_MODULES, shape.layers)
    if is_full(shape, config):
        return modules * shape.hidden * shape.intermediate if few else shape.parameters
    width = modules * (shape.hidden + shape.intermediate) if few else shape.linear
    return config.lora_r * width * _trained_layers(shape, config) // shape.layers


def _trained_layers(shape: ModelShape, config: UnlearnSettings) -> int:
    """Number of decoder layers that gradients pass through."""
    return max(0, shape.layers - config.first_layer)


def is_full(shape: ModelShape, config: UnlearnSettings) -> bool:
    """Whether a run trains all weights, and so stores them all."""
    return config.train == "full" or (config.train == "auto" and shape.parameters < LORA_FROM_PARAMETERS)


def estimate_memory(
    shape: ModelShape, work: Workload, config: UnlearnSettings, device_type: str = "cpu"
) -> MemoryEstimate:
    """Bytes that a run takes at its highest; ``FORMULA`` says how they are counted.

    Activations are an estimate, all else is exact.

    Args:
        shape: The model.
        work: What the run reads.
        config: What the run does.
        device_type: "cpu" or "cuda"; decides the passes of a step where the configuration does not.
    """
    full, trained = is_full(shape, config), trained_parameters(shape, config)
    refusals = "refusals" in config.forget_needs
    retained = config.retain_batch_size if config.needs_retain else 0
    rows = config.batch_size * (1 + refusals) + retained
    width = FLOAT32 if full else shape.weight_bytes
    passes = config.gradient_accumulation or _passes(rows * work.length, retained, config, device_type)
    layer = KEPT_HIDDEN * shape.hidden + KEPT_INTERMEDIATE * shape.intermediate
    token = _trained_layers(shape, config) * (shape.hidden if config.gradient_checkpointing else layer)
    token += layer * config.gradient_checkpointing
    head_rows = min(rows * work.response / passes, rows_at_once(shape.vocabulary, device_type, training=True))
    distribution = "ref_logits" in config.forget_needs | config.retain_needs
    tables = REFERENCE_TABLES if distribution else TABLES
    trains_head = full and not OBJECTIVES[config.objective].few_modules
    head_gradient = trains_head and config.needs_retain and "states" not in config.retain_needs
    return MemoryEstimate(
        weights=shape.parameters * (shape.weight_bytes + FLOAT32 * full) + FLOAT32 * trained * (not full),
        gradients=FLOAT32 * trained,
        optimizer=2 * FLOAT32 * trained,
        good_weights=FLOAT32 * trained,
        activations=int(
            rows * work.length / passes * token * width
            + head_rows * shape.vocabulary * FLOAT32 * tables
            + head_gradient * shape.vocabulary * shape.hidden * FLOAT32
        ),
        references=reference_bytes(shape, work, config),
    )


def _passes(tokens: int, retained: int, config: UnlearnSettings, device_type: str) -> int:
    """Passes of a step where the configuration leaves them open."""
    fewest = min(config.batch_size, retained or config.batch_size)
    return min(-(-tokens // CPU_TRAINING_TOKENS), fewest) if device_type == "cpu" else 1


def reference_bytes(shape: ModelShape, work: Workload, config: UnlearnSettings) -> int:
    """Bytes of what the start model said and is kept for the steps; refusals, being short, are left out."""
    needs, retain_needs = config.forget_needs, config.retain_needs
    states = shape.hidden * shape.weight_bytes
    on_forget = FLOAT32 * len(needs & {"ref_nll", "base_nll"}) + states * ("ref_logits" in needs)
    on_forget += INT64 * ("alternatives" in needs)
    return work.forget * on_forget + work.retain * states * len(retain_needs & {"ref_logits", "ref_states"})
