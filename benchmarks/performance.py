"""Writes ``docs/performance.md`` from ``benchmarks/results/*.json``: ``python -m benchmarks.performance``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.markdown import markdown
from benchmarks.performance_figure import draw
from benchmarks.scaling import OF_SAMPLES, OF_TOKENS
from benchmarks.tables import stored_results, stored_sections

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
NOTES = Path(__file__).resolve().parent / "performance_notes.md"
HEAD = """# Performance

`python -m benchmarks.performance` writes this page from the JSON files under `benchmarks/results/`, and those
come from the command named above each table. The figures are not typed in; the notes at the end are.

![Seconds by prompt length, by samples and by tokens, on logarithmic scales](images/performance.png)
"""


def _machines(rows: Iterable[dict[str, Any]]) -> str:
    """Each kind of machine once, with the loads before and after its measurements."""
    loads: dict[str, list[float]] = {}
    for row in rows:
        m = row["machine"]
        device = m["gpu"] or f"{m['cores']} cores ({m['processor']}), {m['threads']} threads"
        loads.setdefault(f"{device}, torch {m['torch']}", []).extend([m["load"], row["load_after"]])
    return "; ".join(f"{name}, load {min(load):.1f} to {max(load):.1f}" for name, load in loads.items())


def _subject(row: dict[str, Any], what: str = "model") -> str:
    return row[what] + ("" if row["device"] == "CPU" else f" on {row['device']}")


def _seconds(s: dict[str, float]) -> str:
    return f"{s['median']:.3f} ({s['min']:.3f} – {s['max']:.3f})"


def steps_table(rows: list[dict[str, Any]]) -> str:
    """Contenders as rows, one block for each model and parameterization."""
    lines = []
    for row in rows:
        ours = row["contenders"]["ours"]
        for name, r in row["contenders"].items():
            lines.append(
                [
                    f"{_subject(row)}, {row['train']}",
                    name,
                    _seconds(r["seconds"]),
                    str(r["seconds"]["n"]),
                    f"{r['seconds']['median'] / ours['seconds']['median']:.2f}",
                    f"{r['cpu_seconds']['median']:.3f}",
                    f"{r['cpu_seconds']['median'] / ours['cpu_seconds']['median']:.2f}",
                    f"{r['peak_mb']['median']:.0f}",
                    f"{r['peak_mb']['median'] / ours['peak_mb']['median']:.2f}",
                    "" if name == "bare" else f"{r['loss']:.5f}",
                ]
            )
    header = [
        "model, weights",
        "form",
        "s (min – max)",
        "n",
        "against ours",
        "CPU s",
        "against ours",
        "peak MiB",
        "against ours",
        "loss",
    ]
    return markdown(header, lines)


def masking_table(rows: list[dict[str, Any]]) -> str:
    """Contenders as rows, one block for each model and length; time, memory and scores against ours."""
    lines = []
    for row in rows:
        ours = row["contenders"]["ours"]
        for name, r in row["contenders"].items():
            difference = r.get("largest_difference")
            lines.append(
                [
                    f"{_subject(row)}, {row['prompt']} + {row['response']}",
                    name,
                    _seconds(r["seconds"]),
                    str(r["seconds"]["n"]),
                    f"{r['seconds']['median'] / ours['seconds']['median']:.2f}",
                    f"{r['peak_mb']['median']:.0f}",
                    "" if difference is None else f"{difference:.1e}",
                ]
            )
    header = [
        "model, tokens",
        "form",
        "s (min – max)",
        "n",
        "against ours",
        "peak MiB",
        "largest difference, nats",
    ]
    return markdown(header, lines)


def _masking_section(result: dict[str, Any]) -> str:
    rows = result["rows"]
    return f"""## Leave-one-out scores

`python -m benchmarks.masking`: every prompt token masked alone; prompt + response tokens. `captum` is its LLM
attribution with FeatureAblation, which replaces a token and is compared with `ours, token`; `naive batched`
are whole sequences in batches of 32; `bound` are the forward passes that no exact method can avoid. What took
long was measured once. Memory is the process's peak above that of an empty one, weights included.

{masking_table(rows)}

Measured on {_machines(rows)}.
"""


def _steps_section(result: dict[str, Any]) -> str:
    rows = result["rows"]
    sizes = "; ".join(
        f"{_subject(r)}, {r['train']}: {r['forget']} + {r['retain']} samples, {r['tokens']:,} tokens "
        f"of which {r['response_tokens']:,} are responses, in {r['passes']} passes"
        for r in rows
    )
    return f"""## One unlearning step, NPO + KL

`python -m benchmarks.steps`: losses and gradients of one step, without AdamW's update, which is the same
for all. `textbook` keeps a deep copy as its reference, makes separate passes and full logits; `bare` is
forward and backward over as many tokens without padding, reference or KL. Memory is the process's peak
above that of an empty one, weights and gradients included. CPU s are the processor seconds of all
threads, which other work on the machine changes less. Losses differ by at most {
        max(r["loss_difference"] for r in rows):.1e}.


{steps_table(rows)}

