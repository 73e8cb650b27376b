"""Forward passes over masked variants of samples, equal to one pass a variant and without repeated work.

A causal model's states before the first masked position do not change. They are computed once a sample and
shared as keys and values; a variant runs only from its first position that can change, and only up to the
last one that predicts a response token. Variants of all samples of a window travel together, in passes
planned by cost. Where a model's attention does not allow this, every variant runs whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from tokenunlearn.attribution.masking_settings import Operator
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.forward import final_hidden, takes
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.token_budget import TokenBudget

# What one more pass costs, in the work of that many tokens: reading the weights, and starting each layer's
# kernels while the arithmetic units idle.
CPU_READ, GPU_READ = 28.0, 200.0
CPU_IDLE, GPU_IDLE = 2.4e7, 2e10  # floating-point operations a layer


@dataclass(frozen=True)
class Variant:
    """A sample with positions masked.

    Attributes:
        sample: Its number in the window.
        context: The number of its context.
        masked: The masked positions.
        start: First position whose state is not known from the unmasked pass, or is needed and not kept.
        end: One past the last position that predicts a response token.
        skip: Number of response tokens before the mask, whose prediction does not change.
    """

    sample: int
    context: int
    masked: tuple[int, ...]
    start: int
    end: int
    skip: int = 0


Read = Callable[[Sequence[Variant], Sequence[Tensor]], None]


def make_variant(
    sample: int, context: int, masked: tuple[int, ...], encoding: Encoding, operator: Operator
) -> Variant:
    """The stretch of positions that a mask leaves to be computed.

    Positions that the attention operator hides are seen by no one, so a run of them at the front is skipped.
    """
    hidden = set(masked) if operator == "attention" else set()
    start = min(masked)
    while start in hidden and start < encoding.prompt_length - 1:
        start += 1
    skip = max(0, start - (encoding.prompt_length - 1))
    return Variant(sample, context, masked, start, len(encoding) - 1, skip)


def pass_cost(lm: LoadedModel) -> float:
    """What one more pass costs, in tokens."""
    on_cpu = lm.device.type == "cpu"
    config = lm.model.config.get_text_config()
    read, idle = (CPU_READ, CPU_IDLE) if on_cpu else (GPU_READ, GPU_IDLE)
    return read + idle / (24 * int(config.hidden_size) ** 2)


def plan_passes(variants: Sequence[Variant], token_budget: int, pass_cost: float) -> Iterator[list[Variant]]:
    """Variants in passes: each within the budget, and padded by less than what one more pass would cost.

    Sorted by start, and among equal starts by end, up and down in turn, so neighbors differ little. A pass
    is closed as soon as its padding has cost as much as a new pass, which is at most twice the best plan's
    cost.
    """
    ordered = sorted(variants, key=lambda v: (v.start, v.end if v.start % 2 else -v.end, v.sample, v.context))
    group: list[Variant] = []
    padding = end = 0
    for variant in ordered:
        if group:
            start, longest = group[0].start, max(end, variant.end)
            more = (variant.start - start) + (longest - variant.end) + len(group) * (longest - end)
            if padding + more > pass_cost or (len(group) + 1) * longest > token_budget:
                yield group
                group, padding, end = [], 0, 0
            else:
                padding += more
        group.append(variant)
        end = max(end, variant.end)
    if group:
        yield group


def computed(group: Sequence[Variant]) -> int:
    """Positions that a pass over these variants computes, padding included."""
    return len(group) * (max(v.end for v in group) - min(v.start for v in group))


# Longest sample that sharing was found exact for, by model and operator; -1 where it was found not to be.
_tried: WeakKeyDictionary[torch.nn.Module, dict[str, int]] = WeakKeyDictionary()


class MaskingEngine:
    """Runs the masked variants of a window of samples.

    Args:
        lm: The model.
        operator: How positions are masked.
        budget: Tokens in one pass.
    """

    def __init__(self, lm: LoadedModel, operator: Operator, budget: TokenBudget) -> None:
        self.lm = lm
        self.operator = operator
        self.budget = budget
        self.pass_cost = pass_cost(lm)
        self._mask_id = mask_id(lm)
        self._mean = mean_embedding(lm.model.get_input_embeddings()) if operator == "embedding" else None
        self._tried = _tried.setdefault(lm.model, {})
        self._tried.setdefault(operator, 0 if may_share_prefix(lm) else -1)

    def shares_prefix(self, encodings: Sequence[Encoding]) -> bool:
        """Whether keys and values before a mask may be kept, by the model's kind and by trying it.

        Tried again when samples are longer than before, as attention may be limited to a window.
        """
        longest = max(encodings, key=len)
        if 0 <= self._tried[self.operator] < len(longest):
            exact = self._try(longest, min(encodings, key=len))
            self._tried[self.operator] = len(longest) if exact else -1
        return self._tried[self.operator] >= 0

    def run(
        self, encodings: Sequence[Encoding], masks: Sequence[Sequence[tuple[int, ...]]], read: Read
    ) -> Iterator[int]:
        """Run every sample without a mask and under each of its masks.

        Args:
            encodings: The samples of the window.
            masks: The masked positions of each context of each sample.
            read: Called for every pass with its variants and the final hidden states (T - skip, d) that
                predict each one's response; a sample's unmasked variant comes first.

        Yields:
            After each pass, how many masked variants it held.
        """
        groups = list(self._whole(encodings, masks))
        prefix = None
        if self.shares_prefix(encodings):
            plain = [Variant(i, -1, (), 0, len(e) - 1) for i, e in enumerate(encodings)]
            masked = [
                make_variant(i, c, mask, e, self.operator)
                for i, (e, own) in enumerate(zip(encodings, masks, strict=True))
                for c, mask in enumerate(own)
            ]
            shared = list(plan_passes(masked, self.budget.tokens, self.pass_cost))
            if self._cost([plain, *shared]) < self._cost(groups):
                prefix = DynamicCache()  # of plain layers: sliding windows keep what lies before them too
                read(plain, self._forward(encodings, plain, prefix))
                groups = shared

        def work(group: Sequence[Variant]) -> int:
            read(group, self._forward(encodings, group, prefix))
            return sum(v.context >= 0 for v in group)

        for group in groups:
            yield from self.budget.run(group, work)

    def _cost(self, passes: Sequence[Sequence[Variant]]) -> float:
        """Work of passes, in tokens."""
        return sum(computed(group) + self.pass_cost for group in passes)

    def _whole(
        self, encodings: Sequence[Encoding], masks: Sequence[Sequence[tuple[int, ...]]]
    ) -> Iterator[list[Variant]]:
        """Passes over one sample each, every position of every variant computed."""
        for i, (e, own) in enumerate(zip(encodings, masks, strict=True)):
            variants = [Variant(i, c, mask, 0, len(e)) for c, mask in enumerate([(), *own], start=-1)]
            rows = max(1, self.budget.tokens // len(e))
            yield from (variants[at : at + rows] for at in range(0, len(variants), rows))

    def _forward(
        self, encodings: Sequence[Encoding], variants: Sequence[Variant], prefix: DynamicCache | None = None
    ) -> list[Float[Tensor, "time dim"]]:
        """One forward pass, from the first position that any of the variants needs; fills an empty prefix."""
        start = min(v.start for v in variants)
        cache = prefix
        if prefix is not None and len(prefix.layers):
            cache = _share(prefix, [v.sample for v in variants], start)
        end = max(v.end for v in variants)
        device = self.lm.device
        ids = torch.full((len(variants), end - start), self.lm.pad_id)
        visible = torch.ones((len(variants), end), dtype=torch.long)
        replaced = torch.zeros((len(variants), end - start), dtype=torch.bool)
        for row, v in enumerate(variants):
            ids[row, : v.end - start] = torch.tensor(encodings[v.sample].input_ids[start : v.end])
            visible[row, v.end :] = 0
            if self.operator == "attention":
                visible[row, list(v.masked)] = 0
            else:
                replaced[row, [p - start for p in v.masked]] = True
        if self.operator == "token":
            ids[replaced] = self._mask_id
        inputs = {"input_ids": ids.to(device)}
        if self._mean is not None:
            embeddings = self.lm.model.get_input_embeddings()(inputs["input_ids"])
            embeddings[replaced.to(device)] = self._mean.to(embeddings.dtype)
            inputs = {"inputs_embeds": embeddings}
        hidden = final_hidden(self.lm.model, inputs, visible.to(device), cache, start)  # (R, end - start, d)
        firsts = [encodings[v.sample].prompt_length - 1 + v.skip - start for v in variants]
        lasts = [len(encodings[v.sample]) - 1 - start for v in variants]
        return [row[first:last] for row, first, last in zip(hidden, firsts, lasts, strict=True)]

    def _try(self, longest: Encoding, shortest: Encoding) -> bool:
        """Whether a pass from kept keys and values gives what whole passes give, on two samples together."""
        pair = [longest] if longest is shortest else [longest, shortest]
        content = [e.content_positions or (e.prompt_length // 2,) for e in pair]
        masks = [(content[0][len(content[0]) // 2],), (content[-1][-1],)][: len(pair)]
        plain = [Variant(i, -1, (), 0, len(e) - 1) for i, e in enumerate(pair)]
        masked = [make_variant(i, 0, masks[i], e, self.operator) for i, e in enumerate(pair)]
        prefix = DynamicCache()
        shared = zip(self._forward(pair, plain, prefix), self._forward(pair, masked, prefix), strict=True)
        for i, got in enumerate(shared):
            whole = [Variant(i, c, m, 0, len(pair[i])) for c, m in ((-1, ()), (0, masks[i]))]
            unmasked, under_mask = (self._forward(pair, [variant])[0].float() for variant in whole)
            allowed = 1e-4 * unmasked.abs().max()
            if self.lm.model.dtype.itemsize < 4:  # rounding may show, but must not pass for the mask's effect
                effect = (under_mask - unmasked).abs().max()
                allowed = 0.02 * unmasked.abs().max() + 0.25 * effect
            errors = [
                (g.float() - h[len(h) - len(g) :]).abs().max()
                for g, h in zip(got, (unmasked, under_mask), strict=True)
            ]
            if not max(errors) <= allowed:
                return False
        return True


def may_share_prefix(lm: LoadedModel) -> bool:
    """Whether a model's attention keeps keys and values of every position and obeys a mask of columns."""
    kinds = {type(layer) for layer in DynamicCache(config=lm.model.config).layers}
    return (
        kinds <= {DynamicLayer, DynamicSlidingWindowLayer}
        and takes(lm.model, "past_key_values", "position_ids")
        and getattr(lm.model.config, "_attn_implementation", "") in ("sdpa", "eager")
    )


