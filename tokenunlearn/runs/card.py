"""The model card of an exported run: requests, settings, verdict, figures, limits, versions."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.claims import Verdict
from tokenunlearn.evaluation.report import Report, versions
from tokenunlearn.folders import user_path
from tokenunlearn.models.presets import PRESETS, preset_folders
from tokenunlearn.runs.judgment import run_verdict
from tokenunlearn.runs.ledger import Request, set_title
from tokenunlearn.runs.run import Run

LICENSE = re.compile(r"\A---\n(?:.*\n)*?license: *(\S+)\n(?:.*\n)*?---\n")


def base_title(model: str) -> str:
    """What a card calls a start model: a preset or Hub id as it is, a folder or file by its last part."""
    return os.path.basename(os.path.abspath(user_path(model))) if is_local(model) else model


def is_local(model: str) -> bool:
    """Whether a name is a path on this machine, of something that need no longer be there."""
    return model not in PRESETS and (
        os.path.exists(user_path(model)) or model.startswith((".", "/", "~")) or model.count("/") > 1
    )


def on_hub(model: str) -> bool:
    """Whether a name is an id on the Hub."""
    return model not in PRESETS and not is_local(model)


def base_license(model: str) -> str:
    """The license that a start model's own card names; "" where there is none on this machine."""
    for card in (folder / "README.md" for folder in reversed(preset_folders(model))):
        match = LICENSE.match(card.read_text(encoding="utf-8")) if card.is_file() else None
        if match:
            return match[1]
    return ""


def model_card(run: Run, *, merged: bool, address: str = "FOLDER") -> str:
    """The README.md of an exported run.

    It names forget sets by name, size and hash, and holds none of their texts.

    Args:
        run: A run that has ended.
        merged: Whether the folder holds the whole model, or else the adapter alone.
        address: What loads it: a folder, or an id on the Hub.
    """
    spec, verdict = run.spec, run_verdict(run)
    base, license_name = base_title(spec.model), base_license(spec.model)
    head = {
        "library_name": "transformers" if merged else "peft",
        **({"license": license_name} if license_name else {}),
        **({"base_model": spec.model} if on_hub(spec.model) else {}),
    }
    metadata = "".join(f"{name}: {value}\n" for name, value in head.items())
    count = len(run.lineage)
    requests = "1 unlearning request" if count == 1 else f"{count} unlearning requests, one after another"
    return f"""---
{metadata}tags:
- machine-unlearning
- tokenunlearn
---

# {_plain(run.label)}

`{base}` after {requests}, written by TokenUnlearn from the run `{run.id}`.

{_use(spec.model, merged, address)}

## Requests

{_requests(run)}

The hash is the sha256 of the set's samples as JSON lines. "Recalled" is measured on this model, "before" on
the model that the last run started from. `spans_recalled` is the share of the gold spans that the model would
write after the true tokens before them, `probability` the length-normalized probability of the answers. Low
values are forgotten.

## Settings

{_settings(run)}

## Verdict

{verdict_markdown(verdict) if verdict else "The run was not evaluated, so there is no verdict."}

## Metrics

{_metrics(run)}

## Limits

- The figures hold for the samples they were measured on. Knowledge can remain in other wordings, and
  relearning, sampling or quantization can bring forgotten text back; `tokenunlearn attack` measures that.
- Unlearning makes the model behave as if it had not seen the samples. It does not prove their deletion.
{_faults(run)}
## Versions

{_listed({**spec.versions, **{f"{name} (export)": version for name, version in versions().items()}})}

## License

{_license(license_name, base)}
"""


def _use(model: str, merged: bool, address: str) -> str:
    base = base_title(model)
    if merged:
        return f"""```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("{address}")
tokenizer = AutoTokenizer.from_pretrained("{address}")
```"""
    if on_hub(model):
        return f"""```python
from peft import PeftModel
from transformers import AutoModelForCausalLM

model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("{base}"), "{address}")
```"""
    place = f"\n\n`{base}` is a local folder or file; give its path." if is_local(model) else ""
    return f"""```python
import tokenunlearn as tu

model = tu.load_model("{base}", adapter="{address}")
```{place}"""


def _requests(run: Run) -> str:
    measured = {request.run: request for request in run.requests}
    rows = []
    for number, earlier in enumerate(run.lineage, start=1):
        spec = earlier.spec
        request = measured.get(earlier.id, Request(earlier.id, spec.samples))
        before = "–" if request.before is None else f"{request.before:.2f}"
        name = set_title(spec.samples)
        figure = f"{request.metric} {request.text}".strip()
        rows.append([str(number), spec.created[:10], name, str(request.size or "–"), request.sha256 or "–"])
        rows[-1] += [before, figure]
    return _table(["", "date", "forget set", "samples", "sha256", "before", "recalled"], rows)


def _settings(run: Run) -> str:
    rows = []
    for number, earlier in enumerate(run.lineage, start=1):
        spec = earlier.spec
        config = earlier.resolved or dict(spec.config)
        titles: dict[str, Callable[[str], str]] = {"holdout": set_title, "base_model": base_title}
        shown = {k: v for k, v in config.items() if k != "rule" and v not in (None, {}, [])}
        shown |= {k: titles[k](shown[k]) for k in titles.keys() & shown}
        rows += [
            [str(number), name.rstrip("_"), value if isinstance(value, str) else json.dumps(value)]
            for name, value in {
                "run": earlier.id,
                "retained samples": set_title(spec.retain) if spec.retain else "none",
                "token weights": earlier.rule,
                **shown,
            }.items()
        ]
    return _table(["request", "setting", "value"], rows)


def _metrics(run: Run) -> str:
    try:
        report = Report.load(run.folder / "report.json")
    except TokenUnlearnError:
        return "The run was not evaluated; `tokenunlearn evaluate` does that."
    rows = []
    for row in report.table():
        interval = "–" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
        retrained = "–" if row["retrained"] is None else f"{row['retrained']:.4g}"
        rows.append([row["metric"], f"{row['value']:.4g}", interval, str(row["n"]), retrained, row["better"]])
    limit = report.settings.get("limit")
    scope = f"at most {limit} samples per split" if limit else "all samples"
    table = _table(["metric", "value", "95 % CI", "n", "retrained model", "better"], rows)
    return f"Suite `{report.suite}`, {scope}.\n\n{table}"


def verdict_markdown(verdict: Verdict) -> str:
    """A verdict as markdown: its headline, and a list of claims with their figures for each section."""
    parts = [_plain(verdict.headline)]
    for title, claims in verdict.sections.items():
        lines = [f"- {_plain(f'{claim.sentence} {claim.numbers}')}" for claim in claims]
        parts.append("\n".join([f"**{title}**", "", *lines]))
    return "\n\n".join(parts)


def _faults(run: Run) -> str:
    state = run.state
    return "" if state.status == "completed" else f"- The run is {state.status}. {_plain(state.message)}\n"


def _license(name: str, base: str) -> str:
    if name:
        return f"The license of `{base}`, {name}, applies."
    return (
        f"The license of the start model `{base}` is unknown to TokenUnlearn. Look it up before you share "
        "this model; it applies here too."
    )


def _listed(values: Mapping[str, Any]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in values.items())


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _plain(text: str) -> str:
    """Text in one line that cannot end a cell or become HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
