"""The total loss of a part of a step: ``gamma * L_f + lambda * L_r`` over one forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import PreTrainedModel

from tokenunlearn.models.encoding import Batch
from tokenunlearn.models.forward import output_head, per_token, response_hidden, token_nll
from tokenunlearn.models.layers import layer_states
from tokenunlearn.objectives import (
    ForgetStep,
    Objective,
    Refusals,
    RetainStep,
    make_objective,
    make_regularizer,
    make_weighting,
)
from tokenunlearn.objectives.regularizers import kl_tokens
from tokenunlearn.training.applied_weights import AppliedWeights
from tokenunlearn.training.references import References
from tokenunlearn.training.settings import UnlearnSettings


def frame_weights(
    weights: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"]
) -> Float[Tensor, "batch time"]:
    """How far each response token belongs to the frame: 1 where it is not selected, 0 from weight 1 on."""
    return (1.0 - weights).clamp_min(0.0) * mask


def below_level(
    nll: Float[Tensor, "batch time"],
    weights: Float[Tensor, "batch time"],
    level: float | None,
    base_nll: Float[Tensor, "batch time"] | None,
) -> Bool[Tensor, "batch time"]:
    """Which tokens are still to be forgotten; a limit of None leaves none out.

    Args:
        nll: Token NLL, in nats.
        weights: Token weights.
        level: Weighted mean NLL of a sample, in nats, from which on none of its tokens is forgotten further.
        base_nll: NLL from which on a token is left alone.
    """
    below = torch.ones_like(nll, dtype=torch.bool)
    if level is not None:
        mean = (nll * weights).sum(-1, keepdim=True) / weights.sum(-1, keepdim=True).clamp_min(1e-12)
        below = below & (mean < level)
    return below if base_nll is None else below & (nll < base_nll)


class StepLoss(torch.nn.Module):
    """The model together with the loss it is trained on, so that every pass goes through one module.

    That is what data parallelism wraps. The losses of a step's parts add up to the loss of the whole step:
    each part's is scaled by its share of the rows or of the weight that the loss is a mean over. The one
    exception is the second term of TPO, whose mean over the unselected tokens is taken in each part.

    Attributes:
        model: The model to train.
        lambda_: Strength of the retain loss now.
        pull: Strength now of what takes tokens that are past their level back to it: their share of the
            weighted mean NLL of all forget tokens, a part of the forget loss.
        fading: Share now of its beta at which a forget loss that fades does so.
        applied: Receives the weights of each pass, where they are made in the step.
    """

    def __init__(self, model: PreTrainedModel, config: UnlearnSettings, references: References) -> None:
        super().__init__()
        self.model, self.settings, self.references = model, config, references
        self.objective: Objective = make_objective(config.objective, config.parameters)
        self.weighting = make_weighting(config.weighting, config.weighting_parameters)
        self.regularizer = make_regularizer(config.regularizer) if config.needs_retain else None
        self.lambda_, self.pull, self.fading = config.lambda_, 0.0, 1.0
        self.applied: AppliedWeights | None = None
        self._layer = config.layer if config.needs_states else None
        self._no_split_modules = model._no_split_modules  # what FSDP wraps by itself

    def forward(self, inputs: Mapping[str, Tensor]) -> tuple[Float[Tensor, ""], Float[Tensor, " 6"]]:
        """The part's contribution to the total loss, and what a step's record is summed up from.

        Detached: forget, retain and frame loss, weighted sum of the forget tokens' NLL, sum of weights, and
        weighted sum of their levels of their own.
        """
        batch = Batch(**{name: inputs[name] for name in Batch.FIELDS})
        with layer_states(self.model, self._layer, batch) as collected:
            hidden = response_hidden(self.model, batch)  # (B, T, d)
        states = collected[0] if collected else None
        forget, frame, tokens = self._forget_loss(inputs, batch, hidden, states)
        retain = torch.zeros_like(forget)
        loss = self.settings.gamma * forget + self.settings.frame * frame
        if self.regularizer is not None:
            retain = self._retain_loss(inputs, batch, hidden, states)
            loss = loss + self.lambda_ * retain
        return loss, torch.cat([torch.stack([forget, retain, frame]), tokens]).detach()

    def _forget_loss(
        self, inputs: Mapping[str, Tensor], batch: Batch, hidden: Tensor, states: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The part's shares of forget and frame loss; weighted NLL, weight and level of its forget tokens."""
        n = len(inputs["weights"])  # forget rows; their refusals are the next n
        head, references = output_head(self.model), self.references
        refusals = None
        if "refusals.ref_nll" in inputs:
            rows, mask = slice(n, 2 * n), batch.mask[n : 2 * n]
            nll = per_token(token_nll, head, hidden[rows][mask], batch.labels[rows][mask])
            spread = nll.new_zeros(mask.shape).masked_scatter(mask, nll)
            refusals = Refusals(batch.labels[rows], spread, inputs["refusals.ref_nll"], mask)
        control = references.control
        step = ForgetStep(
            hidden[:n],
            batch.labels[:n],
            batch.mask[:n],
            inputs["weights"],
            head=head,
            ref_nll=inputs.get("forget.ref_nll"),
            ref_hidden=inputs.get("forget.ref_hidden"),
            ref_head=references.head,
            base_nll=inputs.get("forget.base_nll"),
            states=None if states is None else states[:n],
            control=None if control is None else control.to(hidden.device),
            refusals=refusals,
            alternatives=inputs.get("forget.alternatives"),
        )
        step.weights = self.weighting.weights(step, published_scale=self.settings.published_scale)
        if self.applied is not None:
            self.applied.add(inputs["samples"], step.weights)
        weights, nll = step.weights, step.nll.detach()
        base_nll = step.base_nll if self.settings.base_level else None
        below = below_level(nll, weights, self.settings.level, base_nll)
        step.weights = weights * below
        rows_in_all, weight_in_all, _, frame_in_all = inputs["totals"].unbind()
        share = step.weights.sum() / weight_in_all if self.objective.token_mean else n / rows_in_all
        loss = self._fading_objective().loss(step) * share
        if self.pull:
            loss = loss + self.pull * (step.nll * weights * ~below).sum() / weight_in_all
        frame = torch.zeros_like(loss)
        if self.settings.frame:
            kl = step.against_reference(lambda z, ref, _: kl_tokens(z, ref))
            frame = (kl * frame_weights(weights, step.mask)).sum() / frame_in_all
        level = nll.new_tensor(0.0) if base_nll is None else (base_nll * weights).sum()
        return loss, frame, torch.stack([(nll * weights).sum(), weights.sum(), level])

    def _fading_objective(self) -> Objective:
        """The objective with the share of its beta that is left."""
        if self.fading == 1:
            return self.objective
        parameters = asdict(self.objective)
        return make_objective(
            self.settings.objective, parameters | {"beta": self.fading * parameters["beta"]}
        )

    def _retain_loss(
        self, inputs: Mapping[str, Tensor], batch: Batch, hidden: Tensor, states: Tensor | None
    ) -> Tensor:
        """The part's share of the retain loss."""
        assert self.regularizer is not None
        rows = slice(len(inputs["weights"]) * (2 if "refusals.ref_nll" in inputs else 1), None)
        step = RetainStep(
            hidden[rows],
            batch.labels[rows],
            batch.mask[rows],
            head=output_head(self.model),
            ref_hidden=inputs.get("retain.ref_hidden"),
            ref_head=self.references.head,
            states=None if states is None else states[rows],
            ref_states=inputs.get("retain.ref_states"),
        )
        return self.regularizer.loss(step) * (step.mask.sum() / inputs["totals"][2])
