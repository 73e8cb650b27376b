"""The commands and code of the guide work."""

from __future__ import annotations

import pytest

from tests.doc_blocks import ROOT, assert_they_run, that_run


@pytest.mark.parametrize("run", that_run([ROOT / "docs" / "guide.md"]))
def test_the_blocks_of_a_page_run_in_order(run, tmp_path):
    assert_they_run(run, tmp_path)
