"""Columns by their usual names and by a mapping, and conversations of several turns."""

from __future__ import annotations

import csv
import io
import json

import pytest

import tokenunlearn as tu
from tokenunlearn.datasets.files import parse_samples, to_csv, to_jsonl
from tokenunlearn.datasets.layout import Layout, split_options
from tokenunlearn.datasets.samples import Turn
from tokenunlearn.errors import DatasetError

ASKED, SAID = {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}
SYSTEM, HELLO, HI = Turn("system", "Be short."), Turn("user", "Hello"), Turn("assistant", "Hi!")
EARLIER = [{"role": turn.role, "content": turn.content} for turn in (SYSTEM, HELLO, HI)]


def read(*rows, layout=None, name="x.jsonl"):
    return parse_samples("\n".join(json.dumps(row) for row in rows).encode(), name, layout)


def write(path, *rows):
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return f"file:{path}"


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Who?", "answer": "Ada.", "text": "Who? Ada.", "messages": []},
        {"QUESTION": "Who?", " Answer": "Ada."},
        {"Q": "Who?", "A": "Ada."},
        {"instruction": "Who?", "input": "", "output": "Ada.", "text": "### Who? Ada."},
        {"prompt": "Who?", "completion": "Ada."},
        {"prompt": [ASKED], "completion": [SAID]},
        {"prompt": "Who?", "response": "Ada.", "input": "of the model"},
        {"query": "Who?", "response": "Ada."},
        {"input": "Who?", "output": "Ada."},
        {"messages": [ASKED, SAID]},
        {"prompt": "Who?", "prompt_id": "7", "messages": [ASKED, SAID]},
        {"messages": [ASKED, SAID, {"role": "user", "content": "Thanks."}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Who?"}]}, SAID]},
        {"conversations": [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "Ada."}]},
        {"prompt": "Who?", "chosen": "Ada.", "rejected": "Bo."},
        {"prompt": [ASKED], "chosen": [SAID], "rejected": [SAID]},
        {"chosen": [ASKED, SAID], "rejected": [ASKED, {"role": "assistant", "content": "Bo."}]},
        {"prompt": "Who?", "chosen": [ASKED, SAID], "rejected": [ASKED, SAID], "score_chosen": 8.0},
        {"chosen": "\n\nHuman: Who?\n\nAssistant: Ada.", "rejected": "\n\nHuman: Who?\n\nAssistant: Bo."},
    ],
)
def test_usual_names(row):
    assert read(row) == (tu.Sample("x-0000", "Who?", "Ada."),)


def test_turns_that_could_call_tools_but_do_not_are_read():
    said = SAID | {"tool_calls": None, "function_call": {}}
    assert read({"messages": [ASKED, said]}) == (tu.Sample("x-0000", "Who?", "Ada."),)


def test_an_input_follows_its_instruction():
    (sample,) = read({"instruction": "Translate.", "input": "Ciao", "output": "Hi"})
    assert sample.question == "Translate.\nCiao"


def test_blanks_in_the_header_keep_the_input_of_an_instruction():
    content = b"id, instruction, input, output\n1,Translate.,Ciao,Hi\n"
    assert parse_samples(content, "x.csv") == (tu.Sample("1", "Translate.\nCiao", "Hi"),)


@pytest.mark.parametrize("row", ["Ada lives.", {"text": "Ada lives."}, {"Text": "Ada lives.", "meta": {}}])
def test_texts_are_documents(row):
    for samples in (read(row), parse_samples(json.dumps([row]).encode(), "x.json")):
        assert [(s.answer, s.document) for s in samples] == [("Ada lives.", True)]


def test_one_object_is_a_row_not_columns():
    for whole in ({"messages": [ASKED, SAID]}, {"id": "a", "messages": [ASKED, SAID]}):
        (sample,) = parse_samples(json.dumps(whole).encode(), "x.json")
        assert (sample.question, sample.answer) == ("Who?", "Ada.")
    columns = {"messages": [[ASKED, SAID]] * 3}
    assert len(parse_samples(json.dumps(columns).encode(), "x.json")) == 3


