"""Words explained: the docs page and the app say the same."""

from __future__ import annotations

import pytest

from app.glossary import GLOSSARY, meaning, page
from tests.launch import ROOT


def test_the_docs_page_is_that_of_the_app():
    assert (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8") == page()


def test_every_word_is_explained_in_whole_sentences_that_fit_a_table():
    for term, text in GLOSSARY.items():
        assert text[0].isupper() and text.endswith("."), term
        assert "|" not in text and "  " not in text, term


def test_the_help_of_a_label_begins_with_its_own():
    assert meaning("NPO", after="Own.") == f"Own.\n\n**NPO**: {GLOSSARY['NPO']}"
    assert meaning("gold span") == f"**Gold span**: {GLOSSARY['gold span']}"


def test_a_word_without_an_explanation_is_a_fault():
    with pytest.raises(KeyError):
        meaning("frobnicate")
