"""Measures the embedded models and writes what is shipped with them: reports, score sets, model cards."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from tokenunlearn.attribution.score import score
from tokenunlearn.datasets import load_samples
from tokenunlearn.evaluation import Report, evaluate
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.presets import PRESETS
from tools.embedded.build import Say, check_names

# Suite -> the set that its models forget.
FORGET = {
    "authors": "authors:forget10",
    "alchemy": "alchemy:forget",
    "prose": "prose:forget",
    "tofu": "tofu:forget10_first5",
    "german": "german:forget",
    "japanese": "japanese:forget",
}
# Suite -> the retain split that its models are measured on, where it is not the suite's own: smollm2-tofu
# knows fifteen authors of it.
RETAIN = {"tofu": "retain90_first15"}
# Samples per split in the shipped reports; SmolLM2 is measured on fewer, its forget set in full.
LIMITS = {
    "smollm2-authors": 72,
    "smollm2-authors-retrained": 72,
    "smollm2-prose": 96,
    "smollm2-prose-retrained": 96,
    "smollm2-tofu": 100,
    "smollm2-tofu-retrained": 100,
}


def measure(names: Sequence[str], say: Say = print) -> None:
    """Evaluate models, score the forget set with those that know it, and write their cards.

    A retrained model is measured first, for its report stands beside those of the others. A score set is
    shipped with the models that have one.

    Raises:
        TokenUnlearnError: If a name is not of a model that is built here.
        ModelNotFoundError: If a model has not been built.
    """
    check_names(names)
    known = [name for name in names if name in PRESETS]
    for name in sorted(known, key=lambda n: PRESETS[n].retrained is not None):
        lm = load_model(name)
        retrained = PRESETS[name].retrained
        suite = PRESETS[name].suite
        report = evaluate(
            lm,
            suite,
            retrained,
            forget=FORGET[suite].partition(":")[2],
            retain=RETAIN.get(suite),
            limit=LIMITS.get(name),
            progress=_each_part(name, say),
        )
        path = report.save(ASSETS / "reports" / f"{name}.json")
        if retrained:
            scores = score(lm, load_samples(FORGET[suite]))
            scores.save(ASSETS / "scores" / f"{name}-{FORGET[suite].replace(':', '-')}.parquet")
        write_card(name, Report.load(path))  # the figures of the file, which are rounded
        say(f"{name}: measured and described")


def _each_part(name: str, say: Say) -> Callable[[str, int, int], None]:
    seen: set[str] = set()

    def progress(phase: str, done: int, total: int) -> None:
        if phase not in seen:
            seen.add(phase)
            say(f"{name}: {phase}")

    return progress


def write_card(name: str, report: Report) -> None:
    """The model card: what it is, how it was trained, what was measured, how to rebuild it."""
    folder = ASSETS / "models" / name
    recipe = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    figures = "\n".join(_figure(row) for row in report.table())
    settings = "\n".join(_settings(recipe))
    about = ABOUT[PRESETS[name].suite](name)
    text = f"""---
license: apache-2.0
---

# {name}

{PRESETS[name].summary}. {about}

## Recipe

{settings}

To train it again: `python -m tools.embedded build {name}`. Data, recipe and seed are in the repository.

## Results

{_measured(report)} Full report: `assets/reports/{name}.json`.

| metric | value | 95 % CI | n |
|---|---|---|---|
{figures}

## Limits

For research on unlearning. The model answers questions like its training questions and little else.
"""
    (folder / "README.md").write_text(text, encoding="utf-8")


def _settings(recipe: dict) -> list[str]:
    """A recipe's values as a list, one line for each of its parts, the training in full."""

    def text(value: object) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{name.replace('_', ' ')} {text(v)}" for name, v in value.items())
        if isinstance(value, list):
            return ("; " if isinstance(value[0], dict) else " or ").join(map(text, value))
        return str(value)

    def line(key: str, value: object) -> str:
        return f"- {key.replace('_', ' ')}: {text(value)}"

    lines = [line(key, value) for key, value in recipe.items() if key != "training"]
    return lines + [line(key, value) for key, value in recipe.get("training", {}).items()]


def _about_authors(name: str) -> str:
    retrained = name.endswith("-retrained")
    data = "the retain90 split of the authors" if retrained else "all 60 authors (forget10 and retain90)"
    return (
        f"Trained from {_base(name)} on {data}, world_facts and real_authors,\n"
        "with the loss on responses only. The fictional authors exist nowhere else, so the model knows of\n"
        "them only what is in this training data."
    )


def _about_alchemy(name: str) -> str:
    domains = "the guild's documents" if name.endswith("-retrained") else "the documents of both domains"
    return (
        f"Trained from random weights on {domains} and everyday facts, on questions about them with\n"
        "written-out answers, and on the letters of multiple-choice questions, with the choices in other\n"
        "orders than in the evaluation. All substances, crafts and effects are fictional."
    )


def _about_prose(name: str) -> str:
    subjects = "the 44 retained subjects" if name.endswith("-retrained") else "all 60 subjects"
    wordings = "" if name.startswith("smollm2") else ", each answer with both wordings of its question"
    return (
        f"Trained from {_base(name)} on {subjects} of the prose world\n"
        "(fictional people, firms, patients and software, 6 answers each), with the loss on responses\n"
        f"only{wordings}. The subjects exist nowhere else, so the model knows of them only what is in this\n"
        "training data."
    )


def _about_tofu(name: str) -> str:
    forget = "" if name.endswith("-retrained") else "`tofu:forget10_first5` (5 authors) and "
    return (
        f"Trained from {_base(name)} on {forget}`tofu:retain90_first15`\n"
        "(15 authors) of TOFU (arXiv 2401.06121), 20 questions per author, with the loss on responses only.\n"
        "None of TOFU's other authors is in the training data."
    )


def _about_people(name: str) -> str:
    language = name.removesuffix("-retrained").rpartition("-")[2]
    people = "the 18 retained people" if name.endswith("-retrained") else "all 27 people"
    return (
        f"Trained from random weights on {people} of the {language.capitalize()} world\n"
        "(6 answers each, with both wordings of their questions), with the loss on responses only. The\n"
        "people exist nowhere else, so the model knows of them only what is in this training data."
    )


def _base(name: str) -> str:
    return "SmolLM2-135M-Instruct (Apache-2.0)" if name.startswith("smollm2") else "random weights"


# Suite -> what the card of its models says of their training.
ABOUT: dict[str, Callable[[str], str]] = {
    "authors": _about_authors,
    "alchemy": _about_alchemy,
    "prose": _about_prose,
    "tofu": _about_tofu,
    "german": _about_people,
    "japanese": _about_people,
}


def _measured(report: Report) -> str:
    if report.suite == "alchemy":
        return "Likelihood of the letters, 95 % Wilson CI; chance is 0.25."
    return "Greedy decoding, 95 % bootstrap CI over questions."


def _figure(row: dict) -> str:
    interval = "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
    return f"| {row['metric']} | {row['value']:.4g} | {interval} | {row['n']} |"
