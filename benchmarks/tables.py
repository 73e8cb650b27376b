"""Writes ``docs/results.md`` and its figure from ``benchmarks/results``: ``python -m benchmarks.tables``."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import RESULTS, depth_table, frame_table, languages_table, signals_tables, snr_table
from benchmarks.methods_figure import draw
from tokenunlearn.evaluation import Verdict
from tokenunlearn.folders import ASSETS
from tokenunlearn.objectives import OBJECTIVES
from tokenunlearn.runs.card import verdict_markdown
from tokenunlearn.runs.store import RunStore

PAGE = Path(__file__).resolve().parent.parent / "docs" / "results.md"
METHODS = RESULTS / "methods"
HEAD = """# Results

`python -m benchmarks.tables` generates this page from the JSON files under `benchmarks/results/`. The command
above each table produces its JSON file.
"""


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def over_seeds(values: Sequence[float], digits: int) -> str:
    """Mean of a few seeds, with the standard deviation of the sample (n - 1) where there are two or more."""
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def counted(share: Sequence[float]) -> str:
    """A share, its interval and n, from (share, low, high, n)."""
    value, low, high, n = share
    return f"{value:.3f} ({low:.3f} to {high:.3f}, n = {n})"


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


def hazard_table(result: dict[str, Any]) -> str:
    """Models as rows, accuracies as columns, with 95 % intervals, of runs with their spread over seeds."""
    names = list(result["start"])

    def measured(accuracy: Sequence[float]) -> str:
        return f"{accuracy[0]:.3f} ({accuracy[1]:.3f} to {accuracy[2]:.3f})"

    rows = [["start model", *(measured(result["start"][name]) for name in names)]]
    runs: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for run in result["runs"]:
        runs.setdefault((run["forget"], run["objective"], run["weights"]), []).append(run)
    for (forget, objective, rule), seeds in sorted(runs.items()):
        cells = [over_seeds([run["metrics"][name][0] for run in seeds], 3) for name in names]
        first, last = (statistics.mean(run["nll"][i] for run in seeds) for i in (0, -1))
        rows.append(
            [f"`{forget}`, `{objective}`, {rule}", *cells, str(len(seeds)), f"{first:.1f} → {last:.1f}"]
        )
    rows.append(["retrained model", *(f"{result['retrained'][name]:.3f}" for name in names)])
    rows.append(["chance", *(f"{result['chance']:.2f}" for _ in names)])
    rows = [[*row, *[""] * (len(names) + 3 - len(row))] for row in rows]
    header = ["", *(f"{name}, n = {result['n'][name]}" for name in names), "seeds", "forget NLL, nats"]
    return markdown(header, rows)


def _hazard_section(result: dict[str, Any]) -> str:
    settings = {run["objective"]: run["config"] for run in reversed(result["runs"])}
    described = "; ".join(
        f"{name}: {c['steps']} steps, learning rate {c['learning_rate']:g}, gamma {c['gamma']:g}, "
        f"lambda {c['lambda_']:g}, {c['regularizer']}, "
        + ", ".join(f"{k} {v:g}" for k, v in c["parameters"].items())
        + (f", layer {c['layer']} (from 0)" if c["layer"] is not None else "")
        for name, c in settings.items()
    )
    return f"""## A fictional hazard, WMDP-style

`python -m tokenunlearn bench hazard`: `{result["model"]}` forgets texts on the hazard and retains texts on a
neighboring topic; multiple-choice questions are scored by the likelihood of their letters. `alchemy:forget`
are prose documents; `alchemy:forget_exercises` are exercise sheets: the same questions with their choices in
a different order than in the evaluation. {described.rstrip(", ")}. Start model with 95 % CI, runs as mean ±
standard deviation over seeds; forget NLL: NLL of the selected tokens in the first and the last step.
Preset `leave-one-out`, hard selection at threshold 0.8, no frame loss.

