# SPDX-License-Identifier: Apache-2.0
"""What a killed recorder leaves of a database is read, and left as it lies there."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.fakes.field_bag import rows, write_sqlite
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.bags.observations import read_observations
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.storage import sqlite_file

LAYOUT = default_layout().resized(32, 64)
ROWS = rows()
MOMENTS = 10


def _killed(folder: Path, ends: tuple[str, ...]) -> Path:
    """A recording whose messages are in its log only; a copy, as its writer would tidy up."""
    made = write_sqlite(folder / 'made.db3', ROWS)
    whole = sqlite3.connect(made)
    log = sqlite3.connect(folder / 'log.db3')
    log.executescript('PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;')
    log.executescript('\n'.join(whole.iterdump()))
    path = folder / 'killed' / 'bag_0.db3'
    path.parent.mkdir()
    for end in ends:
        shutil.copy(folder / f'log.db3{end}', path.with_name(path.name + end))
    log.close()
    whole.close()
    return path


@pytest.mark.parametrize('ends', [('', '-wal'), ('', '-wal', '-shm')], ids=['log', 'index too'])
def test_the_log_of_a_killed_recorder_is_read_and_kept(
    tmp_path: Path, ends: tuple[str, ...]
) -> None:
    path = _killed(tmp_path, ends)
    data = [path.with_name(path.name + end) for end in ('', '-wal')]
    before = [file.read_bytes() for file in data]
    with Bag(path) as bag:
        assert len(read_observations(bag, LAYOUT, 0.2)) == MOMENTS
    assert [file.read_bytes() for file in data] == before
    assert len(list(path.parent.iterdir())) == len(ends)


def test_a_log_that_cannot_be_applied_is_told_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _killed(tmp_path, ('', '-wal'))
    connect = sqlite_file._connect

    # As in a folder that is not ours.
    def only_as_it_is(path: Path, mode: str) -> sqlite3.Connection:
        if mode == 'mode=ro':
            raise sqlite3.OperationalError('unable to open database file')
        return connect(path, mode)

    monkeypatch.setattr(sqlite_file, '_connect', only_as_it_is)
    with pytest.raises(Exception, match='bag_0.db3'):
        Bag(path)
    write_sqlite(tmp_path / 'two' / 'bag_0.db3', ROWS).with_name('bag_0.db3-wal').write_bytes(b'')
    with Bag(tmp_path / 'two') as bag:
        assert any('copy the bag to a folder that can be written' in note for note in bag.notes)


def test_one_packed_message_that_is_damaged_costs_itself(tmp_path: Path) -> None:
    path = write_sqlite(tmp_path / 'bag_0.db3', ROWS, packed=True)
    with sqlite3.connect(path) as db:
        ((data,),) = db.execute('SELECT data FROM messages WHERE id = 40')
        spoilt = data[:20] + b'rubbish' + data[27:]
        db.execute('UPDATE messages SET data = ? WHERE id = 40', (spoilt,))
        db.execute('UPDATE messages SET data = NULL WHERE id = 41')
        db.execute("UPDATE messages SET data = 'text' WHERE id = 42")
        db.execute('UPDATE messages SET timestamp = NULL WHERE id = 43')
    db.close()
    with Bag(path) as bag:
        assert len(read_observations(bag, LAYOUT, 0.2)) >= MOMENTS - 1
        assert sum(skipped.count for skipped in bag.skipped.values()) in (2, 3)