@pytest.mark.parametrize(
    ("row", "history"),
    [
        ({"messages": [*EARLIER, ASKED, SAID]}, (SYSTEM, HELLO, HI)),
        ({"system": "Be short.", "messages": [*EARLIER[1:], ASKED, SAID]}, (SYSTEM, HELLO, HI)),
        ({"system": "", "prompt": "Who?", "completion": "Ada."}, ()),
        ({"prompt": [*EARLIER, ASKED], "completion": [SAID]}, (SYSTEM, HELLO, HI)),
        ({"question": "Who?", "answer": "Ada.", "history": EARLIER}, (SYSTEM, HELLO, HI)),
        ({"instruction": "Who?", "output": "Ada.", "history": [["Hello", "Hi!"]]}, (HELLO, HI)),
        ({"chosen": [*EARLIER[1:], ASKED, SAID], "rejected": [ASKED]}, (HELLO, HI)),
        ({"chosen": "\n\nHuman: Hello\n\nAssistant: Hi!\n\nHuman: Who?\n\nAssistant: Ada."}, (HELLO, HI)),
    ],
)
def test_earlier_turns(row, history):
    (sample,) = read(row)
    assert sample == tu.Sample("x-0000", "Who?", "Ada.", history=history)
    assert parse_samples(to_jsonl([sample]), "y.jsonl") == (sample,)


def test_every_assistant_turn_is_a_sample():
    row = {"id": "c", "messages": [*EARLIER, ASKED, SAID], "facts": ["Ada"]}
    first, last = read(row, layout=Layout(all_turns=True))
    assert (first.id, first.question, first.answer, first.history) == ("c-000", "Hello", "Hi!", (SYSTEM,))
    assert (last.id, last.history, last.facts, first.facts) == ("c-001", (SYSTEM, HELLO, HI), ("Ada",), ())


def test_conversations_in_csv_are_json():
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["messages"], [json.dumps([*EARLIER, ASKED, SAID])]])
    (sample,) = parse_samples(text.getvalue().encode(), "x.csv")
    assert sample.history == (SYSTEM, HELLO, HI) and sample.answer == "Ada."


def read_csv(row):
    text = io.StringIO(newline="")
    csv.writer(text).writerows([row.keys(), row.values()])
    return parse_samples(text.getvalue().encode(), "x.csv")


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": json.dumps([*EARLIER, ASKED]), "completion": json.dumps([SAID])},
        {"prompt": json.dumps([*EARLIER, ASKED]), "completion": "Ada."},
        {"chosen": json.dumps([*EARLIER, ASKED, SAID]), "rejected": "Bo."},
    ],
)
def test_turns_in_csv_cells_of_any_column_are_json(row):
    assert read_csv(row) == (tu.Sample("x-0000", "Who?", "Ada.", history=(SYSTEM, HELLO, HI)),)


@pytest.mark.parametrize(
    "text", ["[1] Ada.", "[]", '["Ada"]', '[{"name": "Ada"}]', '[{"role": ', "[" * 100_000]
)
def test_csv_cells_that_hold_no_turns_stay_text(text):
    assert read_csv({"question": text, "answer": text}) == (tu.Sample("x-0000", text, text),)


def test_turns_as_json_stay_text_where_a_file_knows_lists():
    text = json.dumps([ASKED, SAID])
    samples = read({"question": "Write a chat.", "answer": text})
    assert samples == (tu.Sample("x-0000", "Write a chat.", text),)
    assert parse_samples(to_csv(samples), "x.csv") == samples
    (document,) = read_csv({"text": text})
    assert type(document.answer) is str and document.answer == text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"messages": []}, "Line 1 .* has no assistant turn right after a user turn"),
        ({"messages": [SAID]}, "has no assistant turn right after a user turn"),
        ({"messages": [ASKED, SAID, SAID]}, "has no assistant turn right after a user turn"),
        ({"messages": None}, 'has no "messages"'),
        ({"messages": "Who?"}, 'has a turn in "messages" without a role'),
        ({"messages": 3}, 'has a value of type int in "messages", not a list'),
        ({"messages": ["Who?", "Ada."]}, 'has a turn in "messages" without a role'),
        (
            {"messages": [ASKED, {"role": "tool", "content": "x"}]},
            'the role "tool" in "messages"; use system',
        ),
        ({"messages": [ASKED, {"role": "assistant", "content": None}]}, 'turn in "messages" without text'),
        ({"messages": [ASKED, {"role": "assistant", "content": " "}]}, "has an empty answer"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}, SAID]}, "of type list"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}, "b"]}, SAID]}, "of type list"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": None}]}, SAID]},
            'turn in "messages" without text',
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 3}]}, SAID]},
            'of type int in "messages", not text',
        ),
        *(
            ({"messages": [ASKED, SAID | {call: value}]}, 'turn in "messages" that calls a tool')
            for call, value in (
                ("tool_calls", [{"function": {"name": "f"}}]),
                ("function_call", {"name": "f"}),
            )
        ),
        ({"chosen": "Ada.", "rejected": "Bo."}, "has no assistant turn right after a user turn"),
        ({"prompt": 3, "completion": "Ada."}, 'has a value of type int in "prompt", not text'),
        ({"text": " "}, 'has no "text"; every document needs non-empty text'),
        ({"question": "Who?", "answer": "Ada.", "facts": ["Bo"]}, '"facts" "Bo" that does not occur'),
        ({f"c{i}": i for i in range(12)}, "are c0, c1, c2, c3, c4, c5, c6, c7, ...; map them"),
    ],
)
def test_each_fault_has_its_own_sentence(row, message):
    with pytest.raises(DatasetError, match=message) as error:
        read(row)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_mapped_columns_are_part_of_the_name(tmp_path):
    name = write(tmp_path / "my.jsonl", {"frage": "Who?", "Antwort &Co": "Ada.", "ort": "Ada"})
    columns = {"question": "frage", "answer": "Antwort &Co", "facts": "ORT"}
    samples = tu.load_samples(name, columns)
    assert (samples[0].question, samples[0].answer, samples[0].facts) == ("Who?", "Ada.", ("Ada",))
    assert samples.name == f"{name}?question=frage&answer=Antwort %26Co&facts=ORT"
    assert tu.load_samples(samples.name) == samples