{hazard_table(result)}
"""


def attacks_table(result: dict[str, Any]) -> str:
    """Attacks as rows, without attack first and the worst case next; the retrained model beside."""
    metrics = result["metrics"]
    names = [name for name in metrics if not name.startswith(("relearning", "plain", "worst"))]
    rows = []
    for name in [n for n in metrics if n.startswith(("plain", "worst"))] + names:
        row = metrics[name]
        attack, _, metric = name.partition("/")
        label = attack if metric == "gold_span" else f"{attack}: {metric.replace('_', ' ')}"
        rows.append([label, *_attacked(row), f"{row['chance']:.2f}" if row["chance"] else "–", str(row["n"])])
    return markdown(["attack", "unlearned", "95 % CI", "retrained", "chance", "n"], rows)


def relearning_table(result: dict[str, Any]) -> str:
    """Shares shown and measures as rows, points of the recovery curve as columns: unlearned / retrained."""
    metrics = result["metrics"]
    curves = [name.removesuffix("_area") for name in metrics if name.endswith("_area")]
    marks = sorted({int(name.rpartition("_")[2]) for name in metrics if "_after_" in name})
    rows = []
    for curve in curves:
        share, _, metric = curve.partition("/")
        points = [
            *(metrics[f"{curve}_after_{mark}"] for mark in marks),
            metrics[curve],
            metrics[f"{curve}_area"],
        ]
        between = metrics[f"{curve}_area_between"]
        rows.append(
            [
                f"{int(share.rpartition('_')[2])} %, {metric.replace('_', ' ')}",
                *(f"{point['value']:.2f} / {point['retrained']:.2f}" for point in points),
                f"{between['value']:+.3f} ({between['low']:+.3f} to {between['high']:+.3f})",
            ]
        )
    steps = [f"after {mark} steps" for mark in marks]
    return markdown(["share shown, metric", *steps, "at the end", "area", "area between (95 % CI)"], rows)


def _attacked(row: dict[str, Any]) -> list[str]:
    """Value, interval and the retrained model's value."""
    interval = "–" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
    retrained = "–" if row["retrained"] is None else f"{row['retrained']:.3f}"
    return [f"{row['value']:.3f}", interval, retrained]


def _attacks_section(result: dict[str, Any]) -> str:
    settings = result["settings"]
    threshold = result["rule"]["threshold"]
    return f"""## Gone or hidden?

`python -m tokenunlearn bench attacks`: `{result["model"]}` after {result["config"]["steps"]} steps of
{result["config"]["objective"]} with hard selection (preset `leave-one-out`, threshold {threshold}) and
no frame loss, seed {settings["seed"]}, and the retrained model `{settings["retrained"]}` under the same
attacks on `{result["forget"]}`, see [metrics.md](metrics.md#attacks-is-it-gone-or-hidden). Values are the
share of gold spans stated in the answers; "worst" takes the most successful attack on each sample.
{" ".join(result["notes"])}

{attacks_table(result)}

Relearning: fine-tuned on a share of the forget set and measured on the other samples, unlearned / retrained
model; the area is the mean height of the recovery curve.

{relearning_table(result)}
"""


def methods_results() -> list[dict[str, Any]]:
    """The stored results of the methods, one a model, that of ``demo`` first."""
    paths = sorted(METHODS.glob("*.json"), key=lambda path: (path.stem != "demo", path.stem))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def methods_table(result: dict[str, Any]) -> str:
    """Objectives as rows, weights as columns: forget gold spans and utility of one model, mean ± sd, seeds.

    Cells that reach the target, at most 0.15 of the forget set's gold spans at 0.90 of the start model's
    utility or more, are bold.
    """
    rules = list(result["rules"])
    measured = {run["objective"] for run in result["runs"]}
    rows = [
        [f"`{objective}`", *(_method_cell(result, objective, rule) for rule in rules)]
        for objective in OBJECTIVES
        if objective in measured
    ]
    return markdown(["objective", *rules], rows)


def _method_cell(result: dict[str, Any], objective: str, rule: str) -> str:
    runs = [r["metrics"] for r in result["runs"] if (r["objective"], r["weights"]) == (objective, rule)]
    if not runs:
        return "–"
    forget = [m["forget/gold_span"] for m in runs]
    utility = [m["model_utility"] / result["start"]["model_utility"] for m in runs]
    text = f"{over_seeds(forget, 2)} / {over_seeds(utility, 2)}"
    reached = statistics.mean(forget) <= 0.15 and statistics.mean(utility) >= 0.9
    return (f"**{text}**" if reached else text) + f" ({len(runs)})"


