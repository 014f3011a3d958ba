# SPDX-License-Identifier: Apache-2.0
"""The page that reports are filled into, and how all reports look."""

from __future__ import annotations

import base64
from html import escape
from string import Template

from PIL import Image

from vidplan_eval.viz.pictures import png_bytes

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; margin: 0.2rem 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; }
p { margin: 0.3rem 0; }
img, video, svg { max-width: 100%; height: auto; border-radius: 6px; }
video { width: 100%; background: #16191f; }
figure { margin: 0.5rem 0; }
.verdict { display: inline-block; font-weight: 700; color: #fff; padding: 0.1rem 0.7rem;
  border-radius: 1rem; }
.good { background: #2e8b57; }
.bad { background: #c0392b; }
.cards { display: flex; flex-wrap: wrap; gap: 0.6rem; margin: 1rem 0; }
.card { background: var(--soft); border-radius: 8px; padding: 0.5rem 0.9rem; flex: 1 1 8rem; }
.card b { display: block; font-size: 1.25rem; }
.card span { opacity: 0.7; font-size: 0.85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
th, td { text-align: right; padding: 0.2rem 0.7rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 1rem; font-size: 0.9rem; }
dt { opacity: 0.7; }
dd { margin: 0; overflow-wrap: anywhere; }
.row { display: flex; gap: 0.4rem; overflow-x: auto; align-items: end; }
.row figure { margin: 0; text-align: center; font-size: 0.75rem; flex: none; }
.row .chosen { outline: 3px solid #e08a00; border-radius: 8px; }
"""

PAGE = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>VidPlan: $title</title>
<style>
"""
    + STYLE
    + """</style>
</head>
<body>
<h1>&ldquo;$title&rdquo;</h1>
$verdict
<div class="cards">$cards</div>
$video
<h2>What was imagined and what then happened</h2>
<p>The longest motions. Where a later plan took over, the rest did not happen as
imagined.</p>
$rollouts
<h2>How true the imagination was</h2>
<p>PSNR in dB of the imagined frames that were executed, and of copying the image that was
planned from (imagined / copied), by step after the start of the chunk, wherever the arm had
moved.</p>
$quality
<h2>Worst moments</h2>
<p>Imagined frames that were executed and lost most against copying the present.</p>
$worst
$sections
<h2>Path of the flange</h2>
<p>From above (x up, y left) and from the side (x right, z up), 10 cm grid: the path that was
taken, the last candidates and the last choice.</p>
$path
<h2>Cycles</h2>
$chart
$futures
$cycles
<h2>Facts</h2>
<dl>$facts</dl>
</body>
</html>
"""
)

_SIMPLE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>VidPlan: $title</title>
<style>$style</style>
</head>
<body>
<h1>$title</h1>
$body
</body>
</html>
""")


def simple_page(title: str, body: str) -> str:
    """Return a page of this look; `body` is HTML, the title is escaped."""
    return _SIMPLE.substitute(title=escape(title), style=STYLE, body=body)


def embedded_picture(picture: Image.Image, words: str) -> str:
    """Return an <img> that carries its PNG."""
    data = base64.b64encode(png_bytes(picture)).decode()
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{data}">'
