"""Makes requirements.lock the dependencies of the package, so that pip installs the same set."""

import re
from pathlib import Path

from setuptools import setup

LOCK = Path(__file__).parent / "requirements.lock"


# jsonschema asks for the first, which asks for the second. The lock leaves them out
# (requirements.overrides says why); pip cannot, so here are their versions.
FOR_PIP = ["rfc3987-syntax==1.1.0", "lark==1.3.1"]


def pins() -> list[str]:
    """The `name==version ; marker` of each package; pip takes no hashes from here."""
    lines = LOCK.read_text().splitlines()
    found = (re.match(r"([a-z0-9][^\s;]*==[^\s;]+)\s*(;[^\\]*)?", line) for line in lines)
    return ["".join(part or "" for part in match.groups()).strip() for match in found if match]


setup(install_requires=[*pins(), *FOR_PIP])
