"""The token view: a response as running text, tinted by a score; live in the browser or as plain HTML."""

from app.token_view.component import show
from app.token_view.text import legend_html, response_html, shade, visible

__all__ = ["legend_html", "response_html", "shade", "show", "visible"]
