"""Scores kept on disk: the same again, nothing measured twice, nothing stale, never too many."""

from __future__ import annotations

import copy
import os
from dataclasses import replace
from datetime import date
from hashlib import sha256
from types import SimpleNamespace

import pytest
import torch

import tokenunlearn as tu
from tests.tiny_models import build_lm
from tokenunlearn.attribution import optional
from tokenunlearn.attribution import score as score_module
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.score_cache import ScoreCache, measurement_keys, score_keys
from tokenunlearn.datasets.samples import Sample, SampleSet, Turn, document
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models import loading, rendering, templates

SAMPLES = SampleSet(
    "file:x.jsonl",
    (
        Sample("a", "Where was Ada Miller born?", "In Lisbon.", span=((3, 9),)),
        Sample("b", "Which prize did Bram Holt win?", "The Silver Pen."),
        Sample("c", "谁?", "老舍 🎉"),
    ),
)


@pytest.fixture
def store(tmp_path, monkeypatch) -> ScoreCache:
    """The cache in a folder of its own."""
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path))
    monkeypatch.delenv("TOKENUNLEARN_CACHE_MB", raising=False)
    return ScoreCache.default()


@pytest.fixture
def measured(monkeypatch) -> list[str]:
    """Ids of the samples that were measured."""
    ids: list[str] = []
    stream = score_module.stream_masking

    def recorded(lm, encodings, *args, **kwargs):
        def seen():
            for encoding in encodings:
                ids.append(encoding.sample_id)
                yield encoding

        return stream(lm, seen(), *args, **kwargs)

    monkeypatch.setattr(score_module, "stream_masking", recorded)
    return ids


def test_a_second_look_measures_nothing_and_equals_the_first(tiny_lm, store, measured):
    first = tu.score(tiny_lm, SAMPLES, cache=True)
    assert measured == ["a", "b", "c"] and len(store.files()) == 3
    second = tu.score(tiny_lm, SAMPLES, cache=True)
    assert measured == ["a", "b", "c"] and second.hash == first.hash
    third = tu.score(tiny_lm, SAMPLES, cache=True, alpha=0.9)  # importance needs no measuring
    assert measured == ["a", "b", "c"] and third.settings.alpha == 0.9
    assert tu.score(tiny_lm, SAMPLES).hash == first.hash
    assert measured == [*"abcabc"] and len(store.files()) == 3


@pytest.fixture
def counts(monkeypatch) -> dict[str, int]:
    """Samples that were measured on request, by the function that measures them."""
    seen = {"prefix_knowledge": 0, "response_nll_and_entropy": 0}

    def counted(name):
        measure = getattr(optional, name)

        def run(lm, encodings, **settings):
            seen[name] += len(encodings)
            return measure(lm, encodings, **settings)

        monkeypatch.setattr(optional, name, run)

    for name in seen:
        counted(name)
    return seen


def test_what_is_asked_for_later_is_all_that_is_measured_then(
    tiny_lm, family_lm, store, measured, counts, monkeypatch
):
    monkeypatch.setattr(loading, "load_model", lambda name, **_: family_lm(name))
    tu.score(tiny_lm, SAMPLES[:2], cache=True)
    first = tu.score(tiny_lm, SAMPLES, prefix=True, cache=True)
    assert measured == ["a", "b", "c"] and [*counts.values()] == [3, 0]
    both = tu.score(tiny_lm, SAMPLES, prefix=True, base_model="qwen3", cache=True)
    assert measured == ["a", "b", "c"] and [*counts.values()] == [3, 3]
    assert tu.score(tiny_lm, SAMPLES, prefix=True, cache=True).hash == first.hash
    assert tu.score(tiny_lm, SAMPLES, prefix=True, base_model="qwen3", cache=True).hash == both.hash
    assert [*counts.values()] == [3, 3] and not tu.score(tiny_lm, SAMPLES, cache=True).options
    other = tu.score(tiny_lm, SAMPLES, base_model="gemma2", cache=True)
    assert [*counts.values()] == [3, 6] and other.samples[0].base_nll[0] != both.samples[0].base_nll[0]


