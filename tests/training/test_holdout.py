"""The level that a holdout gives: which samples it is, what is selected in it, and what is refused."""

import json

import numpy as np
import pytest
import torch

import tokenunlearn as tu
from tests.training.small_run import FORGET, RETAIN, SMALL
from tokenunlearn.datasets import holdout_of
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.training.holdout import with_level
from tokenunlearn.training.settings import UnlearnSettings

AUTHORS = tu.load_samples("authors:forget10").spread(4)


def level_of(lm, samples=AUTHORS, weights=None, scores=None, **settings):
    return with_level(UnlearnSettings.from_settings(settings), lm, samples, RETAIN, weights, scores)


@pytest.fixture(scope="module")
def scores(tiny_lm):
    return tu.score(tiny_lm, AUTHORS)


def test_every_benchmark_with_unseen_samples_has_its_holdout():
    assert holdout_of("authors:forget10") == holdout_of("authors:forget05") == "authors:holdout"
    assert holdout_of("tofu:forget10_first5") == "tofu:holdout10"
    assert holdout_of("prose:forget") == "prose:holdout"
    without = ("authors:holdout", "japanese:forget", "file:mine.jsonl", "forget", "")
    assert not any(map(holdout_of, without))


def test_the_level_is_the_mean_nll_of_as_large_a_share_of_the_holdout(tiny_lm, scores):
    weights = scores.weights()
    settings = level_of(tiny_lm, weights=weights, scores=scores)
    holdout = tu.score(tiny_lm, tu.load_samples("authors:holdout"))
    importance, nll = np.concatenate(holdout.importance), np.concatenate([x.nll for x in holdout.samples])
    selected = importance >= np.quantile(importance, 1 - weights.selected / weights.tokens)
    assert settings.level == pytest.approx(nll[selected].mean(), rel=5e-3)
    assert settings.holdout == "authors:holdout"
    assert settings.level == float(f"{settings.level:.3g}")
    everything = level_of(tiny_lm).level
    assert everything == pytest.approx(nll.mean(), rel=5e-3)
    assert level_of(tiny_lm, weights=weights, scores=scores, control="uniform").level == everything


def test_the_level_of_a_control_is_that_of_the_tokens_it_draws(tiny_lm, scores):
    weights = scores.weights()
    settings = level_of(tiny_lm, weights=weights, scores=scores, control="random", seed=3)
    holdout = tu.score(tiny_lm, tu.load_samples("authors:holdout"))
    generator, total, count = torch.Generator().manual_seed(3), 0.0, 0.0
    for x, row in zip(holdout.samples, holdout.weights_like(weights).weights, strict=True):
        drawn = row[torch.randperm(len(row), generator=generator).numpy()]
        total, count = total + float(drawn @ x.nll), count + drawn.sum()
    assert settings.level == float(f"{total / count:.3g}")


def test_a_holdout_is_scored_as_the_forget_set_was(tiny_lm):
    scores = tu.score(tiny_lm, AUTHORS, mask="leave-one-out", alpha=1.0)
    seen = []

    def progress(done, total):
        seen.append((done, total))

    weights = scores.weights(tu.SoftWeighting(temperature=0.1))
    settings = with_level(UnlearnSettings(), tiny_lm, AUTHORS, RETAIN, weights, scores, progress)
    assert settings.level != level_of(tiny_lm, weights=weights).level
    assert seen[-1] == (72, 72)


def test_samples_without_a_holdout_have_no_level(tiny_lm):
    settings = level_of(tiny_lm, samples=FORGET)
    assert settings.level is None and settings.holdout == "none"
    run = tu.unlearn(tiny_lm, FORGET, retain=RETAIN, **SMALL)
    assert run.config.holdout == "none" and "level" not in run.history[0]


def test_a_given_level_is_kept_and_published_objectives_have_none(tiny_lm):
    assert level_of(tiny_lm, level=2.5) == UnlearnSettings(level=2.5, holdout="none")
    assert level_of(tiny_lm, objective="npo").level is None
    assert level_of(tiny_lm, objective="npo", holdout="authors:holdout").level > 0


