"""``tokenunlearn cache``: the scores cached on disk."""

from __future__ import annotations

import typer
from rich.markup import escape

from tokenunlearn.commands.console import out

cache_app = typer.Typer(help="Show or clear the score cache.", invoke_without_command=True)


@cache_app.callback()
def cache_show(context: typer.Context) -> None:
    """Show the location, number of files and size of the score cache."""
    from tokenunlearn.attribution.score_cache import ScoreCache

    if context.invoked_subcommand is None:
        store = ScoreCache.default()
        size, limit = (f"{x / 1e6:,.1f} MB" for x in (store.size(), store.limit))
        out.print(f"{len(store.files()):,} files, {size} (limit {limit}), in {escape(str(store.folder))}")


@cache_app.command("clear")
def cache_clear() -> None:
    """Delete all cached scores; the score sets of runs are not affected."""
    from tokenunlearn.attribution.score_cache import ScoreCache

    out.print(f"Deleted {ScoreCache.default().clear():,} files")
