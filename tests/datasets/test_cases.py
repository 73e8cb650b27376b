"""Small files of the kinds that people bring: each is read as it is meant, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

import tokenunlearn as tu
from tokenunlearn.datasets.samples import Turn
from tokenunlearn.errors import DatasetError, SampleTooLongError
from tokenunlearn.models.context import fit_context
from tokenunlearn.runs.check import check

SHARED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "files"
OWN = Path(__file__).parent / "cases"
MASON = ("Where does the mason live?", "The mason lives in Turin.")
SHORT = (MASON[0], "In Turin.")


def load(name):
    folder = SHARED if SHARED.is_dir() else OWN
    return tu.load_samples(f"file:{folder / name}")


def test_the_copies_are_the_shared_cases():
    if not SHARED.is_dir():
        pytest.skip("there are no shared cases")
    for copy in OWN.iterdir():
        assert copy.read_bytes() == (SHARED / copy.name).read_bytes()


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("alpaca.jsonl", [MASON]),
        ("columns.json", [SHORT, ("Who sings?", "The miller.")]),
        ("header.csv", [("Where?", "In Turin")]),
        ("messages.jsonl", [MASON]),
        ("multiturn.jsonl", [SHORT]),
        ("muse.json", [SHORT]),
        ("promptcompletion.jsonl", [MASON]),
        ("sametext.jsonl", [SHORT] * 3),
        ("semicolon.csv", [("Where?", "In Turin")]),
    ],
)
def test_files_are_read_by_the_usual_names(name, pairs):
    samples = load(name)
    assert [(s.question, s.answer) for s in samples] == pairs
    assert len({s.id for s in samples}) == len(pairs)


def test_multiturn_has_its_earlier_turns():
    (sample,) = load("multiturn.jsonl")
    assert sample.history == (Turn("system", "Be short."), Turn("user", "Hello"), Turn("assistant", "Hi!"))


def test_special_text_stays_text(tiny_lm):
    control = set(tiny_lm.tokenizer.all_special_ids)
    ids = [[i for i in e.input_ids if i in control] for e in tiny_lm.encode_all(load("special.jsonl"))]
    assert ids[0] == ids[1] and len(ids[0]) == 4  # <|user|>, <|end|>, <|assistant|>, <|end|>
    assert "<|end|> the turn" in tiny_lm.encode(load("special.jsonl")[0]).answer


def test_long_is_counted_and_can_be_cut(tiny_lm):
    samples = load("long.jsonl")
    with pytest.raises(SampleTooLongError, match="1 of 2 samples exceeds the model's context of 256 tokens"):
        tu.score(tiny_lm, samples)
    assert [s.id for s in fit_context(tiny_lm, samples, "skip")] == ["ok"]
    assert [s.id for s in fit_context(tiny_lm, samples, "truncate")] == ["ok", "long"]


def test_sametext_is_warned_of(tiny_lm):
    (finding,) = (f for f in check(tiny_lm, load("sametext.jsonl"), measure=False) if f.level != "note")
    assert finding.name == "duplicate questions" and len(finding.samples) == 3


def test_plain_as_forget_and_retain_set_is_an_error(tiny_lm):
    plain = load("plain.jsonl")
    assert "overlap" in [f.name for f in check(tiny_lm, plain, plain, measure=False) if f.level == "error"]


@pytest.mark.parametrize(
    ("sample_id", "contexts"),
    [
        ("zh", "谁 写 了 《 蓝 色 的 门 》 \uff1f"),
        ("ar", "أين يعيش البنّاء ؟"),
        ("hi", "राजमिस्त्री कहाँ रहता है ?"),
        ("emoji", "Which flag 👩‍👩‍👧‍👦 is it ?"),
        ("nfd", "Where is cafe\u0301 Nord ?"),
        ("th", "ช่ า ง ก่ อ อิ ฐ อ า ศั ย อ ยู่ ที่ ไ ห น"),
    ],
)
def test_unicode_has_one_context_for_each_word_or_visible_character(tiny_lm, sample_id, contexts):
    scores = tu.score(tiny_lm, [s for s in load("unicode.jsonl") if s.id == sample_id], mask="leave-one-out")
    assert list(scores.samples[0].contexts) == contexts.split(" ")


def test_utf16_is_refused():
    with pytest.raises(
        DatasetError, match=r'The file "utf16.jsonl" is not UTF-8 \(byte 0\); save it as UTF-8\.'
    ):
        load("utf16.jsonl")
