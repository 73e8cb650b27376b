"""Forward passes that compute logits at response positions only, and what is read off them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.devices import input_device
from tokenunlearn.models.encoding import Batch, Encoding, batches_by_length, collate
from tokenunlearn.models.token_budget import rows_at_once

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

    from tokenunlearn.models.loaded_model import LoadedModel

Progress = Callable[[int, int], None]
TOKEN_BUDGET = 4096


def final_hidden(
    model: PreTrainedModel,
    inputs: Mapping[str, Tensor],
    attention_mask: Tensor,
    cache: Cache | None = None,
    start: int = 0,
) -> Float[Tensor, "batch length dim"]:
    """Final hidden states of a stretch of positions.

    Every token keeps its place: a position hidden by the attention mask does not move the ones behind it.

    Args:
        model: The model.
        inputs: ``input_ids`` or ``inputs_embeds`` of the positions from ``start`` on.
        attention_mask: (B, start + length), 0 on what no query may see.
        cache: Keys and values of the ``start`` positions before; those of the stretch are added to it.
        start: Position of the first token.
    """
    trunk = model.base_model
    arguments = _arguments(type(trunk))  # type: ignore[arg-type]  # a class is hashable
    places: dict[str, Tensor] = {}
    if "position_ids" in arguments:  # OPT alone would count visible ones
        places["position_ids"] = torch.arange(start, attention_mask.shape[1], device=attention_mask.device)[
            None
        ]
    if cache is not None:
        places["past_key_values"] = cache  # type: ignore[assignment]
    output = trunk(**inputs, **places, attention_mask=attention_mask, use_cache=cache is not None)
    hidden: Tensor = output.last_hidden_state
    return hidden.to(next(iter(inputs.values())).device)  # the last layer may be elsewhere


@lru_cache
def _arguments(trunk: Any) -> frozenset[str]:
    return frozenset(inspect.signature(trunk.forward).parameters)


def takes(model: PreTrainedModel, *arguments: str) -> bool:
    """Whether the model's trunk has all these arguments."""
    return _arguments(type(model.base_model)).issuperset(arguments)  # type: ignore[arg-type]


def response_hidden(
    model: PreTrainedModel, batch: Batch, inputs_embeds: Tensor | None = None
) -> Float[Tensor, "batch time dim"]:
    """Final hidden states at the positions that predict the response.

    The (batch, length, vocab) logits never exist.
    """
    inputs = {"input_ids": batch.input_ids} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
    hidden = final_hidden(model, inputs, batch.attention_mask)
    index = batch.predictors.unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
    return hidden.gather(1, index)  # (B, T, d)


class OutputHead(torch.nn.Module):
    """The map from final hidden states to logits, float32 or wider, with the architecture's scale or cap.

    Its parameters are the model's own.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.linear = model.get_output_embeddings()
        config = model.config.get_text_config()
        caps = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")
        self.cap = next((cap for name in caps if (cap := getattr(config, name, None))), None)
        factor = getattr(config, "logit_scale", None) or getattr(config, "lm_head_multiplier", None) or 1.0
        scaling = getattr(config, "logits_scaling", None) or 1.0
        multiplies = config.model_type.startswith("hyperclovax")  # Granite divides
        self.factor = factor * (scaling if multiplies else 1 / scaling)

    def forward(self, hidden: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch vocab"]:
        """Logits of hidden states."""
        logits = self.linear(hidden).to(hidden.device)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        if self.factor != 1:
            logits = logits * self.factor
        return self.cap * torch.tanh(logits / self.cap) if self.cap else logits


def output_head(model: PreTrainedModel) -> OutputHead:
    """The model's map from final hidden states to logits."""
    return OutputHead(model)


@torch.no_grad()
def ignores_mask(model: PreTrainedModel) -> bool:
    """Whether a position that the attention mask hides is read all the same, tried on two tokens."""
    ids = torch.tensor([[1, 2]], device=input_device(model))
    hidden = [final_hidden(model, {"input_ids": ids}, ids.new_tensor([mask])) for mask in ([1, 1], [0, 1])]
    return torch.equal(hidden[0][:, 1], hidden[1][:, 1])