def test_what_is_measured_on_request_is_stored_block_by_block(tiny_lm, store, counts, monkeypatch):
    monkeypatch.setattr(optional, "BLOCK", 1)

    def stop(done, total):
        if (done, total) == (5, 6):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tu.score(tiny_lm, SAMPLES, prefix=True, cache=True, progress=stop)
    tu.score(tiny_lm, SAMPLES, prefix=True, cache=True)
    assert counts["prefix_knowledge"] == 3


def test_whatever_changes_what_is_measured_on_request_changes_its_key(tiny_tokenizer):
    lm = build_lm("llama", tiny_tokenizer)
    encoding = lm.encode(SAMPLES[0])

    def key(lm=lm, encoding=encoding, option="prefix"):
        return measurement_keys(lm, [encoding], option)[0]

    known = key()
    assert known == key(encoding=replace(encoding, sample_id="q"))
    others = [
        key(option="base_model"),
        key(lm=replace(lm, revision="1" * 16)),
        key(encoding=replace(encoding, prompt_length=encoding.prompt_length - 1)),
        key(encoding=lm.encode(SAMPLES[1])),
    ]
    with torch.no_grad():
        lm.model.model.layers[1].mlp.up_proj.weight[3, 4] += 1e-3
    others.append(key())
    assert len({known, *others}) == 1 + len(others)


def test_an_interrupted_scoring_goes_on_where_it_was(tiny_lm, store, measured):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tu.score(tiny_lm, SAMPLES, cache=True, token_budget=1, progress=stop)
    assert 1 <= len(store.files()) < 3
    measured.clear()
    calls = []
    scores = tu.score(tiny_lm, SAMPLES, cache=True, progress=lambda *now: calls.append(now))
    assert "a" not in measured and calls[0][0] >= 1 and calls[-1] == (3, 3)
    for mine, wanted in zip(scores.samples, tu.score(tiny_lm, SAMPLES).samples, strict=True):
        assert mine.sample_id == wanted.sample_id
        assert mine.losses == pytest.approx(wanted.losses, abs=1e-5)


def test_id_and_span_are_those_of_the_sample_at_hand(tiny_lm, store, measured):
    tu.score(tiny_lm, SAMPLES, cache=True)
    renamed = [replace(SAMPLES[0], id="z", span=())]
    (scores,) = tu.score(tiny_lm, renamed, cache=True).samples
    assert (scores.sample_id, scores.span, measured) == ("z", (), ["a", "b", "c"])


def test_whatever_changes_a_score_changes_its_key(tiny_tokenizer):
    lm = build_lm("llama", tiny_tokenizer)
    sample, settings = SAMPLES[0], MaskingSettings()

    def key(lm=lm, sample=sample, settings=settings):
        return score_keys(lm, [sample], settings)[0]

    known = key()
    assert (
        key()
        == known
        == key(settings=replace(settings, seed=9, subsets=3))
        == key(sample=replace(sample, id="q"))
    )
    others = [
        key(sample=replace(sample, question="Where was Ada Miller born ?")),
        key(sample=replace(sample, answer="In Lisbon")),
        key(sample=replace(sample, history=(Turn("user", "Hi"), Turn("assistant", "Hello")))),
        key(sample=replace(sample, history=(Turn("system", "Hi"),))),
        key(lm=replace(lm, system_prompt="Be brief.")),
        key(lm=replace(lm, revision="1" * 16)),
        *(
            key(settings=replace(settings, **change))
            for change in (
                {"mask": "leave-one-out"},
                {"unit": "token"},
                {"operator": "token"},
                {"measure": "kl"},
            )
        ),
    ]
    drawn = replace(settings, mask="random")
    others += [key(settings=drawn), key(settings=replace(drawn, seed=1))]
    others += [key(settings=drawn, sample=replace(sample, id="q"))]
    with torch.no_grad():
        lm.model.model.layers[1].mlp.up_proj.weight[3, 4] += 1e-3
    others.append(key())
    lm.model.bfloat16()
    others.append(key())
    assert len({known, *others}) == 1 + len(others)


