# SPDX-License-Identifier: Apache-2.0
"""Every kind of task says what it has done, not what another kind would have."""

from __future__ import annotations

import pytest

from vidplan_core.language.deeds import DEEDS, deed_words
from vidplan_core.planner.tasks.kinds import KINDS


@pytest.mark.parametrize(
    ('words', 'target', 'deed'),
    [
        ('move to the carrot', '', 'moved to the carrot'),
        ('move to the carrot', 'orange carrot', 'moved to the orange carrot'),
        ('', 'blue fish', 'moved to the blue fish'),
        ('Please pick up the red mug.', '', 'picked up the red mug'),
        ('put the carrot in the bowl', '', 'put the carrot in the bowl'),
        ('Put the mug onto the Blue Plate', '', 'put the mug onto the blue plate'),
        ('take the fish and put it into the bowl', '', 'put the fish into the bowl'),
        ('put the pea in the bowl on the table', '', 'put the pea in the bowl'),
        ('fold the towel in half', '', 'folded the towel'),
        ('bag of yesterday', '', ''),
        ('', '', ''),
    ],
)
def test_deeds(words, target, deed):
    assert deed_words(words, target) == deed


@pytest.mark.parametrize('verb', KINDS)
def test_every_kind_of_task_has_one(verb):
    words = deed_words(KINDS.find(verb).example)
    assert words.startswith(f'{DEEDS[verb]} the ')