@torch.no_grad()
def check_logits(model: PreTrainedModel) -> None:
    """Refuse a model whose logits are not what :func:`output_head` makes of its final hidden states.

    Raises:
        ModelNotFoundError: If they differ, depend on later tokens, or are no finite numbers.
    """
    ids = torch.tensor([[1, 2, 3]], device=input_device(model))
    own = model(input_ids=ids).logits[0, :2].float()  # (2, V)
    hidden = final_hidden(model, {"input_ids": ids[:, :2]}, torch.ones_like(ids[:, :2]))
    error, scale = (output_head(model)(hidden)[0] - own).abs().max(), own.abs().max()
    if not scale.isfinite():
        raise ModelNotFoundError(f"The model predicts NaN or infinite logits in {model.dtype}; try float32.")
    if not error <= 0.02 * scale:
        raise ModelNotFoundError(
            f'The architecture "{model.config.model_type}" is not supported: its logits are no known '
            "function of the hidden states of the tokens before."
        )


def per_token(
    measure: Callable[..., Tensor],
    head: torch.nn.Module,
    hidden: Float[Tensor, "rows dim"],
    *others: Tensor,
    at_once: int | None = None,
) -> Float[Tensor, " rows"]:
    """``measure(head(hidden), *others)``, one number a row, with the logits of only a few rows alive at once.

    Equals the plain expression in value and gradients, and holds O(rows x dim) until backward instead of
    O(rows x vocab): each part's gradient with respect to its hidden states is taken at once and scaled in
    backward. A head that is trained makes its logits once more there, for the gradient of its own weights.

    Args:
        measure: (n, V) logits and n rows of each of ``others`` -> (n,); a row's value must depend on that row
            alone. Only hidden states and head receive gradients.
        head: Map from hidden states to logits.
        hidden: (N, d) final hidden states.
        *others: (N, ...) what the measure reads beside, such as labels.
        at_once: Rows of logits at once; by default what suits the device.
    """
    trained, part, parts = _read(measure, head, hidden, others, at_once)
    if torch.is_grad_enabled() and (trained or hidden.requires_grad):
        values: Tensor = _PerToken.apply(part, parts, hidden, *trained)
        return values
    return torch.cat([part(rows, hidden[rows]) for rows in parts])


def mean_per_token(
    measure: Callable[..., Tensor],
    head: torch.nn.Module,
    hidden: Float[Tensor, "rows dim"],
    *others: Tensor,
    at_once: int | None = None,
) -> Float[Tensor, ""]:
    """The mean of :func:`per_token`; all gradients are made with the values, no logits again in backward.

    The gradient of a trained head's weights is held until then.
    """
    trained, part, parts = _read(measure, head, hidden, others, at_once)
    mean: Tensor = _MeanPerToken.apply(part, parts, hidden, *trained)
    return mean


def _read(
    measure: Callable[..., Tensor],
    head: torch.nn.Module,
    hidden: Tensor,
    others: Sequence[Tensor],
    at_once: int | None,
) -> tuple[list[torch.nn.Parameter], Callable[[slice, Tensor], Tensor], list[slice]]:
    """Trained weights of the head, the measure of some rows, and the rows to take together."""
    if at_once is None:
        vocabulary = head.linear.weight.shape[0] if isinstance(head, OutputHead) else hidden.shape[-1]
        at_once = rows_at_once(vocabulary, hidden.device.type, training=True)

    def part(rows: slice, states: Tensor) -> Tensor:
        return measure(head(states), *(other[rows] for other in others))

    trained = [p for p in head.parameters() if p.requires_grad]
    return trained, part, [slice(i, i + at_once) for i in range(0, max(1, len(hidden)), at_once)]


def _added(sums: list[Tensor], more: Sequence[Tensor]) -> list[Tensor]:
    """Gradients of the parts so far and of one more, in place."""
    return [a.add_(b) for a, b in zip(sums, more, strict=True)] if sums else list(more)


class _PerToken(torch.autograd.Function):
    """A number a row and its gradient with respect to the row's hidden state, part by part."""

    @staticmethod
    def forward(
        ctx: Any,
        part: Callable[[slice, Tensor], Tensor],
        parts: list[slice],
        hidden: Tensor,
        *trained: Tensor,
    ) -> Tensor:
        values, slopes = [], []
        for rows in parts:
            with torch.enable_grad():
                states = hidden[rows].detach().requires_grad_()
                value = part(rows, states)
                (slope,) = torch.autograd.grad(value.sum(), states)
            values.append(value.detach())
            slopes.append(slope)
        ctx.save_for_backward(hidden, torch.cat(slopes), *trained)
        ctx.part, ctx.parts, device = part, parts, hidden.device.type
        ctx.autocast = device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
        return torch.cat(values)

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        hidden, slopes, *trained = ctx.saved_tensors
        gradients: list[Tensor] = []
        for rows in ctx.parts if trained else ():
            with torch.enable_grad(), torch.autocast(*ctx.autocast):
                value = ctx.part(rows, hidden[rows].detach())
                chunk_gradients = torch.autograd.grad(value, trained, outer[rows].to(value.dtype))
            gradients = _added(gradients, chunk_gradients)
        inner = (outer[:, None] * slopes).to(hidden.dtype) if ctx.needs_input_grad[2] else None
        return None, None, inner, *gradients


