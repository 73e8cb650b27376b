"""Writes ``docs/results.md`` and its figure from ``benchmarks/results``: ``python -m benchmarks.tables``."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    RESULTS,
    attacks_table,
    default_table,
    depth_table,
    evidence,
    few_samples_table,
    frame_table,
    hazard_table,
    languages_table,
    levels_table,
    methods_table,
    outcomes_table,
    reached_table,
    requests_table,
    selectivity_table,
    signals_tables,
    snr_table,
    tofu_table,
)
from benchmarks.markdown import counted, markdown
from benchmarks.methods_figure import draw
from benchmarks.study_plan import FOLDER, LEADING
from tokenunlearn.evaluation import Verdict
from tokenunlearn.folders import ASSETS
from tokenunlearn.runs.card import verdict_markdown
from tokenunlearn.runs.store import RunStore

PAGE = Path(__file__).resolve().parent.parent / "docs" / "results.md"
HEAD = """# Results

`python -m benchmarks.tables` generates this page from the JSON files under `benchmarks/results/`. The command
above each table produces its JSON file.
"""


def signals_table(result: dict[str, Any]) -> str:
    """Signals of one model as rows, figures against the gold spans as columns."""
    return markdown(*signals_tables.full(result))


def default_choice_table(result: dict[str, Any], tokens: str) -> str:
    """Variants of the default signal as rows, models as columns, and each variant's worst model."""
    models = result["models"]
    rows = []
    for name in next(iter(models.values()))["variants"]:
        values = [model["variants"][name][tokens] for model in models.values()]
        rows.append([name, *(f"{value:.3f}" for value in values), f"{min(values):.3f}"])
    return markdown(["variant", *(f"{n} ({m['reading']})" for n, m in models.items()), "worst"], rows)


def _default_choice_section(result: dict[str, Any]) -> str:
    return f"""## How the default was chosen

`python -m benchmarks.default_choice`: AUROC of the importance for gold tokens, without the end of turn, with
one choice of the default changed at a time; in parentheses the entropy reading that is chosen automatically.
The default is the variant with the best worst-case model among those tried. The constants were tuned on these
rows, so the figures are not a held-out test.

All tokens:

{default_choice_table(result, "all")}

Content words that are not in the question:

{default_choice_table(result, "content")}
"""


def selection_table(result: dict[str, Any]) -> str:
    """Rules as rows, metrics as columns: mean ± standard deviation over seeds."""
    metrics = list(next(iter(result["summary"].values())))
    rows = [["start model", *(f"{result['start'][m]:.3g}" for m in metrics)]]
    for name, figures in result["summary"].items():
        rows.append([name, *(f"{figures[m]['mean']:.3f} ± {figures[m]['sd']:.3f}" for m in metrics)])
    known = result["retrained"]
    rows.append(["retrained model", *(f"{known[m]:.3g}" if m in known else "–" for m in metrics)])
    return markdown(["weights", *metrics], rows)


def smollm2_table(result: dict[str, Any]) -> str:
    """Start, unlearned and retrained model as rows, metrics as columns."""
    metrics = list(result["metrics"]["start"])
    rows = [
        [f"{name} model", *(f"{values[m]:.3g}" if m in values else "–" for m in metrics)]
        for name, values in result["metrics"].items()
    ]
    return markdown(["", *metrics], rows)


