"""JSON documents kept on disk between runs: atomic, checked, and never in the way of the work itself."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

_logger = logging.getLogger("retrograde")


def default_cache_folder() -> Path:
    """The folder that caches live in: ``$RETROGRADE_CACHE_DIR``, else the user's cache folder."""
    chosen = os.environ.get("RETROGRADE_CACHE_DIR")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "retrograde"


class DiskCache:
    """A folder of JSON documents by key.

    Writes are atomic, so several processes may share the folder. A document that cannot be read, or whose digest
    is wrong, counts as absent: a warning is logged and the next write replaces it. Without a writable folder
    documents are kept for this process only.

    Args:
        kind: name of the sub-folder.
        folder: where caches live; ``default_cache_folder()`` when left out.

    Example:
        >>> import tempfile
        >>> cache = DiskCache("plans", tempfile.mkdtemp())
        >>> cache.put("a", {"peak": 3})
        >>> cache.get("a")
        {'peak': 3}
    """

    def __init__(self, kind: str, folder: str | Path | None = None) -> None:
        self._folder = Path(folder) if folder is not None else default_cache_folder()
        self._folder = self._folder / kind
        self._memory: dict[str, Any] = {}

    def get(self, key: str) -> Any | None:
        """The document stored under a key, or None."""
        path = self._path(key)
        try:
            digest, text = path.read_text().split("\n", 1)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return self._memory.get(key)
        except (OSError, ValueError, UnicodeDecodeError) as error:
            return self._corrupt(path, key, error)
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            return self._corrupt(path, key, "its digest is wrong")
        return json.loads(text)

    def put(self, key: str, document: Any) -> None:
        """Store a document that JSON can hold under a key."""
        self._memory[key] = document
        text = json.dumps(document)
        content = f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}"
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
            try:
                with os.fdopen(handle, "w") as file:
                    file.write(content)
                os.replace(temporary, path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            _logger.debug("cache: %s cannot be written (%s); kept for this process only", path, error)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _corrupt(self, path: Path, key: str, reason: object) -> Any | None:
        _logger.warning("cache: %s is corrupt (%s); it will be replaced", path, reason)
        return self._memory.get(key)
