"""Fine-tuning on responses: what a token counts, and in which order samples come."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import TrainingArguments

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.models.encoding import collate
from tokenunlearn.models.forward import response_nll
from tokenunlearn.training.finetune import ResponseTrainer, finetune
from tokenunlearn.training.finetune_settings import FinetuneSettings

SAMPLES = [
    Sample(str(i), "Where was Ada born?", answer)
    for i, answer in enumerate(("Lisbon.", "Ada Miller was born in Lisbon, the old harbour town.", "Turin."))
]


def loss_of(lm, encodings, tmp_path, *, sample_mean: bool) -> float:
    arguments = TrainingArguments(str(tmp_path), use_cpu=True, remove_unused_columns=False)
    trainer = ResponseTrainer(model=copy.deepcopy(lm.model).train(), args=arguments)
    trainer.sample_mean = sample_mean
    batch = collate(encodings, lm.pad_id)
    inputs = {name: getattr(batch, name) for name in batch.FIELDS}
    loss = trainer.compute_loss(trainer.model, inputs)
    loss.backward()
    return loss.item()


def test_the_loss_is_the_mean_over_tokens_or_over_samples(tiny_lm, tmp_path):
    encodings = tiny_lm.encode_all(SAMPLES)
    nll = [x.double() for x in response_nll(tiny_lm, encodings)]
    lengths = {len(x) for x in nll}
    assert len(lengths) > 1
    of_tokens, of_samples = (loss_of(tiny_lm, encodings, tmp_path, sample_mean=x) for x in (False, True))
    assert of_tokens == pytest.approx(torch.cat(nll).mean().item(), abs=1e-5)
    assert of_samples == pytest.approx(sum(x.mean().item() for x in nll) / 3, abs=1e-5)
    assert abs(of_tokens - of_samples) > 1e-3


def test_in_order_samples_are_asked_for_one_after_the_other_and_only_when_needed(tiny_lm):
    encodings, asked = tiny_lm.encode_all(SAMPLES) * 2, []

    class Watched(list):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    config = FinetuneSettings(epochs=1, batch_size=2, learning_rate=0.0, in_order=True, seed=3)
    finetune(tiny_lm.model, Watched(encodings), tiny_lm.pad_id, config)
    assert asked == [0, 1, 2, 3, 4, 5]
