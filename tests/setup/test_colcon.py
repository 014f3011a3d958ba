# SPDX-License-Identifier: Apache-2.0
"""`colcon test` finds the tests of every package."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path.parent.name for path in ROOT.glob('src/*/package.xml'))


@pytest.mark.parametrize('package', PACKAGES)
def test_a_package_runs_its_own_tests(package: str) -> None:
    folder, tests = ROOT / 'src' / package, ROOT / 'tests' / package
    assert list(tests.rglob('test_*.py'))
    if (folder / 'setup.py').exists():
        # colcon runs pytest in the folder of a package that says it is tested by it.
        assert (folder / 'test').resolve() == tests
        assert "extras_require={'test': ['pytest']}" in (folder / 'setup.py').read_text()
    else:
        words = f'ament_add_pytest_test(interfaces ../../tests/{package})'
        assert words in (folder / 'CMakeLists.txt').read_text()