def test_scores_of_a_prompt_with_another_date_are_not_found(tiny_lm, store, measured, monkeypatch):
    lm = replace(tiny_lm, tokenizer=copy.deepcopy(tiny_lm.tokenizer))
    lm.tokenizer.chat_template = template = "{{ strftime_now('%d') }}" + tiny_lm.tokenizer.chat_template
    monkeypatch.setattr(templates, "SHIPPED", {sha256(template.encode()).hexdigest()})  # written in here
    for day in (1, 1, 2):
        monkeypatch.setattr(rendering, "datetime", SimpleNamespace(now=lambda d=day: date(2025, 1, d)))
        tu.score(lm, SAMPLES[:1], cache=True)
        tu.score(lm, [document("d", "Ada lives in Lisbon.")], cache=True)  # no template writes a document
    assert measured == ["a", "d", "a"]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nonsense", None])
def test_a_damaged_file_is_measured_anew(tiny_lm, store, measured, damage):
    tu.score(tiny_lm, SAMPLES[:1], cache=True)
    (path,) = store.files()
    path.write_bytes(path.read_bytes()[:-40] if damage is None else damage)
    tu.score(tiny_lm, SAMPLES[:1], cache=True)
    assert measured == ["a", "a"]
    tu.score(tiny_lm, SAMPLES[:1], cache=True)
    assert measured == ["a", "a"]


def test_a_place_that_cannot_be_written_keeps_nothing(tiny_lm, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path / "file"))
    assert len(tu.score(tiny_lm, SAMPLES, cache=True)) == 3


def test_the_least_recently_used_go_first(tiny_lm, store, monkeypatch):
    tu.score(tiny_lm, SAMPLES, cache=True)
    keys = score_keys(tiny_lm, SAMPLES, MaskingSettings())
    for age, key in enumerate(keys):
        os.utime(store.path(key), (1000 + age, 1000 + age))
    store.read(keys[0], SAMPLES[0])  # now the most recently used
    assert [p.stem for p in store.files()] == [keys[1], keys[2], keys[0]]
    assert store.shrink(store.size() - 1) == 1
    assert [p.stem for p in store.files()] == [keys[2], keys[0]]
    monkeypatch.setenv("TOKENUNLEARN_CACHE_MB", "0")
    tu.score(tiny_lm, SAMPLES, cache=True)
    assert store.files() == [] and store.size() == 0


def test_a_full_cache_that_may_only_be_read_is_no_error(tiny_lm, store, measured, monkeypatch):
    tu.score(tiny_lm, SAMPLES, cache=True)
    kept = store.files()
    monkeypatch.setenv("TOKENUNLEARN_CACHE_MB", "0")

    def refused(path, missing_ok=False):
        raise PermissionError(path)

    with monkeypatch.context() as patched:
        patched.setattr(type(kept[0]), "unlink", refused)
        assert len(tu.score(tiny_lm, SAMPLES, cache=True)) == len(SAMPLES)
        assert store.clear() == 0
    assert set(store.files()) == set(kept) and measured == ["a", "b", "c"]


def test_limit_that_is_no_number(store, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_CACHE_MB", "much")
    with pytest.raises(TokenUnlearnError, match='CACHE_MB is "much"; it must be'):
        ScoreCache.default()


def test_command_line_shows_and_clears(tiny_lm, store):
    from typer.testing import CliRunner

    from tokenunlearn.cli import app

    tu.score(tiny_lm, SAMPLES, cache=True)
    shown = CliRunner().invoke(app, ["cache"])
    assert shown.exit_code == 0 and "3 files" in shown.output and "limit" in shown.output
    cleared = CliRunner().invoke(app, ["cache", "clear"])
    assert cleared.exit_code == 0 and "Deleted 3 files" in cleared.output
    assert store.files() == []
