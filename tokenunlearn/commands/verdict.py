"""``tokenunlearn verdict``: what is gone, hidden, kept and untested, in sentences with their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from tokenunlearn.commands.console import Json, Out, located, out, print_json
from tokenunlearn.errors import TokenUnlearnError

if TYPE_CHECKING:
    from tokenunlearn.evaluation.claims import Verdict

ADVICE = "write one with evaluate --json, and give its path."


def verdict(
    report: Annotated[
        str, typer.Argument(metavar="REPORT", help="Report of evaluate (JSON), or id or folder of a run.")
    ],
    attacks: Annotated[Path | None, typer.Option(help="Report of attack (JSON).")] = None,
    start: Annotated[
        str | None, typer.Option(help="Start model or its report (JSON); default: none, or that of the run.")
    ] = None,
    retrained: Annotated[
        str | None,
        typer.Option(help="Retrained model or its report (JSON); default: the one named in the report."),
    ] = None,
    margin: Annotated[
        float, typer.Option(help="Largest difference from the retrained model that counts as the same level.")
    ] = 0.05,
    out_folder: Out = Path("runs"),
    as_json: Json = False,
) -> None:
    """Say what is gone, hidden, kept and untested, each with its test."""
    judged = _verdict(report, attacks, start, retrained, margin, out_folder)
    if as_json:
        print_json(judged.to_json())
    else:
        out.print(escape(str(judged)), highlight=False, soft_wrap=True)


def _verdict(
    report: str, attacks: Path | None, start: str | None, retrained: str | None, margin: float, runs: Path
) -> Verdict:
    from tokenunlearn.evaluation.report import Report, stored_report
    from tokenunlearn.evaluation.verdict import verdict as judge
    from tokenunlearn.runs.judgment import Evidence, evidence_of

    def named(model: str, suite: str) -> Report:
        if model.endswith(".json"):
            return Report.load(model)
        stored = stored_report(model, suite)
        if stored is None:
            raise TokenUnlearnError(f'There is no stored report of "{model}" on {suite}; {ADVICE}')
        return stored

    if report.endswith(".json"):
        own = Report.load(report)
        suite = own.suite
        evidence = Evidence(
            attacks=None, start=None, retrained=stored_report(str(own.settings.get("retrained")), suite)
        )
    else:
        run = located(report, runs)
        values = run.report
        if values is None:
            raise TokenUnlearnError(f'The run "{run.id}" has no report; {ADVICE}')
        own, suite, evidence = Report.from_values(values), values["suite"], evidence_of(run)
    return judge(
        own,
        attacks=Report.load(attacks) if attacks else evidence["attacks"],
        start=named(start, suite) if start else evidence["start"],
        retrained=named(retrained, suite) if retrained else evidence["retrained"],
        margin=margin,
    )
