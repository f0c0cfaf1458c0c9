"""Makes the helpers of these tests importable: the drawn graphs here, the oracle of the planning tests."""

import sys
from pathlib import Path

for folder in (Path(__file__).parent, Path(__file__).parent.parent / "planning"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
