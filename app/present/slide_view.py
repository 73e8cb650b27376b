"""Slides as HTML: large type, examples side by side, counts as bars; every text is escaped."""

from __future__ import annotations

from html import escape

from app.present.slides import Count, Counts, Exchange, Piece, Quote, Slide

# Amber and its tint read on light and dark grounds alike; a bar's words always stand beside it.
STYLE = """<style>
header[data-testid="stHeader"] { display: none; }
[data-testid="stMainBlockContainer"] { padding-top: 1.5rem !important; padding-bottom: 1rem; }
.sl { min-height: min(64vh, 44rem); font-size: clamp(1rem, 1.3vw, 1.3rem); line-height: 1.5;
  overflow-wrap: anywhere; }
.sl h1 { font-size: clamp(1.9rem, 4.2vw, 3.6rem); line-height: 1.1; margin: 0 0 .8rem; padding: 0; }
.sl .lead { font-size: clamp(1.15rem, 1.9vw, 1.75rem); line-height: 1.4; max-width: 62rem;
  margin: 0 0 1.6rem; }
.sl.cover { display: flex; flex-direction: column; justify-content: center; }
.sl .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: 1rem;
  margin-bottom: 1.4rem; }
.sl .card { border: 1px solid rgba(128, 128, 128, .45); border-radius: .6rem; padding: 1rem 1.2rem; }
.sl .q { font-weight: 600; margin: 0 0 .7rem; }
.sl .who { font-size: .82em; opacity: .8; margin: .7rem 0 0; }
.sl .said { margin: .1rem 0 0; white-space: pre-wrap; unicode-bidi: plaintext; }
.sl .verdict { font-size: .82em; font-weight: 600; margin: .35rem 0 0; }
.sl mark { color: inherit; border-bottom: .16em solid rgb(217, 119, 6); border-radius: .15em;
  padding: .05em 0; }
.sl .groups { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
  gap: 1.6rem; margin-bottom: 1.4rem; }
.sl h2 { font-size: 1.1em; margin: 0 0 .6rem; padding: 0; }
.sl .row { margin: 0 0 .8rem; }
.sl .row .words { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; }
.sl .track { position: relative; height: 1.15rem; border-radius: .25rem;
  background: rgba(128, 128, 128, .18); }
.sl .fill { position: absolute; inset: 0 auto 0 0; border-radius: .25rem; background: rgb(100, 116, 139); }
.sl .fill.now { background: rgb(217, 119, 6); }
.sl .fill.unseen { background: repeating-linear-gradient(45deg, rgb(13, 148, 136) 0 .4rem,
  rgba(13, 148, 136, .45) .4rem .8rem); }
.sl .sure { position: absolute; top: 50%; height: .16rem; margin-top: -.08rem; background: currentColor;
  border-radius: .1rem; }
.sl .notes { font-size: .82em; opacity: .85; margin: 0; padding-left: 1.1rem; max-width: 66rem; }
</style>"""
KINDS = {"Before": "before", "Now": "now"}


def slide_html(slide: Slide) -> str:
    """One slide as safe HTML."""
    cards = "".join(_card(exchange) for exchange in slide.exchanges)
    groups = "".join(_group(group) for group in slide.counts)
    notes = "".join(f"<li>{escape(note)}</li>" for note in slide.notes)
    parts = [
        f"<h1>{escape(slide.title)}</h1>",
        f'<p class="lead">{escape(slide.lead)}</p>',
        f'<div class="cards">{cards}</div>' if cards else "",
        f'<div class="groups">{groups}</div>' if groups else "",
        f'<ul class="notes">{notes}</ul>' if notes else "",
    ]
    cover = "" if cards or groups else " cover"
    return f'{STYLE}<section class="sl{cover}">{"".join(parts)}</section>'


def _card(exchange: Exchange) -> str:
    quotes = "".join(_quote(quote) for quote in exchange.quotes)
    return f'<div class="card"><p class="q" dir="auto">{escape(exchange.question)}</p>{quotes}</div>'


def _quote(quote: Quote) -> str:
    said = "".join(_piece(piece) for piece in quote.pieces) or "(empty)"
    verdict = f'<p class="verdict">→ {escape(quote.verdict)}</p>' if quote.verdict else ""
    return f'<p class="who">{escape(quote.label)}</p><p class="said" dir="auto">{said}</p>{verdict}'


def _piece(piece: Piece) -> str:
    if piece.strength <= 0:
        return escape(piece.text)
    tint = f"rgba(217, 119, 6, {0.1 + 0.35 * piece.strength:.2f})"
    return f'<mark style="background: {tint}">{escape(piece.text)}</mark>'


def _group(group: Counts) -> str:
    return f"<div><h2>{escape(group.title)}</h2>{''.join(_bar(bar) for bar in group.bars)}</div>"


def _bar(bar: Count) -> str:
    low, high = (100 * bound for bound in bar.interval)
    return (
        f'<div class="row"><div class="words"><span>{escape(bar.label)}</span>'
        f"<span>{bar.count:,} of {bar.n:,}</span></div>"
        f'<div class="track" role="img" aria-label="{escape(bar.words())}">'
        f'<div class="fill {KINDS.get(bar.label, "unseen")}" style="width: {100 * bar.share:.2f}%"></div>'
        f'<div class="sure" style="left: {low:.2f}%; width: {high - low:.2f}%"></div></div></div>'
    )
