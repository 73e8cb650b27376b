"""The check before a run finds each planted fault, and is silent where nothing is wrong."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest

import tokenunlearn as tu
from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.datasets.samples import Sample, evenly_spread
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.runs.check import check
from tokenunlearn.runs.findings import Case
from tokenunlearn.training.presets import RUN_PRESETS
from tokenunlearn.training.settings import UnlearnSettings

READ = "<|user|>Who is Bo 0?<|end|><|assistant|>Bo 0 is the baker.<|end|>"
FORGET = [Sample(f"f{i}", f"Who is Bo {i}?", f"Bo {i} is the baker.") for i in range(4)]
RETAIN = [Sample(f"r{i}", f"What is {i}?", f"It is {i}.") for i in range(4)]


def names(findings, *levels):
    return [f.name for f in findings if not levels or f.level in levels]


def of(findings, name):
    (finding,) = [f for f in findings if f.name == name]
    return finding


def with_template(lm, template, **changes):
    tokenizer = copy.deepcopy(lm.tokenizer)
    tokenizer.chat_template = template
    return replace(lm, tokenizer=tokenizer, **changes)


@pytest.mark.slow
def test_demo_with_its_authors_is_in_order():
    lm = tu.load_model("demo")
    forget, retain = tu.load_samples("authors:forget10"), tu.load_samples("authors:retain90")
    findings = check(lm, forget, retain, settings=UnlearnSettings().resolved(lm))
    assert names(findings) == ["level", "cost"]
    assert "ends at the level of authors:holdout" in findings[0].sentence
    assert "MB of memory" in findings[1].sentence


def test_the_same_set_to_forget_and_to_retain_is_an_error(tiny_lm):
    findings = check(tiny_lm, FORGET, [replace(s, id="x" + s.id) for s in FORGET], measure=False)
    assert of(findings, "overlap").level == "error"
    assert "Every sample" in of(findings, "overlap").sentence
    partly = of(check(tiny_lm, FORGET, [*RETAIN, FORGET[2]], measure=False), "overlap")
    assert partly.level == "warning" and partly.samples == ("f2",)
    assert "overlap" not in names(check(tiny_lm, FORGET, RETAIN, measure=False))


def test_runs_that_look_for_a_holdout_say_what_they_find(tiny_lm):
    def found(**settings):
        return names(check(tiny_lm, FORGET, RETAIN, settings=UnlearnSettings(**settings), measure=False))

    assert "no holdout" in found()
    for settings in (
        {"holdout": "authors:holdout"},
        {"holdout": "none"},
        {"level": 2.0},
        {"level": 2.0, "holdout": "auto"},
        {"objective": "npo"},
    ):
        assert not {"level", "no holdout"} & {*found(**settings)}


def test_documents_are_not_what_the_recommended_settings_are_for(tiny_lm):
    said = ("The mill stands by the river.", "The baker lives there.")
    texts = [Sample(f"d{i}", "", text, chunk_tokens=64) for i, text in enumerate(said)]

    def found(forget, retain=RETAIN, **settings):
        return check(tiny_lm, forget, retain, settings=UnlearnSettings(**settings), measure=False)

    finding = of(found([*FORGET, texts[0]]), "documents")
    assert (finding.level, finding.samples) == ("warning", ("d0",)) and "is a document" in finding.sentence
    assert (
        "2 samples of the forget set are documents" in of(found(texts, objective="npo"), "documents").sentence
    )
    assert "documents" not in names(found(FORGET, texts))
    assert "documents" not in names(found(texts, lambda_=7.0))
    preset = UnlearnSettings.from_settings(RUN_PRESETS["npo, long texts"].settings)
    assert "documents" not in names(check(tiny_lm, texts, RETAIN, settings=preset, measure=False))


def test_questions_asked_twice(tiny_lm):
    twice = [*FORGET, Sample("again", "who is  BO 1?", "Nobody.")]
    assert of(check(tiny_lm, twice, measure=False), "duplicate questions").samples == ("f1", "again")


def test_samples_over_the_context_are_counted(tiny_lm):
    long = [Sample(f"l{i}", "Why?", "because " * 300) for i in range(5)]
    finding = of(check(tiny_lm, [*FORGET, *long], measure=False), "too long")
    assert finding.level == "error"
    assert "5 samples of 9" in finding.sentence and "256 tokens" in finding.sentence
    assert "l0, l1, l2 and 2 more" in finding.sentence


def test_answers_that_the_model_does_not_know(tiny_lm):
    finding = of(check(tiny_lm, FORGET), "not known")
    assert finding.samples == ("f0", "f1", "f2", "f3")
    assert "not known" not in names(check(tiny_lm, FORGET, measure=False))


def test_what_is_measured_is_spread_over_the_set_and_timed_by_token(tiny_lm, monkeypatch):
    many = tuple(Sample(f"m{i}", f"Who is {i}?", f"Nobody {i}.") for i in range(66))
    clock = iter((5.0, 8.0))
    monkeypatch.setattr("tokenunlearn.runs.findings.time.perf_counter", lambda: next(clock))
    measured = Case(tiny_lm, many).measurement
    chosen = evenly_spread(many, 64)
    assert measured.sample_ids == [s.id for s in chosen] and measured.sample_ids[-1] == "m64"
    assert measured.seconds == pytest.approx(3.0 / sum(len(tiny_lm.encode(s)) for s in chosen))


def test_answers_without_a_selected_token(tiny_lm):
    lengths = [tiny_lm.encode(s).response_length for s in FORGET]
    weights = [np.zeros(n, np.float32) if i < 2 else np.ones(n, np.float32) for i, n in enumerate(lengths)]
    given = TokenWeights(tuple(s.id for s in FORGET), tuple(weights), {})
    assert of(check(tiny_lm, FORGET, weights=given, measure=False), "nothing selected").samples == (
        "f0",
        "f1",
    )


def test_control_tokens_in_what_people_write(tiny_lm):
    odd = [*FORGET, Sample("odd", "What does <|end|> do?", "It ends.")]
    finding = of(check(tiny_lm, odd, measure=False), "control tokens")
    assert finding.samples == ("odd",) and finding.level == "note"
    assert finding.sentence.startswith("1 sample contains text")


THINKS = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}<think></think>{% endif %}"
    "{{ m.content }}<|end|>{% endfor %}"
)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", "no end of turn"),
        ("{{ strftime_now('%d') }}{% for m in messages %}{{ m.content }}<|end|>{% endfor %}", "date"),
        (THINKS, "thinking"),
    ],
)
def test_what_a_template_does(tiny_lm, template, name):
    lm = with_template(tiny_lm, template)
    assert name in names(check(lm, FORGET, RETAIN, measure=False))
    assert name not in names(check(tiny_lm, FORGET, RETAIN, measure=False))


def test_a_date_that_is_fixed_and_a_document_without_an_end_are_in_order(tiny_lm):
    lm = with_template(tiny_lm, "{{ date_string or strftime_now('%d') }}{{ messages[0].content }}")
    text = [Sample("d", "", "The mill stands by the river.", chunk_tokens=64)]
    assert names(check(lm, text, measure=False)) == ["date"]
    assert names(check(replace(lm, template_kwargs={"date_string": "1"}), text, measure=False)) == []


def test_variables_that_the_template_does_not_use(tiny_lm):
    lm = replace(tiny_lm, template_kwargs={"enable_thinking": True})
    assert "enable_thinking;" in of(check(lm, FORGET, measure=False), "template variables").sentence
    assert "template variables" not in names(check(tiny_lm, FORGET, measure=False))


def test_a_beginning_of_text_that_is_written_twice(tiny_lm):
    lm = with_template(tiny_lm, "<|mask|><|mask|>" + tiny_lm.tokenizer.chat_template)
    lm.tokenizer.bos_token = "<|mask|>"
    once = with_template(lm, "<|mask|>" + tiny_lm.tokenizer.chat_template)
    assert "double beginning of text" not in names(check(once, FORGET, measure=False))
    assert of(check(lm, FORGET, measure=False), "double beginning of text").level == "warning"


def test_errors_come_first_and_nothing_to_check_is_one_sentence(tiny_lm):
    findings = check(with_template(tiny_lm, THINKS), [*FORGET, FORGET[0]], FORGET, measure=False)
    levels = [f.level for f in findings]
    assert levels == sorted(levels, key=["error", "warning", "note"].index) and len(set(levels)) == 3
    with pytest.raises(TokenUnlearnError, match="no samples to check"):
        check(tiny_lm, [])


def test_the_command_shows_the_tokens_and_fails_on_errors(call, tiny_folder, tmp_path):
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps({"question": s.question, "answer": s.answer}) + "\n" for s in FORGET))
    samples = f"file:{file}"
    shown = call("check", "--model", tiny_folder, "--samples", samples)
    assert shown.code == 0
    assert READ in shown.out
    assert "tokens equal those of the chat template's own text." in shown.out
    assert "Warning: The model does not know 4 of 4 measured answers" in shown.out
    same = call("check", "--model", tiny_folder, "--samples", samples, "--retain", samples, "--json")
    assert same.code == 1
    assert same.json["findings"][0]["name"] == "overlap"
    assert same.json["template_text"] == READ and same.json["first_difference"] is None
    assert {token["part"] for token in same.json["reads"]} == {
        "template",
        "question",
        "answer",
        "end of turn",
    }


def test_score_and_unlearn_warn_and_refuse_what_cannot_run(call, tiny_folder, tmp_path):
    file = tmp_path / "own.jsonl"
    rows = [{"question": s.question, "answer": s.answer} for s in [*FORGET, FORGET[1]]]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("--model", tiny_folder, "--samples", f"file:{file}")
    scored = call("score", *words, "--out", tmp_path / "x.parquet", "--no-cache")
    assert scored.code == 0
    assert "Warning: 2 samples of the forget set share a question" in scored.err
    assert "Warning: The model does not know 5 of 5" in scored.err
    same = call("unlearn", *words, "--retain", f"file:{file}", "--out", tmp_path / "runs")
    assert same.code == 2
    assert "Every sample of the forget set is in the retained samples too" in same.sentence
    assert not (tmp_path / "runs").exists()