class _MeanPerToken(torch.autograd.Function):
    """The mean over rows; every row's share is known, so all gradients are made with the values."""

    @staticmethod
    def forward(
        ctx: Any,
        part: Callable[[slice, Tensor], Tensor],
        parts: list[slice],
        hidden: Tensor,
        *trained: Tensor,
    ) -> Tensor:
        wanted = any(ctx.needs_input_grad)
        shares, slopes = [], []
        gradients: list[Tensor] = []
        for rows in parts:
            with torch.set_grad_enabled(wanted):
                states = hidden[rows].detach().requires_grad_(wanted)
                share = part(rows, states).sum() / len(hidden)
                if wanted:
                    slope, *chunk_gradients = torch.autograd.grad(share, (states, *trained))
                    slopes.append(slope)
                    gradients = _added(gradients, chunk_gradients)
            shares.append(share.detach())
        if wanted:
            ctx.save_for_backward(torch.cat(slopes), *gradients)
        return torch.stack(shares).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        inner, *gradients = (gradient.mul_(outer) for gradient in ctx.saved_tensors)  # nobody else has them
        return None, None, inner if ctx.needs_input_grad[2] else None, *gradients


def token_nll(
    logits: Float[Tensor, "*batch vocab"], labels: Int[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Negative log-likelihood of each label, in nats. Equals ``-log_softmax(logits)[label]``."""
    scores = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return torch.nn.functional.cross_entropy(scores.flatten(0, -2), labels.flatten(), reduction="none").view(
        labels.shape
    )


def token_rank(
    logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]
) -> Int[Tensor, "batch time"]:
    """Rank of each label among the vocabulary, 1..V; 1 is the most probable token.

    Equals ``1 + (logits > logits[label]).sum(-1)``, so labels that tie share the better rank.
    """
    own = logits.gather(-1, labels.unsqueeze(-1))
    return 1 + (logits > own).sum(-1)


@torch.no_grad()
def per_response(
    lm: LoadedModel,
    encodings: Sequence[Encoding],
    measure: Callable[[Tensor, Tensor], Tensor],
    token_budget: int = TOKEN_BUDGET,
    progress: Progress | None = None,
) -> list[Tensor]:
    """A measure (logits, labels) -> (batch, time, ...) of every response: one CPU tensor (T_i, ...) each."""
    results: list[Tensor] = [torch.empty(0)] * len(encodings)
    head = output_head(lm.model)
    done = 0
    for group in batches_by_length([len(e) for e in encodings], token_budget):
        batch = collate([encodings[i] for i in group], lm.pad_id, lm.device)
        measured = measure(head(response_hidden(lm.model, batch)), batch.labels).cpu()
        for row, index in enumerate(group):
            results[index] = measured[row, : encodings[index].response_length].clone()
        done += len(group)
        if progress:
            progress(done, len(encodings))
    return results


def response_nll(
    lm: LoadedModel,
    encodings: Sequence[Encoding],
    *,
    token_budget: int = TOKEN_BUDGET,
    progress: Progress | None = None,
) -> list[Float[Tensor, " time"]]:
    """Token NLL l_t of every response token, in nats: one CPU float32 tensor (T_i,) per encoding."""
    return per_response(lm, encodings, token_nll, token_budget, progress)


def response_nll_and_rank(
    lm: LoadedModel,
    encodings: Sequence[Encoding],
    *,
    progress: Progress | None = None,
) -> list[tuple[Float[Tensor, " time"], Int[Tensor, " time"]]]:
    """Token NLL, in nats, and rank of every response token: two CPU tensors (T_i,) per encoding."""

    def both(logits: Tensor, labels: Tensor) -> Tensor:
        return torch.stack([token_nll(logits, labels).double(), token_rank(logits, labels).double()], dim=-1)

    measured = per_response(lm, encodings, both, progress=progress)
    return [(m[:, 0].float(), m[:, 1].long()) for m in measured]