def _smollm2_section(result: dict[str, Any]) -> str:
    config, rule, metrics = result["config"], result["rule"], result["metrics"]
    retained = (
        f"the model still gives {counted(result['retained_pairs'])} of the retained answers it had right"
        if "retained_pairs" in result
        else f"the model states {metrics['unlearned']['retain/gold_span']:.0%} of the retained facts, the "
        f"start model {metrics['start']['retain/gold_span']:.0%}"
    )
    return f"""## A real language model

`python -m benchmarks.smollm2`: objective {config["objective"]}, {rule["selection"]} selection with the
preset `leave-one-out` at threshold {rule["threshold"]}, no frame loss, other settings at their defaults,
{config["steps"]} steps, on `{result["model"]}` (SmolLM2-135M-Instruct fine-tuned on the authors). A step uses
{config["batch_size"]} forget and {config["retain_batch_size"]} retained samples, trains a LoRA adapter at
learning rate {config["learning_rate"]:g} and takes {result["seconds_a_step"]:.0f} s (median, on 2 cores under
other load). On {result["limit"]} samples per split, {retained}.

{smollm2_table(result)}
"""


def _signals_section(results: Sequence[dict[str, Any]]) -> str:
    everything, content = (
        markdown(*signals_tables.summary(results, column)) for column in ("auroc", "content_auroc")
    )
    models = "\n".join(
        f"### {r['model']}: all signals\n\n{signals_tables.described(r)}\n\n{signals_table(r)}\n"
        for r in results
    )
    draws = results[0]["settings"]["draws"]
    return signals_tables.SECTION.format(draws=draws, everything=everything, content=content, models=models)


def _selection_section(result: dict[str, Any]) -> str:
    runs = result["runs"]
    seeds = len(next(iter(runs.values())))
    shares = ", ".join(f"{name} {rows[0]['selected']} of {rows[0]['tokens']}" for name, rows in runs.items())
    steps = result["config"]["steps"]
    rows = f"{result['limit']} samples per split" if result["limit"] else "all samples"
    return f"""## Sequence-level, hard and soft weights

`python -m benchmarks.selection`: preset `leave-one-out`, objective {result["objective"]}, no frame loss,
{steps} steps, same settings for all rules, {seeds} seeds, model `{result["model"]}`, forget set
`{result["forget"]}`. Mean ± standard deviation over seeds, evaluated on {rows}; start and retrained model on
all samples. Selected tokens: {shares}.

{selection_table(result)}
"""


def _frame_section(result: dict[str, Any]) -> str:
    tables = {name: markdown(*table) for name, table in frame_table.tables_of(result).items()}
    return frame_table.SECTION.format(**tables)


def _depth_section(result: dict[str, Any]) -> str:
    table, runs = markdown(*depth_table.depth_table(result)), result["runs"]
    seconds, n = statistics.median(run["seconds"] for run in runs), runs[0]["depth"][3]
    named = {name: result[name] for name in ("model", "retrained", "forget")}
    shipped = depth_table.shipped_depth()
    return depth_table.SECTION.format(table=table, seconds=seconds, n=n, shipped=shipped, **named)


def _languages_section(result: dict[str, Any]) -> str:
    shown = {name: markdown(*table(result)) for name, table in languages_table.TABLES.items()}
    return languages_table.SECTION.format(**shown, verdicts=languages_table.verdicts(result))


def _levels_section(result: dict[str, Any]) -> str:
    return levels_table.SECTION.format(table=markdown(*levels_table.levels_table(result)))


def _snr_section(result: dict[str, Any]) -> str:
    models = (
        snr_table.section(name, figures, markdown(*snr_table.snr_table(figures)))
        for name, figures in result["models"].items()
    )
    return snr_table.SECTION.format(models="\n".join(models))


SECTIONS = {
    "default_choice": _default_choice_section,
    "selection": _selection_section,
    "smollm2": _smollm2_section,
    "outcomes": outcomes_table.section,
    "frame": _frame_section,
    "levels": _levels_section,
    "reached": reached_table.section,
    "few_samples": few_samples_table.section,
    "tofu": tofu_table.section,
    "depth": _depth_section,
    "snr": _snr_section,
    "attacks": attacks_table.section,
    "hazard": hazard_table.section,
    "languages": _languages_section,
    "selectivity": selectivity_table.section,
    "requests": requests_table.section,
}


