"""The public trainer: what transformers' Trainer gives, used through it."""

from __future__ import annotations

import copy
import json

import datasets
import pytest
import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, TrainerCallback
from transformers.trainer_utils import get_last_checkpoint

import tokenunlearn as tu
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.forward import response_nll
from tokenunlearn.training.checkpoints import newest
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.trainer import UnlearnTrainer

FORGET = [Sample(f"f{i}", f"Who is Bo {i}?", f"Bo {i} is the baker of Rill.") for i in range(5)]
RETAIN = [Sample(f"r{i}", f"What is {i} plus {i}?", f"It is {2 * i}.") for i in range(6)]
SMALL = {
    "objective": "npo",
    "batch_size": 4,
    "retain_batch_size": 5,
    "warmup_steps": 0,
    "learning_rate": 1e-3,
    "use_cpu": True,
}
QUIET = {"report_to": "none", "disable_tqdm": True}
LORA = {"r": 4, "lora_alpha": 8, "task_type": "CAUSAL_LM"}
SERIES = {"loss", "forget_loss", "retain_loss", "lambda", "forget_nll", "grad_norm", "learning_rate"}


def trainer_of(
    lm, folder, *, lora=False, callbacks=(), retain=RETAIN, forget=FORGET, weights=None, **arguments
):
    """A trainer over a copy of the model, as a stranger makes one: a bare model and its tokenizer."""
    arguments = {"max_steps": 4, "save_strategy": "no", **SMALL, **QUIET, **arguments}
    return tu.UnlearnTrainer(
        copy.deepcopy(lm.model),
        tu.UnlearnConfig(output_dir=str(folder), **arguments),
        forget,
        retain,
        weights,
        processing_class=lm.tokenizer,
        peft_config=LoraConfig(**LORA) if lora else None,
        callbacks=list(callbacks),
    )


def weights_of(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.trainable()])


def records(trainer):
    return [record for record in trainer.state.log_history if "loss" in record]


class Interruption(Exception):
    pass


class Interrupt(TrainerCallback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            raise Interruption


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        pytest.param({"objective": "pdu", "parameters": {"warmup": 0}}, marks=pytest.mark.slow),
        pytest.param({"weighting": "satimp"}, marks=pytest.mark.slow),
        pytest.param({"objective": "dpo"}, marks=pytest.mark.slow),
    ],
    ids=["default", "a dual variable", "weights made in the step", "refusals"],
)
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tiny_lm, tmp_path, lora, more):
    arguments = {"max_steps": 6, "save_strategy": "steps", "save_steps": 2, "optim": "adamw_torch", **more}
    whole = trainer_of(tiny_lm, tmp_path / "whole", lora=lora, **arguments)
    whole.train()
    folder = tmp_path / "cut"
    cut = trainer_of(tiny_lm, folder, lora=lora, callbacks=[Interrupt(5)], **arguments)
    with pytest.raises(Interruption):
        cut.train()
    resumed = trainer_of(tiny_lm, folder, lora=lora, **arguments)
    resumed.train(resume_from_checkpoint=True)
    assert resumed.state.global_step == resumed.good_step == 6
    assert torch.allclose(weights_of(resumed), weights_of(whole), atol=1e-6)
    assert not torch.allclose(weights_of(resumed), weights_of(cut), atol=1e-5)
    for name in SERIES & records(whole)[0].keys():
        assert [r[name] for r in records(resumed)] == pytest.approx(
            [r[name] for r in records(whole)], abs=1e-5
        )
    for one, other in zip(resumed.token_weights(), whole.token_weights(), strict=True):
        assert one == pytest.approx(other, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_demo_interrupted_half_way_ends_with_the_same_weights(tmp_path, lora):
    lm = tu.load_model("demo")
    forget = tu.load_samples("authors:forget10").spread(12)
    retain = tu.load_samples("authors:retain90").spread(24)
    arguments = {"max_steps": 8, "save_strategy": "steps", "save_steps": 2, "batch_size": 6}
    arguments |= {"forget": forget, "retain": retain, "lora": lora, "retain_batch_size": 8}
    whole = trainer_of(lm, tmp_path / "whole", **arguments)
    whole.train()
    cut = trainer_of(lm, tmp_path / "cut", callbacks=[Interrupt(4)], **arguments)
    with pytest.raises(Interruption):
        cut.train()
    resumed = trainer_of(lm, tmp_path / "cut", **arguments)
    resumed.train(resume_from_checkpoint=True)
    assert torch.allclose(weights_of(resumed), weights_of(whole), atol=1e-6)


def test_a_checkpoint_is_what_its_library_writes(tiny_lm, tmp_path):
    full = trainer_of(tiny_lm, tmp_path / "full", save_strategy="steps", save_steps=2)
    full.train()
    loaded = AutoModelForCausalLM.from_pretrained(get_last_checkpoint(tmp_path / "full"))
    for one, other in zip(loaded.parameters(), full.model.parameters(), strict=True):
        assert torch.equal(one, other)
    lora = trainer_of(tiny_lm, tmp_path / "lora", lora=True, save_strategy="steps", save_steps=2)
    lora.train()
    last = tmp_path / "lora" / "checkpoint-4"
    assert json.loads((last / "adapter_config.json").read_text())["r"] == 4
    assert sum(f.stat().st_size for f in last.glob("adapter*")) < sum(
        f.stat().st_size for f in (tmp_path / "full" / "checkpoint-4").glob("model*")
    )


@pytest.mark.parametrize("damage", ["missing", "torn", "changed"])
def test_a_checkpoint_that_is_not_whole_is_passed_over_for_the_one_before(tiny_lm, tmp_path, damage):
    trainer_of(tiny_lm, tmp_path, save_strategy="steps", save_steps=1).train()
    last = tmp_path / "checkpoint-4"
    for name in ("optimizer.pt", "unlearning.json") if damage == "missing" else ("model.safetensors",):
        content = (last / name).read_bytes()
        (last / name).unlink()
        if damage != "missing":
            changed = content[:-8] + bytes(8) if damage == "changed" else content[:10]
            (last / name).write_bytes(changed)
    assert newest(tmp_path).step == 3
    with pytest.raises(TokenUnlearnError, match="is incomplete or damaged"):
        trainer_of(tiny_lm, tmp_path).train(resume_from_checkpoint=str(last))
    resumed = trainer_of(tiny_lm, tmp_path)
    resumed.train(resume_from_checkpoint=True)
    assert resumed.state.global_step == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"weighting": "wga"},
        {"learning_rate": 2e-3},
        {"forget": FORGET[1:]},
        {"lora": True},
        {"optim": "sgd"},
        {"weight_decay": 0.3},
        {"adam_beta2": 0.5},
        {"lr_scheduler_type": "polynomial"},
        {"warmup_steps": 0.5},
    ],
    ids=[
        "settings",
        "learning rate",
        "samples",
        "what is trained",
        "optimizer",
        "weight decay",
        "decay rate",
        "schedule",
        "share of warmup",
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tiny_lm, tmp_path, changes):
    trainer_of(tiny_lm, tmp_path, save_strategy="steps", save_steps=2).train()
    with pytest.raises(TokenUnlearnError, match="belongs to another run"):
        trainer_of(tiny_lm, tmp_path, **changes).train(resume_from_checkpoint=True)


