"""The samples of every family together. A primitive that is not in here fails `test_rules.py`."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import samples
from samples.sample import Sample, draw_anew

SAMPLES: dict[str, list[Sample]] = {}

for _module in pkgutil.iter_modules(samples.__path__):
    draw_anew(_module.name)
    for _name, _cases in getattr(import_module(f"samples.{_module.name}"), "SAMPLES", {}).items():
        assert _name not in SAMPLES, f"samples of {_name} are in two files"
        SAMPLES[_name] = _cases
