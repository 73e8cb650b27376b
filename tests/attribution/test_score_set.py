"""Score sets: stored, read back, refused when damaged, changed without the model."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.app.scores import word
from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.masking import copied_tokens
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.sample_scores import OPTIONAL_ARRAYS, SampleScores
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import (
    RULES,
    HardSelection,
    SoftWeighting,
    TokenWeights,
    Uniform,
    make_weights,
)
from tokenunlearn.attribution.selector import Selector
from tokenunlearn.attribution.signals.text import words_of_tokens
from tokenunlearn.datasets.samples import overlaps, word_spans
from tokenunlearn.errors import ScoreSetError, TokenUnlearnError
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.encoding import Encoding


def sample_scores(sample_id, answer, contexts):
    size = len(answer.split()) + 1
    generator = np.random.default_rng(len(answer))
    return SampleScores(
        sample_id=sample_id,
        question="Wo?",
        answer=answer,
        span=((0, 3),),
        prompt_texts=("<|user|>", "Wo", "?"),
        texts=(*answer.split(), "<|end|>"),
        token_ids=tuple(range(size)),
        offsets=(*((3 * i, 3 * i + 2) for i in range(size - 1)), (len(answer), len(answer))),
        nll=generator.random(size).astype(np.float32),
        entropy=generator.random(size).astype(np.float32),
        tail_entropy=generator.random(size).astype(np.float32) + 5,
        contexts=contexts,
        losses=generator.normal(size=(len(contexts), size)).astype(np.float32),
        copied=np.arange(size) == 1,
    )


@pytest.fixture
def scores():
    samples = (sample_scores("a", "In der Nähe 老", ("Wo", "?")), sample_scores("b", "ja 🎉", ()))
    masking = asdict(MaskingSettings())
    return ScoreSet(samples, "file:x", "demo", "abc", masking, ImportanceSettings(alpha=0.3))


def with_optional(scores):
    """The set with everything that is measured on request."""
    samples = [
        replace(x, **{name: x.nll + i for i, name in enumerate(OPTIONAL_ARRAYS)}) for x in scores.samples
    ]
    return replace(scores, samples=tuple(samples))


@pytest.mark.parametrize("optional", [False, True])
def test_round_trip_is_equal_in_every_field(scores, tmp_path, optional):
    scores = with_optional(scores) if optional else scores
    scores = scores.with_override("a", 2, True).with_override("b", 0, False)
    path = scores.save(tmp_path / "deep" / "scores.parquet")
    loaded = ScoreSet.load(path)
    assert loaded == scores and loaded.hash == scores.hash and len(loaded) == 2
    assert loaded.overrides == {"a": {2: True}, "b": {0: False}}
    assert (loaded.settings, loaded.masking) == (scores.settings, scores.masking)
    for one, other in zip(loaded.samples, scores.samples, strict=True):
        for name in SampleScores.__dataclass_fields__:
            got, wanted = getattr(one, name), getattr(other, name)
            if isinstance(wanted, np.ndarray):
                assert got.dtype == wanted.dtype and got.shape == wanted.shape and (got == wanted).all()
            else:
                assert got == wanted
    assert [s.tolist() for s in loaded.importance] == [s.tolist() for s in scores.importance]


def test_files_have_only_what_was_measured(scores, tmp_path):
    plain, whole = (
        set(pq.read_schema(one.save(tmp_path / "s.parquet")).names) for one in (scores, with_optional(scores))
    )
    assert whole - plain == {*OPTIONAL_ARRAYS} and plain < whole


@pytest.mark.parametrize("path", sorted((ASSETS / "scores").glob("*.parquet")), ids=lambda path: path.stem)
def test_files_from_before_there_were_options_are_read_as_they_were_meant(path):
    assert ScoreSet.load(path).options == frozenset()


def test_an_option_counts_where_every_sample_has_its_arrays(scores):
    whole = with_optional(scores)
    assert (scores.options, whole.options) == (set(), {"prefix", "base_model"})
    assert changed(whole, base_entropy=None).options == {"prefix"}
    assert changed(whole, prefix_knowledge=None).options == {"base_model"}


def test_importance_is_stored_for_readers_elsewhere(scores, tmp_path):
    table = pq.read_table(scores.save(tmp_path / "s.parquet"))
    for row, expected in zip(table["importance"].to_pylist(), scores.importance, strict=True):
        assert row == pytest.approx(expected, abs=1e-6)


def changed(scores, **fields):
    return replace(scores, samples=(replace(scores.samples[0], **fields), scores.samples[1]))


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.with_override("a", 0, True),
        lambda s: s.with_override("a", 0, False),
        lambda s: s.with_settings(alpha=0.4),
        lambda s: replace(s, revision="abd"),
        lambda s: replace(s, model="other"),
        lambda s: replace(s, masking={**s.masking, "mask": "random"}),
        lambda s: replace(s, samples=s.samples[::-1]),
        lambda s: changed(s, nll=s.samples[0].nll + 1e-3),
        lambda s: changed(s, tail_entropy=s.samples[0].tail_entropy + 1e-3),
        lambda s: s.with_settings(reading="tail"),
        lambda s: replace(s, selector=Selector("marked", ("entropy",), (1.0,), 0.0)),
        lambda s: changed(s, losses=s.samples[0].losses * 2),
        lambda s: changed(s, copied=~s.samples[0].copied),
        lambda s: changed(s, answer="In der Ferne 老"),
        lambda s: changed(s, span=()),
        with_optional,
        *(lambda s, n=name: changed(s, **{n: s.samples[0].nll}) for name in OPTIONAL_ARRAYS),
    ],
)
def test_hash_follows_the_content(scores, change):
    other = change(scores)
    assert other.hash != scores.hash and other != scores
    assert len(other.hash) == 64
    assert change(scores).hash == other.hash  # and nothing but the content


def test_hash_does_not_depend_on_the_order_of_overrides(scores):
    forth = scores.with_override("a", 2, True).with_override("b", 0, False).with_override("a", 0, True)
    back = scores.with_override("b", 0, False).with_override("a", 0, True).with_override("a", 2, True)
    assert forth.hash == back.hash


def test_overrides_reach_the_weights_and_can_be_taken_back(scores):
    forced = scores.with_override("a", 0, False).with_override("b", 1, False)
    weights = forced.weights(Uniform())
    assert [w.tolist() for w in weights.weights] == [[0, 1, 1, 1, 1], [1, 0, 1]]
    assert weights.score_hash == forced.hash and weights.sample_ids == ("a", "b")
    assert forced.with_override("a", 0, None).with_override("b", 1, None) == scores
    assert scores.overrides == {}


@pytest.mark.parametrize(("sample_id", "position"), [("c", 0), ("a", 5), ("a", -1)])
def test_override_of_a_token_that_is_not_there(scores, sample_id, position):
    with pytest.raises(ScoreSetError, match=f"Sample {sample_id} has no response token {position}"):
        scores.with_override(sample_id, position, True)


def test_other_settings_need_no_model(scores):
    entropy_only = scores.with_settings(alpha=0.0, normalizer="minmax", granularity="token", reading="plain")
    whole = np.concatenate([x.entropy for x in scores.samples])
    expected = (whole - whole.min()) / (whole.max() - whole.min())
    assert np.concatenate(entropy_only.importance) == pytest.approx(expected, abs=1e-6)
    assert entropy_only.weights(HardSelection(quantile=1.0)).selected == 1
    with pytest.raises(TokenUnlearnError, match="alpha"):
        scores.with_settings(alpha=2.0)


def test_without_a_rule_the_threshold_comes_from_the_scores(scores):
    weights = scores.weights()
    assert weights.rule == {"selection": "hard", "threshold": scores.suggested_threshold}
    assert scores.weights(HardSelection()).rule == weights.rule
    assert 0 < weights.selected < weights.tokens


def test_weights_like_another_sets_select_as_large_a_share_or_have_its_temperature(scores):
    importance = [np.linspace(0, 1, 20)]
    rules = HardSelection(threshold=0.7), HardSelection(threshold=0.0)
    share, everything = (scores.weights_like(make_weights(["x"], importance, rule)) for rule in rules)
    assert share.rule["selection"] == "hard"
    assert share.selected / share.tokens == pytest.approx(6 / 20, abs=1 / share.tokens)
    assert everything.selected == sum((s > 0).sum() for s in scores.importance)
    uniform = make_weights(["x"], importance, Uniform())
    assert scores.weights_like(uniform).selected == everything.tokens
    soft = scores.weights(SoftWeighting(temperature=0.4))
    for own, other in zip(scores.weights_like(soft).weights, soft.weights, strict=True):
        assert own == pytest.approx(other)


def test_weights_like_those_of_a_rule_of_ones_own_or_made_by_hand(scores, monkeypatch):
    @dataclass(frozen=True)
    class Power(Uniform):
        power: float = 2.0

        def weights(self, importance):
            return [s**self.power for s in importance]

    monkeypatch.setitem(RULES, "power", Power)
    own = scores.weights(Power(3.0))
    alike = scores.weights_like(own)
    assert alike.rule == {"selection": "power", "power": 3.0}
    assert all(map(np.array_equal, alike.weights, own.weights))
    by_hand = TokenWeights(("x",), (np.arange(4) % 2.0,), {})
    assert scores.weights_like(by_hand).rule == {"selection": "hard", "quantile": 0.5}


def test_a_learned_selector_gives_the_importance_and_survives_the_file(scores, tmp_path):
    learned = replace(scores, selector=Selector("marked", ("entropy",), (3.0,), 0.5))
    loaded = ScoreSet.load(learned.save(tmp_path / "s.parquet"))
    assert loaded == learned and loaded.selector == learned.selector
    assert np.concatenate(learned.importance).max() <= 1
    assert not np.allclose(np.concatenate(learned.importance), np.concatenate(scores.importance))


def test_gold_marks_tokens_that_touch_a_span(scores):
    assert scores.samples[0].gold.tolist() == [True, False, False, False, False]


def test_scores_of_other_weights_are_refused(scores):
    scores.check_model("abc")
    with pytest.raises(ScoreSetError, match=r'"demo" .weights abc., .* weights abd'):
        scores.check_model("abd")


def encoding_of(x, **changes):
    """What a model reads of a sample that was scored."""
    read = Encoding(
        sample_id=x.sample_id,
        question=x.question,
        answer=x.answer,
        input_ids=(*range(len(x.prompt_texts)), *x.token_ids),
        prompt_length=len(x.prompt_texts),
        texts=(*x.prompt_texts, *x.texts),
        question_offsets=(None,) * len(x.prompt_texts),
        answer_offsets=x.offsets,
    )
    return replace(read, **changes)


def test_scores_of_samples_or_prompts_that_have_changed_are_refused(scores):
    same, (a, b) = [encoding_of(x) for x in scores.samples], scores.samples
    scores.check_samples(same)
    edited = encoding_of(b, input_ids=(0, 1, 2, *reversed(b.token_ids)))
    with pytest.raises(ScoreSetError, match=r"have changed .*1 of 2 differ, the first is b.; score"):
        scores.check_samples([same[0], edited])
    prompted = encoding_of(a, texts=("<|system|>", *a.prompt_texts[1:], *a.texts))
    with pytest.raises(ScoreSetError, match="samples or their prompts have changed"):
        scores.check_samples([prompted, same[1]])
    with pytest.raises(ScoreSetError, match="other samples than the forget set"):
        scores.check_samples(same[::-1])


def rewrite(path, header=None, **columns):
    table = pq.read_table(path)
    meta = json.loads(table.schema.metadata[b"tokenunlearn"]) | (header or {})
    for name, values in columns.items():
        table = table.set_column(
            table.schema.get_field_index(name), name, pa.array(values, table.schema.field(name).type)
        )
    pq.write_table(table.replace_schema_metadata({"tokenunlearn": json.dumps(meta)}), path)


def test_a_lost_column_is_damage(scores, tmp_path):
    path = with_optional(scores).save(tmp_path / "s.parquet")
    pq.write_table(pq.read_table(path).drop_columns(["base_nll"]), path)
    with pytest.raises(ScoreSetError, match="modified or damaged"):
        ScoreSet.load(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "There is no score set"),
        (lambda path: path.write_bytes(b"PAR1 not really"), "is not a score set"),
        (lambda path: path.write_bytes(b""), "is not a score set"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "is not a score set"),
        (lambda path: pq.write_table(pa.table({"a": [1]}), path), "is not a score set"),
        (lambda path: rewrite(path, {"format": 99}), "has format 99; this version reads 3"),
        (lambda path: rewrite(path, {"revision": "abd"}), "modified or damaged"),
        (lambda path: rewrite(path, {"hash": "0" * 64}), "modified or damaged"),
        (lambda path: rewrite(path, {"settings": {"alpha": 7}}), "modified or damaged"),
        (lambda path: rewrite(path, {"settings": {"beta": 7}}), "modified or damaged"),
        (lambda path: rewrite(path, {"overrides": {"a": {"x": True}}}), "modified or damaged"),
        (lambda path: rewrite(path, entropy=[[0.0] * 5, [0.0] * 3]), "modified or damaged"),
        (lambda path: rewrite(path, losses=[[0.0] * 7, []]), "modified or damaged"),
        (lambda path: rewrite(path, texts=[None, None]), '"texts" in s.parquet must be given'),
    ],
)
def test_what_is_no_sound_score_set_is_refused(scores, tmp_path, damage, message):
    path = scores.save(tmp_path / "s.parquet")
    damage(path)
    with pytest.raises(ScoreSetError, match=message):
        ScoreSet.load(path)


def test_a_flipped_byte_never_goes_unnoticed(scores, tmp_path):
    path = scores.save(tmp_path / "s.parquet")
    sound = path.read_bytes()
    for position in range(4, len(sound), 97):
        path.write_bytes(sound[:position] + bytes([sound[position] ^ 0x55]) + sound[position + 1 :])
        try:
            assert ScoreSet.load(path) == scores  # bytes that hold no content, such as statistics
        except ScoreSetError:
            pass


def test_words_are_those_that_a_search_through_all_of_them_finds(scores):
    answer = "Ada's cat, the 老虎 sat; twice!"
    generator = np.random.default_rng(4)
    starts = np.sort(generator.integers(0, len(answer), 200)).tolist()
    offsets = tuple((a, min(a + int(generator.integers(0, 6)), len(answer))) for a in starts)
    spans = word_spans(answer)
    first = [next((w for w in spans if overlaps(offset, [w])), t) for t, offset in enumerate(offsets)]
    seen = {word: number for number, word in enumerate(dict.fromkeys(first))}
    found = replace(scores.samples[0], answer=answer, offsets=offsets).words
    assert found.tolist() == [seen[word] for word in first]


def test_words_and_units_of_a_long_answer_are_found_at_once():
    words = [f" {word(i)}" if i % 7 else f" N{word(i)}" for i in range(6000)]
    ends = np.cumsum([len(text) for text in words]).tolist()
    offsets = tuple(zip([0, *ends[:-1]], ends, strict=True))
    long, none = sample_scores("a", "x", ()), np.zeros(len(words), dtype=bool)
    long = replace(long, answer="".join(words), texts=tuple(words), offsets=offsets, copied=none)
    began = time.process_time()
    assert copied_tokens(long.answer, long.answer, offsets).all()
    assert long.in_words.all() and len(np.unique(long.words)) == len(words)
    assert long.names.sum() == sum(" N" in text for text in words)
    assert all(len(np.unique(units)) == len(words) for units in long.units.values())
    assert "".join(words_of_tokens(long)) == long.answer.replace(" ", "").lower()
    assert time.process_time() - began < 10
