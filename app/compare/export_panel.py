"""Export and reproduce: a comparison as files, its models as folders, its runs as command lines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from app import access, background, model_work, services, tasks
from app.compare import compare_answers, comparison, depth_view, evaluations, export, tokens_view
from app.compare.comparison import LETTERS, Contender
from app.compare.offers import offer
from app.compare.run_index import RunEntry
from app.errors import show_error
from app.markdown import code
from app.unlearn import command_line
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.report import ReportValues
from tokenunlearn.runs.run import Run


def gather(
    columns: list[Contender],
    chosen: list[RunEntry],
    drawn: list[tuple[str, str, Any]],
    reports: Mapping[str, ReportValues],
) -> export.Comparison:
    """Everything that the report of this comparison shows."""
    runs = dict(zip(LETTERS, chosen, strict=False))
    return export.Comparison(
        columns=columns,
        specs={letter: entry.spec for letter, entry in runs.items()},
        statuses={letter: f"{e.state.status} {e.state.message}".strip() for letter, e in runs.items()},
        metrics=comparison.metric_rows(reports),
        reports=reports,
        figures=[*drawn, *depth_view.figures(columns)],
        answers=compare_answers.stored_rows(columns),
        changes=tokens_view.changes_of(columns),
        hashes={letter: export.file_hashes(entry.run.folder) for letter, entry in runs.items()},
        commands={letter: _command(entry) for letter, entry in runs.items()},
        verdicts=evaluations.verdicts_of(columns),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def show(
    columns: list[Contender],
    chosen: list[RunEntry],
    drawn: list[tuple[str, str, Any]],
    reports: Mapping[str, ReportValues],
) -> None:
    """The whole comparison as one file, its tables, and the commands that repeat the runs."""

    def questions() -> list[dict[str, Any]]:
        return [
            {"split": split, **row}
            for split in comparison.splits_of(reports.values())
            for row in comparison.question_rows(
                reports, split, comparison.row_metrics(reports.values(), split)
            )
        ]

    def metrics() -> list[dict[str, Any]]:
        return comparison.metric_rows(reports)

    files = {
        "Download report (HTML)": (
            "comparison.html",
            "text/html",
            lambda: export.comparison_html(gather(columns, chosen, drawn, reports)),
        ),
        "Download metrics (CSV)": ("metrics.csv", "text/csv", lambda: export.to_csv(metrics())),
        "Download metrics (JSON)": ("metrics.json", "application/json", lambda: export.to_json(metrics())),
        "Download questions (CSV)": ("questions.csv", "text/csv", lambda: export.to_csv(questions())),
        "Download questions (JSON)": (
            "questions.json",
            "application/json",
            lambda: export.to_json(questions()),
        ),
    }
    with st.expander("Export and reproduce", icon=":material/download:"):
        with st.container(horizontal=True):
            for label, (name, mime, make) in files.items():
                st.download_button(label, make, name, mime, key=f"save-{name}", on_click="ignore")
        st.caption(
            "The report is a single file that opens offline. "
            "To share this view, copy the address of the page."
        )
        st.radio(
            "Image format of the chart toolbar's camera",
            ["svg", "png"],
            horizontal=True,
            key="image",
            bind="query-params",
        )
        models = {column.name: column.run for column in columns if column.run and column.loadable}
        for name, run in models.items():
            _offer_model(name, run)
        if models and access.may("push"):
            _offer_push(models)
        for letter, entry in zip(LETTERS, chosen, strict=False):
            st.caption(f"Reproduce {letter} on the command line")
            st.code(_command(entry), language="bash", wrap_lines=True)


def _command(entry: RunEntry) -> str:
    """The command line that repeats a run, into the folder of one's own runs."""
    return command_line.command_lines(entry.spec, entry.run.folder, services.store().root)


def _offer_model(name: str, run: Run) -> None:
    """Write the whole model of a run, with all runs before it, into the folder of exports, and say where."""
    folder = model_work.export_folder(run)
    if folder.exists():
        st.caption(f"Model of {name}")
        line = f'AutoModelForCausalLM.from_pretrained("{folder}")'
        st.code(line, language="python", wrap_lines=True)
    else:
        offer(
            f"export-{run.id}",
            f"Export model of {name}",
            model_work.export_model(run),
            icon=":material/deployed_code:",
            text=f"Merged weights, tokenizer and model card, into {code(str(folder))}",
        )


def _offer_push(models: Mapping[str, Run]) -> None:
    """Push the whole model of one of the runs to the Hub, and say where it is.

    Args:
        models: Letter of a run -> run, those whose weights are stored.
    """
    st.caption("Push a model to the Hugging Face Hub")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = next(iter(models))
        if len(models) > 1:
            name = st.selectbox("Model", list(models), key="push_model", width=110) or name
        repository = st.text_input(
            "Repository", key="push_repository", placeholder="owner/name", max_chars=100, width=320
        ).strip()
        pressed = st.button(
            f"Push model of {name}",
            key="push",
            icon=":material/cloud_upload:",
            help="Merged weights, tokenizer and model card. Cancel stops it until the upload has begun.",
        )
    public = st.toggle(
        "Public", key="push_public", help="Everybody can download the model. Otherwise it is private."
    )
    st.caption(
        "The Hub token is the one that this machine has, from HF_TOKEN or hf auth login. It is never shown, "
        "logged or stored by this app."
    )
    if pressed:
        ended = tasks.known().get(model_work.push_key(models[name]))
        if ended and not ended.running:
            tasks.forget(ended)
        try:
            model_work.push_model(models[name], repository, private=not public)
        except TokenUnlearnError as error:
            show_error(error)
    for letter, run in models.items():
        if address := background.wait_for(model_work.push_key(run)):
            st.text(f"✓ Model of {letter} pushed: {address}")
