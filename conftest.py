"""What every test run shares: no time limits inside tests, the same random examples each time (`EXPLORE=1` draws new
ones), and engines left out where their framework is missing."""

from __future__ import annotations

import os
from importlib.util import find_spec

from hypothesis import settings

settings.register_profile("retrograde", deadline=None, derandomize="EXPLORE" not in os.environ)
settings.load_profile("retrograde")

collect_ignore_glob: list[str] = []
if find_spec("torch") is None:
    collect_ignore_glob += ["src/retrograde/torch/*", "src/retrograde/runtime/meters/torch_*.py", "tests/torch/*"]
