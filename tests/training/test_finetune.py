"""Fine-tuning on responses: what a token counts, and in which order samples come."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import TrainerCallback, TrainingArguments

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.encoding import collate
from tokenunlearn.models.forward import response_nll
from tokenunlearn.training.finetune import ResponseTrainer, StepWatch, finetune, finetune_model
from tokenunlearn.training.finetune_settings import FinetuneSettings, RetrainSettings

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


@pytest.mark.parametrize("train", ["full", "lora"])
def test_a_trained_model_knows_its_samples_better_and_has_no_adapter_left(tiny_lm, train):
    lm = tiny_lm.copy(share_weights=False)
    before = response_nll(lm, lm.encode_all(SAMPLES))
    drawn = torch.random.get_rng_state()
    settings = RetrainSettings(epochs=8, learning_rate=5e-3, train=train, seed=3)
    finetune_model(lm, SAMPLES, settings)
    after = response_nll(lm, lm.encode_all(SAMPLES))
    assert all(a.mean() < b.mean() for a, b in zip(after, before, strict=True))
    assert lm.model.state_dict().keys() == tiny_lm.model.state_dict().keys()
    assert torch.equal(torch.random.get_rng_state(), drawn)


def test_steps_take_the_place_of_the_epochs(tiny_lm):
    heard = []
    settings = RetrainSettings(steps=3, epochs=1, batch_size=2, train="full")
    watch = StepWatch(lambda done, total: heard.append((done, total)))
    finetune_model(tiny_lm.copy(share_weights=False), SAMPLES, settings, [watch])
    assert heard == [(0, 3), (1, 3), (2, 3), (3, 3)] and not watch.stopped


@pytest.mark.parametrize(("share", "rates"), [(1.0, [0.0, 0.25, 0.5, 0.75]), (0.5, [0.0, 0.5, 1.0, 0.5])])
def test_the_share_of_warmup_is_one_of_all_steps(tiny_lm, share, rates):
    class Rates(TrainerCallback):
        def on_step_begin(self, args, state, control, optimizer=None, **_):
            seen.append(optimizer.param_groups[0]["lr"] / settings.learning_rate)

    seen = []
    settings = RetrainSettings(steps=4, warmup_ratio=share, train="full")
    finetune_model(tiny_lm.copy(share_weights=False), SAMPLES, settings, [Rates()])
    assert seen == pytest.approx(rates)


def test_of_several_gpus_one_reads_whole_batches(tiny_lm, monkeypatch):
    def trained():
        lm = tiny_lm.copy(share_weights=False)
        finetune_model(lm, SAMPLES, RetrainSettings(epochs=2, batch_size=2, train="full"))
        return torch.cat([p.flatten() for p in lm.model.parameters()])

    alone = trained()
    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda self: 2))
    assert torch.equal(trained(), alone)


def test_a_training_stops_after_the_step_in_which_it_is_asked_to(tiny_lm):
    heard = []
    watch = StepWatch(lambda done, total: heard.append(done), lambda: heard[-1] == 2)
    finetune_model(tiny_lm.copy(share_weights=False), SAMPLES, RetrainSettings(train="full"), [watch])
    assert heard == [0, 1, 2] and watch.stopped


def test_a_diverged_training_is_one_sentence(tiny_lm):
    settings = RetrainSettings(steps=4, learning_rate=1e38, warmup_ratio=0, train="full")
    with pytest.raises(TokenUnlearnError, match="became NaN or infinite"):
        finetune_model(tiny_lm.copy(share_weights=False), SAMPLES, settings)


def test_what_is_trained_depends_on_the_size(tiny_lm, monkeypatch):
    assert RetrainSettings().resolved(tiny_lm).train == "full"
    monkeypatch.setattr("tokenunlearn.training.finetune_settings.LORA_FROM_PARAMETERS", 1)
    assert RetrainSettings().resolved(tiny_lm).train == "lora"
    assert RetrainSettings(train="full").resolved(tiny_lm).train == "full"
