# SPDX-License-Identifier: Apache-2.0
"""Ask where in a picture the thing is that words name.

python examples/03_score_a_picture.py [--phrase lemon]
"""

from __future__ import annotations

import argparse

import torch
from scene.load import MODELS, load_observations, views_of

from vidplan_core.language.semantic import SemanticScorer


@torch.no_grad()
def main() -> None:
    """Print for every view how relevant it is and where the phrase is strongest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--phrase', default='lemon')
    args = parser.parse_args()
    scorer = SemanticScorer.load(MODELS / 'semantic')
    for name, image in views_of(load_observations()[-1]).items():
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255.0
        place = scorer.localise(scorer.relevancy(pixels, args.phrase))
        x, y = place.centroid[0].tolist()
        seen = 'seen' if bool(place.found[0]) else 'not seen'
        print(f'{name:>6}: {seen}, peak {float(place.peak[0]):.2f} at x {x:.2f}, y {y:.2f}')


if __name__ == '__main__':
    main()
