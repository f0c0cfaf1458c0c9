"""Which versions of PyTorch the engine supports, checked before anything else of it is imported."""

from __future__ import annotations

import importlib.metadata

from retrograde.errors import VersionError

SUPPORTED_FROM = (2, 13)
SUPPORTED_BELOW = (2, 14)
SUPPORTED = "torch>=2.13,<2.14"


def check_torch_version(version: str | None = None) -> str:
    """Return the version of PyTorch that is installed, if the engine supports it.

    The engine leans on parts of PyTorch that move from one minor version to the next (the joint graph of
    AOTAutograd, the calling convention of compiled functions), so it refuses what it was not tested on.

    Args:
        version: the version to check; the installed one when left out.

    Raises:
        VersionError: PyTorch is missing, or is a version that the engine does not support.
    """
    if version is None:
        try:
            version = importlib.metadata.version("torch")
        except importlib.metadata.PackageNotFoundError:
            raise VersionError(
                f"retrograde.torch needs PyTorch, which is not installed; install {SUPPORTED!r}"
            ) from None
    major, minor = (int(part) for part in version.split("+")[0].split(".")[:2])
    if not SUPPORTED_FROM <= (major, minor) < SUPPORTED_BELOW:
        raise VersionError(
            f"retrograde.torch supports {SUPPORTED}, and torch {version} is installed; install a supported one"
        )
    return version