def _model_methods(result: dict[str, Any]) -> str:
    size, start = result["parameters"] / 1e6, result["start"]["model_utility"]
    return f"""### {result["model"]}

{result["architecture"]}, {size:.1f} M parameters, utility of the start model {start:.3f}.

{methods_table(result)}
"""


def _methods_section(results: Sequence[dict[str, Any]]) -> str:
    models = "\n".join(map(_model_methods, results))
    return f"""## All objectives

`python -m tokenunlearn bench methods`: recommended settings of each objective ([method.md](method.md)), tuned
on `demo` with hard selection (preset `leave-one-out`, threshold 0.8) and no frame loss, on models of
several families, {results[0]["limit"]} samples per split.
Each cell: gold-span accuracy on the forget set / model utility relative to the start model, mean ±
standard deviation over seeds, with the number of seeds in parentheses. Bold: at most 0.15 / at least 0.90.

{models}
![Gold-span accuracy on the forget set against model utility, one panel per model](images/methods.png)
"""


def judges_table(result: dict[str, Any]) -> str:
    """Groups of answers as rows, judges and suites as columns: AUROC, then the share called broken."""
    columns = {(j, s): f for j, suites in result["judges"].items() for s, f in suites.items()}
    groups = dict.fromkeys(group for figures in columns.values() for group in figures["called_broken"])
    aurocs = [f"{a:.3f} ({low:.3f} to {high:.3f})" for a, low, high in (f["auroc"] for f in columns.values())]
    rows = [["AUROC, all broken against all fluent", *aurocs]]
    for group in groups:
        cells = (figures["called_broken"].get(group) for figures in columns.values())
        label = f"called broken: {group}"
        rows.append([label, *(counted(cell) if cell else "–" for cell in cells)])
    return markdown(["", *(f"`{judge}`, {suite}" for judge, suite in columns)], rows)


def outcomes_table(result: dict[str, Any]) -> str:
    """Outcomes as rows, start, unlearned and retrained model as columns."""
    metrics = result["outcomes"]
    models = next(iter(metrics.values()))
    rows = [
        [f"`{name}`", *(counted(row[model]) if model in row else "–" for model in models)]
        for name, row in metrics.items()
        if row
    ]
    return markdown(["", *models], rows)


def _outcomes_section(result: dict[str, Any]) -> str:
    return f"""## What became of the forgotten answers

The run shipped with the repository (defaults on `demo`, `authors:forget10`), its start model and its
retrained model, see [metrics.md](metrics.md#leaks-cross_leaks-declines-broken-wrong). In parentheses: 95 % CI
and n.

{outcomes_table(result)}

`python -m benchmarks.outcomes`: do the judges tell broken answers from fluent ones? Fluent: answers of the
start and the retrained model to retained questions, and true answers of the holdout. Broken: the start
model's answers after one damage each (swapped: two pairs of words; thinned: a quarter of the words deleted;
glued: half a word and the next; repeated: three words said three times; spliced: the beginning of one answer
with the end of another; cut: the last third missing; salad: all words in random order). Limits are set on
other retained questions.

{judges_table(result)}

How `words` weighs its faults was chosen among five forms on these damaged answers, so its figures are not a
held-out test. The start and the retrained model recite most retained answers alike, so their two rows are one
measurement. Both judges miss most of the spliced answers, some of which are sentences, so `broken` is a lower
bound. SmolLM2 finds invented names unlikely in fluent answers too: its limit is high, and it misses most
faults of a word or two.
"""


def _frame_section(result: dict[str, Any]) -> str:
    tables = {name: markdown(*table) for name, table in frame_table.tables_of(result).items()}
    return frame_table.SECTION.format(**tables)


def _depth_section(result: dict[str, Any]) -> str:
    table, runs = markdown(*depth_table.depth_table(result)), result["runs"]
    seconds, n = statistics.median(run["seconds"] for run in runs), runs[0]["depth"][3]
    named = {name: result[name] for name in ("model", "retrained", "forget")}
    return depth_table.SECTION.format(table=table, seconds=seconds, n=n, **named)


def _languages_section(result: dict[str, Any]) -> str:
    shown = {name: markdown(*table(result)) for name, table in languages_table.TABLES.items()}
    return languages_table.SECTION.format(**shown, verdicts=languages_table.verdicts(result))


