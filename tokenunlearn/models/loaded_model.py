"""A loaded model with its tokenizer: how it encodes samples, and how it is copied."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.models.devices import input_device
from tokenunlearn.models.documents import chunk_documents, encode_document
from tokenunlearn.models.encoding import Encoding, encode, end_of_turn_id
from tokenunlearn.models.quantization import quantized_layers
from tokenunlearn.models.templates import ChatFormat

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
        template_kwargs: Variables of the chat template; thinking is off unless they switch it on.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    revision: str
    system_prompt: str | None = None
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def chat(self) -> ChatFormat:
        """How conversations with the model are written."""
        return ChatFormat(self.tokenizer, self.system_prompt, self.template_kwargs)

    @property
    def device(self) -> torch.device:
        """Where inputs go: the device of the embeddings, since layers may be spread over several."""
        return input_device(self.model)

    @property
    def pad_id(self) -> int:
        """Id that fills padding; its value never matters."""
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self.end_of_turn_id)

    @property
    def end_of_turn_id(self) -> int:
        """Id of the token that closes a response."""
        return end_of_turn_id(self.chat)

    @property
    def context_length(self) -> int | None:
        """Most positions the model can read, or None when its configuration names no limit."""
        config = self.model.config.get_text_config()
        names = ("max_position_embeddings", "max_seq_len")  # the latter in MPT
        return next((limit for name in names if (limit := getattr(config, name, None)) and limit > 0), None)

    @cached_property
    def ignores_mask(self) -> bool:
        """Whether the attention mask has no effect, as in RWKV.

        Positions can then not be hidden, and prompts not be padded in front.
        """
        from tokenunlearn.models.forward import ignores_mask

        return ignores_mask(self.model)

    @property
    def parameters(self) -> int:
        """Number of parameters, of which quantized weights may pack several into one number."""
        return int(self.model.num_parameters())

    def encode(self, sample: Sample, *, question: str | None = None, answer: str | None = None) -> Encoding:
        """Encode a sample, or its question or answer replaced by another text."""
        if sample.document:
            text = sample.answer if answer is None else answer
            return encode_document(self.tokenizer, sample.id, text, max_length=self.context_length)
        return encode(
            self.chat,
            sample.id,
            sample.question if question is None else question,
            sample.answer if answer is None else answer,
            history=sample.history,
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

        memo: dict[int, torch.Tensor | torch.nn.Module] = {}
        if share_weights:
            # Parameters of its own over the same storage, so that freezing the copy freezes no one else.
            memo = {id(b): b for b in self.model.buffers()}
            memo |= {id(p): torch.nn.Parameter(p.detach(), p.requires_grad) for p in self.model.parameters()}
            memo |= {id(layer): layer for layer in quantized_layers(self.model)}  # never trained
        return replace(self, model=copy.deepcopy(self.model, memo))
