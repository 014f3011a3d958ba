# SPDX-License-Identifier: Apache-2.0
"""Take the docs' pictures in a headless Chromium: a run's report and Rerun's viewer, or the page.

python scripts/write_screenshots.py outputs/runs/X
python scripts/write_screenshots.py http://127.0.0.1:8088/      # while `vidplan page` runs

The viewer's needs `run.rrd` in the run (`vidplan run --view`), and rerun-sdk; it is drawn on the
processor, which takes minutes on a busy machine.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.fakes.browser import chromium, open_tab  # noqa: E402
from tests.fakes.rerun_page import rerun_page  # noqa: E402

DOCS = ROOT / 'docs'
SIZE, QUALITY = (1000, 860), 85  # pixels, %
VIEWER_SIZE, VIEWER_S, STILL_S = (1280, 800), 600.0, 20.0  # pixels, s
# The viewer's own writing and frames have some hundred.
COLOURS_OF_PICTURES = 4000
# The video shows its last frame, which has the verdict. Before the page there is an empty one.
SHOWN = "document.readyState == 'complete' && document.querySelector('video')?.readyState > 1"
LAST_FRAME = "document.querySelector('video').currentTime = 1e9"
SOUGHT = f"{SHOWN} && !document.querySelector('video').seeking"


def report_picture(report: Path) -> bytes:
    """The upper part of a report (a page), as a PNG."""
    with TemporaryDirectory() as folder, open_tab(report.as_uri(), Path(folder), SIZE) as tab:
        tab.wait_for(SHOWN)
        tab.ask(LAST_FRAME)
        tab.wait_for(SOUGHT)
        return tab.look()


def viewer_picture(recording: Path, still_s: float = STILL_S) -> bytes:
    """Rerun's viewer once a recording (.rrd) is seen in it, and no more of it comes, as a PNG."""
    with (
        TemporaryDirectory() as folder,
        rerun_page(recording) as url,
        open_tab(url, Path(folder), VIEWER_SIZE, draws=True, wait_s=VIEWER_S) as tab,
    ):
        return tab.wait_for_colours(COLOURS_OF_PICTURES, still_s)


def page_picture(url: str) -> bytes:
    """The operator's page once it shows pictures of cameras, as a PNG."""
    with TemporaryDirectory() as folder, open_tab(url, Path(folder), SIZE) as tab:
        tab.wait_for('[...document.images].some(image => image.naturalWidth)')
        return tab.look()


def write(name: str, png: bytes) -> None:
    """Write a picture of the docs, as light as writing in it stays sharp."""
    path = DOCS / name
    Image.open(io.BytesIO(png)).convert('RGB').save(path, quality=QUALITY, method=6)
    print(f'{path}: {path.stat().st_size / 1000:.0f} kB')


def main(argv: list[str]) -> int:
    """Write the pictures; 2 for a wrong call or without a browser."""
    if chromium() is None:
        print('no Chromium is installed', file=sys.stderr)
        return 2
    if len(argv) == 1 and argv[0].startswith('http'):
        write('page.webp', page_picture(argv[0]))
        return 0
    reports = [Path(word).resolve() / 'report.html' for word in argv]
    if len(reports) != 1 or not reports[0].is_file():
        print('say which run, such as outputs/runs/X, or the address of a page', file=sys.stderr)
        return 2
    write('report.webp', report_picture(reports[0]))
    recording = reports[0].with_name('run.rrd')
    if recording.is_file() and shutil.which('rerun'):
        write('viewer.webp', viewer_picture(recording))
    else:
        print('no picture of the viewer: it needs run.rrd and rerun-sdk', file=sys.stderr)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
