# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = 'vidplan_core'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(include=[package_name, f'{package_name}.*']),
    package_data={
        package_name: [
            'py.typed',
            'config/cameras/*.yaml',
            'config/robots/*.yaml',
            'language/words/*',
        ]
    },
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
    ],
    # Versions that fit together: requirements/constraints.txt of the repository.
    install_requires=[
        'av',
        'daqp',
        'diffusers',
        'msgpack',
        'mujoco',
        'numpy',
        'open-clip-torch',
        'opencv-python-headless',
        'pillow',
        'pyyaml',
        'safetensors',
        'scipy',
        'timm',
        'torch',
        'torchvision',
        'transformers',
        'websockets',
    ],
    python_requires='>=3.10',
    extras_require={'test': ['pytest']},  # `colcon test` runs `test`, a link to tests/
    zip_safe=False,
    maintainer='VidPlan maintainers',
    maintainer_email='vidplan@example.com',
    description='Planning in a learned video world model: the library that thinks, without ROS.',
    license='Apache-2.0',
)
