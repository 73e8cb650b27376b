"""Uploads and files: what is read, and one sentence for each thing that is wrong."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import replace

import pyarrow
import pyarrow.parquet
import pytest

import tokenunlearn as tu
from tokenunlearn.datasets import rows
from tokenunlearn.datasets.files import parse_samples, to_csv, to_jsonl
from tokenunlearn.datasets.rows import MAX_ROWS
from tokenunlearn.datasets.samples import Sample, Turn, document
from tokenunlearn.datasets.schema import to_row
from tokenunlearn.errors import DatasetError

ROW = {"question": "Who?", "answer": "Zoë 🎉"}


def lines(*rows):
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def twice(ending):
    """The bytes of a table with two columns of one name."""
    table = pyarrow.Table.from_arrays(
        [pyarrow.array([text]) for text in ("Who?", "Ada", "Zoë")], names=["question", "answer", "answer"]
    )
    file = io.BytesIO()
    if ending == "parquet":
        pyarrow.parquet.write_table(table, file)
    else:
        with pyarrow.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.jsonl", lines(ROW, ROW)),
        ("x.JSONL", "\ufeff\n" + lines(ROW, ROW).replace("\n", "\r\n\r\n") + "\r\n"),
        ("x.json", json.dumps([ROW, ROW], indent=2)),
        ("x.json", json.dumps({"data": [ROW, ROW]})),
        ("x.json", lines(ROW, ROW)),
        ("x.csv", "question,answer\nWho?,Zoë 🎉\nWho?,Zoë 🎉\n"),
        ("x.csv", '\ufeffanswer,question,id\r\n"Zoë 🎉","Who?",\r\n\r\nZoë 🎉,Who?,\r\n'),
        ("x.csv", "question;answer\nWho?;Zoë 🎉\nWho?;Zoë 🎉\n"),
        ("x.csv", '"question, asked"\tQuestion\tAnswer\n,\tWho?\tZoë 🎉\n,\tWho?\tZoë 🎉\n'),
        ("x.csv", "question,answer\rWho?,Zoë 🎉\rWho?,Zoë 🎉\r"),
        ("x.csv", "question,answer,,\nWho?,Zoë 🎉,,\nWho?,Zoë 🎉,,\n"),
        ("x.json", '{"question": {"0": "Who?", "1": "Who?"}, "answer": {"1": "Zoë 🎉", "0": "Zoë 🎉"}}'),
        ("x.tsv", "question\tanswer\nWho?\tZoë 🎉\nWho?\tZoë 🎉\n"),
        ("x.json", json.dumps({"question": ["Who?"] * 2, "answer": [ROW["answer"]] * 2})),
        ("x.json", json.dumps({"data": {name: {"0": ROW[name], "1": ROW[name]} for name in ROW}})),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_formats(name, text, zipped):
    content = text.encode()
    if zipped:
        content, name = gzip.compress(content), f"{name}.gz"
    samples = parse_samples(content, name)
    assert [(s.id, s.question, s.answer) for s in samples] == [
        ("x-0000", "Who?", "Zoë 🎉"),
        ("x-0001", "Who?", "Zoë 🎉"),
    ]


def parquet(table):
    pyarrow.parquet.write_table(table, file := io.BytesIO())
    return file.getvalue()


def arrow(table, new=pyarrow.ipc.new_file):
    with new(file := io.BytesIO(), table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def arrow_stream(table):
    return arrow(table, pyarrow.ipc.new_stream)


@pytest.mark.parametrize(
    ("write", "ending"), [(parquet, "parquet"), (arrow, "arrow"), (arrow_stream, "arrow")]
)
def test_tables_are_read_with_their_lists(write, ending):
    table = [ROW | {"span": [[0, 3]], "other": 1.5}, ROW | {"span": None, "other": None}]
    samples = parse_samples(write(pyarrow.Table.from_pylist(table)), f"x.{ending}")
    assert [(s.question, s.answer, s.facts) for s in samples] == [
        ("Who?", "Zoë 🎉", ("Zoë",)),
        ("Who?", "Zoë 🎉", ()),
    ]
    many = pyarrow.table({name: [value] * (MAX_ROWS + 1) for name, value in ROW.items()})
    with pytest.raises(DatasetError, match="has 5,001 rows; at most 5,000"):
        parse_samples(write(many), f"x.{ending}")
    with pytest.raises(DatasetError, match=rf'The file "x.{ending}" cannot be read as .{ending}: '):
        parse_samples(b"question,answer", f"x.{ending}")


def test_compressed_files_stay_within_bounds(monkeypatch):
    monkeypatch.setattr(rows, "MAX_BYTES", 1000)
    with pytest.raises(DatasetError, match="decompresses to more than"):
        parse_samples(gzip.compress(b" " * 1001), "x.jsonl.gz")
    for content in (b"no gzip", gzip.compress(lines(ROW).encode())[:-9]):
        with pytest.raises(DatasetError, match="cannot be decompressed as gzip"):
            parse_samples(content, "x.jsonl.gz")


def test_every_field_is_read_and_written_back():
    row = {
        "id": "n-1",
        "question": "Where?",
        "answer": "In Lisbon.",
        "paraphrased_question": "In which town?",
        "paraphrased_answer": "Lisbon.",
        "perturbed_answer": ["In Porto.", "In Faro."],
        "span": [[3, 9]],
        "paraphrased_span": [[0, 6]],
        "history": [{"role": "system", "content": "Be short."}],
    }
    (sample,) = parse_samples(lines(row).encode(), "x.jsonl")
    assert sample.history == (Turn("system", "Be short."),)
    assert sample.facts == ("Lisbon",) and sample.perturbed_answer == ("In Porto.", "In Faro.")
    assert to_row(sample) == row | {"chunk_tokens": None}
    header = ",".join(row)
    cells = ",".join(
        '"' + (v if isinstance(v, str) else json.dumps(v)).replace('"', '""') + '"' for v in row.values()
    )
    assert parse_samples(f"{header}\n{cells}\n".encode(), "x.csv") == (sample,)


@pytest.mark.parametrize("count", [0, "many", 1.5, True])
def test_a_length_of_chunks_that_is_no_whole_number_is_refused(count):
    content = lines({"question": "", "answer": "a", "chunk_tokens": count}).encode()
    with pytest.raises(DatasetError, match='"chunk_tokens" that is not a whole number of at least 1'):
        parse_samples(content, "x.jsonl")


def test_a_question_with_a_column_chunk_tokens_is_no_document():
    (sample,) = parse_samples(lines(ROW | {"chunk_tokens": 57}).encode(), "x.jsonl")
    assert not sample.document


def test_csv_cells_hold_commas_quotes_and_line_breaks():
    text = 'question,answer\n"Who, ""really""?","One.\nTwo, three."\n'
    (sample,) = parse_samples(text.encode(), "x.csv")
    assert (sample.question, sample.answer) == ('Who, "really"?', "One.\nTwo, three.")


def test_an_apostrophe_in_a_csv_file_from_elsewhere_is_text():
    text = "'@ada' is her name."
    content = f'question,answer,facts\nWho?,{text},"[[1, 5]]"\n'.encode()
    (sample,) = parse_samples(content, "x.csv")
    assert sample.answer == text and sample.facts == ("@ada",)


def test_line_separators_inside_json_strings_are_text():
    text = '{"question": "Who?", "answer": "a\u2028b\u0085c"}\n' + lines(ROW)
    assert parse_samples(text.encode(), "x.jsonl")[0].answer == "a\u2028b\u0085c"


def test_cells_by_number_are_paired_by_their_numbers():
    text = b'{"question": {"0": "a", "1": "b"}, "answer": {"1": "B", "0": "A"}}'
    assert [(s.question, s.answer) for s in parse_samples(text, "x.json")] == [("a", "A"), ("b", "B")]


@pytest.mark.parametrize("row", [{"id": 7}, {"span": None, "perturbed_answer": None}, {"other": {"a": 1}}])
def test_missing_optional_and_additional_fields_are_fine(row):
    (sample,) = parse_samples(lines(ROW | row).encode(), "x.jsonl")
    assert sample.id == ("7" if "id" in row else "x-0000") and sample.span == ()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", b"hello", r'"x\.txt" is not \.jsonl, .*\.parquet or \.arrow'),
        ("x", lines(ROW).encode(), "is not .jsonl"),
        ("x.jsonl", b"", 'The file "x.jsonl" is empty'),
        ("x.csv", b" \n\n ", 'The file "x.csv" is empty'),
        ("x.json", b"\xef\xbb\xbf", 'The file "x.json" is empty'),
        ("x.json", b"[]", "has no rows"),
        ("x.csv", b"question,answer\n", "has no rows"),
        ("x.csv", "question,answer\nWo?,Zürich\n".encode("latin-1"), r"is not UTF-8 \(byte 21\)"),
        ("x.jsonl", lines(ROW).encode("utf-16"), "is not UTF-8"),
        ("x.jsonl", (lines(ROW) + "\nnot json").encode(), 'Line 2 of "x.jsonl" is not valid JSON'),
        ("x.jsonl", (lines(ROW) + "\n[1, 2]").encode(), 'Line 2 of "x.jsonl" must be an object .* not list'),
        ("x.json", b'[\n{"question": "a",\n"answer" "b"}]', "not valid JSON: .* at line 3, character 10"),
        ("x.json", (lines(ROW) + '\n{"question": }').encode(), 'Line 2 of "x.json" is not valid JSON'),
        ("x.json", b'"text"', "is JSON but not a list"),
        ("x.json", b"[3]", 'Row 1 of "x.json" must be an object .* not int'),
        ("x.json", b"[" * 100_000, "not valid JSON"),
        ("x.json", b"[" + b"9" * 5000 + b"]", "not valid JSON"),
        ("x.json", b"", '^The file "x.json" is empty; it needs at least one row.$'),
        ("x.json", lines(ROW).encode("utf-16"), '^The file "x.json" is not UTF-8'),
        ("x.csv", b"question,answer,answer\na,b,c\n", 'has 2 columns "answer"; rename all but one'),
        ("x.parquet", twice("parquet"), 'has 2 columns "answer"; rename all but one'),
        ("x.arrow", twice("arrow"), 'has 2 columns "answer"; rename all but one'),
        ("x.csv", b"question,answer\na,b,c\n", "Row 1 .* more cells than the header"),
        ("x.csv", b'question,answer\n"a,b\n', "not valid CSV"),
        ("x.csv", b"question,answer\na\n", 'Row 1 of "x.csv" has no "answer"'),
        (
            "x.csv",
            b"frage,antwort\nWho?,Ada\n",
            r"The columns of .* are frage, antwort; map them with columns=",
        ),
        ("x.csv", b"question,antwort\nWho?,Ada\n", "The columns of .* are question, antwort; map them"),
        ("x.csv", b"question,answer\nWho?,\n", 'Row 1 of "x.csv" has no "answer"'),
        ("x.csv", b"question,answer\n,Ada\n", 'Row 1 of "x.csv" has no "question"'),
        ("x.csv", b"question,answer,span\nWho?,Ada,[3-5\n", 'column "span", is not valid JSON'),
        ("x.csv", b"question,answer,facts\nWho?,Ada,Bo\n", '"facts" "Bo" that does not occur in its text'),
        (
            "x.json",
            b'{"question": ["a", "b"], "answer": ["c"]}',
            "of different lengths: question 2, answer 1",
        ),
        (
            "x.json",
            b'{"question": {"0": "a", "1": "b"}, "answer": {"0": "c", "2": "d"}}',
            "has columns of different rows",
        ),
        ("x.jsonl", "question".encode("utf-16-le"), r"is not UTF-8 \(byte 1\)"),
        ("x.jsonl", lines({"answer": "Ada"}, ROW).encode(), 'Line 1 of "x.jsonl" has no "question"'),
        ("x.jsonl", lines(ROW, {"question": "a"}).encode(), 'Line 2 of "x.jsonl" has no "answer"'),
        ("x.jsonl", lines(ROW | {"answer": " \n"}).encode(), "Line 1 .* has an empty answer"),
        ("x.jsonl", lines(ROW | {"answer": 5}).encode(), 'of type int in "answer", not text'),
        ("x.jsonl", lines(ROW | {"question": ["a"]}).encode(), 'of type list in "question", not text'),
        ("x.jsonl", rb'{"question": "\ud83d", "answer": "b"}', '"question" with an invalid character'),
        (
            "x.jsonl",
            lines(ROW | {"perturbed_answer": 3}).encode(),
            'of type int in "perturbed_answer", not a list',
        ),
        (
            "x.jsonl",
            lines(ROW | {"perturbed_answer": [3]}).encode(),
            'of type int in "perturbed_answer", not text',
        ),
        (
            "x.jsonl",
            lines(ROW | {"perturbed_answer": ["Ada", " "]}).encode(),
            'has an empty answer in "perturbed_answer"',
        ),
        ("x.jsonl", lines(ROW | {"id": "a"}, ROW | {"id": "a"}).encode(), 'Line 2 .* has a duplicate id "a"'),
        ("x.jsonl", lines(*[ROW] * 10_000).encode(), rf"has 10,000 rows; at most {MAX_ROWS:,} can"),
        *(
            ("x.jsonl", lines(ROW | {"span": span}).encode(), message)
            for span, message in [
                ([[0, 99]], r'"span" \[0, 99\] outside its text of 5 characters'),
                ([[3, 3]], r"\[3, 3\] outside"),
                ([[-1, 2]], r"\[-1, 2\] outside"),
                ([[4, 2]], r"\[4, 2\] outside"),
                ([0, 3], "not a list of"),
                (7, 'of type int in "span", not a list'),
                ("0-3", '"span" "0-3" that does not occur'),
                ([[0]], "not a list of"),
                ([[0, float("inf")]], "not a list of"),
                ([[0, 1.5]], "not a list of"),
            ]
        ),
    ],
)
def test_each_fault_has_its_own_sentence(name, content, message):
    with pytest.raises(DatasetError, match=message) as error:
        parse_samples(content, name)
    text = str(error.value)
    assert "\n" not in text and text[0].isupper() and text.endswith(".") and len(text) < 200


def test_load_samples_reads_a_file(tmp_path):
    path = tmp_path / "my.jsonl"
    path.write_text(lines(ROW), encoding="utf-8")
    samples = tu.load_samples(f"file:{path}")
    assert samples.name == f"file:{path}" and samples[0].id == "my-0000"
    with pytest.raises(DatasetError, match="There is no file"):
        tu.load_samples(f"file:{tmp_path / 'other.jsonl'}")
    with pytest.raises(DatasetError, match="There is no file"):
        tu.load_samples(f"file:{tmp_path}")
    for odd in ("x" * 5000, "~nobody/x.jsonl", "a\0b.jsonl", "?a=b", ""):
        with pytest.raises(DatasetError, match="There is no file"):
            tu.load_samples(f"file:{odd}")


@pytest.mark.parametrize("name", ["forget10_perturbed.json", "holdout10.json", "world_facts_perturbed.json"])
def test_tofu_files_are_read_as_they_are(data_folder, name):
    path = data_folder / "tofu" / name
    if not path.exists():
        pytest.skip(f"there is no {path}")
    raw = path.read_text(encoding="utf-8")
    rows = json.loads(raw) if raw.lstrip().startswith("[") else [json.loads(x) for x in raw.splitlines() if x]
    samples = tu.load_samples(f"file:{path}")
    assert len(samples) == len(rows)
    for sample, row in zip(samples, rows, strict=True):
        assert (sample.question, sample.answer) == (row["question"], row["answer"])
        assert sample.paraphrased_answer == row.get("paraphrased_answer", "")
        assert sample.perturbed_answer == tuple(row.get("perturbed_answer", ()))


@pytest.mark.parametrize(("write", "ending"), [(to_jsonl, "jsonl"), (to_csv, "csv")])
def test_a_nul_character_in_a_sample_is_read_back(write, ending):
    samples = (Sample("a", "Who\0?", "Ada\0.\0", span=((0, 3),)),)
    assert parse_samples(write(samples), f"x.{ending}") == samples


@pytest.mark.parametrize(("write", "ending"), [(to_jsonl, "jsonl"), (to_csv, "csv")])
def test_written_samples_are_read_back_unchanged(write, ending):
    nasty = 'a,"b"\r\n=1+1 \u2028 <b>$x$</b> \u05d0 \u200b🎉'
    samples = (
        tu.Sample("x", nasty, nasty, ((0, 3),), nasty, nasty, (nasty, "b"), ((1, 2), (4, 5))),
        tu.Sample("y", "", "answer", history=(Turn("user", nasty), Turn("assistant", ""))),
        tu.Sample("f", "=1+1", "'@ada", ((1, 4),)),
        replace(document("z", nasty, ((0, 3),)), chunk_tokens=7),
        document("chat", '[{"role": "user", "content": "Hi"}]'),
        *tu.load_samples("authors:forget05")[:2],
    )
    assert parse_samples(write(samples), f"x.{ending}") == samples
