"""``tokenunlearn cache``: the scores kept on disk."""

from __future__ import annotations

import typer
from rich.markup import escape

from tokenunlearn.commands.console import out

cache_app = typer.Typer(help="Show or clear the scores kept on disk.", invoke_without_command=True)


@cache_app.callback()
def cache_show(context: typer.Context) -> None:
    """Show where the scores are, how many, and their size."""
    from tokenunlearn.attribution.score_cache import ScoreCache

    if context.invoked_subcommand is None:
        store = ScoreCache.default()
        size, most = (f"{x / 1e6:,.1f} MB" for x in (store.size(), store.limit))
        out.print(f"{len(store.files()):,} files, {size} of at most {most}, in {escape(str(store.folder))}")


@cache_app.command("clear")
def cache_clear() -> None:
    """Remove all scores kept on disk; score sets of runs stay."""
    from tokenunlearn.attribution.score_cache import ScoreCache

    out.print(f"{ScoreCache.default().clear():,} files were removed")