def test_a_checkpoint_that_cannot_be_written_leaves_nothing_and_does_not_end_training(
    tiny_lm, tmp_path, monkeypatch, caplog
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(UnlearnTrainer, "_save_optimizer_and_scheduler", full)
    trainer = trainer_of(tiny_lm, tmp_path, save_strategy="steps", save_steps=2)
    trainer.train()
    assert trainer.state.global_step == 4
    assert list(tmp_path.iterdir()) == []
    assert "No checkpoint of step 2 was written: [Errno 28] No space left on device" in caplog.text


def test_without_a_checkpoint_there_is_nothing_to_resume_from(tiny_lm, tmp_path):
    for asked in (True, str(tmp_path / "nowhere")):
        with pytest.raises(TokenUnlearnError, match="There is no whole checkpoint"):
            trainer_of(tiny_lm, tmp_path).train(resume_from_checkpoint=asked)


@pytest.mark.parametrize("train", ["full", "lora"])
def test_the_short_front_is_the_trainer(tiny_lm, tmp_path, train):
    settings = {
        name: SMALL[name]
        for name in ("objective", "batch_size", "retain_batch_size", "warmup_steps", "learning_rate")
    }
    settings |= {"steps": 4, "train": train, "lora_r": 4, "lora_alpha": 8}
    run = tu.unlearn(tiny_lm, FORGET, retain=RETAIN, **settings)
    trainer = trainer_of(tiny_lm, tmp_path, lora=train == "lora")
    trainer.train()
    assert [r["loss"] for r in records(trainer)] == pytest.approx([r["loss"] for r in run.history], abs=1e-6)
    expected = torch.cat([p.detach().flatten() for p in run.model.model.parameters()])
    weights = torch.cat([p.detach().flatten() for p in trainer.lm.model.parameters()])
    assert torch.allclose(weights, expected, atol=1e-6)


def test_the_model_is_trained_in_place_and_measured_against_what_it_was(tiny_lm, tmp_path):
    trainer = trainer_of(tiny_lm, tmp_path, max_steps=8)
    trainer.train()
    before, after = (
        torch.cat(response_nll(lm, lm.encode_all(FORGET))).mean().item() for lm in (tiny_lm, trainer.lm)
    )
    assert trainer.lm.model is trainer.model
    assert after > before + 0.1
    assert records(trainer)[0]["retain_loss"] == pytest.approx(0, abs=1e-6)
    assert records(trainer)[-1]["retain_loss"] > 1e-4


def test_every_part_of_the_loss_is_a_series_of_its_own(tiny_lm, tmp_path):
    class Reports(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **_):
            reports.append(logs)

    reports = []
    weights = tu.score(tiny_lm, FORGET).weights(tu.HardSelection(0.8))
    settings = {"gamma": 0.5, "frame": 2.0, "learning_rate": 1e-2}
    trainer = trainer_of(tiny_lm, tmp_path, callbacks=[Reports()], weights=weights, **settings)
    trainer.train()
    steps = [logs for logs in reports if "loss" in logs]
    assert len(steps) == 4
    for logs in steps:
        assert SERIES | {"frame_loss"} <= logs.keys()
        parts = (0.5 * logs["forget_loss"], 2 * logs["frame_loss"], logs["lambda"] * logs["retain_loss"])
        assert logs["loss"] == pytest.approx(sum(parts))
    assert all(part > 1e-3 * logs["loss"] for part in parts)


def test_tensorboard_hears_of_them(tiny_lm, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    trainer_of(tiny_lm, tmp_path, report_to="tensorboard").train()
    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert {f"train/{name}" for name in SERIES} <= set(events.Tags()["scalars"])
    assert len(events.Scalars("train/retain_loss")) == 4


def test_a_callback_sees_the_model_and_can_stop_and_save(tiny_lm, tmp_path):
    class StopAndSave(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **_):
            models.append(model)
            control.should_save = control.should_training_stop = state.global_step == 2

    models = []
    trainer = trainer_of(tiny_lm, tmp_path, callbacks=[StopAndSave()])
    trainer.train()
    assert trainer.state.global_step == 2
    assert all(model is trainer.model for model in models)
    assert (tmp_path / "checkpoint-2" / "model.safetensors").exists()


def test_optimizer_schedule_and_clipping_are_those_of_transformers(tiny_lm, tmp_path):
    trainer = trainer_of(tiny_lm, tmp_path, optim="sgd", lr_scheduler_type="linear", max_grad_norm=1e-3)
    before = weights_of(trainer).clone()
    trainer.train()
    assert isinstance(trainer.optimizer.optimizer, torch.optim.SGD)
    rates = [r["learning_rate"] for r in records(trainer)]
    assert rates == pytest.approx([1e-3 * (1 - i / 4) for i in range(4)])
    moved = (weights_of(trainer) - before).norm().item()
    assert 0 < moved <= sum(rates) * 1e-3 * 1.001  # steps of clipped length


def test_a_given_optimizer_is_used(tiny_lm, tmp_path):
    lm = tiny_lm.copy(share_weights=False)
    idle = torch.optim.SGD(lm.model.parameters(), lr=0.0)
    arguments = tu.UnlearnConfig(str(tmp_path), max_steps=2, save_strategy="no", **SMALL, **QUIET)
    trainer = tu.UnlearnTrainer(lm, arguments, FORGET, RETAIN, optimizers=(idle, None))
    before = weights_of(trainer).clone()
    trainer.train()
    assert torch.equal(weights_of(trainer), before)


@pytest.mark.parametrize(
    "arguments",
    [
        {"gradient_accumulation_steps": 2},
        {"gradient_checkpointing": True},
        {"activation_checkpointing": True},
    ],
    ids=["micro-batches", "gradient checkpointing", "activation checkpointing"],
)
@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_memory_is_saved_without_another_result(tiny_lm, tmp_path, arguments, lora):
    plain, saving = (trainer_of(tiny_lm, tmp_path, lora=lora, **more) for more in ({}, arguments))
    plain.train()
    saving.train()
    assert torch.allclose(weights_of(saving), weights_of(plain), atol=1e-4)


def test_bfloat16_products_leave_the_trained_weights_float32(tiny_lm, tmp_path):
    trainer = trainer_of(tiny_lm, tmp_path, bf16=True)
    trainer.train()
    assert weights_of(trainer).dtype == torch.float32
    assert torch.isfinite(weights_of(trainer)).all()


def test_divergence_ends_training_with_the_last_good_weights(tiny_lm, tmp_path):
    trainer = trainer_of(
        tiny_lm, tmp_path, objective="gradient_ascent", learning_rate=1e30, max_steps=6, regularizer="none"
    )
    start = weights_of(trainer).clone()
    trainer.train()
    assert "NaN" in trainer.fault and trainer.good_step == 0
    assert trainer.state.global_step < 6
    assert torch.equal(weights_of(trainer), start)


def test_rows_of_any_table_are_samples(tiny_lm, tmp_path):
    rows = [{"question": s.question, "answer": s.answer} for s in FORGET]
    expected = trainer_of(tiny_lm, tmp_path)
    expected.train()
    chat = [{"prompt": [{"role": "user", "content": s.question}], "completion": s.answer} for s in FORGET]
    for forget in (rows, datasets.Dataset.from_list(rows), datasets.Dataset.from_list(chat)):
        trainer = trainer_of(tiny_lm, tmp_path, forget=forget)
        trainer.train()
        assert torch.equal(weights_of(trainer), weights_of(expected))
    with pytest.raises(TokenUnlearnError, match='Row 2 of the forget set has no "answer"'):
        trainer_of(tiny_lm, tmp_path, forget=[rows[0], {"question": "Who?"}])


def test_token_weights_decide_what_is_forgotten(tiny_lm, tmp_path):
    scores = tu.score(tiny_lm, FORGET)
    weights = scores.weights(tu.HardSelection(0.8))
    trainer = trainer_of(tiny_lm, tmp_path, weights=weights)
    trainer.train()
    uniform = trainer_of(tiny_lm, tmp_path)
    uniform.train()
    assert not torch.allclose(weights_of(trainer), weights_of(uniform), atol=1e-5)
    for one, other in zip(trainer.token_weights(), weights.weights, strict=True):
        assert one == pytest.approx(other)
    with pytest.raises(TokenUnlearnError, match="for other samples than the forget set"):
        trainer_of(tiny_lm, tmp_path, forget=RETAIN, weights=weights)


def test_faults_are_one_sentence(tiny_lm, tmp_path):
    with pytest.raises(TokenUnlearnError, match="no samples to forget"):
        trainer_of(tiny_lm, tmp_path, forget=None)
    with pytest.raises(TokenUnlearnError, match="needs retained samples"):
        trainer_of(tiny_lm, tmp_path, retain=None)
    with pytest.raises(TokenUnlearnError, match="processing_class"):
        tu.UnlearnTrainer(tiny_lm.model, tu.UnlearnConfig(str(tmp_path), **SMALL), FORGET, RETAIN)
    with pytest.raises(TokenUnlearnError, match="per_device_train_batch_size"):
        tu.UnlearnConfig(str(tmp_path), per_device_train_batch_size=8)
    with pytest.raises(TokenUnlearnError, match='objective "gpo"'):
        tu.UnlearnConfig(str(tmp_path), objective="gpo")


def test_an_adapter_that_is_there_is_trained_on(tiny_lm, tmp_path):
    first = trainer_of(tiny_lm, tmp_path, lora=True)
    first.train()
    start = response_nll(first.lm, first.lm.encode_all(RETAIN))
    second = tu.UnlearnTrainer(
        first.model,
        tu.UnlearnConfig(str(tmp_path), max_steps=2, save_strategy="no", **SMALL, **QUIET),
        FORGET,
        RETAIN,
        processing_class=tiny_lm.tokenizer,
    )
    assert second.lm.model is first.lm.model
    assert second.settings.train == "lora" and second.trained == ("adapter",)
    second.train()
    assert records(second)[0]["retain_loss"] == pytest.approx(0, abs=1e-6)  # the reference has the adapter
    assert not all(
        torch.equal(a, b)
        for a, b in zip(start, response_nll(second.lm, second.lm.encode_all(RETAIN)), strict=True)
    )


def test_arguments_and_settings_hold_the_same(tmp_path):
    settings = UnlearnSettings(objective="simnpo", parameters={"beta": 2.0}, lambda_=3.0, steps=7, seed=4)
    arguments = tu.UnlearnConfig.from_settings(settings, output_dir=str(tmp_path), use_cpu=True)
    assert arguments.settings() == UnlearnSettings(**vars(settings) | {"bf16": False})
    assert arguments.max_steps == 7 and arguments.lr_scheduler_type == "constant_with_warmup"
    own = tu.UnlearnConfig(str(tmp_path), use_cpu=True, lr_scheduler_type="polynomial")
    assert own.lr_scheduler_type == "polynomial"
    assert tu.UnlearnConfig(str(tmp_path), objective="complement").lr_scheduler_type == "linear"
    fresh = tu.UnlearnConfig(str(tmp_path), use_cpu=True)
    assert fresh.settings() == UnlearnSettings(bf16=False)
    assert fresh.learning_rate is None
