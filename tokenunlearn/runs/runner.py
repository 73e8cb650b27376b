"""Executes one run from its spec: score, train, save, generate, evaluate; every step goes to disk."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tokenunlearn.errors import Cancelled, RunError, TokenUnlearnError
from tokenunlearn.evaluation.watch import Watcher, WatchSettings
from tokenunlearn.files import new_folder, replaced
from tokenunlearn.models.devices import default_device
from tokenunlearn.models.processes import is_main_process, launched
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.check import refuse
from tokenunlearn.runs.ledger import measure_requests
from tokenunlearn.runs.locks import acquire, device_lock, note_of, release
from tokenunlearn.runs.resume import rewind
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.scoring_model import LoadModel, check_scores, scoring_model
from tokenunlearn.runs.space import check_space
from tokenunlearn.runs.spec import make_rule
from tokenunlearn.runs.state import RunState, now
from tokenunlearn.training.checkpoints import CheckpointSettings
from tokenunlearn.training.schedules import FAR_PAST, FAR_SHORT

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet
    from tokenunlearn.datasets.samples import SampleSet
    from tokenunlearn.models.loaded_model import LoadedModel
    from tokenunlearn.training.unlearn import Unlearned

# Answers before and after are kept for this many samples of the forget set and of the retained samples.
SHOWN_SAMPLES = 8
# Seconds between two looks at whether the device is free.
POLL = 0.2

Between = Callable[[], None]


def execute(run: Run, load: LoadModel | None = None, between: Between | None = None) -> RunState:
    """Carry out a queued run, alone on its device; a fault ends the run, never the caller.

    Args:
        run: The run.
        load: Gives the models of the run, the start model first; by default they are loaded.
        between: Called between units of work, to let others use the device.

    Returns:
        The final state as it is on disk, or as it would be if the run's folder could be written.

    Raises:
        RunError: If another process carries out the run.
    """
    run.take()
    try:
        execution = _Execution(run, load, between or (lambda: None))
        with execution.device():
            return execution.go()
    except Cancelled:
        return end_cancelled(run, "Cancelled before training started; no weights were changed.")
    except TokenUnlearnError as error:
        return end(run, status="failed", message=str(error))
    except Exception as error:
        message = f"{type(error).__name__}: {str(error)[:300]}"
        if _keep_traceback(run):
            message += " (see error.txt)"
        return end(run, status="failed", message=message)
    finally:
        release(run.lock)


def _keep_traceback(run: Run) -> bool:
    """Write the traceback of the present exception beside the run's files, if that can be done."""
    with suppress(Exception):
        if run.folder.is_dir():
            with replaced(run.folder / "error.txt") as file:
                file.write(traceback.format_exc().encode())
            return True
    return False


def end(run: Run, **changes: Any) -> RunState:
    """Give a run its final state, which only the caller learns if the run's folder cannot be written."""
    try:
        return run.set_state(**changes)
    except Exception as error:
        changes["message"] += f" This could not be stored: {error}"
        return RunState(**changes, ended=now())
    finally:
        release(run.lock)


def end_cancelled(run: Run, message: str) -> RunState:
    """Give a run its final state that was cancelled before it began, or before it went on.

    Args:
        run: The run.
        message: What is said of a run that had not begun.
    """
    if run.has_checkpoint or run.adapter is not None:
        return end(run, status="stopped", message="Stopped on request before it went on.")
    return end(run, status="cancelled", message=message)


