"""Do judges of language tell broken answers from fluent ones? And what became of the forgotten answers?

    python -m benchmarks.outcomes [--judges words,smollm2]

Labels are made by script: fluent are answers of the start and of the retrained model to retained questions,
and true answers of the holdout part; broken are the start model's after one of :data:`DAMAGES`. On TOFU, true
answers stand in for those of models. Limits are set on other retained questions. Answers of unlearned models
have labels by reading, in ``benchmarks/results/read_answers.json``. Stored figures of judges that are not
measured stay. Writes ``benchmarks/results/outcomes.json`` and ``docs/results.md``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from benchmarks import RESULTS, code_versions, outcomes_table, stored_result, tables, write_result
from benchmarks.token_labels import cluster_draws, with_interval
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.evaluation import Report
from tokenunlearn.evaluation.judges import JUDGES, Fluency, Judge
from tokenunlearn.evaluation.measurement import Part
from tokenunlearn.evaluation.metrics.outcomes import OUTCOMES
from tokenunlearn.evaluation.metrics.roc import auc
from tokenunlearn.evaluation.result import wilson_interval
from tokenunlearn.evaluation.suites.suite import SUITES
from tokenunlearn.folders import ASSETS
from tokenunlearn.runs.retraining import retrained_for
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.store import RunStore

# Suite -> start and retrained model with stored reports.
MODELS = {"authors": ("demo", "demo-retrained"), "prose": ("demo-prose", "demo-prose-retrained"), "tofu": ()}
# Judge -> the suites that it is measured on, and the questions of each; SmolLM2 takes a second a text.
JUDGED = {"words": (("authors", "prose", "tofu"), 160), "smollm2": (("authors", "tofu"), 40)}
# World of benchmarks.frame with answers that were read -> its start model.
READ = {"authors": "demo", "smollm2": "smollm2-authors"}
Damage = Callable[[list[str], list[str], random.Random], list[str]]


def swapped(words: list[str], other: list[str], rng: random.Random) -> list[str]:
    """Two words in each other's place, twice."""
    words = list(words)
    for _ in range(2):
        i, j = rng.sample(range(len(words)), 2)
        words[i], words[j] = words[j], words[i]
    return words


