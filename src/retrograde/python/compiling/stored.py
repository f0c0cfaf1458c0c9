"""Machine code on disk, by the content that it was compiled from."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, _Cache  # pyright: ignore[reportPrivateUsage]
from numba.core.serialize import dumps as dumps_untyped  # pyright: ignore[reportUnknownVariableType]

from retrograde.disk_cache import default_cache_folder

_reader: Any = CompileResultCacheImpl
_dumps: Any = dumps_untyped  # pyright: ignore[reportUnknownVariableType]
_logger = logging.getLogger("retrograde")
_DIGEST = hashlib.sha256().digest_size
_MOST_BYTES = 512 << 20


class StoredCode(_Cache):
    """One function's machine code, a file for each signature and processor.

    It takes the place of Numba's own cache, which trusts whatever lies in its folder: a damaged entry raises, or ends
    the process. Here a file begins with a digest of its name and its content, and is unpickled only where the digest
    is right. Whatever goes wrong, the function is compiled anew, and the file replaced. Files are written whole and
    then renamed, so that several processes may share the folder. Without a writable folder nothing is kept.

    Args:
        name: of the function, with a digest of everything that its code depends on.
        folder: where the files lie; `compiled` in ``default_cache_folder()`` when left out.
    """

    def __init__(self, name: str, folder: str | Path | None = None) -> None:
        self._name = name
        self._folder = Path(folder) if folder is not None else default_cache_folder() / "compiled"
        self._enabled = True

    @property
    def cache_path(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The folder."""
        return str(self._folder)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The machine code for a signature, or None."""
        if not self._enabled:
            return None
        target_context.refresh()
        path = self._path(sig, target_context.codegen())
        try:
            content = path.read_bytes()
        except OSError:
            return None
        digest, payload = content[:_DIGEST], content[_DIGEST:]
        if digest != _digest(path.name, payload):
            _logger.warning("cache: %s is damaged; it is compiled anew", path)
            return None
        try:
            return _reader.rebuild(self, target_context, pickle.loads(payload))
        except Exception as error:
            _logger.warning("cache: %s cannot be loaded (%s); it is compiled anew", path, error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the machine code for a signature."""
        if not self._enabled or data.library.has_dynamic_globals or any(not lifted.can_cache for lifted in data.lifted):
            return
        path = self._path(sig, data.codegen)
        try:
            payload = _dumps(_reader.reduce(self, data))
            self._folder.mkdir(parents=True, exist_ok=True)
            _write_whole(path, _digest(path.name, payload) + payload)
            _trim(self._folder)
        except Exception as error:
            _logger.debug("cache: %s cannot be written (%s); kept for this process only", path, error)

    def enable(self) -> None:
        """Use the files."""
        self._enabled = True

    def disable(self) -> None:
        """Neither read nor write files."""
        self._enabled = False

    def flush(self) -> None:
        """Remove this function's files."""
        for path in self._folder.glob(f"{self._name}-*.code"):
            path.unlink(missing_ok=True)

    def _path(self, sig: Any, codegen: Any) -> Path:
        key = hashlib.sha256(repr((str(sig), codegen.magic_tuple())).encode()).hexdigest()
        return self._folder / f"{self._name}-{key[:32]}.code"


def _digest(name: str, payload: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + payload).digest()


def _write_whole(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _trim(folder: Path) -> None:
    """Remove the files that were written longest ago, where there are too many bytes."""
    entries = [(entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(folder)]
    excess = sum(size for _, size, _ in entries) - _MOST_BYTES
    for _, size, path in sorted(entries):
        if excess <= 0:
            break
        Path(path).unlink(missing_ok=True)
        excess -= size
