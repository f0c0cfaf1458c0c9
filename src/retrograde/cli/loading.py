"""The graph that a command works on: from a JSON file, or from a callable of the user's."""

from __future__ import annotations

import contextlib
import importlib
import sys
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from retrograde.errors import RetrogradeError, UsageError
from retrograde.graph import Graph

_HELP = "give a graph's JSON file, or MODULE:FACTORY"


def load_graph(target: str) -> Graph:
    """The graph that a command line names.

    Args:
        target: path of a JSON file, or ``MODULE:FACTORY``: a callable without arguments, importable from the current
            directory, that returns a ``Graph``, or a PyTorch module and its example inputs, ``(module, inputs)``
            or ``(module, inputs, loss)``. Inputs are a tuple or list of positional ones, a dict of keyword ones, or
            one tensor; the loss is a callable from the module's result to a scalar.

    Raises:
        UsageError: there is no such file or factory, or it gives something else.
        GraphError: the file holds no valid graph.
        CaptureError: the module cannot be captured.
    """
    from_factory = ":" in target and not Path(target).exists() and not target.endswith(".json")
    graph = _graph_from_factory(target) if from_factory else _graph_from_file(target)
    return graph if graph.name else replace(graph, name=target)


def _graph_from_file(target: str) -> Graph:
    try:
        text = Path(target).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no file {target}; {_HELP}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{target} is not a text file; {_HELP}") from None
    except OSError as error:
        raise UsageError(f"cannot read {target}: {error.strerror or error}; {_HELP}") from None
    return Graph.from_json(text)


def _graph_from_factory(target: str) -> Graph:
    module_name, _, path = target.partition(":")
    if not module_name or not path:
        raise UsageError(f"{target!r} is not MODULE:FACTORY; for example, training:step")
    # What the user's code prints must not mix with what the command prints.
    with contextlib.redirect_stdout(sys.stderr):
        factory = _import_factory(target, module_name, path)
        if isinstance(factory, Graph):
            return factory
        if not callable(factory):
            raise UsageError(f"{target} is a {type(factory).__name__}, not a callable that returns a graph")
        return _graph_from_result(target, _called(target, factory))


def _import_factory(target: str, module_name: str, path: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except RetrogradeError:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name in (module_name, module_name.split(".")[0]):
            raise UsageError(f"there is no module {module_name!r} to import from {here}; {_HELP}") from None
        raise UsageError(f"importing {module_name!r} failed: {described(error)}") from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise UsageError(f"module {module_name!r} has no {path!r}; {target} names nothing")
        found = getattr(found, name)
    return found


def _called(target: str, factory: Any) -> Any:
    try:
        return factory()
    except RetrogradeError:
        raise
    except Exception as error:
        raise UsageError(f"{target}() failed: {described(error)}") from error


def described(error: Exception) -> str:
    """An exception of the user's code in one line, with the place where it was raised."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if len(frames) > 1 else ""
    return f"{type(error).__name__}: {error}{place}"


def _graph_from_result(target: str, result: Any) -> Graph:
    if isinstance(result, Graph):
        return result
    if isinstance(result, (tuple, list)) and len(cast(list[Any], result)) in (2, 3) and callable(result[0]):
        parts = cast(list[Any], list(cast(list[Any], result)))
        return _captured(parts[0], parts[1], parts[2] if len(parts) == 3 else None)
    raise UsageError(
        f"{target}() returned a {type(result).__name__}; return a retrograde.Graph, (module, inputs) or "
        "(module, inputs, loss)"
    )


def _captured(module: Any, inputs: Any, loss: Any) -> Graph:
    from retrograde.cli.engines import torch_engine

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    if isinstance(inputs, Mapping):
        kwargs = dict(cast(Mapping[str, Any], inputs))
    elif isinstance(inputs, (tuple, list)):
        args = tuple(cast(list[Any], inputs))
    else:
        args = (inputs,)
    return torch_engine().capture_graph(module if loss is None else _with_loss(module, loss), args, kwargs)


def _with_loss(module: Any, loss: Any) -> Any:
    def step(*args: Any, **kwargs: Any) -> Any:
        return loss(module(*args, **kwargs))

    step.__name__ = type(module).__name__
    return step
