"""How many tokens one forward pass may hold, by device, and what happens when memory does not suffice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tokenunlearn.models.loaded_model import LoadedModel

Item = TypeVar("Item")
Result = TypeVar("Result")

# On a CPU longer passes only leave its caches; on a GPU the budget is what the free memory holds.
CPU_TOKENS, CPU_WINDOW = 768, 3072
GPU_TOKENS = (1024, 262_144)
GPU_SHARE = 0.4  # of the free memory
CPU_TRAINING_TOKENS = 1024
# Logits alive at once: a CPU reads them back from its caches, a GPU wants tall matrices. In training each
# part also adds to the gradient of the whole head, so parts are larger.
CPU_LOGITS, GPU_LOGITS = 1 << 20, 1 << 26
TRAINING_LOGITS = 1 << 24
FEWEST_ROWS = 64


def rows_at_once(vocabulary: int, device_type: str, *, training: bool = False) -> int:
    """Rows of logits that are made at once."""
    logits = CPU_LOGITS if device_type == "cpu" else GPU_LOGITS
    return max(FEWEST_ROWS, max(logits, TRAINING_LOGITS * training) // vocabulary)


@dataclass
class TokenBudget:
    """Most tokens in one forward pass, padding included.

    Attributes:
        tokens: The budget now; halved each time memory did not suffice.
        window: Most tokens of the samples that are worked on together, so that passes can be filled well;
            halved too. By default the budget.
    """

    tokens: int
    window: int = 0

    def __post_init__(self) -> None:
        """Fill in the window."""
        self.window = self.window or self.tokens

    @classmethod
    def of(cls, lm: LoadedModel, tokens: int | None = None) -> TokenBudget:
        """The budget given, or what suits the device that holds the model."""
        if tokens is not None:
            return cls(max(1, tokens))
        if lm.device.type != "cuda":
            return cls(CPU_TOKENS, CPU_WINDOW)
        import torch

        free, _ = torch.cuda.mem_get_info(lm.device)
        low, high = GPU_TOKENS
        return cls(int(min(high, max(low, GPU_SHARE * free / bytes_per_token(lm)))))

    def run(self, items: Sequence[Item], work: Callable[[Sequence[Item]], Result]) -> Iterator[Result]:
        """Do work on all items at once; where memory does not suffice, halve the budget and the items.

        Yields the results of the parts, in order.

        Raises:
            RuntimeError: If memory does not suffice for a single item.
        """
        from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

        try:
            yield work(items)
            return
        except RuntimeError as error:
            if len(items) < 2 or not should_reduce_batch_size(error):
                raise
        clear_device_cache(garbage_collection=True)  # outside the handler, whose traceback holds the tensors
        self.tokens, self.window = max(1, self.tokens // 2), max(1, self.window // 2)
        middle = len(items) // 2
        yield from self.run(items[:middle], work)
        yield from self.run(items[middle:], work)


def bytes_per_token(lm: LoadedModel) -> int:
    """Rough memory of one token in a forward pass, in bytes: keys and values twice, activations once."""
    config = lm.model.config.get_text_config()
    width = int(config.hidden_size)
    inner = int(getattr(config, "intermediate_size", None) or 4 * width)
    return lm.model.dtype.itemsize * (4 * width * int(config.num_hidden_layers) + 8 * width + 3 * inner)


def training_tokens(lm: LoadedModel, *, checkpointing: bool = False) -> int:
    """Tokens whose activations a forward pass may keep for its backward pass, padding included."""
    if lm.device.type != "cuda":
        return CPU_TRAINING_TOKENS
    import torch

    free, _ = torch.cuda.mem_get_info(lm.device)
    config = lm.model.config.get_text_config()
    width, layers = int(config.hidden_size), int(config.num_hidden_layers)
    inner = int(getattr(config, "intermediate_size", None) or 4 * width)
    layer = 4 * (12 * width + 4 * inner)  # bytes, as of float32
    bytes_per_token = layers * 4 * width + layer if checkpointing else layers * layer
    return max(GPU_TOKENS[0], int(GPU_SHARE * free / bytes_per_token))