def test_a_run_records_the_level_it_measured(tiny_lm, scores, tmp_path):
    phases = []
    run = tu.unlearn(
        tiny_lm,
        AUTHORS,
        scores.weights(),
        retain=RETAIN,
        scores=scores,
        on_phase=lambda phase, *_: phases.append(phase),
        **SMALL,
    )
    assert phases[0] == "holdout" and "training" in phases
    expected = level_of(tiny_lm, weights=scores.weights(), scores=scores).level
    assert run.config.level == run.history[0]["level"] == expected
    lm = tiny_lm.copy(share_weights=False)
    arguments = {
        "max_steps": 1,
        "batch_size": 2,
        "retain_batch_size": 3,
        "report_to": "none",
        "use_cpu": True,
    }
    config = tu.UnlearnConfig(str(tmp_path), **arguments)
    trainer = tu.UnlearnTrainer(lm, config, AUTHORS, list(RETAIN), token_weights=scores.weights())
    assert trainer.settings.level == expected


def test_a_run_goes_on_from_its_checkpoint_where_the_level_comes_out_a_digit_apart(
    tiny_lm, tmp_path, monkeypatch
):
    from tokenunlearn.training import trainer

    def measure(level):
        monkeypatch.setattr(
            trainer,
            "with_level",
            lambda c, *_: UnlearnSettings(**{**vars(c), "level": level, "holdout": "other"}),
        )

    saved = {"checkpoints": tmp_path, "checkpoint_every": 1, **SMALL}
    measure(3.21)
    tu.unlearn(tiny_lm, AUTHORS, retain=RETAIN, **saved)
    measure(3.22)
    steps = []
    tu.unlearn(tiny_lm, AUTHORS, retain=RETAIN, on_step=steps.append, **saved)
    assert steps == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"holdout": "authors:forget10"},
            '4 of the 72 .* of "authors:forget10" are in the forget set too',
        ),
        ({"holdout": "authors:absent"}, 'no split "absent" of the authors'),
        ({"holdout": "mine"}, 'Unknown samples "mine"'),
        ({"holdout": "auto", "weighting": "wga"}, '"wga" makes its own weights, so a holdout has no tokens'),
        ({"holdout": 3}, 'holdout is "3"; it must be text'),
    ],
)
def test_a_holdout_that_gives_no_level_is_refused_in_one_sentence(tiny_lm, settings, message):
    with pytest.raises(TokenUnlearnError, match=message):
        level_of(tiny_lm, **settings)


def test_a_holdout_that_the_model_knows_by_heart_is_refused(tiny_lm, monkeypatch):
    known = [torch.zeros(3)] * 72
    monkeypatch.setattr("tokenunlearn.training.holdout.response_nll", lambda *_, **__: known)
    with pytest.raises(TokenUnlearnError, match='knows the answers of "authors:holdout" by heart'):
        level_of(tiny_lm)


@pytest.mark.parametrize(("part", "said"), [(AUTHORS, "forget set"), (RETAIN, "retained samples")])
def test_a_copy_of_samples_that_the_model_knows_is_no_holdout(tiny_lm, tmp_path, part, said):
    path = tmp_path / "copy.jsonl"
    rows = [{"question": s.question.upper(), "answer": f" {s.answer} "} for s in part]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(TokenUnlearnError, match=f"{len(part)} of the {len(part)} .* in the {said} too"):
        level_of(tiny_lm, holdout=f"file:{path}")


def test_a_patience_without_a_level_is_refused_when_no_holdout_is_found(tiny_lm):
    with pytest.raises(TokenUnlearnError, match="no level to reach"):
        level_of(tiny_lm, samples=FORGET, patience=3)


def test_a_holdout_whose_samples_are_all_too_long_is_refused(tiny_lm, tmp_path):
    path = tmp_path / "long.jsonl"
    path.write_text('{"question": "Who?", "answer": "' + "word " * 5000 + '"}\n')
    with pytest.raises(TokenUnlearnError, match="holdout gives no level: No sample fits the model's context"):
        level_of(tiny_lm, holdout=f"file:{path}")
