"""A suite on a tiny model: its figures against single forward passes, and what it does without some data."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation import Report, evaluate
from tokenunlearn.evaluation.measurement import Part
from tokenunlearn.evaluation.metrics import METRICS, PartMetric
from tokenunlearn.evaluation.metrics.forget_quality import forget_quality
from tokenunlearn.evaluation.metrics.roc import auc, tpr_at_fpr
from tokenunlearn.evaluation.suites import suite as suites
from tokenunlearn.evaluation.suites.suite import SUITES
from tokenunlearn.models.generation import generate
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.smollm2 import smollm2_available

MEMBERSHIP = {
    f"{metric.name}{end}"
    for metric in METRICS.values()
    if isinstance(metric, PartMetric) and metric.pooled
    for end in ("", "_tpr")
}


def nlls(lm, sample, answer=None):
    """Token NLLs of a response in float64, one pass without padding."""
    encoding = lm.encode(sample, answer=answer)
    with torch.no_grad():
        logits = lm.model.double()(input_ids=torch.tensor([encoding.input_ids])).logits[0]
    places = range(encoding.prompt_length, len(encoding))
    return [-logits[t - 1].log_softmax(-1)[encoding.input_ids[t]].item() for t in places]


def mean_nll(lm, sample, answer=None):
    values = nlls(lm, sample, answer)
    return sum(values) / len(values)


@pytest.fixture
def exact_lm(tiny_lm) -> LoadedModel:
    """A copy in float64 for the oracle."""
    return replace(tiny_lm, model=copy.deepcopy(tiny_lm.model))


@pytest.fixture(scope="module")
def report(tiny_lm, towns_suite) -> Report:
    """The report of the tiny model alone."""
    return evaluate(tiny_lm, towns_suite)


@pytest.fixture(scope="module")
def other_report(other_lm, towns_suite) -> Report:
    """The report of the retrained model."""
    return evaluate(other_lm, towns_suite)


@pytest.fixture(scope="module")
def retrained_path(other_report, tmp_path_factory):
    """That report, stored."""
    return other_report.save(tmp_path_factory.mktemp("reports") / "other.json")


def test_likelihood_metrics_equal_single_passes_in_float64(report, exact_lm, towns_suite):
    parts = SUITES[towns_suite].parts("6", "5", None)
    for name, part in parts.items():
        if name == "world_facts":
            continue
        expected = [math.exp(-mean_nll(exact_lm, s)) for s in part.samples]
        assert report[f"{name}/probability"].rows == pytest.approx(expected, abs=1e-6)
        assert report[f"{name}/probability"].value == pytest.approx(sum(expected) / len(expected), abs=1e-6)
    for name, reported in (("forget", lambda r: min(r, 1 / r)), ("retain", lambda r: max(0.0, 1 - r))):
        ratios = []
        for s in parts[name].samples:
            wrong = [mean_nll(exact_lm, s, a) for a in s.perturbed_answer]
            ratios.append(math.exp(mean_nll(exact_lm, s, s.paraphrased_answer) - sum(wrong) / 3))
        assert report[f"{name}/truth_ratio"].rows == pytest.approx([reported(r) for r in ratios], abs=1e-5)
    options = []
    for s in parts["world_facts"].samples:
        shares = [math.exp(-mean_nll(exact_lm, s, a)) for a in (s.paraphrased_answer, *s.perturbed_answer)]
        options.append(shares[0] / sum(shares))
    assert report["world_facts/probability"].rows == pytest.approx(options, abs=1e-6)


def test_membership_compares_forget_with_holdout(report, exact_lm, towns_suite):
    parts = SUITES[towns_suite].parts("6", "5", None)
    scores = [np.array([-mean_nll(exact_lm, s) for s in parts[p].samples]) for p in ("forget", "holdout")]
    result = report["membership_loss"]
    assert result.rows == pytest.approx(np.concatenate(scores), abs=1e-5)
    assert (result.n, result.value) == (11, pytest.approx(auc(*scores), abs=1e-9))
    assert result.interval[0] <= result.value <= result.interval[1]
    assert result.sample_ids == tuple(s.id for p in ("forget", "holdout") for s in parts[p].samples)
    found = report["membership_loss_tpr"]
    assert (found.n, found.value) == (6, pytest.approx(tpr_at_fpr(*scores), abs=1e-9))
    assert found.value == pytest.approx(np.mean(found.rows))
    assert set(report.metrics) >= MEMBERSHIP


def test_generated_answers_are_judged(tiny_lm, report, towns_suite):
    sample = SUITES[towns_suite].parts("6", "5", None)["forget"].samples[0]
    rows = report.generations["forget"]
    assert rows[0]["answer"] == sample.answer
    assert rows[0]["generation"].startswith(generate(tiny_lm, [sample.question], max_new_tokens=4)[0][:3])
    assert set(report.generations) == {"forget", "retain", "world_facts"}
    assert report["forget/gold_span"].better == "lower"
    assert report["retain/gold_span"].better == "higher"
    assert report["forget/gold_span_paraphrased"].n == 6
    assert "retain/gold_span_paraphrased" not in report.metrics


@pytest.mark.slow
def test_forms_of_truth_ratio_and_extraction_strength_are_options(tiny_lm, exact_lm, towns_suite):
    plain = evaluate(tiny_lm, towns_suite, limit=3)
    other = evaluate(
        tiny_lm, towns_suite, limit=3, truth_ratio_form="prob_mean", extraction_strength_form="published"
    )
    sample = SUITES[towns_suite].parts("6", "5", 3)["forget"].samples[0]
    wrong = [math.exp(-mean_nll(exact_lm, sample, a)) for a in sample.perturbed_answer]
    expected = sum(wrong) / 3 / math.exp(-mean_nll(exact_lm, sample, sample.paraphrased_answer))
    assert other["forget/truth_ratio_raw"].rows[0] == pytest.approx(expected, abs=1e-5)
    samples = SUITES[towns_suite].parts("6", "5", 3)["forget"].samples
    lengths = [e.response_length for e in tiny_lm.encode_all(samples)]
    assert plain["forget/extraction_strength"].value == 0.0
    assert other["forget/extraction_strength"].rows == pytest.approx([1 / n for n in lengths])
    assert other.settings["truth_ratio_form"] == "prob_mean"
    for setting in ({"truth_ratio_form": "median"}, {"extraction_strength_form": "half"}):
        with pytest.raises(TokenUnlearnError, match="form"):
            evaluate(tiny_lm, towns_suite, **setting)


@pytest.mark.slow
def test_a_retrained_report_gives_its_values_quality_and_leakage(
    tiny_lm, other_report, towns_suite, retrained_path, monkeypatch
):
    monkeypatch.setattr(suites, "load_model", lambda *a, **k: pytest.fail("a model was loaded"))
    report = evaluate(tiny_lm, towns_suite, retrained_path)
    for name in ("forget/probability", "retain/rouge_l", "membership_zlib", "model_utility"):
        assert report[name].retrained == pytest.approx(other_report[name].value, abs=1e-5)
    ours, theirs = (r["forget/truth_ratio_raw"].rows for r in (report, other_report))
    assert report["forget_quality"].value == pytest.approx(forget_quality(ours, theirs), abs=1e-6)
    own, ref = (1 - r["membership_min_k"].value for r in (report, other_report))
    assert report["privacy_leakage"].value == pytest.approx((own - ref) / ref, abs=1e-9)
    under, over = report["privacy_leakage_under"].value, report["privacy_leakage_over"].value
    assert min(under, over) == 0.0 and (own < ref) == (under > 0)
    scores = [
        np.log(report[f"{p}/probability"].rows) - np.log(other_report[f"{p}/probability"].rows)
        for p in ("forget", "holdout")
    ]
    assert report["membership_reference"].value == pytest.approx(auc(*scores), abs=1e-9)
    assert report["membership_reference"].retrained == 0.5


@pytest.mark.slow
def test_a_loaded_retrained_model_gives_what_its_report_gives(
    tiny_lm, other_lm, towns_suite, retrained_path, monkeypatch
):
    monkeypatch.setattr(suites, "load_model", lambda name, **placement: other_lm)
    loaded, stored = evaluate(tiny_lm, towns_suite, "other"), evaluate(tiny_lm, towns_suite, retrained_path)
    assert set(loaded.metrics) == set(stored.metrics)
    for name, result in loaded.metrics.items():
        assert result.value == pytest.approx(stored[name].value, abs=1e-5), name
        if result.retrained is not None:
            assert result.retrained == pytest.approx(stored[name].retrained, abs=1e-5), name


@pytest.mark.slow
def test_the_old_argument_name_works_with_a_warning(tiny_lm, towns_suite, retrained_path):
    with pytest.warns(DeprecationWarning, match='The argument "reference" is now called "retrained"') as seen:
        report = evaluate(tiny_lm, towns_suite, reference=retrained_path, limit=2)
    assert seen[0].filename == __file__
    assert report.metrics == evaluate(tiny_lm, towns_suite, retrained=retrained_path, limit=2).metrics
    assert report["forget/probability"].retrained is not None


@pytest.mark.slow
def test_the_model_beside_itself_is_indistinguishable(other_lm, towns_suite, retrained_path):
    report = evaluate(other_lm, towns_suite, retrained_path)
    assert report["forget_quality"].value == pytest.approx(1.0)
    assert report["privacy_leakage"].value == pytest.approx(0.0, abs=1e-9)


@pytest.mark.slow
def test_a_limit_is_matched_row_by_row_with_a_report_of_more_rows(tiny_lm, towns_suite, retrained_path):
    report = evaluate(tiny_lm, towns_suite, retrained_path, limit=3)
    assert report["forget_quality"].n == 3
    assert report["forget/probability"].retrained is not None
    assert report["membership_loss"].n == 6


def test_a_report_of_another_split_or_form_is_refused(tiny_lm, towns_suite, retrained_path):
    with pytest.raises(TokenUnlearnError, match=r"was created on towns:6 and has no truth ratio for s-6"):
        evaluate(tiny_lm, towns_suite, retrained_path, forget="7")
    with pytest.raises(TokenUnlearnError, match="form geometric_mean; evaluate the retrained model"):
        evaluate(tiny_lm, towns_suite, retrained_path, truth_ratio_form="prob_mean")


@pytest.mark.slow
def test_extraction_strength_of_another_form_is_not_compared(tiny_lm, towns_suite, retrained_path):
    report = evaluate(tiny_lm, towns_suite, retrained_path, extraction_strength_form="published")
    assert report["forget/extraction_strength"].retrained is None
    assert report["forget/exact_memorization"].retrained is not None


@pytest.mark.slow
def test_figures_that_lack_the_retrained_models_are_named(tiny_lm, towns_suite, retrained_path):
    def lacking(**changes):
        report = evaluate(tiny_lm, towns_suite, retrained_path, **changes)
        (note,) = (n for n in report.notes if n.startswith("No value of the retrained model for "))
        named = (
            note.removeprefix("No value of the retrained model for ").partition(", because")[0].split(", ")
        )
        parted = {name for name in report.metrics if "/" in name}
        assert set(named) == {name for name in parted if report[name].retrained is None}
        return named

    assert lacking(extraction_strength_form="published") == [
        "forget/extraction_strength",
        "retain/extraction_strength",
    ]
    assert {name.partition("/")[0] for name in lacking(retain="7")} == {"retain"}
    notes = evaluate(tiny_lm, towns_suite, retrained_path).notes
    assert not any("retrained" in note for note in notes)


def test_without_a_retrained_model_there_is_no_forget_quality(report):
    assert not {"forget_quality", "privacy_leakage", "membership_reference"} & set(report.metrics)
    assert all(result.retrained is None for result in report.metrics.values())
    assert report.notes == []


def bare(part: Part) -> Part:
    """The same part without wrong answers."""
    rows = tuple(replace(s, perturbed_answer=()) for s in part.samples)
    return replace(part, samples=SampleSet(part.samples.name, rows))


@pytest.mark.slow
def test_missing_wrong_answers_are_named_and_the_rest_runs(tiny_lm, towns_suite, retrained_path, monkeypatch):
    plain = SUITES[towns_suite]
    monkeypatch.setitem(
        SUITES,
        towns_suite,
        replace(plain, parts=lambda *a: {name: bare(part) for name, part in plain.parts(*a).items()}),
    )
    report = evaluate(tiny_lm, towns_suite, retrained_path)
    assert {f"{p}/probability" for p in ("forget", "retain", "world_facts")} <= set(report.metrics)
    assert not any("truth_ratio" in name for name in report.metrics)
    notes = " ".join(report.notes)
    assert "forget: no truth ratio, because its rows have no perturbed answers." in notes
    assert "No model utility, because retain/truth_ratio is missing." in notes
    assert "No forget quality, because there is no truth ratio on the forget set." in notes


@pytest.mark.slow
def test_rows_without_wrong_answers_are_left_out_of_the_ratio_only(tiny_lm, towns_suite, monkeypatch):
    plain = SUITES[towns_suite]

    def parts(*arguments):
        found = plain.parts(*arguments)
        first, *rest = found["forget"].samples
        rows = (replace(first, perturbed_answer=()), *rest)
        return found | {"forget": replace(found["forget"], samples=SampleSet("towns", rows))}

    monkeypatch.setitem(SUITES, towns_suite, replace(plain, parts=parts))
    report = evaluate(tiny_lm, towns_suite)
    assert report["forget/truth_ratio"].rows[0] is None
    assert (report["forget/truth_ratio"].n, report["forget/probability"].n) == (5, 6)


def test_bad_input_is_one_sentence(tiny_lm, towns_suite):
    with pytest.raises(TokenUnlearnError, match='no suite "muse"; use one of authors, tofu'):
        evaluate(tiny_lm, "muse")
    with pytest.raises(TokenUnlearnError, match="at least 2 rows"):
        evaluate(tiny_lm, towns_suite, limit=1)
    with pytest.raises(TokenUnlearnError, match="There is no report"):
        evaluate(tiny_lm, towns_suite, "nothing/here.json")


@pytest.mark.parametrize("split", ["forget", "retain"])
def test_questions_of_multiple_choice_have_no_splits_to_choose(tiny_lm, split):
    with pytest.raises(TokenUnlearnError, match='The suite "wmdp" has no splits to choose'):
        evaluate(tiny_lm, "wmdp", **{split: "bio"})


def test_an_empty_split_is_one_sentence(tiny_lm, monkeypatch):
    monkeypatch.setattr(suites, "load_samples", lambda name: SampleSet(name, ()))
    with pytest.raises(TokenUnlearnError, match='The split "authors:forget10" for forget is empty'):
        evaluate(tiny_lm)


@pytest.mark.slow
def test_the_authors_suite_runs_and_reports_progress(tiny_lm):
    phases: dict[str, tuple[int, int]] = {}
    report = evaluate(
        tiny_lm, limit=2, progress=lambda phase, done, total: phases.update({phase: (done, total)})
    )
    assert set(report.metrics) >= MEMBERSHIP | {"model_utility", "forget/exact_memorization"}
    assert report.settings["forget"] == "forget10" and report.settings["retain"] == "retain90"
    assert phases["forget: gradients"] == (2, 2)
    assert all(done == total for done, total in phases.values())


@pytest.mark.slow
def test_the_tofu_suite_runs_on_the_published_files(tiny_lm, data_folder):
    try:
        load_samples("tofu:forget10")
    except TokenUnlearnError as error:
        pytest.skip(str(error))
    report = evaluate(tiny_lm, "tofu", limit=2)
    assert report["forget/probability"].n == report["retain/truth_ratio"].n == 2
    assert set(report.metrics) >= MEMBERSHIP | {"model_utility"}


@pytest.mark.slow
def test_smollm2_on_two_rows_of_each_part_of_tofu(data_folder):
    if not smollm2_available():
        pytest.skip("SmolLM2 is not installed")
    try:
        load_samples("tofu:forget10")
    except TokenUnlearnError as error:
        pytest.skip(str(error))
    report = evaluate(load_model("smollm2", device="cpu"), "tofu", limit=2)
    zero = [
        note for note in report.notes if note.startswith("Model utility is a harmonic mean, and 0 because")
    ]
    assert report.notes == zero and bool(zero) == (report["model_utility"].value == 0)
    for part in ("forget", "retain", "real_authors", "world_facts", "holdout"):
        rows = report[f"{part}/probability"].rows
        assert len(rows) == 2 and all(0 < row < 1 for row in rows)
    for part in ("forget", "retain", "real_authors", "world_facts"):
        assert len(report.generations[part]) == 2
        assert 0 <= report[f"{part}/rouge_l"].value < 0.9
    assert report["forget/rouge_l"].value > 0  # it never saw the authors, and repeats words of the question
    assert report["retain/truth_ratio"].n == 2
    assert 0 <= report["model_utility"].value < 1  # 0 where no answer to a part has a word in common
    assert 0 <= report["membership_loss"].value <= 1


def test_a_few_rows_are_judged_by_the_words_of_the_whole_sets(tiny_lm, monkeypatch):
    read, words = [], suites.JUDGES["words"]

    def judge(samples, progress):
        read.extend(samples)
        return words(samples)

    monkeypatch.setitem(suites.JUDGES, "words", judge)
    report = evaluate(tiny_lm, "german", limit=2)
    splits = ("forget", "retain", "holdout")
    assert {s.id for s in read} == {s.id for split in splits for s in load_samples(f"german:{split}")}
    assert report.metrics["forget/broken"].n == 2


@pytest.mark.slow
def test_limits_are_set_on_retained_answers_alone(tiny_lm, towns_suite, retrained_path):
    assert evaluate(tiny_lm, towns_suite).settings["broken_calibrated_on"] == "5 true answers"
    report = evaluate(tiny_lm, towns_suite, retrained_path)
    assert report.settings["broken_calibrated_on"] == "5 answers of the retrained model"
    assert report.settings["judge"] == "words"


def test_a_large_model_is_judged_by_a_language_model(tiny_lm, towns_suite, monkeypatch):
    heard = set()
    monkeypatch.setattr(suites, "fitting_judge", lambda model: ("smollm2", ["Said so."]))
    monkeypatch.setattr("tokenunlearn.models.loading.load_model", lambda name: replace(tiny_lm, name=name))
    report = evaluate(tiny_lm, towns_suite, progress=lambda phase, done, total: heard.add(phase))
    assert report.settings["judge"] == "smollm2" and "Said so." in report.notes
    assert "judging the answers" in heard
    assert evaluate(tiny_lm, towns_suite, judge="words").settings["judge"] == "words"


def test_a_judge_of_ones_own_is_an_argument(tiny_lm, towns_suite):
    class Everything:
        name = "everything"

        def oddness(self, samples, answers):
            return np.array([float(s.id in forgotten) for s in samples])

    forgotten = {s.id for s in SUITES[towns_suite].parts("6", "5", None)["forget"].samples}
    report = evaluate(tiny_lm, towns_suite, judge=Everything())
    assert report.settings["judge"] == "everything"
    assert report["forget/wrong"].value == 0.0
    with pytest.raises(TokenUnlearnError, match="no judge"):
        evaluate(tiny_lm, towns_suite, judge="nobody")
