"""Unlearning depth in a report and on the command line: beside the start model, and where it is refused."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from peft import LoraConfig, get_peft_model

from tests.evaluation.conftest import make_sample
from tests.tiny_models import build_lm
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation import evaluate
from tokenunlearn.evaluation.measurement import Part
from tokenunlearn.evaluation.suites import suite as suites


@pytest.fixture
def retrained(tiny_lm, tmp_path):
    """Folder of a model of the same kind with other weights."""
    model = tiny_lm.copy(share_weights=False).model
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    model.save_pretrained(tmp_path)
    tiny_lm.tokenizer.save_pretrained(tmp_path)
    return str(tmp_path)


@pytest.fixture
def forget_only(monkeypatch):
    """A suite of one part."""

    def parts(forget, retain, limit):
        return {"forget": Part(SampleSet("towns", tuple(make_sample(n, n) for n in range(4))), "forget")}

    monkeypatch.setitem(suites.SUITES, "one", suites.Suite(parts, "4", ""))
    return "one"


@pytest.mark.slow
def test_a_report_has_depth_with_rows_and_the_retrained_models_own(
    tiny_lm, retrained, forget_only, short_answers
):
    depth = evaluate(tiny_lm, forget_only, retrained, depth=tiny_lm)["forget/depth"]
    assert depth.value == 0 and depth.better == "higher" and depth.interval == (0.0, 0.0)
    # The other random model knows some towns better by chance; those rows have no way to go.
    assert len(depth.rows) == 4 and set(depth.rows) == {0.0, None} and depth.n == depth.rows.count(0.0)
    assert depth.retrained == 1.0
    assert depth.retrained_rows == tuple(None if row is None else 1.0 for row in depth.rows)


def test_without_it_nothing_is_patched(tiny_lm, retrained, forget_only, short_answers):
    assert "forget/depth" not in evaluate(tiny_lm, forget_only, retrained).metrics


@pytest.mark.parametrize(
    ("suite", "retrained", "sentence"),
    [("authors", None, "needs a retrained model"), ("wmdp", "demo", '"wmdp" has no gold spans')],
)
def test_depth_is_refused_in_one_sentence(tiny_lm, suite, retrained, sentence):
    with pytest.raises(TokenUnlearnError, match=sentence):
        evaluate(tiny_lm, suite, retrained, depth=tiny_lm)


@pytest.mark.slow
def test_a_model_of_another_size_is_refused(tiny_lm, tiny_tokenizer, retrained, forget_only, short_answers):
    start = build_lm("llama", tiny_tokenizer, num_hidden_layers=3)
    with pytest.raises(TokenUnlearnError, match="models of the same size"):
        evaluate(tiny_lm, forget_only, retrained, depth=start)


@pytest.mark.slow
def test_evaluate_takes_depth(call, tiny_folder, tiny_lm, retrained, tmp_path):
    fresh = get_peft_model(copy.deepcopy(tiny_lm.model), LoraConfig(target_modules=["q_proj"]))
    fresh.save_pretrained(tmp_path / "adapter")  # of a fresh adapter, which changes nothing yet
    words = ("--model", tiny_folder, "--adapter", tmp_path / "adapter", "--retrained", retrained)
    done = call("evaluate", *words, "--limit", "2", "--depth", "--json", "-")
    assert done.code == 0, done.err
    depth = done.json["metrics"]["forget/depth"]
    assert depth["value"] == 0 and math.isclose(depth["retrained"], 1.0)


def test_evaluate_refuses_depth_of_a_model_against_itself(call, tiny_folder, retrained):
    done = call("evaluate", "--model", tiny_folder, "--retrained", retrained, "--depth")
    assert done.code == 2 and "--depth needs --adapter" in done.sentence


def test_evaluate_refuses_depth_without_a_retrained_model(call, tiny_folder):
    done = call("evaluate", "--model", tiny_folder, "--depth")
    assert done.code == 2 and "needs a retrained model" in done.sentence
