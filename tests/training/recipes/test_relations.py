# SPDX-License-Identifier: Apache-2.0
"""What reads relations goes on from a head, learns on what was looked at, and is read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.training.recipes.test_contact import head_and_inputs
from vidplan_core.errors import ModelError
from vidplan_core.heads.value import ValueHead
from vidplan_training.recipes.contact import recipe
from vidplan_training.recipes.contact.relations import LookedRows, relations_loss, with_relations
from vidplan_training.recipes.contact.value import BRANCHES, ValueBatch


def test_new_relations_change_nothing() -> None:
    full, inputs = head_and_inputs(3)
    known = ValueHead(replace(full.config, axes=0, relations=0))
    head = with_relations(known, full.config)
    assert torch.equal(head.logits(inputs), known.logits(inputs))


@pytest.mark.parametrize(('report', 'folder'), [({}, 'models'), ({'value': {}}, 'out')])
def test_relations_go_on_from_the_value_of_the_same_run(
    monkeypatch: pytest.MonkeyPatch, report: dict[str, Any], folder: str
) -> None:
    started: list[Path] = []
    monkeypatch.setattr(recipe, '_improve_value', lambda *words: started.append(words[2]))
    asked = SimpleNamespace(models=Path('models'), out=Path('out'))
    recipe.TRAIN['relations'](SimpleNamespace(recipe=asked, report=report))  # type: ignore[arg-type]
    assert started == [Path(folder)]


def test_axes_must_be_given() -> None:
    head, inputs = head_and_inputs(2)
    with pytest.raises(ModelError, match='how things lie'):
        head.logits(replace(inputs, axes=None))


@pytest.fixture
def rows() -> tuple[ValueHead, LookedRows]:
    """Two branch sets and as many other rows, whose offsets say how far they are."""
    head, inputs = head_and_inputs(4 * BRANCHES)
    assert inputs.offsets is not None
    to_go = 20.0 + 8.0 * inputs.offsets[..., 0]
    group = torch.arange(4 * BRANCHES) // BRANCHES
    samples = ValueBatch(inputs, to_go.clamp(0.0, 60.0), torch.where(group < 2, group, -1))
    return head, LookedRows(head.looked(inputs).detach().half(), samples, 2)


def test_what_was_looked_at_is_learnt_from(rows: tuple[ValueHead, LookedRows]) -> None:
    head, looked = rows
    before = {name: weight.clone() for name, weight in head.state_dict().items()}
    assert head.relations is not None
    optimizer = torch.optim.AdamW(head.relations.parameters(), 3e-3)
    losses = []
    for iteration in range(80):
        loss = relations_loss(head, looked, 2 * BRANCHES, iteration)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    changed = {n for n, weight in head.state_dict().items() if not torch.equal(weight, before[n])}
    assert all(name.startswith('relations.') for name in changed)


def test_a_batch_holds_whole_sets(rows: tuple[ValueHead, LookedRows]) -> None:
    _, batch = rows[1].batch(4 * BRANCHES, torch.Generator().manual_seed(0))
    sets = batch.group[: 2 * BRANCHES].view(2, BRANCHES)
    assert (sets == sets[:, :1]).all()
    assert (batch.group[2 * BRANCHES :] == -1).all()


def test_branch_sets_come_first_in_joined_rows(rows: tuple[ValueHead, LookedRows]) -> None:
    joined = LookedRows.cat([rows[1], rows[1]])
    assert joined.sets == 4
    assert (joined.samples.group >= 0).tolist() == [True] * 4 * BRANCHES + [False] * 4 * BRANCHES


def test_what_was_looked_at_is_read_again(
    rows: tuple[ValueHead, LookedRows], tmp_path: Path
) -> None:
    head, looked = rows
    looked.save(tmp_path / 'looked.pt')
    again = LookedRows.cat([LookedRows.load(tmp_path / 'looked.pt')])
    losses = [float(relations_loss(head, kept, 2 * BRANCHES, 5)) for kept in (looked, again)]
    assert losses[0] == losses[1]
