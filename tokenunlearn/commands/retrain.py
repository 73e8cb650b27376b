"""``tokenunlearn retrain``: the retrained model of your own data, or the model that knows all of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from tokenunlearn.commands.console import Columns, Json, TemplateKwargs, bars, out, print_json, with_columns
from tokenunlearn.commands.options import with_settings
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.settings import parse_assignments
from tokenunlearn.training.finetune_settings import RetrainSettings


@with_settings({"Settings of the training": RetrainSettings})
def retrain(
    settings: dict[str, Any],
    retain: Annotated[str, typer.Option(help='Retained samples, e.g. "file:retain.jsonl".')],
    out_folder: Annotated[Path, typer.Option("--out", help="Folder of the new model.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="Base model that never saw the forget set: preset, Hub id or local folder; default: that of "
            "--recipe."
        ),
    ] = None,
    template_kwargs: TemplateKwargs = None,
    forget: Annotated[
        str | None,
        typer.Option(help="Forget set; the command refuses retained samples that are in it."),
    ] = None,
    with_forget: Annotated[
        bool,
        typer.Option("--with-forget", help="Train on the forget set too: the model from which to unlearn."),
    ] = False,
    recipe: Annotated[
        Path | None,
        typer.Option(help="recipe.json of an earlier training, or its folder; options override it."),
    ] = None,
    columns: Columns = "",
    as_json: Json = False,
) -> None:
    """Fine-tune a base model on the retained samples only: the gold standard for your own data."""
    from tokenunlearn.models.recipe import Recipe
    from tokenunlearn.models.source import ModelSource
    from tokenunlearn.runs.retraining import retrain as retrain_model

    known = Recipe.load(recipe) if recipe else Recipe(settings={})
    base = model or known.model
    if not base:
        raise TokenUnlearnError("Name the base model with --model, or a recipe that has one with --recipe.")
    if base == known.model and known.revision != (ModelSource(base).revision or known.revision):
        raise TokenUnlearnError(
            f'The weights of the base model "{base}" have changed since the recipe was written; '
            "train both models again."
        )
    if with_forget and forget is None:
        raise TokenUnlearnError("--with-forget needs the forget set; name it with --forget.")
    retain, *named = with_columns(columns, retain, *([forget] if forget else []))
    given = parse_assignments(template_kwargs or [], "--template-kwargs", "enable_thinking=true")
    with bars() as phase:
        made = retrain_model(
            base,
            retain,
            out_folder,
            forget=named[0] if named else None,
            with_forget=with_forget,
            template_kwargs=given or known.template_kwargs,
            config=RetrainSettings.from_settings({**known.settings, **settings}),
            progress=phase,
        )
    if as_json:
        print_json(asdict(made))
        return
    trained = [s for s in made.samples.values() if s["trained"]]
    sets = " and ".join(f"{s['samples']:,} samples of {s['name']}" for s in trained)
    out.print(escape(f"{base} trained on {sets}: {out_folder}"), soft_wrap=True)