def _share(cache: DynamicCache, samples: Sequence[int], length: int) -> DynamicCache | None:
    """The first ``length`` positions of a window's keys and values, a row a variant."""
    if not length:
        return None
    one = len(set(samples)) == 1
    layers = [(layer.keys, layer.values) for layer in cache.layers if isinstance(layer, DynamicLayer)]
    index = torch.tensor(samples[:1] if one else samples)

    def rows(states: Tensor | None) -> Tensor:
        assert states is not None  # the unmasked pass has filled it
        taken = states[index.to(states.device), :, :length]
        return taken.expand(len(samples), -1, -1, -1) if one else taken

    return DynamicCache([(rows(keys), rows(values)) for keys, values in layers])


def mask_id(lm: LoadedModel) -> int:
    """Id that stands for "nothing": mask, else unknown, else padding, else end of turn."""
    tokenizer = lm.tokenizer
    for token_id in (tokenizer.mask_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id):
        if token_id is not None:
            return int(token_id)
    return lm.end_of_turn_id


def mean_embedding(embed: torch.nn.Module) -> Float[Tensor, " dim"]:
    """Mean of the input embeddings over the vocabulary, as the layer gives them (scaled where it scales)."""
    weight = cast(Tensor, embed.weight)
    vocabulary = weight.shape[0]
    ids = torch.arange(vocabulary, device=weight.device)
    return torch.stack([embed(part).float().sum(0) for part in ids.split(8192)]).sum(0) / vocabulary
