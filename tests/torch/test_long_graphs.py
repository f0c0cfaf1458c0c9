"""Unrolled loops: graphs in which one kind of operation stands hundreds of times."""

from __future__ import annotations

import copy

import torch
from steps import assert_same_bits, run_step
from torch import fx, nn

import retrograde as rg
from retrograde.torch.emission import compilers
from retrograde.torch.emission.boxed import Boxed, compile_eagerly


class Unrolled(nn.Module):
    """An LSTM over a sequence, one step after another, with dropout between the layers."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.cells = nn.ModuleList(nn.LSTMCell(width, width) for _ in range(layers))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        zero = x.new_zeros(x.shape[0], x.shape[2])
        states, results = [(zero, zero) for _ in self.cells], []
        x = self.dropout(x)
        for step in range(x.shape[1]):
            y = x[:, step]
            for layer, cell in enumerate(self.cells):
                states[layer] = cell(y, states[layer])
                y = self.dropout(states[layer][0])
            results.append(y)
        return torch.stack(results, 1).square().mean()


def test_an_unrolled_loop_keeps_its_values_apart(monkeypatch):
    arguments: list[tuple[str, object]] = []

    def compile_and_look(module: fx.GraphModule) -> Boxed:
        arguments.extend((node.name, node.target) for node in module.graph.find_nodes(op="placeholder"))
        return compile_eagerly(module)

    monkeypatch.setattr(compilers, "compile_eagerly", compile_and_look)
    plain, x = Unrolled(16, 2), torch.randn(32, 24, 16)
    planned = rg.torch.budgeted(copy.deepcopy(plain), "60%", iterations=2000)
    assert_same_bits(run_step(planned, (x,)), run_step(plain, (x,)))
    (plan,) = rg.torch.plans(planned)
    assert plan.overhead > 0
    # Generated code binds an argument to its target first: one that is another's name would be overwritten.
    assert len(arguments) > 100
    assert all(name == target for name, target in arguments)
