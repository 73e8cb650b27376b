"""The tables and section of ``benchmarks/results/requests.json``: one request after another."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import markdown


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


def section(result: dict[str, Any]) -> str:
    """The section of ``docs/results.md``."""
    config, count = next(iter(result["chains"].values()))["config"], len(result["start"]["requests"])
    return f"""## Several requests, one after another

`python -m benchmarks.requests`: `{result["model"]}` forgets `{result["forget"]}` in {count} requests of
{result["authors_a_request"]} authors. Each is a file and one command that goes on from the run before
(`unlearn --adapter`), with the model of that run as the reference and the scores of the start model;
{config["objective"]} by default, {config["steps"]} steps per request, one seed. No holdout is known of such a
file, so the default has no level. Values are the share of gold spans that the model would write after the
true tokens before them, with a 95 % CI over samples (Wilson where every sample is 0 or 1, else bootstrap).

{requests_table(result)}

The target is at most 0.10 of each request after the last one, with 0.95 of the retained spans.

Greedy answers of the whole suite after the last request:

{requests_greedy_table(result)}
"""
