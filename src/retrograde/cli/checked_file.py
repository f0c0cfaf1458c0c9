"""The function and the arguments that ``retrograde check`` works on, out of a Python file."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from retrograde.cli.loading import described
from retrograde.errors import RetrogradeError, UsageError

_HELP = "give FILE.py:FUNCTION; for example, model.py:loss"


def load_function(target: str) -> tuple[Callable[..., Any], ModuleType]:
    """The function that a command line names, and the module of its file.

    Raises:
        UsageError: there is no such file or function, or the file cannot be run.
    """
    path, _, name = target.rpartition(":")
    if not path or not name:
        raise UsageError(f"{target!r} names no function in a file; {_HELP}")
    module = _module(Path(path))
    return function_in(module, name, path), module


def function_in(module: ModuleType, name: str, path: str) -> Callable[..., Any]:
    """A function of a file, by a name that may have dots.

    Raises:
        UsageError: there is none.
    """
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = sorted(key for key, value in vars(module).items() if callable(value) and not key.startswith("_"))
            raise UsageError(f"{path} has no {name!r}; it has {', '.join(known) or 'no functions'}")
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(f"{name!r} in {path} is a {type(found).__name__}, not a function; {_HELP}")
    return found


def arguments_of(name: str, module: ModuleType, text: str | None) -> tuple[Any, ...]:
    """The arguments to check at: a text to be evaluated in the file's namespace, or what the file offers.

    Raises:
        UsageError: there are none, or they cannot be evaluated.
    """
    offered = f"{name}_arguments"
    found: Any = getattr(module, offered, None)
    try:
        if text is not None:
            names = {"np": np, **vars(module)}
            with contextlib.redirect_stdout(sys.stderr):
                return eval(f"({text.strip().removesuffix(',')},)" if text.strip() else "()", names)
        if callable(found):
            with contextlib.redirect_stdout(sys.stderr):
                found = found()
    except RetrogradeError:
        raise
    except Exception as error:
        where = f"--args {text!r}" if text is not None else f"{offered}()"
        raise UsageError(f"{where} failed: {described(error)}") from error
    if found is None:
        raise UsageError(
            f"there are no arguments for {name}; give --args 'np.ones(3), 2.0', or write in the file a tuple "
            f"{offered} or a function that returns one"
        )
    return found if isinstance(found, tuple) else (found,)  # pyright: ignore[reportUnknownVariableType]


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {path}; {_HELP}")
    name = path.stem if path.stem not in sys.modules else f"checked_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file; {_HELP}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    here = str(path.resolve().parent)
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        # What the user's code prints must not mix with what the command prints.
        with contextlib.redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except RetrogradeError:
        raise
    except SyntaxError as error:
        raise UsageError(f"{path}, line {error.lineno}: {error.msg}") from error
    except Exception as error:
        raise UsageError(f"running {path} failed: {described(error)}") from error
    return module
