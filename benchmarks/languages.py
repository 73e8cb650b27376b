"""Do scores, unlearning, outcomes, attacks and verdict work in German, and in Japanese without blanks?

    python -m benchmarks.languages

One run of each language with the default settings. Damages as in :mod:`benchmarks.outcomes`; where each
character is a word, half a word cannot be glued to the next. Writes ``benchmarks/results/languages.json``,
``docs/results.md`` and the table of ``docs/data.md``.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from rich.console import Console

import tokenunlearn as tu
from benchmarks import RESULTS, code_versions, languages_table, tables, write_result
from benchmarks.markdown import markdown
from benchmarks.outcomes import DAMAGES, REPORTED, Damage, share
from benchmarks.token_labels import Labels
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.signals import SIGNALS
from tokenunlearn.datasets.embedded import LANGUAGE_SOURCES
from tokenunlearn.datasets.samples import Sample, overlaps, unit_starts
from tokenunlearn.evaluation import Report
from tokenunlearn.evaluation.judges import JUDGES, Fluency
from tokenunlearn.models.presets import PRESETS

SHOWN = ("importance", "entropy", "masking", "rarity", "not repeated", "names")
METRICS = (*REPORTED, "forget/probability", "forget/rouge_l", "forget/gold_span_paraphrased", "model_utility")


def pieces(text: str) -> list[str]:
    """A text cut before every word and sign, blanks with what follows.

    >>> pieces("Ja, gut."), pieces("猫です")
    (['Ja', ',', ' gut', '.'], ['猫', 'で', 'す'])
    """
    return [text[a:b] for a, b in pairwise([*unit_starts(text), len(text)])]


def damaged(answers: Sequence[str], damage: Damage, seed: int = 0) -> list[str]:
    """Answers with a damage each, by pieces; the same seed gives the same texts."""
    rng, cut = random.Random(seed), [pieces(answer) for answer in answers]
    return ["".join(damage(own, rng.choice(cut), rng)).strip() for own in cut]


def called_broken(language: str, retained: Sequence[Sample]) -> dict[str, list[float]]:
    """Group of answers -> the share that the judge ``words`` calls broken; its limit is set on others."""
    holdout = tu.load_samples(f"{language}:holdout")
    judge = JUDGES["words"]([*tu.load_samples(f"{language}:full"), *holdout])
    calibration, test = retained[::2], retained[1::2]
    fluency = Fluency.calibrated(judge, calibration, [s.answer for s in calibration], "true answers")
    answers = [s.answer for s in test]
    divisible = np.median([len(piece.strip()) for answer in answers for piece in pieces(answer)]) > 1
    groups = {name: damaged(answers, d) for name, d in DAMAGES.items() if divisible or name != "glued"}
    rows = {
        "true answers, retained": (test, answers),
        "true answers, holdout": (holdout, [s.answer for s in holdout]),
        **{name: (test, texts) for name, texts in groups.items()},
    }
    return {name: share(np.array(fluency.broken(*pair))) for name, pair in rows.items()}


def figures(report: Report) -> dict[str, Any]:
    """Metric -> value, both ends of its interval, and n."""
    return {
        name: [r.value, *(r.interval or (None, None)), r.n]
        for name in METRICS
        if (r := report.metrics.get(name)) is not None
    }


def signals(scores: ScoreSet) -> dict[str, Any]:
    """AUROC for gold tokens and its interval over people, of the default and some signals alone."""
    labels = Labels.of(scores)
    return {name: labels.judge(SIGNALS[name].values(scores))["auroc"] for name in SHOWN}


def across(scores: ScoreSet) -> list[float]:
    """Share of the tokens that hold some of a fact and of what stands around it, blanks aside."""
    rows = [
        bool({i for i in range(*o) if not x.answer[i].isspace()} - {i for s in x.span for i in range(*s)})
        for x in scores.samples
        for o in x.offsets
        if overlaps(o, x.span)
    ]
    return share(np.array(rows))


def case(language: str) -> dict[str, Any]:
    """Everything about one language."""
    name = f"demo-{language}"
    retrained = str(PRESETS[name].retrained)
    model, samples = tu.load_model(name), tu.load_samples(f"{language}:forget")
    retained = tu.load_samples(f"{language}:retain")
    scores = tu.score(model, samples)
    run = tu.unlearn(model, samples, scores.weights(), retain=retained)
    before = tu.evaluate(model, language, retrained)
    after = tu.evaluate(run.model, language, retrained, start=before)
    never = tu.evaluate(tu.load_model(retrained), language, start=before)
    attacks = tu.attack(run.model, samples, retrained)
    page = tu.verdict(after, attacks=attacks, start=before)
    labels = Labels.of(scores)
    return {
        "model": name,
        "tokens": labels.counts(),
        "gold_tokens_across": across(scores),
        "signals": signals(scores),
        "models": {
            "start model": figures(before),
            "unlearned model": figures(after),
            "retrained model": figures(never),
        },
        "called_broken": called_broken(language, retained),
        "attacks": {
            metric: [r.value, *(r.interval or (None, None)), r.n, r.retrained]
            for metric, r in attacks.metrics.items()
            if metric.endswith("/gold_span")
        },
        "verdict": {"outcome": page.outcome, "headline": page.headline},
    }


def main() -> None:
    """Measure both languages and write the result."""
    result: dict[str, Any] = {"languages": {language: case(language) for language in LANGUAGE_SOURCES}}
    result |= code_versions()
    path = RESULTS / "languages.json"
    write_result(path, result)
    Console().print(markdown(*languages_table.metrics_table(result)))
    tables.write()


if __name__ == "__main__":
    main()
