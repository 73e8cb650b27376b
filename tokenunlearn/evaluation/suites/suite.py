"""Evaluation suites: which parts of a benchmark are measured, and beside which retrained model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import get_args

from tokenunlearn.datasets import HOLDOUTS, load_samples
from tokenunlearn.datasets.embedded import LANGUAGE_SOURCES
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.judges import AUTO, JUDGES, Judge, check_judge, fitting_judge
from tokenunlearn.evaluation.measurement import Forms, Measurement, Meter, Part, PhaseProgress
from tokenunlearn.evaluation.metrics.metric import Column, Models
from tokenunlearn.evaluation.metrics.truth_ratio import TruthRatioForm
from tokenunlearn.evaluation.report import Report, git_revision, shipped_report_file, stored_report, versions
from tokenunlearn.evaluation.suites.choice_suite import CHOICE_SUITES, evaluate_choices
from tokenunlearn.evaluation.suites.insides import check_depth, inside_results
from tokenunlearn.evaluation.suites.own_suite import OWN, own_parts, remarks
from tokenunlearn.evaluation.summary import calibrated, summarize
from tokenunlearn.models.context import Long, fit_context, fit_forms
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.presets import PRESETS, retrained_model, retrained_without
from tokenunlearn.settings import with_old_names

EXTRACTION_FORMS = ("exact", "published")


@dataclass(frozen=True)
class Suite:
    """A benchmark.

    Attributes:
        parts: From forget split, retain split and limit to the parts.
        forget: The forget split by default.
        retain: The retain split by default.
        long: What becomes of rows that exceed the model's context, as
            :func:`~tokenunlearn.models.context.fit_context` takes it.
    """

    parts: Callable[[str, str, int | None], dict[str, Part]]
    forget: str
    retain: str
    long: Long = "error"


def world_parts(world: str, forget: str, retain: str, limit: int | None) -> dict[str, Part]:
    """The three parts of the prose or of a language's world: to forget, to retain, and unseen as holdout."""
    splits = (("forget", forget, "forget"), ("retain", retain, "retain"), ("holdout", "holdout", "holdout"))
    return _loaded(world, splits, limit)


def author_parts(source: str, forget: str, retain: str, limit: int | None) -> dict[str, Part]:
    """The five parts of TOFU (arXiv 2401.06121) and of the embedded authors; holdout is what no model saw."""
    splits = (
        ("forget", forget, "forget"),
        ("retain", retain, "retain"),
        ("real_authors", "real_authors", "options"),
        ("world_facts", "world_facts", "options"),
        ("holdout", HOLDOUTS[source], "holdout"),
    )
    return _loaded(source, splits, limit)


def _loaded(source: str, splits: Sequence[tuple[str, str, str]], limit: int | None) -> dict[str, Part]:
    """Parts by name, from (name, split, role)."""
    return {part: Part.of(load_samples(f"{source}:{split}"), role, limit) for part, split, role in splits}


# A new suite is one function from splits and limit to its parts, and one line here.
SUITES: dict[str, Suite] = {
    "authors": Suite(partial(author_parts, "authors"), "forget10", "retain90"),
    "tofu": Suite(partial(author_parts, "tofu"), "forget10", "retain_perturbed"),
    **{name: Suite(partial(world_parts, name), "forget", "retain") for name in ("prose", *LANGUAGE_SOURCES)},
    OWN: Suite(own_parts, "", "", "skip"),
}


def check_suite(suite: str, limit: int | None) -> None:
    """Refuse a suite that there is not, or too few rows of each part.

    Raises:
        TokenUnlearnError: In one sentence.
    """
    if suite not in SUITES and suite not in CHOICE_SUITES:
        suites = ", ".join([*SUITES, *CHOICE_SUITES])
        raise TokenUnlearnError(f'There is no suite "{suite}"; use one of {suites}.')
    if suite in SUITES and limit is not None and limit < 2:
        raise TokenUnlearnError(f"limit is {limit}; at least 2 rows per split are needed.")


