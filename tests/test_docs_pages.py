"""The code of the pages of the docs works."""

from __future__ import annotations

import pytest

from tests.doc_blocks import PAGES, assert_they_run, that_run


@pytest.mark.parametrize(
    "run", that_run([page for page in PAGES if page.name not in ("README.md", "guide.md")])
)
@pytest.mark.slow
def test_the_blocks_of_a_page_run_in_order(run, tmp_path):
    assert_they_run(run, tmp_path)