def thinned(words: list[str], other: list[str], rng: random.Random) -> list[str]:
    """A quarter of the words deleted."""
    left = sorted(rng.sample(range(len(words)), len(words) - max(1, len(words) // 4)))
    return [words[i] for i in left]


def glued(words: list[str], other: list[str], rng: random.Random) -> list[str]:
    """The first half of a word glued to the next one, without a blank."""
    i = rng.randrange(len(words) - 1)
    head = words[i][: max(1, len(words[i]) // 2)]
    return [*words[:i], head + words[i + 1], *words[i + 2 :]]


def repeated(words: list[str], other: list[str], rng: random.Random) -> list[str]:
    """Three words said three times."""
    i = rng.randrange(len(words) - 2)
    return [*words[:i], *words[i : i + 3] * 3, *words[i + 3 :]]


def spliced(words: list[str], other: list[str], rng: random.Random) -> list[str]:
    """The beginning of one answer and the end of another."""
    return words[: rng.randrange(2, len(words) - 1)] + other[rng.randrange(2, len(other) - 1) :]


def cut(words: list[str], other: list[str], rng: random.Random) -> list[str]:
    """The last third missing."""
    return words[: len(words) - max(1, len(words) // 3)]


def salad(words: list[str], other: list[str], rng: random.Random) -> list[str]:
    """All words in random order."""
    return rng.sample(words, len(words))


DAMAGES: dict[str, Damage] = {
    damage.__name__: damage for damage in (swapped, thinned, glued, repeated, spliced, cut, salad)
}
SHORTEST = 5
REPORTED = (
    *(f"forget/{name}" for name in OUTCOMES),
    "forget/frame_kept",
    "retain/retained_pairs",
    "retain/gained_pairs",
)


def damaged(answers: Sequence[str], damage: Damage, seed: int = 0) -> list[str]:
    """Answers with a damage each; the same seed gives the same texts."""
    rng = random.Random(seed)
    others = [a.split() for a in answers if len(a.split()) >= SHORTEST]
    return [" ".join(damage(a.split(), rng.choice(others), rng)) for a in answers]


def labeled(suite: str, rows: int) -> tuple[dict[str, tuple[list[Sample], list[str]]], list[str]]:
    """Name -> samples and answers: "calibration", the fluent groups, and a broken one for each damage.

    Also the names of the fluent groups.
    """
    parts = _parts(suite)
    models = dict(zip(("start model", "retrained model"), map(_answers, MODELS[suite]), strict=False))
    known = models or {"true answers": {s.id: s.answer for s in parts["retain"].samples}}
    whole = next(iter(known.values()))
    retained = [s for s in parts["retain"].samples if all(s.id in answers for answers in known.values())]
    calibration, test = _spread(retained[::2], 2 * rows), _spread(retained[1::2], rows)
    test = [s for s in test if len(whole[s.id].split()) >= SHORTEST]
    groups = {"calibration": (calibration, [whole[s.id] for s in calibration])}
    groups |= {f"{name}, retained": (test, [a[s.id] for s in test]) for name, a in known.items()}
    if "holdout" in parts:
        held = _spread(list(parts["holdout"].samples), rows)
        groups["true answers, holdout"] = (held, [s.answer for s in held])
    fluent = list(groups)[1:]
    for name, damage in DAMAGES.items():
        groups[name] = (test, damaged([whole[s.id] for s in test], damage))
    return groups, fluent


def judged(
    judge: Judge, groups: Mapping[str, tuple[list[Sample], list[str]]], fluent: Sequence[str]
) -> dict[str, Any]:
    """AUROC of a judge, with an interval over questions, and which share of each group it calls broken."""
    limit = Fluency.calibrated(judge, *groups["calibration"], "answers").limit
    odd = {name: judge.oddness(*rows) for name, rows in groups.items() if name != "calibration"}
    spoiled = np.concatenate([np.full(len(values), name not in fluent) for name, values in odd.items()])
    asked = np.concatenate([[sample.id for sample in groups[name][0]] for name in odd])
    ids, questions = np.unique(asked, return_inverse=True)
    values = np.concatenate(list(odd.values()))
    return {
        "limit": limit,
        "calibrated_on": len(groups["calibration"][0]),
        "auroc": with_interval(values, spoiled, questions, cluster_draws(len(ids))),
        "auroc_by_damage": {name: auc(odd[name], values[~spoiled]) for name in DAMAGES},
        "called_broken": {name: share(values > limit) for name, values in odd.items()},
    }


def share(rows: np.ndarray) -> list[float]:
    """Share of true rows, both ends of its 95 % Wilson interval, and n."""
    return [float(rows.mean()), *wilson_interval(int(rows.sum()), len(rows)), len(rows)]


def read_broken(judge: str) -> dict[str, dict[str, list[float]]]:
    """Start model -> label by reading -> share that a judge calls broken, interval and n.

    The limit is set as in an evaluation, on the start model's answers to retained questions.
    """
    rows = json.loads((RESULTS / "read_answers.json").read_text(encoding="utf-8"))["answers"]
    runs = json.loads((RESULTS / "frame.json").read_text(encoding="utf-8"))["runs"]
    said = {(r["suite"], r["variant"], r["seed"]): r["answers"] for r in runs if r.get("answers")}
    figures: dict[str, dict[str, list[float]]] = {}
    for world, model in READ.items():
        parts, start = _parts("authors"), _answers(model)
        kept = [s for s in parts["retain"].samples if s.id in start]
        fluency = Fluency.calibrated(
            JUDGES[judge]([s for part in parts.values() for s in part.samples]),
            kept,
            [start[s.id] for s in kept],
            "answers",
        )
        by_id = {s.id: s for s in parts["forget"].samples}
        read = [row for row in rows if row["suite"] == world]
        answers = [said[world, r["variant"], r["seed"]][r["sample_id"]] for r in read]
        called = np.array(fluency.broken([by_id[r["sample_id"]] for r in read], answers))
        labels = np.array([row["broken"] for row in read])
        figures[model] = {"broken": share(called[labels]), "fluent": share(called[~labels])}
    return figures


def shipped_outcomes() -> dict[str, Any]:
    """Outcome -> model -> share, interval and n, of the shipped run next to its start and retrained model."""
    return {
        metric: {
            model: [result.value, *(result.interval or ()), result.n]
            for model, report in _shipped()[1].items()
            if (result := report.metrics.get(metric))
        }
        for metric in REPORTED
    }


def shipped_broken(judge: str) -> dict[str, list[float]]:
    """Model -> share of its answers to forgotten questions that a judge calls broken, interval and n."""
    run, reports = _shipped()
    parts = _parts(run.spec.samples.partition(":")[0])
    answers = {model: _generations(report) for model, report in reports.items()}
    kept, forgotten = (
        [s for s in parts[part].samples if all(s.id in known for known in answers.values())]
        for part in ("retain", "forget")
    )
    fluency = Fluency.calibrated(
        JUDGES[judge]([s for part in parts.values() for s in part.samples]),
        kept,
        [answers["start model"][s.id] for s in kept],
        "answers",
    )
    return {
        model: share(np.array(fluency.broken(forgotten, [known[s.id] for s in forgotten])))
        for model, known in answers.items()
    }


def main(
    judges: Annotated[
        str, typer.Option(help="Judges, separated by commas; none reads the outcomes alone.")
    ] = "words,smollm2",
) -> None:
    """Measure the judges, read the outcomes in the shipped reports, and write the result."""
    path = RESULTS / "outcomes.json"
    stored = stored_result(path) or {"judges": {}}
    for name in filter(None, judges.split(",")):
        suites, rows = JUDGED[name]
        for suite in suites:
            groups, fluent = labeled(suite, rows)
            every = [s for part in _parts(suite).values() for s in part.samples]
            figures = judged(JUDGES[name](every), groups, fluent)
            stored["judges"].setdefault(name, {})[suite] = {"models": MODELS[suite], **figures}
        stored.setdefault("shipped_broken", {})[name] = shipped_broken(name)
        stored.setdefault("read_broken", {})[name] = read_broken(name)
    result = {
        "judges": stored["judges"],
        "outcomes": shipped_outcomes(),
        "shipped_broken": stored.get("shipped_broken", {}),
        "read_broken": stored.get("read_broken", {}),
        **code_versions(),
    }
    write_result(path, result)
    Console().print(outcomes_table.judges_table(result))
    tables.write()


def _parts(suite: str) -> dict[str, Part]:
    known = SUITES[suite]
    return known.parts(known.forget, known.retain, None)


def _shipped() -> tuple[Run, dict[str, Report]]:
    """The shipped run, and the reports of its start model, of itself and of its retrained model."""
    run = RunStore(ASSETS / "runs").runs()[0]
    paths = {
        "start model": ASSETS / "reports" / f"{run.spec.model}.json",
        "unlearned model": run.folder / "report.json",
        "retrained model": ASSETS / "reports" / f"{retrained_for(run)}.json",
    }
    return run, {model: Report.load(path) for model, path in paths.items()}


def _answers(model: str) -> dict[str, str]:
    return _generations(Report.load(ASSETS / "reports" / f"{model}.json"))


def _generations(report: Report) -> dict[str, str]:
    return {row["sample_id"]: row["generation"] for rows in report.generations.values() for row in rows}


def _spread(samples: list[Sample], rows: int) -> list[Sample]:
    return samples[:: max(1, len(samples) // rows)][:rows]


if __name__ == "__main__":
    typer.run(main)