@with_old_names(reference="retrained")
def evaluate(
    model: LoadedModel,
    suite: str = "authors",
    retrained: str | Path | None = None,
    *,
    forget: str | None = None,
    retain: str | None = None,
    limit: int | None = None,
    truth_ratio_form: TruthRatioForm = "geometric_mean",
    extraction_strength_form: str = "exact",
    start: Report | str | Path | None = None,
    judge: str | Judge = AUTO,
    depth: LoadedModel | str | None = None,
    token_budget: int | None = None,
    progress: PhaseProgress | None = None,
) -> Report:
    """Measure what a model has forgotten and what it has kept.

    Args:
        model: The model.
        suite: "authors", "tofu", "prose", "german" or "japanese", "own" for samples of your own, or a suite
            of multiple-choice questions: "wmdp", "mmlu", "alchemy".
        retrained: The retrained model: a name, or the path of its stored report. Forget quality, privacy
            leakage and the retrained value of every metric need it. A name with a report in
            ``assets/reports`` that covers the rows is not loaded.
        forget: Split to be forgotten; by default forget10 of the authors and of TOFU, else forget. Of the
            suite "own" the name of any samples, "file:my.jsonl".
        retain: Split to be kept; by default retain90 of the authors, retain_perturbed of TOFU, else retain.
            Of the suite "own" the name of any samples, or None.
        limit: At most this many rows a part, evenly spread.
        truth_ratio_form: "geometric_mean" or "prob_mean", see :func:`truth_ratio`.
        extraction_strength_form: "exact" or "published", see :func:`extraction_strength`.
        start: The model before unlearning: its report, the path of it, or a name, whose report in
            ``assets/reports`` is read where there is one. Retained pairs need it.
        judge: Says which answers are broken: "words", "smollm2", "auto" for the one that
            :func:`~tokenunlearn.evaluation.judges.fitting_judge` chooses, or an object of the shape
            :class:`~tokenunlearn.evaluation.judges.Judge`.
        depth: The model before unlearning itself, loaded or by name, to measure the unlearning depth with,
            see :func:`~tokenunlearn.evaluation.depth_patching.unlearning_depth`. It also loads the retrained
            model, whose name or report must be given.
        token_budget: Most tokens in one batch; by default what suits a CPU.
        progress: Called with phase, done and total.

    Raises:
        TokenUnlearnError: If the suite, a form or the judge is unknown, the limit is below 2, a split is
            empty, the retrained model's report covers other rows or another form or it was trained on the
            forget set, the start model's report is of another suite, a split is named for multiple-choice
            questions, or depth is to be measured without a retrained model, on multiple-choice questions or
            with models that cannot be compared.
        ModelNotFoundError: If the retrained model, the start model or the judge cannot be loaded.
        SampleTooLongError: If a sample does not fit the model's context.
    """
    check_suite(suite, limit)
    if depth is not None:
        check_depth(suite, retrained)
    if suite in CHOICE_SUITES:
        if forget or retain:
            raise TokenUnlearnError(
                f'The suite "{suite}" has no splits to choose; leave out forget and retain.'
            )
        return evaluate_choices(
            model,
            suite,
            retrained,
            start=start,
            limit=limit,
            token_budget=token_budget,
            progress=progress,
        )
    known = SUITES[suite]
    forms = Forms(truth_ratio_form, extraction_strength_form)
    _check_forms(forms)
    check_judge(judge)
    judge, of_judge = fitting_judge(model) if judge == AUTO else (judge, [])
    started = time.monotonic()
    forget, retain = forget or known.forget, retain or known.retain
    parts, notes = _fitted(model, known.parts(forget, retain, limit), known.long)
    if suite == OWN:
        notes += remarks(parts, retrained)
    meter = Meter(model, token_budget, progress or (lambda phase, done, total: None))
    theirs = None if retrained is None else _retrained(meter, parts, suite, retrained, forms)
    before = None if start is None else _start(meter, parts, suite, start, forms)
    found = meter.measure(parts, forms)
    if isinstance(judge, str):
        every = [s for part in parts.values() for s in (*part.samples, *part.rest)]
        judge = JUDGES[judge](every, meter.hearing("judging the answers"))
    fluency = calibrated(judge, parts, before, theirs)
    metrics = summarize(parts, found, theirs, before, fluency)
    if depth is not None:
        metrics |= inside_results(meter, _models(meter, depth, str(retrained)), parts)
    settings = {
        "forget": forget,
        "retain": retain,
        "limit": limit,
        "retrained": str(retrained or ""),
        **{f"{name}_form": form for name, form in asdict(forms).items()},
        **_hashes(parts),
        **fluency.settings,
    }
    return Report(
        model=model.name,
        revision=model.revision,
        suite=suite,
        settings=settings,
        metrics=metrics,
        generations=found.generations,
        notes=[*notes, *found.notes, *of_judge],
        versions=versions(),
        git_revision=git_revision(),
        device=str(model.device),
        seconds=time.monotonic() - started,
    )


