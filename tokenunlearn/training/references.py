"""What the start model said before anything changed; it replaces a second copy of the weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from tokenunlearn.attribution.alternatives import alternatives
from tokenunlearn.models.encoding import Encoding, batches_by_length, collate
from tokenunlearn.models.forward import (
    TOKEN_BUDGET,
    OutputHead,
    output_head,
    per_token,
    response_hidden,
    response_nll,
    token_nll,
)
from tokenunlearn.models.layers import layer_states
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_base_model
from tokenunlearn.training.settings import UnlearnSettings

Phase = Callable[[str, int, int], None]
Rows = Mapping[str, Mapping[int, Tensor]]


@dataclass(frozen=True)
class References:
    """Stored values by name, each by the index of its sample; only what the run reads is there.

    Attributes:
        forget: ``ref_nll`` (T_i,), ``ref_hidden`` (T_i, d), ``base_nll`` (T_i,) and the ids
            ``alternatives`` (T_i,) of forget samples.
        refusals: ``ref_nll`` (R_i,) of each forget sample's refusal.
        retain: ``ref_hidden`` (T_i, d) and ``ref_states`` (T_i, d) of the retained samples that some step
            reads.
        head: The reference's map from final hidden states to logits.
        control: (d,) a fixed random direction of the states' mean norm; None where no layer is steered.
    """

    forget: Rows
    refusals: Rows
    retain: Rows
    head: OutputHead
    control: Float[Tensor, " dim"] | None = None

    def detached(self) -> References:
        """The same with a head of its own, which stays as it is when the model's is trained."""
        return replace(self, head=copy.deepcopy(self.head).requires_grad_(False))

    @classmethod
    def measure(
        cls,
        lm: LoadedModel,
        config: UnlearnSettings,
        forget: Sequence[Encoding],
        refusals: Sequence[Encoding],
        retain: Mapping[int, Encoding],
        on_phase: Phase,
    ) -> References:
        """Run the reference once over what the steps will read.

        Args:
            lm: The start model.
            config: The resolved configuration.
            forget: The forget set.
            refusals: One for each forget sample, or none.
            retain: The retained samples that some step reads, by index.
            on_phase: Called after every pass with "reference", samples done and samples in all.
        """
        needs, retain_needs = config.forget_needs, config.retain_needs
        names = {"ref_nll": "ref_nll", "ref_logits": "ref_hidden", "states": "ref_states"}
        jobs = (
            (dict(enumerate(forget)), {names[n] for n in needs if n in names}),
            (dict(enumerate(refusals)), {"ref_nll"}),
            (retain, {names[n] for n in retain_needs if n == "ref_logits"} | (retain_needs & {"ref_states"})),
        )
        total = sum(len(rows) for rows, wanted in jobs if wanted)
        done = 0
        measured: list[dict[str, dict[int, Tensor]]] = []
        for rows, wanted in jobs:
            measured.append({name: {} for name in wanted})
            for group in _groups(rows) if wanted else ():
                with torch.autocast(lm.device.type, torch.bfloat16, enabled=bool(config.bf16)):
                    values = _measured(lm, [rows[i] for i in group], wanted, config.layer)
                for name in wanted:
                    measured[-1][name].update(zip(group, values[name], strict=True))
                done += len(group)
                on_phase("reference", done, total)
        on_forget, on_refusals, on_retain = measured
        states = on_forget.pop("ref_states", None)
        progress = partial(on_phase, "reference")
        if "alternatives" in needs:
            on_forget["alternatives"] = dict(enumerate(alternatives(lm, forget, progress=progress)))
        if "base_nll" in needs:
            base = load_base_model(lm, config.base_model or "auto")
            nll = response_nll(base, forget, progress=progress)
            on_forget["base_nll"] = dict(enumerate(nll))
        control = None if states is None else _control(list(states.values()), config.seed)
        return cls(on_forget, on_refusals, on_retain, output_head(lm.model), control)


def _groups(rows: Mapping[int, Encoding]) -> list[list[int]]:
    """Indices of similar length that fit one pass."""
    indices = list(rows)
    groups = batches_by_length([len(rows[i]) for i in indices], TOKEN_BUDGET)
    return [[indices[g] for g in group] for group in groups]


@torch.no_grad()
def _measured(
    lm: LoadedModel, rows: Sequence[Encoding], wanted: set[str], layer: int | None
) -> dict[str, list[Tensor]]:
    """The wanted values of each row, on the CPU, as long as its response."""
    batch = collate(rows, lm.pad_id, lm.device)
    with layer_states(lm.model, layer if "ref_states" in wanted else None, batch) as states:
        hidden = response_hidden(lm.model, batch)
    outputs = {"ref_hidden": hidden}
    if states:
        outputs["ref_states"] = states[0]
    if "ref_nll" in wanted:
        nll = per_token(token_nll, output_head(lm.model), hidden[batch.mask], batch.labels[batch.mask])
        outputs["ref_nll"] = nll.new_zeros(batch.mask.shape).masked_scatter(batch.mask, nll)
    return {
        name: [values[i, : row.response_length].cpu().clone() for i, row in enumerate(rows)]
        for name, values in outputs.items()
        if name in wanted
    }


def _control(states: Sequence[Tensor], seed: int) -> Float[Tensor, " dim"]:
    """A direction drawn once from [0, 1)^d, as long as the states are on average."""
    norm = torch.cat([s.float().norm(dim=-1) for s in states]).mean()
    direction = torch.rand(states[0].shape[-1], generator=torch.Generator().manual_seed(seed))
    return direction / direction.norm() * norm
