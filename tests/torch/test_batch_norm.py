"""Batch norms that update running statistics can be recomputed: a budget below what keeping them needs is met."""

import torch
from torch import nn

import retrograde as rg


def tower(depth: int) -> nn.Sequential:
    blocks = [nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()) for _ in range(depth)]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(4 * 16 * 16, 1))


def test_batch_norms_in_training_may_run_twice():
    graph = rg.torch.capture_graph(tower(3), (torch.randn(2, 4, 16, 16),), measure_costs=False)
    norms = [operation for operation in graph.operations if "batch_norm_legit_functional" in operation.name]
    assert [operation.recomputable for operation in norms] == [True] * 3


def test_a_tower_of_batch_norms_recomputes_them():
    graph = rg.torch.capture_graph(tower(8), (torch.randn(8, 4, 16, 16),), measure_costs=False)
    plan = rg.plan(graph, "40%")
    runs = plan.verify(graph).runs
    norms = [i for i, operation in enumerate(graph.operations) if "batch_norm_legit_functional" in operation.name]
    assert any(runs[i] > 1 for i in norms)
