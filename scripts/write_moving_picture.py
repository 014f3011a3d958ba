# SPDX-License-Identifier: Apache-2.0
"""Make the README's moving picture of a run: what happened, beside what was imagined before.

python scripts/write_moving_picture.py outputs/runs/X
"""

from __future__ import annotations

import sys
from pathlib import Path

import av
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / 'docs' / 'carrot.webp'
SHOWN = (0, 85, 660, 695)  # of a frame of the video: its first two columns, pixels
SIZE, QUALITY = (440, 407), 60
EVERY, DURATION_MS, LINGER = 5, 260, 6  # of the video's frames; of one shown; the last ones


def main(argv: list[str]) -> int:
    """Write the picture; 2 for a wrong call."""
    videos = [Path(word) / 'run.mp4' for word in argv]
    if len(videos) != 1 or not videos[0].is_file():
        print('say which run: python scripts/write_moving_picture.py outputs/runs/X',
              file=sys.stderr)  # fmt: skip
        return 2
    with av.open(str(videos[0])) as video:
        frames = [frame.to_image() for frame in video.decode(video=0)]
    shown = [*frames[::EVERY], *[frames[-1]] * LINGER]
    small = [frame.crop(SHOWN).resize(SIZE, Image.Resampling.LANCZOS) for frame in shown]
    small[0].save(PICTURE, save_all=True, append_images=small[1:], duration=DURATION_MS, loop=0,
                  quality=QUALITY)  # fmt: skip
    print(f'{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
