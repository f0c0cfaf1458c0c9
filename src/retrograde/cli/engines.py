"""Engines, imported only when a command needs one."""

from __future__ import annotations

import importlib
from typing import Any

from retrograde.errors import VersionError


def torch_engine() -> Any:
    """The module ``retrograde.torch``.

    Raises:
        VersionError: PyTorch is missing or not supported; the message says what to install.
    """
    try:
        return importlib.import_module("retrograde.torch")
    except VersionError as error:
        raise VersionError(f"{error} (pip install 'retrograde[torch]')") from None
    except (ImportError, OSError) as error:
        raise VersionError(f"PyTorch is installed but cannot be imported ({error}); install it again") from error
