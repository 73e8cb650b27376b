"""README's table of what the default does to each world."""

import json

import pytest

from benchmarks import RESULTS
from benchmarks.default_table import MEASURES, default_table
from benchmarks.markdown import markdown
from tokenunlearn.folders import ASSETS

ROOT = ASSETS.parent


def test_a_cell_is_a_mean_over_seeds_beside_the_model_that_never_saw_it():
    def runs(suite, *leaks):
        others, named = dict.fromkeys(MEASURES, (1.0, 4)), {"suite": suite, "variant": "default"}
        return [{**named, "metrics": others | {"forget/leaks": (v, 7)}} for v in leaks]

    never_saw = {name: {"forget/leaks": [0.125, 7]} for name in ("authors", "prose", "smollm2")}
    frame = {"runs": [*runs("authors", 0.0, 0.5), *runs("prose", 0.1), *runs("smollm2", 0.2)]}
    frame["runs"].append(runs("authors", 0.9)[0] | {"variant": "npo"})
    tofu = {"runs": runs("tofu", 0.3), "retrained": {}}
    header, rows = default_table({**frame, "retrained": never_saw}, tofu)
    assert header[1] == "demo model, authors: 2 seeds, n = 7"
    assert rows[0] == ["leaks the secret", "0.250 (0.125)", "0.100 (0.125)", "0.200 (0.125)", "0.300"]
    assert rows[4][1] == "1.000 (n = 4)"


@pytest.mark.results
def test_the_readme_shows_the_stored_results():
    paths = (RESULTS / "frame.json", RESULTS / "tofu.json")
    stored = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    assert markdown(*default_table(*stored)) in (ROOT / "README.md").read_text(encoding="utf-8")
