"""The suite own: equal to the benchmark where both measure, honest about what it approximates or lacks."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from tokenunlearn.datasets.files import samples_hash
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation import evaluate
from tokenunlearn.evaluation.metrics.outcomes import OUTCOMES
from tokenunlearn.evaluation.metrics.utility import UTILITY_METRICS, model_utility
from tokenunlearn.evaluation.suites import suite as suites
from tokenunlearn.evaluation.suites.own_suite import from_answers, from_spans, own_part
from tokenunlearn.models.recipe import Recipe

pytestmark = pytest.mark.slow

TOWNS = ("Lisbon", "Turin", "Oslo", "Graz", "Ghent", "Split", "Bergen")


def row(number: int, **changes) -> dict:
    town = TOWNS[number]
    values = {"id": f"r-{number}", "question": f"Where does Ada {number} live?", "facts": [town]}
    return values | {"answer": f"Ada {number} lives in {town}."} | changes


@pytest.fixture
def written(tmp_path):
    """Writes rows to a file and gives the name that loads them."""

    def write(name: str, rows: list[dict]) -> str:
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(values) + "\n" for values in rows))
        return f"file:{path}"

    return write


@pytest.fixture
def other_lm(tiny_lm, monkeypatch):
    """Stands for every retrained model that is loaded."""
    other = tiny_lm.copy(share_weights=False)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(5)
        for p in other.model.parameters():
            p.add_(0.05 * torch.randn_like(p))
    monkeypatch.setattr(suites, "load_model", lambda name, **_: other)
    return other


def sample(answer: str, *facts: str, **changes) -> Sample:
    spans = tuple((answer.index(fact), answer.index(fact) + len(fact)) for fact in facts)
    return Sample(answer, "Who?", answer, spans, **changes)


def test_on_the_splits_of_a_benchmark_it_measures_what_the_benchmark_measures(tiny_lm, other_lm):
    named = {"forget": "authors:forget10", "retain": "authors:retain90"}
    own = evaluate(tiny_lm, "own", "other", limit=4, **named)
    benchmark = evaluate(tiny_lm, "authors", "other", limit=4)
    shared = {name for name in benchmark.metrics if name.startswith(("forget", "retain"))}
    assert shared == own.metrics.keys() - {"model_utility"}
    assert {"forget_quality", "forget/gold_span_paraphrased", "retain/truth_ratio"} <= shared
    judged = {f"forget/{name}" for name in OUTCOMES}  # by the texts of all parts, of which own has fewer
    for name in shared - judged:
        assert own[name] == benchmark[name], name
    utility = model_utility([own[f"retain/{name}"].value for name in UTILITY_METRICS])
    assert own["model_utility"].value == pytest.approx(utility)
    assert "No membership inference, because there are no samples that no model has seen." in own.notes


def test_wrong_answers_that_exceed_the_context_are_left_out_and_noted(family_lm, written):
    lm = family_lm("llama", max_position_embeddings=96)
    plain = {"facts": []}
    long = row(1, answer="She lives " + "far away " * 9, **plain)
    rows = [row(0, question="Where " + "does she " * 11 + "live?", **plain), long, row(2, **plain)]
    report = evaluate(lm, "own", forget=written("long", rows))
    assert report["forget/probability"].n == 3
    ratios = report["forget/truth_ratio"]
    assert dict(zip(ratios.sample_ids, ratios.rows, strict=True))["r-0"] is None and ratios.n == 2
    assert any("wrong answers, of 1 samples do not fit" in note for note in report.notes)


def test_wrong_answers_hold_facts_of_other_samples_in_place_of_the_own():
    made = from_spans(sample("She lives in Oslo.", "Oslo"), ["Oslo", "Rome", "Paris", "1950"])
    assert made.perturbed_answer == ("She lives in Rome.", "She lives in Paris.", "She lives in 1950.")


def test_every_gold_span_is_exchanged_and_the_closest_form_comes_first():
    born = sample("Born in Oslo on 5 May 1950.", "Oslo", "5 May 1950")
    made = from_spans(born, ["Oslo", "5 May 1950", "a baker", "Rome", "7 June 1961"])
    assert made.perturbed_answer[0] == "Born in Rome on 7 June 1961."
    assert not any("Oslo" in text or "1950" in text for text in made.perturbed_answer)


def test_a_marked_paraphrase_is_changed_and_an_unmarked_one_is_not_compared():
    plain = sample("She lives in Oslo.", "Oslo", paraphrased_answer="Oslo is her home.")
    marked = replace(plain, paraphrased_span=((0, 4),))
    assert from_spans(marked, ["Rome"]).perturbed_answer == ("Rome is her home.",)
    assert from_spans(marked, ["Rome"]).paraphrased_answer == "Oslo is her home."
    assert from_spans(plain, ["Rome"]).perturbed_answer == ("She lives in Rome.",)
    assert from_spans(plain, ["Rome"]).paraphrased_answer == ""


def test_spans_that_overlap_are_exchanged_once():
    made = from_spans(replace(sample("In New York."), span=((3, 11), (7, 11))), ["Oslo", "york"])
    assert made.perturbed_answer == ("In Oslo.",)


def test_without_spans_other_answers_are_the_wrong_ones():
    others = ["He bakes.", "HE BAKES.", "She repairs old clocks.", "He sings."]
    made = from_answers(sample("He bakes."), others)
    assert made.perturbed_answer == ("He sings.", "She repairs old clocks.")


@pytest.mark.parametrize(
    ("changes", "counted"),
    [({}, "7 of 7 samples are an approximation: the gold spans"), ({"facts": []}, "7 of 7 samples are an")],
)
def test_the_report_says_that_wrong_answers_are_an_approximation(tiny_lm, written, changes, counted):
    report = evaluate(tiny_lm, "own", forget=written("f", [row(i, **changes) for i in range(7)]))
    assert counted in report.notes[0] and report.notes[0].startswith("forget: the perturbed answers of ")
    assert ("answers of other samples" in report.notes[0]) == bool(changes)
    assert report["forget/truth_ratio"].n == 7
    assert ("forget/gold_span" in report.metrics) == (not changes)
    reasons = " ".join(report.notes)
    assert ("forget: no gold-span accuracy, because" in reasons) == bool(changes)
    assert "No model utility, because there are no retained samples." in reasons
    assert "No forget quality, because there is no retrained model" in reasons
    assert "model_utility" not in report.metrics and "forget_quality" not in report.metrics


def test_wrong_answers_of_the_file_stay_and_only_the_others_are_made(written):
    given = {"perturbed_answer": ["Ada 0 lives in Kyiv."]}
    samples = SampleSet("f", tuple(suites.load_samples(written("f", [row(0, **given), row(1), row(2)]))))
    part = own_part(samples, "forget", None)
    assert part.samples[0] == samples[0]
    assert [len(s.perturbed_answer) for s in part.samples] == [1, 2, 2]
    (note,) = part.notes
    assert "2 of 3 samples" in note


def test_a_limit_changes_no_wrong_answer(written):
    samples = suites.load_samples(written("f", [row(i) for i in range(7)]))
    whole, some = own_part(samples, "forget", None), own_part(samples, "forget", 2)
    assert set(some.samples) <= set(whole.samples) and len(some.samples) == 2
    assert some.sha256 == whole.sha256 == samples_hash(samples)


def test_a_single_sample_has_no_truth_ratio_and_all_else(tiny_lm, written):
    report = evaluate(tiny_lm, "own", forget=written("f", [row(0)]), retain=written("r", [row(1)]))
    assert "forget: no truth ratio, because its rows have no perturbed answers." in report.notes
    assert "No model utility, because retain/truth_ratio is missing." in report.notes
    assert report["forget/gold_span"].n == report["retain/rouge_l"].n == 1


def test_documents_are_measured_without_questions(tiny_lm, written):
    texts = [{"text": f"{town} lies by the old harbour. " * 3} for town in TOWNS[:2]]
    report = evaluate(tiny_lm, "own", forget=written("f", texts))
    assert report["forget/exact_memorization"].n >= 2
    assert "forget: no generated answers, because documents have no questions." in report.notes
    assert not report.generations and "forget/rouge_l" not in report.metrics


def test_samples_that_do_not_fit_are_skipped_and_counted(tiny_lm, written):
    rows = [*(row(i) for i in range(3)), row(3, answer="Ada lives in Graz. " * 400, facts=["Graz"])]
    report = evaluate(tiny_lm, "own", forget=written("f", rows))
    assert report.notes[0] == "forget: 1 samples do not fit the model's context and are skipped."
    assert report["forget/probability"].n == 3


def test_without_a_forget_set_it_is_one_sentence(tiny_lm):
    with pytest.raises(TokenUnlearnError, match='suite "own" needs a forget set'):
        evaluate(tiny_lm, "own")


def test_a_model_that_knows_the_forget_set_is_no_retrained_model(tiny_lm, written, tmp_path, other_lm):
    forget, retain = written("f", [row(0), row(1)]), written("r", [row(2), row(3)])
    hashes = {name: samples_hash(suites.load_samples(name)) for name in (forget, retain)}
    known = {"retain": {"sha256": hashes[retain], "trained": True}}
    secret = {"sha256": hashes[forget], "trained": True}
    for folder, samples in (("both", known | {"forget": secret}), ("twin", known), ("stranger", {})):
        (tmp_path / folder).mkdir()
        Recipe({}, "base", samples=samples).save(tmp_path / folder)
    sets = {"forget": forget, "retain": retain}
    with pytest.raises(TokenUnlearnError, match="was trained on the forget set, so it is not a retrained"):
        evaluate(tiny_lm, "own", tmp_path / "both", **sets)
    foreign = "was trained on other samples than the retain set."
    assert foreign not in " ".join(evaluate(tiny_lm, "own", tmp_path / "twin", **sets).notes)
    assert foreign in " ".join(evaluate(tiny_lm, "own", tmp_path / "stranger", **sets).notes)


def test_a_stored_report_of_other_content_under_the_same_ids_is_refused(tiny_lm, other_lm, written, tmp_path):
    rows = [row(0), row(1), row(2)]
    sets = {"forget": written("f", rows), "retain": written("r", rows)}
    stored = evaluate(other_lm, "own", **sets).save(tmp_path / "other.json")
    report = evaluate(tiny_lm, "own", stored, limit=2, **sets)
    assert report["forget_quality"].n == 2 and report["forget/probability"].retrained is not None
    changed = written("f", [row(0), row(1), row(2, answer="Ada 2 lives near Oslo.", facts=["Oslo"])])
    with pytest.raises(TokenUnlearnError, match=r'"other.json" was created on other samples; evaluate'):
        evaluate(tiny_lm, "own", stored, forget=changed, retain=sets["retain"])


@pytest.mark.parametrize(
    ("model", "forget", "known"),
    [
        ("demo", "authors:forget05", "demo-retrained"),
        ("demo", "file:my.jsonl", None),
        ("demo", "prose:forget", None),
        ("tofu_Llama-3.2-1B-Instruct_full", "tofu:forget05", "tofu_Llama-3.2-1B-Instruct_retain95"),
        ("gpt2", "tofu:forget05", None),
    ],
)
def test_a_retrained_model_is_known_for_what_it_never_saw(model, forget, known):
    assert suites.known_retrained(model, "own", forget) == known
