"""Tables that spreadsheets open: no text in them runs as a formula, and it can be had back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.files import parse_samples, to_csv
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.spreadsheets import guarded, unguarded
from tokenunlearn.spreadsheets import to_csv as table_csv

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    '=HYPERLINK("http://x","y")',
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_guarded_in_cells_and_column_names(text):
    header, row = csv.reader(io.StringIO(table_csv([{text: text}], [text]), newline=""))
    assert header == row == [f"'{text}"]


@pytest.mark.parametrize("value", ["a=1", "", " =1", "'", "'x", None, -1.5, 3, True])
def test_other_cells_stay_as_they_are(value):
    assert guarded(value) == value


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\nab ")) | st.text())
def test_any_text_comes_back(text):
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", FORMULAS)
def test_samples_run_no_formula_and_are_read_back(text):
    samples = (Sample("=id", text, text), *tuple(load_samples("authors:forget10"))[:1])
    content = to_csv(samples)
    cells = [cell for row in csv.reader(io.StringIO(content.decode(), newline="")) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
    assert parse_samples(content, "a.csv") == samples
