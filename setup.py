"""Makes requirements.lock the dependencies of the package, so that pip installs the same set."""

import re
from pathlib import Path

from setuptools import setup

LOCK = Path(__file__).parent / "requirements.lock"


def pins() -> list[str]:
    """The `name==version ; marker` of each package; pip takes no hashes from here."""
    lines = LOCK.read_text().splitlines()
    found = (re.match(r"([a-z0-9][^\s;]*==[^\s;]+)\s*(;[^\\]*)?", line) for line in lines)
    return ["".join(part or "" for part in match.groups()).strip() for match in found if match]


setup(install_requires=pins())
