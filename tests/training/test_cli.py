# SPDX-License-Identifier: Apache-2.0
"""The command line: presets, what may be written where, and how soon the help is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.tiny import save_models, tiny_world_model
from tests.training.tiny_shards import write_shard
from vidplan_training.cli import main, named
from vidplan_training.commands import COMMANDS
from vidplan_training.settings.presets import load_preset, presets_of
from vidplan_training.settings.resolve import resolve

PRESETS = [(command, name) for command in COMMANDS for name in presets_of(command)]
# Those that train a network or fill a memory.
RECIPES = [name for name, command in COMMANDS.items() if command.recipe]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for index in range(2):
        write_shard(tmp_path / 'data' / f'shard_{index:04d}', frames=20)
    return tmp_path / 'data'


@pytest.fixture
def models(tmp_path: Path) -> Path:
    save_models(tmp_path / 'models', tiny_world_model())
    return tmp_path / 'models'


@pytest.mark.parametrize(('command', 'preset'), PRESETS, ids=[' '.join(p) for p in PRESETS])
def test_every_preset_is_complete_and_within_bounds(command: str, preset: str) -> None:
    resolve(named(COMMANDS[command].settings), load_preset(command, preset), {})


@pytest.mark.parametrize('recipe', RECIPES)
def test_every_recipe_has_a_smoke_preset_and_one_of_a_size(recipe: str) -> None:
    assert {'smoke'} < set(presets_of(recipe))
    assert {'cell', 'full'} & set(presets_of(recipe))


def test_the_flow_map_of_the_paper_is_a_preset() -> None:
    kind = named(COMMANDS['flow-map'].settings)
    recipe = resolve(kind, load_preset('flow-map', 'full'), {})
    assert recipe.trainer.learning_rate == 5e-6
    assert (recipe.batch, recipe.batch * recipe.objective.share) == (24, pytest.approx(8))


@pytest.mark.parametrize(
    ('command', 'fields'),
    [
        ('uncertainty-head', ['models={models}']),
        ('hallucination-head', ['models={models}']),
        ('flow-map', ['models={models}']),
        ('novelty', ['models={models}', 'bank=10']),
    ],
)
def test_smoke_presets_run_in_seconds(
    command: str, fields: list[str], data: Path, models: Path, tmp_path: Path
) -> None:
    words = [field.format(models=models) for field in fields]
    words += [f'data={data}', f'out={tmp_path}/out']
    if command != 'novelty':
        words.append(f'work={tmp_path}/run.pt')
    assert main([command, '--preset', 'smoke', '--set', *words]) == 0
    assert (tmp_path / 'out' / 'config.json').is_file()
    # The record beside the result repeats it, also without the preset.
    assert main([command, '--preset', str(tmp_path / 'out' / 'recipe.toml')]) == 0


def test_results_go_to_outputs_by_default() -> None:
    for recipe in RECIPES:
        kind = named(COMMANDS[recipe].settings)
        assert kind.__dataclass_fields__['out'].default.parts[0] == 'outputs', recipe


def test_shipped_models_are_replaced_only_if_asked(
    data: Path,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    repository: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ['novelty', '--preset', 'smoke', '--set', f'data={data}', 'models=models', 'bank=10']
    before = sorted((repository / 'models/cell').rglob('*'))
    (models / 'manifest.json').write_text('{}')
    for out in (repository / 'models/cell/novelty', 'models/novelty', 'models/../models/x'):
        assert main([*command, f'out={out}']) == 2
        assert '--overwrite-shipped' in capsys.readouterr().err
    assert not (models / 'novelty').exists()
    assert sorted((repository / 'models/cell').rglob('*')) == before
    assert main([*command, 'out=models/novelty', '--overwrite-shipped']) == 0
    assert (models / 'novelty' / 'recipe.toml').is_file()
    (models / 'manifest.json').unlink()  # models of one's own, whatever their folder is called
    assert main([*command, 'out=models/novelty']) == 0


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ('novelty --preset cel', "no preset 'cel'; there are: cell, smoke"),
        ('novelty --preset missing.toml', 'no file missing.toml'),
        ('novelty --preset cell --set banc=3', "nearest is 'bank'"),
        ('novelty --set bank=3', 'data (folder of recorded episodes)'),
        ('collect --out x --episodes none', 'episodes must be a whole number'),
    ],
)
def test_wrong_words_end_with_a_line(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    assert message in capsys.readouterr().err


def test_the_help_imports_nothing_heavy() -> None:
    code = (
        'import sys\n'
        'from vidplan_training.cli import main\n'
        'try:\n    main(["--help"])\nexcept SystemExit:\n    pass\n'
        'heavy = {"torch", "numpy", "mujoco", "diffusers"} & set(sys.modules)\n'
        'assert not heavy, heavy'
    )
    told = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    assert all(name.split()[0] in told.stdout for name in COMMANDS)


def test_a_command_lists_its_fields_and_presets(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(['autoencoder', '--help'])
    told = capsys.readouterr().out
    assert 'trainer.learning_rate = 0.002' in told
    assert 'cell, smoke' in told
    with pytest.raises(SystemExit):
        main(['evaluate', 'rollout', '--help'])
    assert '--temperature' in capsys.readouterr().out