class _Execution:
    def __init__(self, run: Run, load: LoadModel | None, between: Between) -> None:
        self.run, self.spec, self.between = run, run.spec, between
        self.load: LoadModel = load or ModelSource.load
        self.name, self.written = "", 0.0

    @contextmanager
    def device(self) -> Iterator[None]:
        """Have the device to itself among all processes on the store; wait until it is free, or cancelled."""
        name = default_device()
        lock, message = device_lock(self.run.folder.absolute().parent, name), ""
        while not acquire(lock, timeout=0, note=self.run.id):
            other = f"the run {note}" if (note := note_of(lock)) else "another run"
            if (wait := f"Waiting for {other}, which uses {name}.") != message:
                message = self.run.set_state(phase="waiting", message=wait).message
            self.between()
            if self.run.cancel_requested:
                raise Cancelled
            time.sleep(POLL)
        try:
            self.run.set_state(status="running", phase="loading", total=1, message="")
            yield
        finally:
            release(lock)

    def phase(self, name: str, done: int, total: int) -> None:
        """Put progress on disk, at most ten times a second, and let others use the device.

        Raises:
            Cancelled: If someone asked the run to stop; training ends by itself, with a whole step.
        """
        if name != self.name or done == total or time.monotonic() - self.written > 0.1:
            self.run.set_state(status="running", phase=name, done=done, total=total)
            self.name, self.written = name, time.monotonic()
        self.between()
        if name != "training" and self.run.cancel_requested:
            raise Cancelled

    def go(self) -> RunState:
        """Every phase in order."""
        from tokenunlearn.datasets import load_samples
        from tokenunlearn.models.context import fit_context
        from tokenunlearn.training.settings import UnlearnSettings
        from tokenunlearn.training.trackers import Reporting
        from tokenunlearn.training.unlearn import unlearn

        spec = self.spec
        self.phase("loading", 0, 1)
        config = UnlearnSettings.from_settings(spec.config)
        samples = load_samples(spec.samples)
        retain = load_samples(spec.retain) if spec.retain else None
        model = self.load(self.run.start)
        samples = fit_context(model, samples, config.long)
        retain = retain and fit_context(model, retain, config.long)
        refuse(model, samples, retain or ())
        check_space(self.run.folder, model, config)
        scores = self.scores(model, samples)
        weights = scores.weights(make_rule(spec.rule)) if scores else None
        watch = WatchSettings.of(spec.watch)
        watcher = (
            Watcher(
                watch,
                model,
                samples,
                retain,
                config.steps,
                self.run.append_watched,
                self.run.append_predictions,
            )
            if watch.every
            else None
        )
        due = CheckpointSettings.of(spec.checkpoints)
        result = unlearn(
            model,
            samples,
            weights,
            retain=retain,
            scores=scores,
            config=config,
            on_phase=self.phase,
            on_step=self.run.append_metrics,
            should_stop=lambda: self.run.cancel_requested,
            on_weights=watcher,
            on_begin=lambda step, last: rewind(self.run, step, whole=step == last),
            checkpoints=None if launched() else self.run.checkpoints,
            checkpoint_every=due.every,
            checkpoint_minutes=due.minutes,
            report_to=replace(
                Reporting.to(spec.report_to), run_name=self.run.id, folder=self.run.folder / "tensorboard"
            ),
        )
        self.run.set_state(status="running", phase="saving", done=0, total=1)
        rule = {"rule": dict(weights.rule)} if weights else {}
        self.run.write("resolved.json", asdict(result.config) | {"trained": list(result.trained)} | rule)
        with new_folder(self.run.folder / "adapter", replaces=True) as folder:
            result.save_adapter(folder)
        left_out = "" if result.stopped == "cancelled" else self.measured(model, result, samples, retain)
        return self.final(result, left_out)

    def measured(
        self, before: LoadedModel, result: Unlearned, samples: SampleSet, retain: SampleSet | None
    ) -> str:
        """Measure what the run did; the phase in which someone asked to stop, or ""."""
        from tokenunlearn.runs.judgment import save_verdict

        tasks = {
            "tokens.parquet": partial(self.token_changes, before, result, samples),
            "generations.json": partial(self.generate, before, result, samples, retain),
            "requests.json": partial(self.requests, before, result),
        }
        if self.spec.evaluate and result.stopped in ("", "reached"):
            tasks |= {
                "report.json": partial(self.evaluate, result),
                "verdict.json": partial(save_verdict, self.run),
            }
        try:
            for name, measure in tasks.items():
                if not (self.run.folder / name).exists():  # measured before the run was interrupted
                    measure()
        except Cancelled:
            return "evaluating" if self.name.startswith("evaluating") else self.name
        return ""

    def scores(self, model: LoadedModel, samples: SampleSet) -> ScoreSet | None:
        """The score set the run was given, or one made now; none is needed for uniform weights.

        Raises:
            RunError: If it is not the one that the run was given.
            ScoreSetError: If it cannot be read, or fits neither model nor samples.
        """
        from tokenunlearn.attribution.score import score
        from tokenunlearn.attribution.selector import Selector

        scores, given = self.run.scores, self.spec.score_hash
        if given and (scores is None or scores.hash != given):
            raise RunError("The score set that the run was given is gone or another one; start a new run.")
        if scores is not None:
            check_scores(scores, samples, self.run.start, model, self.load)
            return scores
        if self.spec.rule["selection"] == "uniform":
            return None
        scoring = dict(self.spec.scoring)
        selector = scoring.pop("selector", None)
        partial_scores = self.run.folder / "scoring"
        scores = score(
            scoring_model(self.run.start, model, self.load),
            samples,
            cache=partial_scores,
            progress=lambda done, total: self.phase("scoring", done, total),
            **scoring,
        )
        if selector:
            scores = replace(scores, selector=Selector.from_json(selector, "The selector of the run"))
        scores.save(self.run.folder / "scores.parquet")
        shutil.rmtree(partial_scores, ignore_errors=True)
        return scores

    def token_changes(self, before: LoadedModel, result: Unlearned, samples: SampleSet) -> None:
        """NLL and rank of every response token before and after, beside the weight that was applied."""
        from tokenunlearn.evaluation.token_changes import save_changes, token_changes

        changes = token_changes(
            before,
            result.model,
            before.encode_all(samples),
            result.token_weights,
            progress=lambda done, total: self.phase("comparing tokens", done, total),
        )
        save_changes(changes, self.run.folder / "tokens.parquet")

    def generate(
        self, before: LoadedModel, result: Unlearned, samples: SampleSet, retain: SampleSet | None
    ) -> None:
        """Answers of both models to a few questions of each part, by the same greedy decoding."""
        from tokenunlearn.models.generation import generate

        parts = {"forget": samples.spread(SHOWN_SAMPLES)}
        if retain is not None:
            parts["retain"] = retain.spread(SHOWN_SAMPLES)
        rows = {}
        for done, (part, samples) in enumerate(parts.items()):
            beat = partial(self.phase, "generating", done, len(parts))
            beat()
            shown = [s for s in samples if not s.document]
            questions, histories = [s.question for s in shown], [s.history for s in shown]
            replies = [
                generate(lm, questions, histories=histories, progress=lambda *_, beat=beat: beat())
                for lm in (before, result.model)
            ]
            answers = zip(shown, *replies, strict=True)
            rows[part] = [
                {"sample_id": s.id, "question": s.question, "answer": s.answer, "before": b, "after": a}
                for s, b, a in answers
            ]
        self.run.write("generations.json", rows)

    def requests(self, before: LoadedModel, result: Unlearned) -> None:
        """How well this request and those before it are forgotten; of several processes one measures."""
        if is_main_process():
            measured = measure_requests(
                self.run,
                before,
                result.model,
                progress=lambda done, total: self.phase("measuring requests", done, total),
            )
            self.run.write("requests.json", [asdict(request) for request in measured])

    def evaluate(self, result: Unlearned) -> None:
        """The metrics of the forget set's suite on a sample of each part."""
        from tokenunlearn.evaluation.suites.suite import evaluate_forgetting
        from tokenunlearn.runs.retraining import retrained_for

        parent = self.run.parent
        report = evaluate_forgetting(
            result.model,
            self.spec.samples,
            start=self.spec.model,
            retain=self.spec.retain,
            retrained=retrained_for(self.run),
            parent=parent.folder if parent else None,
            limit=self.spec.evaluate,
            progress=lambda phase, done, total: self.phase(f"evaluating {phase}", done, total),
        )
        report = replace(report, model=f"{self.spec.model} + {self.run.id}")
        report.save(self.run.folder / "report.json")

    def final(self, result: Unlearned, left_out: str) -> RunState:
        """Status and the one sentence that explains it.

        Args:
            result: The result.
            left_out: The phase in which someone asked to stop, or "".
        """
        steps, total = len(result.history), result.config.steps
        if result.stopped == "collapsed":
            message = (
                f"{result.fault} after {steps} of {total} steps; the weights of step {result.good_step} are "
                "saved. Lower the learning rate or gamma."
            )
            shutil.rmtree(self.run.checkpoints, ignore_errors=True)
            return self.run.set_state(status="failed", message=message)
        if result.stopped == "cancelled":
            message = f"Stopped after {steps} of {total} steps; the weights trained so far are stored."
            return self.run.set_state(status="stopped", message=message)
        if left_out:
            message = f"Stopped on request while {left_out}; the weights are stored."
            return self.run.set_state(status="stopped", message=message)
        reached = f"Reached its level after {steps} of {total} steps." if result.stopped else ""
        message = about_level(result.history) or reached
        state = self.run.set_state(status="completed", phase="", done=total, total=total, message=message)
        shutil.rmtree(self.run.checkpoints, ignore_errors=True)  # a run without them would begin again
        return state


def about_level(history: Sequence[Mapping[str, float]]) -> str:
    """What is odd about a run's forget NLL next to its level; "" for nothing."""
    level = history[0].get("level") if history else None
    if level is None:
        return ""
    first, last = (record["forget_nll"] for record in (history[0], history[-1]))
    if first >= level:
        return (
            f"The forget set was at its level of {level:.3g} nats before the first step, so hardly anything "
            "was forgotten: the model knows the holdout, or does not know the forget set."
        )
    if last > FAR_PAST * level:
        return (
            f"Forgetting went far past its level of {level:.3g} nats, to {last:.3g}; more steps bring it "
            "back, and a lower learning rate stays closer."
        )
    if last < FAR_SHORT * level:
        return (
            f"Forgetting ended short of its level of {level:.3g} nats, at {last:.3g}; more steps or a higher "
            "learning rate go further."
        )
    return ""
