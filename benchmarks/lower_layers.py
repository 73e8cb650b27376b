"""Lower layers that no run changes, run once for each text in models that are read and trained many times.

Where runs train only the layers from some layer on (``first_layer``), what the layers below make of a text is
the same in every step, every measurement and every model over the same lower weights. It is made when the
text is first read, and stored; later only the layers above run. Values and gradients are those of the whole
model but for rounding: where a text stands among the padding turns all its rotary angles alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import LlamaForCausalLM

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.layers import check_layer
from tokenunlearn.models.loaded_model import LoadedModel
from tools.embedded.build import split


class LowerLayers:
    """What the layers below one make of each text that was read.

    Args:
        first_layer: The layers below this one never change; 0 for none.

    Attributes:
        rows: Bytes of a text's token ids -> (L, d) hidden states below the layer, on the CPU.
    """

    def __init__(self, first_layer: int) -> None:
        self.first_layer = first_layer
        self.rows: dict[bytes, Float[Tensor, "length dim"]] = {}
        self._weights: list[Tensor] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> LowerLayers:
        return self  # copies of a model share what is stored

    @contextmanager
    def once(self, lm: LoadedModel) -> Iterator[None]:
        """Have a model run its lower layers once for each text; copies made inside keep doing so.

        A model that does so already goes on as it is.

        Args:
            lm: A model of the architecture of Llama, over the same lower weights as those before it.

        Raises:
            TokenUnlearnError: If it is of another architecture, or has no such layer or other lower weights.
        """
        model = lm.model
        if not self.first_layer or "forward" in vars(model.base_model):
            yield
            return
        if not isinstance(model, LlamaForCausalLM):
            raise TokenUnlearnError(
                f'The lower layers of the architecture "{model.config.model_type}" cannot be run once; '
                "it must be llama."
            )
        check_layer(model, self.first_layer, "first_layer")
        self._check_weights(model)
        model.model.forward = _Halves(model, self, lm.pad_id).forward  # type: ignore[method-assign]
        try:
            yield
        finally:
            del model.model.forward

    def _check_weights(self, model: LlamaForCausalLM) -> None:
        lower = (model.model.embed_tokens, *model.model.layers[: self.first_layer])
        weights = [p.detach() for module in lower for p in module.parameters()]
        self._weights = self._weights or weights
        same = len(weights) == len(self._weights) and all(map(torch.equal, weights, self._weights))
        if not same:
            raise TokenUnlearnError(
                f"The weights below layer {self.first_layer} are not those of the models before."
            )


class _Halves:
    """A trunk that takes what its lower half puts out from the store."""

    def __init__(self, model: LlamaForCausalLM, stored: LowerLayers, pad_id: int) -> None:
        self.whole, self.stored, self.pad_id = model.model, stored, pad_id
        lower, upper = split(model, stored.first_layer)
        self.lower, self.upper = lower.model, upper.model

    def forward(
        self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, **named: Any
    ) -> Any:
        """What the whole trunk puts out; all of it runs for other inputs than texts without a cache."""
        spans = None
        if input_ids is not None and named.get("past_key_values") is None and named.get("use_cache") is False:
            spans = spans_of(input_ids, named.get("attention_mask"), self.pad_id)
        if input_ids is None or spans is None:
            whole = type(self.whole).forward
            return whole(self.whole, input_ids=input_ids, inputs_embeds=inputs_embeds, **named)
        return self.upper(inputs_embeds=self._lower_states(input_ids, spans, named), **named)

    @torch.no_grad()
    def _lower_states(
        self, ids: Int[Tensor, "batch length"], spans: list[slice], named: dict[str, Any]
    ) -> Float[Tensor, "batch length dim"]:
        rows = self.stored.rows
        places = [(i, span, ids[i, span].cpu().numpy().tobytes()) for i, span in enumerate(spans)]
        if any(key not in rows for _, _, key in places):
            hidden: Tensor = self.lower(input_ids=ids, **named).last_hidden_state
            rows.update((key, hidden[i, span].cpu().clone()) for i, span, key in places)
            return hidden
        first = rows[places[0][2]]
        states = first.new_zeros((*ids.shape, first.shape[-1]))  # (B, L, d)
        for i, span, key in places:
            states[i, span] = rows[key]
        return states.to(ids.device)


def spans_of(
    ids: Int[Tensor, "batch length"], mask: Int[Tensor, "batch length"] | None, pad_id: int
) -> list[slice] | None:
    """Where the text of each row stands; None unless all around it is padding."""
    mask = torch.ones_like(ids) if mask is None else mask
    if mask.shape != ids.shape or ((mask == 0) & (ids != pad_id)).any():
        return None
    places = [row.nonzero().flatten().tolist() for row in mask]
    if any(not p or p[-1] - p[0] + 1 != len(p) for p in places):
        return None
    return [slice(p[0], p[-1] + 1) for p in places]
