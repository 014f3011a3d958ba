# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import PurePath

from setuptools import find_packages, setup

package_name = 'vidplan'


def shared(folder: str) -> list[tuple[str, list[str]]]:
    """Data files of a folder of the repository, one entry per folder below it.

    `launch`, `config` and `models` lie at the top of the repository, where people look for
    them; links beside this file bring them into the package, so that a workspace of a robot
    finds them in the package's share folder. What one folder of models shares with another is
    a link there, and is followed. A build folder keeps links to files that are gone since.
    """
    found = []
    for root, _, names in os.walk(folder, followlinks=True):
        files = sorted(path for name in names if os.path.exists(path := os.path.join(root, name)))
        if files and '__pycache__' not in root:
            found.append((str(PurePath('share', package_name, root)), files))
    return found


setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(include=[package_name, f'{package_name}.*']),
    package_data={package_name: ['py.typed', 'page/page.html']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
        *shared('launch'),
        *shared('config'),
        *shared('models'),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},  # `colcon test` runs `test`, a link to tests/
    zip_safe=False,
    maintainer='VidPlan maintainers',
    maintainer_email='vidplan@example.com',
    description='The nodes that talk: ROS 2 graph and command line of VidPlan.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'vidplan = vidplan.cli.main:main',
            'stitcher = vidplan.robots.stitcher_node:main',
            'planning_server = vidplan.planning_server.main:main',
            'adapter = vidplan.robots.adapter_node:main',
            'fci = vidplan.robots.franka.fci_node:main',
            'recorder = vidplan.bags.recorder:main',
            'player = vidplan.bags.player:main',
        ],
    },
)
