# SPDX-License-Identifier: Apache-2.0
"""What the ground truth says of an ending, by verb."""

from __future__ import annotations

import numpy as np
import pytest

from vidplan_sim.expert.ending import true_ending

LAY = {'carrot': np.array([0.4, 0.2, 0.02]), 'bowl': np.array([0.5, 0.0, 0.02])}
TOOL = np.array([0.43, 0.2, 0.1])


@pytest.mark.parametrize(
    ('verb', 'carrot', 'done', 'words'),
    [
        ('reach', (0.4, 0.2, 0.02), True, 'the tool is 3.0 cm from the carrot, horizontally'),
        ('reach', (0.3, 0.2, 0.02), False, 'the tool is 13.0 cm from the carrot, horizontally'),
        ('pick', (0.4, 0.2, 0.14), True, 'the carrot is 12.0 cm above where it lay'),
        ('pick', (0.4, 0.2, 0.05), False, '3.0 cm above where it lay, not lifted'),
        ('place', (0.5, 0.05, 0.04), True, '5.0 cm from the middle of the bowl, in it'),
        ('place', (0.5, 0.05, 0.2), False, '5.0 cm from the middle of the bowl, above it'),
        ('place', (0.5, 0.1, 0.02), False, '10.0 cm from the middle of the bowl, not in it'),
    ],
)
def test_an_ending_is_judged_by_its_verb(verb, carrot, done, words):
    found = true_ending(verb, 'carrot', LAY, LAY | {'carrot': np.array(carrot)}, TOOL)
    assert found.done == done
    assert words in found.words
    assert all(np.isfinite(value) for value in found.numbers.values())


@pytest.mark.parametrize(
    ('carrot', 'done', 'words'),
    [
        ((0.4, 0.27, 0.02), True, 'the carrot is 7.0 cm along its way, 0.0 cm aside'),
        ((0.45, 0.27, 0.02), False, '7.0 cm along its way, 5.0 cm aside'),
        ((0.4, 0.25, 0.02), False, '5.0 cm along'),
        ((0.4, 0.27, 0.01), False, 'and fell over'),
    ],
)
def test_a_push_is_judged_along_its_way(carrot, done, words):
    now = LAY | {'carrot': np.array(carrot)}
    found = true_ending('push', 'carrot', LAY, now, TOOL, 'left')
    assert found.done == done
    assert words in found.words
    assert true_ending('push', 'carrot', LAY, now, TOOL) is None


@pytest.mark.parametrize(('verb', 'kind'), [('place', 'mug'), ('fold', 'carrot'), ('reach', '')])
def test_what_the_truth_does_not_tell_is_not_judged(verb, kind):
    assert true_ending(verb, kind, LAY, LAY, TOOL) is None
