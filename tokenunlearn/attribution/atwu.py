"""ATWU's token scorer: a linear probe on final hidden states, learned without token labels, model frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.encoding import Encoding, batches_by_length, collate
from tokenunlearn.models.forward import (
    TOKEN_BUDGET,
    Progress,
    final_hidden,
    output_head,
    per_token,
    token_nll,
)
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.settings import Settings, setting

Conflict = Literal["score", "nll"]
Position = Literal["predictor", "token"]


@dataclass(frozen=True)
class AtwuSettings(Settings):
    """Parameters that control how the scorer is learned.

    Source: arXiv 2606.06320 by a secondary source, and the settings of its authors' code; ``retain_strength``
    and ``conflict`` are this project's reading for a frozen model.
    """

    beta: float = setting(5.0, "Power of the saturation exp(-g * NLL).", minimum=0)
    budget: float = setting(0.2, "Share of a response's tokens to select, 0..1.", minimum=0, maximum=1)
    forget_strength: float = setting(1.0, "Strength of the forget term.", minimum=0)
    entropy_strength: float = setting(1.0, "Strength of the entropy of the scores.", minimum=0)
    budget_strength: float = setting(10.0, "Strength of the budget term.", minimum=0)
    l2_strength: float = setting(1.0, "Strength of the L2 penalty on weights and bias.", minimum=0)
    retain_strength: float = setting(
        1.0, "Strength of the retain conflict; 0 is the authors' scorer loss.", minimum=0
    )
    conflict: Conflict = setting(
        "score", "score: mean score of retained tokens; nll: mean of their score times NLL."
    )
    learning_rate: float = setting(0.05, "Initial learning rate, decayed linearly to 0.", minimum=0)
    momentum: float = setting(0.9, "Momentum of gradient descent.", minimum=0)
    clip: float = setting(1.0, "Maximum gradient norm.", minimum=0)


@dataclass(frozen=True)
class AtwuScorer:
    """The score ``g_t = sigmoid(w . h_t + b)`` of a token with hidden state h_t.

    Attributes:
        weight: (d,) w.
        bias: Scalar b.
    """

    weight: Float[Tensor, " dim"]
    bias: Float[Tensor, ""]

    @classmethod
    def zero(cls, hidden: Float[Tensor, "*batch dim"]) -> AtwuScorer:
        """The start, which gives every token 0.5, in the dtype (float32 or wider) of some hidden states."""
        dtype = torch.promote_types(hidden.dtype, torch.float32)
        return cls(hidden.new_zeros(hidden.shape[-1], dtype=dtype), hidden.new_zeros((), dtype=dtype))

    def logits(self, hidden: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """Log-odds of the scores; above 0 a token is selected."""
        return hidden.to(self.weight) @ self.weight + self.bias

    def scores(self, hidden: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """Scores of tokens by their hidden states, 0..1; above 0.5 a token is selected."""
        return self.logits(hidden).sigmoid()


class AtwuTerms(NamedTuple):
    """Terms of the scorer's loss, each a scalar before its strength.

    Attributes:
        forget: Mean over forget tokens of ``g * nll * sg(exp(-g * nll))^beta``, at least 0; enters with a
            minus, so scores rise where forgetting has most to gain. sg stops the gradient.
        entropy: Mean binary entropy of the forget tokens' scores, in nats, 0..log 2.
        budget: Mean over forget responses of (selected share - budget)^2, 0..1. Selected is g > 0.5, with the
            gradient of g (straight through).
        l2: Squared norm of weight and bias.
        retain: Mean over retained tokens of g, or of ``g * nll``, at least 0.
    """

    forget: Float[Tensor, ""]
    entropy: Float[Tensor, ""]
    budget: Float[Tensor, ""]
    l2: Float[Tensor, ""]
    retain: Float[Tensor, ""]

    def loss(self, settings: AtwuSettings) -> Float[Tensor, ""]:
        """The terms added up with their strengths."""
        return (
            -settings.forget_strength * self.forget
            + settings.entropy_strength * self.entropy
            + settings.budget_strength * self.budget
            + settings.l2_strength * self.l2
            + settings.retain_strength * self.retain
        )


def atwu_terms(
    scorer: AtwuScorer,
    forget_hidden: Float[Tensor, "forget dim"],
    forget_nll: Float[Tensor, " forget"],
    retain_hidden: Float[Tensor, "retain dim"],
    retain_nll: Float[Tensor, " retain"],
    lengths: Sequence[int],
    settings: AtwuSettings,
) -> AtwuTerms:
    """Terms of the scorer's loss; gradients reach only the scorer.

    Args:
        scorer: The scorer.
        forget_hidden: (N, d) hidden states of the forget tokens, response after response.
        forget_nll: (N,) their NLL in nats.
        retain_hidden: (M, d) hidden states of the retained tokens; M may be 0.
        retain_nll: (M,) their NLL in nats; read by the conflict "nll" alone.
        lengths: Number of tokens of each forget response; they add up to N.
        settings: beta, budget and conflict are read here.
    """
    z = scorer.logits(forget_hidden)  # (N,)
    g = z.sigmoid()
    weighted = g * forget_nll
    forget = (weighted * (-settings.beta * weighted.detach()).exp()).mean()
    entropy = -(g * logsigmoid(z) + (1 - g) * logsigmoid(-z)).mean()
    selected = (z > 0).to(g) + g - g.detach()
    counts = torch.tensor(lengths, device=z.device)
    response = torch.arange(len(lengths), device=z.device).repeat_interleave(counts)  # (N,)
    shares = g.new_zeros(len(lengths)).index_add(0, response, selected) / counts
    budget = (shares - settings.budget).square().mean()
    l2 = scorer.weight.square().sum() + scorer.bias.square()
    if len(retain_hidden):
        retained = scorer.scores(retain_hidden)
        retain = (retained * retain_nll if settings.conflict == "nll" else retained).mean()
    else:
        retain = torch.zeros_like(l2)
    return AtwuTerms(forget, entropy, budget, l2, retain)


def fit_atwu(
    forget_hidden: Float[Tensor, "forget dim"],
    forget_nll: Float[Tensor, " forget"],
    retain_hidden: Float[Tensor, "retain dim"],
    retain_nll: Float[Tensor, " retain"],
    *,
    steps: int = 200,
    lengths: Sequence[int] | None = None,
    settings: AtwuSettings = AtwuSettings(),
) -> AtwuScorer:
    """Learn a scorer from the hidden states and NLLs of a frozen model: no labels, no seed.

    Published: a linear scorer with zero start; minus the forget term, plus the entropy of the scores, the
    squared distance of the selected share from a budget, and the squared norm; SGD with momentum. From the
    authors' code: strengths 1, 10 and 1, the share of each response counted by scores above 0.5, straight
    through, the gradient clipped at norm 1, the learning rate falling to 0. Their weight decay of 1e-4 is
    left out: the squared norm is there already.

    This project's reading: the published scorer takes turns with the model, one step every five of the
    model's. In the authors' code its loss names no retained token; the retain conflict reaches it through the
    model, whose retain loss holds down the NLL of what forget and retained answers share. A frozen model has
    no such conflict, so it becomes a term: the mean score of the retained tokens, which lowers the score of
    hidden states like theirs. All tokens enter every step.

    Args:
        forget_hidden: (N, d) hidden states of the forget tokens, response after response.
        forget_nll: (N,) their NLL in nats. Where it is near 0, as in text the model recites, the forget term
            gives no direction and budget and retain conflict decide.
        retain_hidden: (M, d) hidden states of the retained tokens.
        retain_nll: (M,) their NLL in nats.
        steps: Steps of the scorer; 0 leaves the zero start.
        lengths: Number of tokens of each forget response; by default all are one response.
        settings: What else controls the loss and its descent.

    Raises:
        TokenUnlearnError: If there are no forget tokens, no retained tokens though the conflict counts, or
            shapes that do not fit.

    Source: ATWU, arXiv 2606.06320, by a secondary source and the authors' code (ScorerTrainerSBGradDiff in
    giorgosnikolaou/open-unlearning); the retain conflict of a frozen model is this project's.
    """
    lengths = [len(forget_nll)] if lengths is None else list(lengths)
    _check(forget_hidden, forget_nll, retain_hidden, retain_nll, lengths, steps, settings)
    start = AtwuScorer.zero(forget_hidden)
    weight, bias = start.weight.requires_grad_(), start.bias.requires_grad_()
    tokens = (x.detach().to(weight) for x in (forget_hidden, forget_nll, retain_hidden, retain_nll))
    forget_hidden, forget_nll, retain_hidden, retain_nll = tokens
    descent = torch.optim.SGD([weight, bias], lr=settings.learning_rate, momentum=settings.momentum)
    with torch.enable_grad():
        for step in range(steps):
            descent.param_groups[0]["lr"] = settings.learning_rate * (1 - step / steps)
            terms = atwu_terms(
                AtwuScorer(weight, bias),
                forget_hidden,
                forget_nll,
                retain_hidden,
                retain_nll,
                lengths,
                settings,
            )
            descent.zero_grad()
            terms.loss(settings).backward()
            torch.nn.utils.clip_grad_norm_([weight, bias], settings.clip)
            descent.step()
    return AtwuScorer(weight.detach(), bias.detach())


def _check(
    forget_hidden: Tensor,
    forget_nll: Tensor,
    retain_hidden: Tensor,
    retain_nll: Tensor,
    lengths: list[int],
    steps: int,
    settings: AtwuSettings,
) -> None:
    """Refuse tokens that no scorer can be learned from."""
    if not len(forget_nll):
        raise TokenUnlearnError("There are no forget tokens to learn a scorer from.")
    if not len(retain_nll) and settings.retain_strength:
        raise TokenUnlearnError("There are no retained tokens; add some or set retain_strength to 0.")
    for name, hidden, nll in (("forget", forget_hidden, forget_nll), ("retain", retain_hidden, retain_nll)):
        if hidden.shape != (len(nll), forget_hidden.shape[-1]):
            raise TokenUnlearnError(
                f"{name}_hidden has shape {tuple(hidden.shape)}; "
                f"expected {(len(nll), forget_hidden.shape[-1])} for {len(nll)} NLLs."
            )
    if sum(lengths) != len(forget_nll) or min(lengths) < 1:
        raise TokenUnlearnError(
            f"lengths add up to {sum(lengths)}; expected {len(forget_nll)}, each above 0."
        )
    if steps < 0:
        raise TokenUnlearnError(f"steps is {steps}; it must be at least 0.")


def atwu_scores(
    lm: LoadedModel,
    encodings: Sequence[Encoding],
    retain_encodings: Sequence[Encoding],
    *,
    position: Position = "predictor",
    steps: int = 200,
    settings: AtwuSettings = AtwuSettings(),
    token_budget: int = TOKEN_BUDGET,
    progress: Progress | None = None,
) -> list[Float[np.ndarray, " time"]]:
    """ATWU score of every response token, 0..1: one float32 array (T_i,) per encoding.

    The scorer is learned on the response tokens of both sets, as in :func:`fit_atwu`. Their final hidden
    states are held in float32: tokens x hidden size x 4 bytes.

    Args:
        lm: The model before unlearning.
        encodings: The samples to forget; the scorer is learned on them and scores them.
        retain_encodings: Samples to retain; only the scorer's loss reads them.
        position: Whose hidden state stands for a token: "predictor", the position before it, which predicts
            it; "token", its own, as in the authors' code, where a remark leaves the choice open.
        steps: Steps of the scorer.
        settings: What else controls the scorer.
        token_budget: Most tokens in one forward pass, padding included.
        progress: Called with samples done and samples in all, of both sets.

    Raises:
        TokenUnlearnError: If there are no samples to forget, none to retain, or the position is unknown.
    """
    if position not in get_args(Position):
        allowed = ", ".join(get_args(Position))
        raise TokenUnlearnError(f'position is "{position}"; it must be one of {allowed}.')
    everything = [*encodings, *retain_encodings]
    measured = _hidden_and_nll(lm, everything, position, token_budget, progress)
    forget, retain = measured[: len(encodings)], measured[len(encodings) :]
    lengths = [len(nll) for _, nll in forget]
    if not forget:
        raise TokenUnlearnError("There are no samples to score.")
    width = forget[0][0].shape[-1]
    nothing = (torch.empty(0, width), torch.empty(0))
    retain_hidden, retain_nll = map(torch.cat, zip(*(retain or [nothing]), strict=True))
    forget_hidden, forget_nll = map(torch.cat, zip(*forget, strict=True))
    scorer = fit_atwu(
        forget_hidden, forget_nll, retain_hidden, retain_nll, steps=steps, lengths=lengths, settings=settings
    )
    return [scores.float().numpy() for scores in scorer.scores(forget_hidden).split(lengths)]


@torch.no_grad()
def _hidden_and_nll(
    lm: LoadedModel,
    encodings: Sequence[Encoding],
    position: Position,
    token_budget: int,
    progress: Progress | None,
) -> list[tuple[Float[Tensor, "time dim"], Float[Tensor, " time"]]]:
    """Final hidden state and NLL of every response token, on the CPU in float32 or wider."""
    measured: list[tuple[Tensor, Tensor]] = [(torch.empty(0), torch.empty(0))] * len(encodings)
    head = output_head(lm.model)
    done = 0
    for group in batches_by_length([len(e) for e in encodings], token_budget):
        batch = collate([encodings[i] for i in group], lm.pad_id, lm.device)
        states = final_hidden(lm.model, {"input_ids": batch.input_ids}, batch.attention_mask)  # (B, L, d)
        row, _ = batch.mask.nonzero(as_tuple=True)  # (N,), response after response
        predictor = batch.predictors[batch.mask]  # (N,)
        hidden = states[row, predictor]  # (N, d)
        nll = per_token(token_nll, head, hidden, batch.labels[batch.mask]).cpu()
        if position == "token":
            hidden = states[row, predictor + 1]
        hidden = hidden.to("cpu", torch.promote_types(hidden.dtype, torch.float32))
        lengths = [encodings[i].response_length for i in group]
        for index, *pair in zip(group, hidden.split(lengths), nll.split(lengths), strict=True):
            measured[index] = (pair[0], pair[1])
        done += len(group)
        if progress:
            progress(done, len(encodings))
    return measured