def stored_results(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The results that are stored, by benchmark."""
    paths = {name: RESULTS / f"{name}.json" for name in names}
    return {
        name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()
    }


DEPTH_SENTENCE = (
    "Its [unlearning depth](docs/results.md#unlearning-depth) is {}: at 0 the facts can be read from its "
    "hidden states as before, at 1 as little as from those of a model that never saw them."
)


def verdict_parts() -> list[tuple[Path, str, str]]:
    """Page, mark and text of what is said of the shipped run: its verdict, and the claims in the README."""
    run = RunStore(ASSETS / "runs").runs()[0]
    verdict = Verdict.load(run.folder / "verdict.json")
    asked = (*verdict.there, *verdict.hidden, *verdict.gone)
    shown = verdict.differs[:1] if verdict.outcome == "differs" else asked
    claims = [verdict.headline, *(claim.sentence for claim in shown)]
    kept = [claim.sentence for claim in verdict.kept[:1]]
    depth = DEPTH_SENTENCE.format(depth_table.shipped_depth())
    short = "\n".join(f"- {sentence}" for sentence in [*claims[:3], depth, *kept])
    root = PAGE.parent.parent
    return [
        (PAGE.parent / "verdict.md", "verdict", verdict_markdown(verdict)),
        (root / "README.md", "verdict", short),
    ]


# Of the study the README shows these rules.
README_RULES = (*LEADING, "random")
MISSING = '`benchmarks/{0}.py` has no stored result yet; run `make bench BENCH="{0}"`.\n'


def stored_sections(sections: Mapping[str, Callable[[dict[str, Any]], str]]) -> list[str]:
    """The sections whose results are stored; for the others one sentence that says so."""
    results = stored_results(sections)
    return [
        section(results[name]) if name in results else MISSING.format(name)
        for name, section in sections.items()
    ]


def _renew(page: Path, name: str, table: str) -> None:
    """Put a table between the marks of its name on a page."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    before, begin, rest = text.partition(f"<!-- {name}: written by benchmarks.tables -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    if begin and end:
        page.write_text(f"{before}{begin}{table}\n{end}{after}", encoding="utf-8")


def write() -> None:
    """Renew the page from the results that are there."""
    signals = signals_tables.stored(RESULTS / "signals")
    first = _signals_section(signals) if signals else MISSING.format("signals")
    parts = [HEAD, first, *stored_sections(SECTIONS)]
    if methods := methods_table.methods_results():
        draw(methods)
        parts.append(methods_table.section(methods))
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    if signals:
        _renew(PAGE.parent.parent / "README.md", "signals", markdown(*signals_tables.headline(signals)))
    if outcomes := stored_results(["outcomes"]):
        _renew(PAGE.parent / "metrics.md", "judges", outcomes_table.judges_table(outcomes["outcomes"]))
    if known := stored_results(["languages"]):
        table = markdown(*languages_table.headline_table(known["languages"]))
        _renew(PAGE.parent / "data.md", "languages", table)
    measured = stored_results(["frame", "tofu"])
    if len(measured) == 2:
        table = markdown(*default_table.default_table(**measured))
        _renew(PAGE.parent.parent / "README.md", "default", table)
    behind = stored_results(["frame", "tofu", "outcomes", "depth", "attacks"])
    if len(behind) == 5:
        _renew(PAGE.parent.parent / "README.md", "costs", default_table.costs(**behind))
    if worlds := evidence.read(FOLDER):
        readme = PAGE.parent.parent / "README.md"
        _renew(readme, "study", evidence.summary_table(worlds, rules=README_RULES))
        _renew(readme, "study of answers", evidence.summary_table(worlds, "spoiled", README_RULES))
        for world in worlds:
            name = world.plan["name"]
            _renew(readme, f"claims of {name}", evidence.claims(world))
            _renew(readme, f"differences of {name}", evidence.gap_table(world))
    for page, name, text in verdict_parts():
        _renew(page, name, text)


if __name__ == "__main__":
    write()
