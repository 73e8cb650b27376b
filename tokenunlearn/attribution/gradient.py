"""Gradient attribution: how strongly each response token, as input, moves the model's view of the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.encoding import Batch, Encoding, batches_by_length, collate
from tokenunlearn.models.forward import Progress, output_head, per_token, response_hidden, token_nll
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.token_budget import training_tokens

Method = Literal["norm", "input"]
Target = Literal["nll", "logit"]


def gradient_attribution(
    lm: LoadedModel,
    encodings: Sequence[Encoding],
    *,
    method: Method = "norm",
    target: Target = "nll",
    token_budget: int | None = None,
    progress: Progress | None = None,
) -> list[Float[np.ndarray, " time"]]:
    """Gradient score of every response token, at least 0: one float32 array (T_i,) per encoding.

    With e_t the input embedding of response token y_t, as the embedding layer gives it, and F the target of
    the whole answer, the score is ``||dF/de_t||`` ("norm") or ``|dF/de_t . e_t|`` ("input").

    A token's score says what it does as context for the tokens after it, not how it is predicted itself. The
    last response token, the end of turn, is context for nothing and scores exactly 0; the first of a long
    answer has the most tokens to act on. In text that the model recites, the NLL is near 0 and so is its
    gradient; the logit target does not vanish there.

    One forward and one backward pass a batch; the model's weights receive no gradients and keep their
    ``requires_grad``.

    Args:
        lm: The model, in eval mode.
        encodings: The samples.
        method: "norm": L2 norm of the gradient, in units of the target per unit of embedding length; "input":
            absolute value of gradient times input, in units of the target.
        target: "nll": mean NLL of the response, in nats; "logit": sum over the response of the true token's
            logit minus the mean logit of its position.
        token_budget: Most tokens in one pass, padding included; by default what suits the device.
        progress: Called with samples done and samples in all.

    Raises:
        TokenUnlearnError: If the method or the target is unknown.

    Source: saliency and gradient times input, arXiv 1312.6034 and 1605.01713. That they score tokens to
    forget, the choice of targets and the sign being dropped are this project's own.
    """
    for name, value, allowed in (("method", method, Method), ("target", target, Target)):
        if value not in get_args(allowed):
            raise TokenUnlearnError(f'{name} is "{value}"; it must be one of {", ".join(get_args(allowed))}.')
    scores: list[Float[np.ndarray, " time"]] = [np.empty(0, np.float32)] * len(encodings)
    budget = training_tokens(lm) if token_budget is None else token_budget
    done = 0
    with _frozen(lm.model), torch.enable_grad():
        for group in batches_by_length([len(e) for e in encodings], budget):
            batch = collate([encodings[i] for i in group], lm.pad_id, lm.device)
            embeddings = lm.model.get_input_embeddings()(batch.input_ids).detach().requires_grad_()
            (gradient,) = torch.autograd.grad(_target(lm, batch, embeddings, target), embeddings)
            measured = _reduce(gradient.detach(), embeddings.detach(), method).float().cpu().numpy()  # (B, L)
            for row, index in enumerate(group):
                e = encodings[index]
                scores[index] = measured[row, e.prompt_length : len(e)].copy()
            done += len(group)
            if progress:
                progress(done, len(encodings))
    return scores


def _target(
    lm: LoadedModel, batch: Batch, embeddings: Float[Tensor, "batch length dim"], target: Target
) -> Float[Tensor, ""]:
    """The targets of all answers of a batch, added up: no row's embeddings reach another row's target."""
    hidden = response_hidden(lm.model, batch, inputs_embeds=embeddings)  # (B, T, d)
    measure = token_nll if target == "nll" else _centered_logit
    values = per_token(measure, output_head(lm.model), hidden[batch.mask], batch.labels[batch.mask])  # (N,)
    if target == "logit":
        return values.sum()
    lengths = batch.mask.sum(-1, keepdim=True).expand_as(batch.mask)  # (B, T)
    return (values / lengths[batch.mask]).sum()


def _centered_logit(
    logits: Float[Tensor, "rows vocab"], labels: Int[Tensor, " rows"]
) -> Float[Tensor, " rows"]:
    """Each label's logit minus the mean logit of its row."""
    own = logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return own - logits.mean(-1)


def _reduce(
    gradient: Float[Tensor, "batch length dim"], embeddings: Float[Tensor, "batch length dim"], method: Method
) -> Float[Tensor, "batch length"]:
    """One number a token, in float32 or wider."""
    gradient = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
    if method == "norm":
        return gradient.norm(dim=-1)
    return (gradient * embeddings).sum(-1).abs()


@contextmanager
def _frozen(model: torch.nn.Module) -> Iterator[None]:
    """The model with no weight that asks for gradients; restored on leaving."""
    trained = [p for p in model.parameters() if p.requires_grad]
    try:
        for p in trained:
            p.requires_grad_(False)
        yield
    finally:
        for p in trained:
            p.requires_grad_(True)