def evaluate_forgetting(
    model: LoadedModel,
    samples: str,
    *,
    start: str,
    retain: str = "",
    retrained: str | None = None,
    parent: Path | None = None,
    limit: int | None = None,
    progress: PhaseProgress | None = None,
) -> Report:
    """Measure a run's model by the suite its forget set belongs to, beside the start model's retrained one.

    Args:
        model: The unlearned model.
        samples: Name of the forget set: "tofu:forget05" is measured by the suite tofu with that split; sets
            that belong to no suite, such as files, are measured by "own".
        start: Name of the start model.
        retain: Name of the retained samples, which the suite "own" measures.
        retrained: The retrained model, where it is not the one known for the start model.
        parent: Folder of the run that this one goes on from; its report is then the start model's.
        limit: At most this many rows a part.
        progress: Called with phase, done and total.

    Raises:
        TokenUnlearnError: As :func:`evaluate`.
    """
    suite, _, forget = samples.partition(":")
    if suite not in {*SUITES, *CHOICE_SUITES}:
        suite, forget = OWN, samples
    else:
        forget, retain = forget if suite in SUITES else "", ""
        retrained = retrained or known_retrained(start, suite, forget)
    before = stored_report(start, suite, parent)
    report = evaluate(
        model, suite, retrained, start=before, forget=forget, retain=retain, limit=limit, progress=progress
    )
    if before:
        return report
    reason = "No retained pairs, because there is no report of the start model on these rows."
    return replace(report, notes=[*report.notes, reason])


def known_retrained(name: str, suite: str, forget: str | None = None) -> str | None:
    """The retrained model of a model, where one is known that never saw what a suite asks to be forgotten."""
    if suite in CHOICE_SUITES and not (name in PRESETS and PRESETS[name].suite == suite):
        return None
    if suite == OWN:
        return retrained_without(name, forget or "")
    return retrained_model(name, forget or "forget10")


def _fitted(model: LoadedModel, parts: Mapping[str, Part], long: Long) -> tuple[dict[str, Part], list[str]]:
    """The parts as they fit the model's context, and what there is to say of their rows.

    Raises:
        TokenUnlearnError: If a part is empty.
    """
    fitted, notes = {}, []
    for name, part in parts.items():
        rows = part.samples
        if not len(rows):
            raise TokenUnlearnError(f'The split "{rows.name}" for {name} is empty; choose another one.')
        kept = fit_context(model, rows, long)
        fitted[name] = replace(part, samples=fit_forms(model, kept))
        answered, fit = (sum(not s.document for s in found) for found in (rows, kept))
        if skipped := answered - fit:
            notes.append(f"{name}: {skipped} samples do not fit the model's context and are skipped.")
        if shortened := sum(a != b for a, b in zip(kept, fitted[name].samples, strict=True)):
            notes.append(
                f"{name}: the paraphrased questions, or the paraphrased and wrong answers, of {shortened} "
                "samples do not fit the model's context and are left out."
            )
        notes += [f"{name}: {note}" for note in part.notes]
    return fitted, notes


def _check_forms(forms: Forms) -> None:
    for name, form, allowed in (
        ("truth ratio", forms.truth_ratio, get_args(TruthRatioForm)),
        ("extraction strength", forms.extraction_strength, EXTRACTION_FORMS),
    ):
        if form not in allowed:
            raise TokenUnlearnError(f'There is no {name} form "{form}"; use one of {", ".join(allowed)}.')