Measured: {sizes}; {_machines(rows)}.
"""


def _scaling_section(result: dict[str, Any]) -> str:
    lines = []
    for row in result["rows"]:
        (first, least), *_, (last, most) = row["points"].items()
        larger = row["exponent_of_larger_half"]
        lines.append(
            [
                _subject(row, "what"),
                row["along"],
                str(row["processes"]),
                f"{int(first):,} – {int(last):,}",
                f"{least['median']:.3f} – {most['median']:.3f}",
                str(most["n"]),
                f"{row['exponent']:.2f}",
                "" if larger is None else f"{larger:.2f}",
            ]
        )
    model = result["rows"][0]["model"]
    header = ["what", "grows", "processes", "sizes", "s", "n", "exponent", "exponent of the larger half"]
    return f"""## Scaling

`python -m benchmarks.scaling` on `{model}`: leave-one-out scores of every prompt token, and one step of
NPO + KL. While samples grow, each has {OF_SAMPLES} tokens; while tokens grow, there are {OF_TOKENS}
samples. A quarter of each is its response. Two processes have one thread each, one process has two.

{markdown(header, lines)}

Measured on {_machines(result["rows"])}.
"""


def app_table(result: dict[str, Any]) -> str:
    """What a person waits for, one row each, next to its target; what was not measured is left out."""
    lines = []

    def row(what: str, figure: dict[str, float], unit: str, target: str, digits: int = 2) -> None:
        median, low, high = (f"{figure[name]:.{digits}f}" for name in ("median", "min", "max"))
        lines.append([what, f"{median} {unit} ({low} – {high})", target, str(figure["n"])])

    if selection := result.get("selection"):
        for kind, figure in selection["rules"].items():
            row(f"{kind} weights of {selection['tokens']:,} tokens, server", figure, "ms", "< 20 ms", 1)
    if drag := result.get("drag"):
        for where in ("alone", "in a set"):
            one = drag[where]
            what = f"threshold dragged over 512 tokens, {where} of {one['tokens']:,}"
            row(what, one["repaints_a_second"], "repaints/s", "≥ 30", 1)
            row(f"{what}: script and layout of a frame", one["work_ms"], "ms", "", 1)
    if cold := result.get("cold"):
        row("cold start: server answers, after its start", cold["server"], "s", "")
        row("cold start: text tinted, after that", cold["text"], "s", "")
        row("cold start: first heatmap drawn, after the server answers", cold["heatmap"], "s", "< 3 s")
        row("cold start: the same without starting the browser", cold["heatmap_from_address"], "s", "")
        row("cold start: CPU s of server and browser, both starts included", cold["cpu_seconds"], "s", "")
    if sample := result.get("sample"):
        row("next sample shown after its key, alone", sample["alone"], "s", "< 0.3 s")
        row("next sample shown after its key, beside a run", sample["beside a run"], "s", "< 1 s")
    if pages := result.get("pages"):
        sizes = dict.fromkeys(("Tokens", "Data"), f"{pages['samples']} samples")
        for name in ("Compare", "Tokens", "Data"):
            what = f"{name}, {sizes.get(name, str(pages['runs']) + ' runs')}"
            row(f"{what}: drawn after a click", pages[name]["click"], "s", "< 1 s")
            row(f"{what}: at rest after a click", pages[name]["at_rest"], "s", "")
            row(f"{what}: drawn from a link, new visitor", pages[name]["link"], "s", "")
    return markdown(["what", "median (min – max)", "target", "n"], lines)


def _app_section(result: dict[str, Any]) -> str:
    browser = result.get("drag", {}).get("browser", "")
    return f"""## The page

`python -m benchmarks.app`, with headless Chromium {browser}. Selection: importance, hash and weights from
stored scores, another mix each time. Drag: the slider gets one event a frame, and frames count in which other
tokens are selected than in the frame before; a screen of 60 frames a second allows 60. Pages: the server is
warm; the visitor who clicks has seen the page before, the new one has an empty browser cache.

{app_table(result)}

Measured on {_machines(result.values())}.
"""


def _threads_section(result: dict[str, Any]) -> str:
    taken = {(row["model"], row["busy"], row["threads"]): row["seconds"] for row in result["rows"]}
    models = dict.fromkeys(row["model"] for row in result["rows"])
    numbers = sorted({row["threads"] for row in result["rows"]})
    lines = [
        [model, "a process that multiplies matrices" if busy else "nothing"]
        + [f"{taken[model, busy, number]:.2f}" for number in numbers]
        for model in models
        for busy in (False, True)
    ]
    header = ["model", "beside", *(f"s, {number} thread{'s' * (number > 1)}" for number in numbers)]
    return f"""## Threads

`python -m benchmarks.threads`: default scores of {result["samples"]} samples, once each, on
{result["machine"]["cores"]} cores. More threads help a process that is alone; beside other work they wait for
each other, and a small model loses far more than it gains. So a model below 20 million parameters gets one
thread, and a larger one the cores that are idle when it is loaded; `OMP_NUM_THREADS` wins over both.

{markdown(header, lines)}
"""


SECTIONS = {
    "masking": _masking_section,
    "steps": _steps_section,
    "scaling": _scaling_section,
    "threads": _threads_section,
    "app": _app_section,
}


def write() -> None:
    """Renew the page and its picture from the results that are there."""
    draw(stored_results(SECTIONS), PAGE.parent / "images" / "performance.png")
    parts = [HEAD, *stored_sections(SECTIONS), NOTES.read_text(encoding="utf-8")]
    PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    write()
