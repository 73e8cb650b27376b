"""A chart of a comparison under its heading, with what to see in it, and as a file."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from app.compare import export


def chart(heading: str, sentence: str, figure: go.Figure) -> None:
    """A figure under its heading, the sentence that says what to see, and the figure as an HTML file.

    The camera in the figure's own toolbar saves it in the format chosen under Export.
    """
    name = heading.lower().replace(" ", "-")
    camera = {"format": st.session_state.get("image") or "svg", "filename": name}
    st.subheader(heading)
    st.plotly_chart(
        figure,
        width="stretch",
        key=f"chart-{name}",
        alt=f"{heading}. {sentence}",
        config={"displaylogo": False, "toImageButtonOptions": camera},
    )
    text, button = st.columns([4, 1])
    text.caption(sentence)
    button.download_button(
        "Download chart (HTML)",
        lambda: export.figure_html(figure),
        f"{name}.html",
        "text/html",
        key=f"save-{name}",
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
        help="A standalone file that opens offline",
    )
