# SPDX-License-Identifier: Apache-2.0
"""Take the docs' picture of a run's report, in a headless Chromium.

python scripts/write_screenshots.py outputs/runs/X
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.fakes.browser import chromium, open_tab  # noqa: E402

PICTURE = ROOT / 'docs' / 'report.png'
SIZE, COLOURS = (1000, 860), 64  # pixels; few colours keep the repository light
# The video shows its last frame, which has the verdict.
LAST_FRAME = "document.querySelector('video').currentTime = 1e9"
SHOWN = "!document.querySelector('video').seeking"


def main(argv: list[str]) -> int:
    """Write the picture; 2 for a wrong call or without a browser."""
    reports = [Path(word).resolve() / 'report.html' for word in argv]
    if len(reports) != 1 or not reports[0].is_file():
        print('say which run: python scripts/write_screenshots.py outputs/runs/X', file=sys.stderr)
        return 2
    if chromium() is None:
        print('no Chromium is installed', file=sys.stderr)
        return 2
    with TemporaryDirectory() as folder, open_tab(
        reports[0].as_uri(), Path(folder), SIZE
    ) as tab:
        tab.wait_for("document.readyState == 'complete'")
        tab.ask(LAST_FRAME)
        tab.wait_for(SHOWN)
        tab.screenshot(PICTURE)
    Image.open(PICTURE).convert('RGB').quantize(COLOURS).save(PICTURE, optimize=True)
    print(f'{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