def test_turns_are_part_of_the_name(tmp_path):
    name = write(tmp_path / "my.jsonl", {"chat": [*EARLIER, ASKED, SAID]})
    samples = tu.load_samples(name, {"messages": "chat"}, all_turns=True)
    assert samples.name == f"{name}?messages=chat&turns=all" and len(samples) == 2
    assert tu.load_samples(f"{name}?messages=chat", all_turns=True) == samples
    assert len(tu.load_samples(f"{name}?messages=chat")) == 1


def test_a_mapping_decides_what_is_read():
    row = {"question": "Who?", "answer": "Ada.", "body": "Ada lives.", "other": "Bo."}
    assert read(row, layout=Layout({"text": "body"}))[0].document
    assert read(row, layout=Layout({"answer": "other"}))[0].answer == "Bo."
    with pytest.raises(DatasetError, match=r"map them with columns="):
        read({"question": "Who?", "text": "Ada."}, layout=Layout({"question": "question"}))


def test_documents_by_a_mapped_column(tmp_path):
    name = write(tmp_path / "my.jsonl", {"body": "Ada lives."}).replace("file:", "documents:")
    assert tu.load_samples(f"{name}?text=body")[0].answer == "Ada lives."


def test_paths_may_hold_what_options_hold(tmp_path):
    for path in ("what?.jsonl", "what?question=frage.jsonl", "50%&more.jsonl"):
        name = write(tmp_path / path, {"question": "Who?", "answer": "Ada.", "frage": "Wer?"})
        assert tu.load_samples(name).name == name
        mapped = tu.load_samples(name, {"question": "frage"})
        assert mapped[0].question == "Wer?" and tu.load_samples(mapped.name) == mapped


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my.jsonl", ("my.jsonl", "")),
        ("my.jsonl?question=a&turns=all", ("my.jsonl", "question=a&turns=all")),
        ("my?.jsonl?text=a%3Fb%25", ("my?.jsonl", "text=a%3Fb%25")),
        ("my?.jsonl", ("my?.jsonl", "")),
        ("my.jsonl?", ("my.jsonl?", "")),
    ],
)
def test_options_of_a_name(name, expected):
    path, layout = split_options(name)
    assert (path, layout.options) == expected
    assert Layout.of(layout.options) == layout


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("file:{}?qestion=a", None, 'There is no field "qestion" to map a column to; use question, answer,'),
        ("file:{}", {"frage": "a"}, 'There is no field "frage"'),
        ("file:{}?turns=first", None, 'turns is "first"; it must be all or last'),
        (
            "file:{}",
            {"question": "frage"},
            'no column "frage" in the file "my.jsonl"; its columns are question',
        ),
        ("authors:forget10", {"question": "a"}, '"authors:forget10" have no columns to map'),
        ("nowhere", {"question": "a"}, '"nowhere" have no columns to map'),
    ],
)
def test_mappings_that_do_not_fit(tmp_path, name, columns, message):
    write(tmp_path / "my.jsonl", {"question": "Who?", "answer": "Ada."})
    with pytest.raises(DatasetError, match=message):
        tu.load_samples(name.format(tmp_path / "my.jsonl"), columns)


@pytest.mark.parametrize(
    "span", [["Lisbon"], "Lisbon", '["Lisbon"]', [[3, 9]], "[[3, 9]]", ["Lisbon", [3, 9]]]
)
@pytest.mark.parametrize("field", ["span", "facts"])
def test_facts_are_ranges_or_strings(field, span):
    (sample,) = read({"question": "Where?", "answer": "In Lisbon, Lisbon.", field: span})
    assert sample.span == ((3, 9),)
