"""The retrained model of own samples: training it from the page Compare, and its figures in a comparison."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import streamlit as st

from app import access, background, model_work, tasks
from app.compare.comparison import Contender
from app.errors import show_error
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.report import MetricValues, ReportValues
from tokenunlearn.models.presets import base_model_name
from tokenunlearn.models.recipe import Recipe, find_recipe
from tokenunlearn.training.finetune_settings import RetrainSettings

FIELDS = (
    ("epochs", "Epochs", 1, "%d"),
    ("learning_rate", "Learning rate", 1e-4, "%g"),
    ("batch_size", "Batch size", 1, "%d"),
)
HELP = {f.name: f.metadata["help"] for f in fields(RetrainSettings)}


def retrained_figures(report: ReportValues) -> ReportValues:
    """A report of the retrained model, made of the values that a run's report has of it."""
    metrics: dict[str, MetricValues] = {
        name: {**result, "value": retrained, "interval": None, "rows": rows, "sample_ids": ids}
        for name, result in report["metrics"].items()
        if (retrained := result.get("retrained")) is not None
        for rows in [result.get("retrained_rows", [])]
        for ids in [result["sample_ids"] if rows else []]
    }
    return {**report, "model": report["settings"]["retrained"], "metrics": metrics, "generations": {}}


def offer(column: Contender, limit: int | None) -> None:
    """A form that trains the retrained model of a run on own samples and evaluates the run beside it.

    Args:
        column: The run.
        limit: Samples per split of the evaluation; None for all.
    """
    assert column.run is not None
    run, key = column.run, model_work.twin_key(column.run)
    task = tasks.known().get(key)
    if access.may("start") and (task is None or not task.running):
        with st.expander("Retrained model", icon=":material/model_training:"):
            st.caption(
                f"No retrained model is known for the samples of {column.name}. It is the base model trained "
                "on the retained samples only, by the settings with which the start model learned both sets. "
                "Forget quality and the column of the retrained model need it."
            )
            known = find_recipe(run.spec.model)
            base, settings = _settings(column, known)
            if st.button(f"Train retrained model and evaluate {column.name}", key=f"button-{key}"):
                try:
                    config = RetrainSettings.from_settings(settings)
                except TokenUnlearnError as error:
                    show_error(error)
                else:
                    model_work.train_retrained(run, base, config, limit)
                    st.rerun()
    background.wait_for(key)


def _settings(column: Contender, known: Recipe | None) -> tuple[str, dict[str, Any]]:
    """Base model and settings: of the start model's recipe where it has one, else as they are entered."""
    assert column.run is not None
    model = column.run.spec.model
    base = st.text_input(
        "Base model",
        known.model if known else _known_base(model),
        key=f"base-{column.run.id}",
        help="Preset, Hub id or local folder of a model that never saw the forget set.",
    )
    if known:
        st.caption("The other settings are those of the start model's recipe.")
        return base.strip(), dict(known.settings)
    plain, columns = RetrainSettings(), st.columns(3)
    values = {
        name: cell.number_input(
            label,
            value=getattr(plain, name),
            step=step,
            format=form,
            key=f"{name}-{column.run.id}",
            help=HELP[name],
        )
        for cell, (name, label, step, form) in zip(columns, FIELDS, strict=True)
    }
    return base.strip(), values


def _known_base(model: str) -> str:
    try:
        return base_model_name(model)
    except TokenUnlearnError:
        return ""