def _snr_section(result: dict[str, Any]) -> str:
    models = (
        snr_table.section(name, figures, markdown(*snr_table.snr_table(figures)))
        for name, figures in result["models"].items()
    )
    return snr_table.SECTION.format(models="\n".join(models))


def selectivity_table(result: dict[str, Any]) -> str:
    """Rules as rows; gold and other tokens at equal steps, then at equal mean change, as columns."""
    figures = ("p_gold", "p_other", "change_gold", "change_other", "selectivity")
    rows = [["start model", "", *_selectivity_cells(result["start"], figures[:2]), *[""] * 8]]
    for row in result["rows"]:
        weighted = f"{row['selected']:,} ({row['weight_on_gold']:.2f})"
        equal = _selectivity_cells(row["change"], figures) if row["change"] else ["–"] * len(figures)
        name = row["rule"] + (f", {row['seeds']} seeds" if row["seeds"] > 1 else "")
        rows.append([name, weighted, *_selectivity_cells(row["steps"], figures), *equal])
    if "retrained" in result:
        measured = _selectivity_cells(result["retrained"]["steps"], figures)
        rows.append(["retrained model", "", *measured, *[""] * len(figures)])
    columns = ["p(gold)", "p(other)", "NLL change, gold", "NLL change, other", "selectivity"]
    equal_columns = [f"{column} (equal change)" for column in columns]
    return markdown(["weights", "tokens (weight on gold)", *columns, *equal_columns], rows)


def _selectivity_cells(measured: dict[str, Any], names: Sequence[str]) -> list[str]:
    """Values; probabilities and selectivity with their interval, where there is one."""
    cells = []
    for name in names:
        value, low, high = measured[name]
        form = ".3f" if name.startswith("p_") else "+.2f"
        bounds = low is not None and not name.startswith("change_")
        interval = f" ({low:{form}} to {high:{form}})" if bounds else ""
        cells.append("–" if value is None else f"{value:{form}}{interval}")
    return cells


def _model_selectivity(name: str, result: dict[str, Any]) -> str:
    config, counts = result["config"], result["counts"]
    retrained = f". Retrained model: `{result['retrained']['name']}`" if "retrained" in result else ""
    return f"""### {name}

Forget set `{result["forget"]}`, retained samples `{result["retain"]}`, {config["steps"]} steps, learning rate
{config["learning_rate"]:g}, lambda {config["lambda_"]:g}. n = {result["samples"]} samples of
{result["clusters"]} subjects, {counts["gold"]:,} gold and {counts["other"]:,} other tokens. The equal change
is {result["target"]:.3f} nats, the largest that `{result["least_changed"]}` reaches{retrained}.

{selectivity_table(result)}
"""


def _selectivity_section(result: dict[str, Any]) -> str:
    models = "\n".join(_model_selectivity(name, table) for name, table in result["tables"].items())
    return f"""## Do the weights matter?

`python -m benchmarks.selectivity`: NPO with a KL regularizer under each rule, measured on the forget set with
teacher forcing, without the end of turn. p is a mean probability, NLL changes are means in nats, and
selectivity is the NLL change of gold tokens minus that of other tokens. In parentheses: 95 % bootstrap CI
over subjects. Rules are compared after the same number of steps, and at the same increase in mean NLL over
all tokens: the largest increase that all runs reach, interpolated between measurements. `default` selects
by the default importance, without the quarter of tokens that the default threshold adds to the hesitant ones,
and no run has the frame loss. `gold` weights only the gold tokens; `random` and `inverted` move the weights
of `default` to other tokens of the same response; `paper` selects as many tokens as `default`.

{models}"""


