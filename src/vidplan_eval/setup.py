# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = 'vidplan_eval'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(include=[package_name, f'{package_name}.*']),
    package_data={package_name: ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},  # `colcon test` runs `test`, a link to tests/
    zip_safe=False,
    maintainer='VidPlan maintainers',
    maintainer_email='vidplan@example.com',
    description='Closed-loop suites, replay, reports and pictures of VidPlan; no ROS graph.',
    license='Apache-2.0',
)