def _start(
    meter: Meter, parts: Mapping[str, Part], suite: str, start: Report | str | Path, forms: Forms
) -> Measurement:
    """What is known of the start model: its report, or what the model does on the parts to be retained."""
    report = start if isinstance(start, Report) else stored_report(str(start), suite)
    if report is None and Path(str(start)).suffix == ".json":
        report = Report.load(str(start))
    retained = {name: part for name, part in parts.items() if part.role in ("retain", "options")}
    if report is None:
        return _other(meter, "start", str(start)).measure(retained, forms)
    if report.suite != suite:
        raise TokenUnlearnError(
            f"The start model's report was created on {report.suite}; evaluate the start model on {suite}."
        )
    same = all(report.settings.get(name) == known for name, known in _hashes(retained).items())
    return _known(report, forms) if same else Measurement()


def _models(meter: Meter, start: LoadedModel | str, retrained: str) -> Models:
    """The models that a figure of their insides compares."""
    if Path(retrained).suffix == ".json":
        retrained = Report.load(retrained).model
    return Models(
        meter.model,
        _other(meter, "start", start).model if isinstance(start, str) else start,
        _other(meter, "retrained", retrained).model,
    )


def _other(meter: Meter, role: str, name: str) -> Meter:
    """The same meter on another model."""
    model = load_model(name, device=str(meter.model.device), template_kwargs=meter.model.template_kwargs)

    def progress(phase: str, done: int, total: int) -> None:
        meter.progress(f"{role}: {phase}", done, total)

    return replace(meter, model=model, progress=progress)


def _retrained(
    meter: Meter, parts: Mapping[str, Part], suite: str, retrained: str | Path, forms: Forms
) -> Measurement:
    """What is known of the retrained model.

    Read from its stored report where there is one that has the forget set's truth ratios, else the model is
    loaded and measured.
    """
    wanted = [s.id for s in parts["forget"].samples if s.perturbed_answer]
    named = Path(retrained).suffix == ".json"
    path = Path(retrained) if named else shipped_report_file(retrained)
    if path:
        report = Report.load(path)
        missing = _missing(report, suite, forms, wanted, _hashes(parts))
        if missing is None:
            return _known(report, forms)
        if named:
            raise TokenUnlearnError(f'The report "{path.name}" {missing}')
    return _other(meter, "retrained", str(retrained)).measure(parts, forms)


def _hashes(parts: Mapping[str, Part]) -> dict[str, str]:
    """Settings of a report that tell the content of sets whose names do not."""
    return {f"{name}_sha256": part.sha256 for name, part in parts.items() if part.sha256}


def _missing(
    report: Report, suite: str, forms: Forms, wanted: list[str], hashes: Mapping[str, str]
) -> str | None:
    """Why a report cannot serve as the retrained model's, as the end of a sentence; None when it can."""
    used = report.settings.get("truth_ratio_form", "geometric_mean")
    if used != forms.truth_ratio:
        return f"has truth ratios of the form {used}; evaluate the retrained model with {forms.truth_ratio}."
    if report.suite != suite or any(report.settings.get(name) != known for name, known in hashes.items()):
        return f"was created on other samples; evaluate the retrained model with the suite {suite} on these."
    ratios = report.metrics.get("forget/truth_ratio_raw")
    pairs = zip(ratios.sample_ids, ratios.rows, strict=True) if ratios else ()
    has = {i for i, row in pairs if row is not None}
    lacks = [i for i in wanted if i not in has]
    if lacks:
        split = f"{report.suite}:{report.settings.get('forget') or 'another split'}"
        return (
            f"was created on {split} and has no truth ratio for {lacks[0]}; "
            "evaluate the retrained model on the same split."
        )
    return None


def _known(report: Report, forms: Forms) -> Measurement:
    """The rows and answers of a report, without extraction strengths of another form."""
    used = report.settings.get("extraction_strength_form")
    columns = {
        name: Column(tuple(result.rows), tuple(result.sample_ids), result.better)
        for name, result in report.metrics.items()
        if result.rows and (used == forms.extraction_strength or not name.endswith("/extraction_strength"))
    }
    return Measurement(columns, dict(report.generations))