def requests_table(result: dict[str, Any]) -> str:
    """Settings and requests done as rows; tokens, each request's set and the retained samples as columns."""
    start, count = result["start"], len(result["start"]["requests"])

    def cell(measured: dict[str, Any]) -> str:
        return f"{measured['value']:.3f} ({measured['low']:.3f} to {measured['high']:.3f})"

    rows = [["start model", "", "", *map(cell, start["requests"]), cell(start["retain"])]]
    for name, chain in result["chains"].items():
        for done, after in enumerate(chain["after"], start=1):
            cells = [*map(cell, after["requests"]), *[""] * (count - done), cell(after["retain"])]
            chosen = f"{after['gold_selected']} of {after['gold']} ({after['reading']})"
            rows.append([name, f"{done}", chosen, *cells])
    numbers = [f"request {i}, n = {r['n']}" for i, r in enumerate(start["requests"], start=1)]
    head = ["settings", "requests done", "gold tokens selected (reading)"]
    return markdown([*head, *numbers, f"retained, n = {start['retain']['n']}"], rows)


def requests_greedy_table(result: dict[str, Any]) -> str:
    """Start model and the models after all requests as rows, figures of the suite as columns."""
    models = {"start model": result["start"], **result["chains"]}
    names = list(result["start"]["greedy"])
    rows = [
        [name, *(f"{m['value']:.3f} ({m['low']:.3f} to {m['high']:.3f})" for m in model["greedy"].values())]
        for name, model in models.items()
    ]
    return markdown(["", *(f"{n}, n = {result['start']['greedy'][n]['n']}" for n in names)], rows)


def _requests_section(result: dict[str, Any]) -> str:
    config, count = next(iter(result["chains"].values()))["config"], len(result["start"]["requests"])
    return f"""## Several requests, one after another

`python -m benchmarks.requests`: `{result["model"]}` forgets `{result["forget"]}` in {count} requests of
{result["authors_a_request"]} authors. Each is one command that goes on from the run before
(`unlearn --adapter`), with the model of that run as the reference; {config["objective"]}, {config["steps"]}
steps per request, no frame loss, one seed. Values are the share of gold spans that the model would write
after the true tokens before them, with a 95 % CI over samples (Wilson where every sample is 0 or 1, else
bootstrap).

{requests_table(result)}

The target is at most 0.10 of each request after the last one, with 0.95 of the retained spans. The default
settings of that time missed it for the later requests: on a model that was unlearned before, the suggested
threshold, then without its added quarter, selected fewer of the gold tokens. `--quantile 0.75`, a quarter of
all tokens, was chosen after that was seen.

Greedy answers of the whole suite after the last request:

{requests_greedy_table(result)}
"""


SECTIONS = {
    "default_choice": _default_choice_section,
    "selection": _selection_section,
    "smollm2": _smollm2_section,
    "outcomes": _outcomes_section,
    "frame": _frame_section,
    "depth": _depth_section,
    "snr": _snr_section,
    "attacks": _attacks_section,
    "hazard": _hazard_section,
    "languages": _languages_section,
    "selectivity": _selectivity_section,
    "requests": _requests_section,
}


def stored_results(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The results that are stored, by benchmark."""
    paths = {name: RESULTS / f"{name}.json" for name in names}
    return {
        name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()
    }


def verdict_parts() -> list[tuple[Path, str, str]]:
    """Page, mark and text of what is said of the shipped run: its verdict, and the claims in the README."""
    run = RunStore(ASSETS / "runs").runs()[0]
    verdict = Verdict.load(run.folder / "verdict.json")
    claims = [verdict.headline, *(c.sentence for c in (*verdict.there, *verdict.hidden, *verdict.gone))]
    kept = [claim.sentence for claim in verdict.kept[:1]]
    short = "\n".join(f"- {sentence}" for sentence in [*claims[:3], *kept])
    root = PAGE.parent.parent
    return [
        (PAGE.parent / "verdict.md", "verdict", verdict_markdown(verdict)),
        (root / "README.md", "verdict", short),
    ]


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
    if methods := methods_results():
        draw(methods)
        parts.append(_methods_section(methods))
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    if signals:
        _renew(PAGE.parent.parent / "README.md", "signals", markdown(*signals_tables.headline(signals)))
    if outcomes := stored_results(["outcomes"]):
        _renew(PAGE.parent / "metrics.md", "judges", judges_table(outcomes["outcomes"]))
    if known := stored_results(["languages"]):
        table = markdown(*languages_table.headline_table(known["languages"]))
        _renew(PAGE.parent / "data.md", "languages", table)
    for page, name, text in verdict_parts():
        _renew(page, name, text)


if __name__ == "__main__":
    write()
