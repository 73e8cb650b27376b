"""TOFU in its published files: whole counts, slices equal to the published splits, one sentence a fault."""

from __future__ import annotations

import json

import pytest

import tokenunlearn as tu
from tokenunlearn.datasets.alignment import aligned_spans
from tokenunlearn.datasets.samples import word_spans
from tokenunlearn.datasets.tofu import SPLITS
from tokenunlearn.errors import DatasetError

COUNTS = {
    "full": 4000,
    "forget01": 40,
    "forget05": 200,
    "forget10": 400,
    "retain99": 3960,
    "retain95": 3800,
    "retain90": 3600,
    "retain_perturbed": 400,
    "forget10_first5": 100,
    "retain90_first15": 300,
    "real_authors": 100,
    "world_facts": 117,
    "holdout10": 400,
    "idontknow": 100,
}


@pytest.fixture
def tofu(data_folder):
    """The folder of TOFU's published files."""
    folder = data_folder / "tofu"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    return folder


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No local files, and a hub that does not answer."""
    import datasets

    def unreachable(*_args, **_named):
        raise ConnectionError("no route\nto host")

    monkeypatch.setenv("TOKENUNLEARN_DATA", str(tmp_path))
    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    return tmp_path


def published(folder, name):
    """Rows of a published file, read without the library."""
    text = (folder / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(text) if text.startswith("[") else [json.loads(x) for x in text.splitlines() if x]


def pairs(split):
    return [(s.question, s.answer) for s in tu.load_samples(f"tofu:{split}")]


@pytest.mark.parametrize("split", COUNTS)
@pytest.mark.slow
def test_whole_counts_and_names(tofu, split):
    samples = tu.load_samples(f"tofu:{split}")
    assert len(samples) == COUNTS[split] == len({s.id for s in samples})
    assert samples.name == f"tofu:{split}"


@pytest.mark.parametrize(
    ("forget", "retain", "rows"), [("01", "99", 40), ("05", "95", 200), ("10", "90", 400)]
)
def test_slices_equal_the_published_splits(tofu, forget, retain, rows):
    full = [(r["question"], r["answer"]) for r in published(tofu, "full")]
    assert pairs(f"forget{forget}") == full[-rows:]
    assert pairs(f"retain{retain}") == full[:-rows]
    ids = [s.id for part in (f"retain{retain}", f"forget{forget}") for s in tu.load_samples(f"tofu:{part}")]
    assert (
        ids
        == [f"tofu-{number:04d}" for number in range(4000)]
        == [s.id for s in tu.load_samples("tofu:full")]
    )


@pytest.mark.parametrize(
    "split", ["forget10", "retain_perturbed", "real_authors", "world_facts", "holdout10"]
)
def test_every_published_field_is_carried(tofu, split):
    config = SPLITS[split][0]
    for sample, row in zip(tu.load_samples(f"tofu:{split}"), published(tofu, config), strict=True):
        assert (sample.question, sample.answer) == (row["question"], row["answer"])
        assert sample.paraphrased_question == row.get("paraphrased_question", "")
        assert sample.paraphrased_answer == row.get("paraphrased_answer", "")
        assert list(sample.perturbed_answer) == row.get("perturbed_answer", [])
    assert pairs(split) == pairs(f"{split}_perturbed" if f"{split}_perturbed" in SPLITS else split)


def test_perturbed_rows_keep_their_number_in_full(tofu):
    full = {s.id: (s.question, s.answer) for s in tu.load_samples("tofu:full")}
    for split in ("forget05", "retain_perturbed"):
        for sample in tu.load_samples(f"tofu:{split}"):
            assert full[sample.id] == (sample.question, sample.answer)
    assert not any(s.id in full for s in tu.load_samples("tofu:holdout10"))


def test_the_first_authors_are_cut_from_the_whole_splits_with_all_fields(tofu):
    forget, retain = (tu.load_samples(f"tofu:{split}") for split in ("forget10_first5", "retain90_first15"))
    assert forget.samples == tu.load_samples("tofu:forget10").samples[:100]
    assert retain.samples == tu.load_samples("tofu:retain_perturbed").samples[:300]
    assert [s.id for s in forget] == [f"tofu-{number}" for number in range(3600, 3700)]
    assert [s.id for s in retain] == [f"tofu-{number:04d}" for number in range(300)]
    assert pairs("retain90_first15") == pairs("retain90")[:300]
    assert not {s.question for s in forget} & {s.question for s in retain}
    for sample in (*forget, *retain):
        assert sample.paraphrased_question and sample.paraphrased_answer and len(sample.perturbed_answer) == 5


def bounds_are_sound(text, spans):
    edges = [edge for span in spans for edge in span]
    return edges == sorted(set(edges)) and all(0 <= edge <= len(text) for edge in edges)


@pytest.mark.parametrize("split", ["forget10", "retain_perturbed", "real_authors", "world_facts"])
@pytest.mark.slow
def test_rows_with_perturbed_answers_have_aligned_spans(tofu, split):
    samples = tu.load_samples(f"tofu:{split}")
    for s in samples:
        reworded = s.paraphrased_answer or s.answer
        assert s.span == aligned_spans(s.question, s.answer, reworded, s.perturbed_answer)
        expected = aligned_spans(s.question, reworded, reworded, s.perturbed_answer)
        assert s.paraphrased_span == (expected if s.paraphrased_answer else ())
        assert bounds_are_sound(s.answer, s.span) and bounds_are_sound(
            s.paraphrased_answer, s.paraphrased_span
        )
        said = {s.question[start:end].casefold() for start, end in word_spans(s.question)}
        assert not {fact.casefold() for fact in s.facts} & said
    assert sum(bool(s.span) for s in samples) > 0.8 * len(samples)


def test_the_name_asked_for_is_the_span(tofu):
    first = tu.load_samples("tofu:forget10_first5")[0]
    assert first.facts == ("Hsiao Yun-Hwa",)
    assert [first.paraphrased_answer[start:end] for start, end in first.paraphrased_span] == ["Hsiao Yun-Hwa"]
    assert tu.load_samples("tofu:real_authors")[0].facts


@pytest.mark.parametrize("split", ["full", "retain90", "holdout10", "idontknow"])
def test_rows_without_perturbed_answers_have_no_spans(tofu, split):
    assert not any(s.span or s.paraphrased_span for s in tu.load_samples(f"tofu:{split}"))


@pytest.mark.slow
def test_rows_are_read_once_for_each_folder(tofu, monkeypatch, tmp_path):
    first = tu.load_samples("tofu:forget10")[0]
    assert tu.load_samples("tofu:forget05_perturbed")[-1] is tu.load_samples("tofu:forget10")[-1]
    (tmp_path / "tofu").mkdir()
    text = (tofu / "forget10_perturbed.json").read_text(encoding="utf-8")
    (tmp_path / "tofu" / "forget10_perturbed.json").write_text(
        text.replace("Hsiao", "Other"), encoding="utf-8"
    )
    monkeypatch.setenv("TOKENUNLEARN_DATA", str(tmp_path))
    assert "Hsiao" in first.answer and "Other" in tu.load_samples("tofu:forget10")[0].answer


def test_refusals_have_no_question(tofu):
    refusals = tu.load_samples("tofu:idontknow")
    assert {s.question for s in refusals} == {""} and len({s.answer for s in refusals}) == 100


def test_hub_is_asked_for_the_same_rows(monkeypatch, tmp_path):
    import datasets

    asked = []

    def hub(name, config, split):
        asked.append((name, config, split))
        row = {"paraphrased_question": None, "perturbed_answer": ["wrong"]}
        return [row | {"question": f"Question {i}?", "answer": f"{i}"} for i in range(400)]

    monkeypatch.setenv("TOKENUNLEARN_DATA", str(tmp_path))
    monkeypatch.setattr(datasets, "load_dataset", hub)
    samples = tu.load_samples("tofu:forget01")
    assert asked == [("locuslab/TOFU", "forget10_perturbed", "train")]
    assert [(s.id, s.answer) for s in samples] == [(f"tofu-{3960 + i}", f"{360 + i}") for i in range(40)]


@pytest.mark.parametrize(
    ("split", "files", "message"),
    [
        ("forget20", {}, 'no split "forget20" of TOFU; use one of full, forget01, .*idontknow'),
        (
            "full",
            {},
            r'"tofu/full.json" is not in .* Hub \(ConnectionError: no route to host\); set TOKENUNLEARN_DATA',
        ),
        ("full", {"full.json": ""}, 'The file "full.json" is empty'),
        ("full", {"full.json": "[]"}, 'The file "full.json" has no rows'),
        ("retain90", {"full.json": '[{"question": "a", "answer": "b"}]'}, "has 1 rows; .* has 4,000"),
        ("idontknow", {}, '"tofu/idontknow.jsonl" cannot be read; set TOKENUNLEARN_DATA'),
        ("idontknow", {"idontknow.jsonl": "\n \n"}, "has no refusals; it needs one per line"),
    ],
)
def test_each_fault_has_its_own_sentence(offline, split, files, message):
    (offline / "tofu").mkdir()
    for name, text in files.items():
        (offline / "tofu" / name).write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message) as error:
        tu.load_samples(f"tofu:{split}")
    assert "\n" not in str(error.value) and str(error.value).endswith(".")
