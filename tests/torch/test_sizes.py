"""Sizes that change from call to call: one captured graph, plans by the bucket, replayed at every size."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

import retrograde as rg
from retrograde.torch.capture.sizes import bucket_of


class Language(nn.Module):
    """A small transformer over tokens, with dropout; gives logits."""

    def __init__(self, width=32, layers=2):
        super().__init__()
        self.embedding = nn.Embedding(40, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 4 * width, 0.1, batch_first=True) for _ in range(layers)
        )
        self.head = nn.Linear(width, 40)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class Loss(Language):
    def forward(self, tokens):
        return functional.cross_entropy(super().forward(tokens).view(-1, 40), tokens.view(-1))


def inside(model, tokens):
    model(tokens).backward()


def outside(model, tokens):
    functional.cross_entropy(model(tokens).view(-1, 40), tokens.view(-1)).backward()


def tokens_of(count, length):
    return torch.randint(0, 40, (count, length), generator=torch.Generator().manual_seed(length))


def run(step, model, tokens, measured=False):
    torch.manual_seed(1)
    model.zero_grad()
    if measured:
        return rg.torch.measure(lambda: step(model, tokens)).peak_bytes
    step(model, tokens)
    return 0


def forward_of(model):
    return model.__dict__["forward"]


@pytest.mark.parametrize(("kind", "step"), [(Loss, inside), (Language, outside)])
def test_many_sizes_take_two_captures_and_stay_inside_the_budget_bit_for_bit(kind, step):
    plain = kind()
    budget = run(step, plain, tokens_of(4, 96), measured=True) * 6 // 10
    planned = rg.torch.budgeted(copy.deepcopy(plain), budget, iterations=10_000)
    peaks = []
    for number, length in enumerate((40, 90, 64, 96, 96, 17, 77, 33, 95, 51, 64, 96)):
        tokens = tokens_of(4, length)
        run(step, plain, tokens)
        peaks.append(run(step, planned, tokens, measured=number % 2 == 1))
        for found, expected in zip(planned.parameters(), plain.parameters(), strict=True):
            assert torch.equal(found.grad, expected.grad)
    assert max(peaks) <= budget
    # One for the first size, one for all others.
    assert len(forward_of(planned).compiler.captured) == 2
    assert len(rg.torch.plans(planned)) <= 5


def test_batch_and_length_may_both_change():
    plain = Loss()
    planned = rg.torch.budgeted(copy.deepcopy(plain), "64 MiB", strategy="sqrt")
    for count, length in ((4, 16), (4, 24), (6, 24), (6, 40), (3, 30), (5, 17)):
        tokens = tokens_of(count, length)
        run(inside, plain, tokens)
        run(inside, planned, tokens)
        for found, expected in zip(planned.parameters(), plain.parameters(), strict=True):
            assert torch.equal(found.grad, expected.grad)
    assert len(forward_of(planned).compiler.captured) == 3


def test_inputs_of_changing_sizes_accumulate_gradients_too():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x):
            return torch.tanh(self.layer(x.view(-1, 8))).sum()

    plain = Sum()
    planned = rg.torch.budgeted(copy.deepcopy(plain), "1 MiB", strategy="store_all")
    for count in (4, 6, 9):
        x, y = (torch.ones(count * 8, requires_grad=True) for _ in range(2))
        for _ in range(2):
            plain(x).backward()
            planned(y).backward()
        assert torch.equal(x.grad, y.grad)


def test_a_plan_says_at_which_sizes_it_keeps_its_budget():
    model = rg.torch.budgeted(Loss(), "64 MiB", strategy="store_all")
    for length in (16, 40):
        run(inside, model, tokens_of(4, length))
    planned = forward_of(model).known()[-1]
    assert planned.shape.sizes == ((48,),)
    assert planned.serves(((48,),))
    assert planned.serves(((20,),))
    assert not planned.serves(((49,),))
    small, large = (rg.plan(planned.graph_at(((n,),)), None, "store_all").peak_bytes for n in (20, 48))
    assert small < large == planned.plan.peak_bytes


def test_sizes_that_only_fit_by_themselves_are_planned_by_themselves():
    plain = Loss()
    alone = run(inside, plain, tokens_of(4, 97), measured=True)
    # The bucket of 97 reaches to 128, for which no plan fits.
    least = rg.torch.budgeted(copy.deepcopy(plain), 1000, iterations=10_000)
    with pytest.raises(rg.BudgetError) as caught:
        run(inside, least, tokens_of(4, 97))
    planned = rg.torch.budgeted(copy.deepcopy(plain), int(caught.value.minimum_bytes * 1.02), iterations=10_000)
    for length in (20, 97):
        run(inside, planned, tokens_of(4, length))
    assert forward_of(planned).known()[-1].shape.sizes == ((97,),)
    assert caught.value.minimum_bytes < alone
    with pytest.raises(rg.BudgetError):
        run(inside, planned, tokens_of(4, 128))
    run(inside, planned, tokens_of(4, 97))


def test_fixed_sizes_on_demand():
    model = rg.torch.budgeted(Loss(), "64 MiB", strategy="store_all", dynamic=False)
    for length in (16, 24, 40):
        run(inside, model, tokens_of(4, length))
    assert len(forward_of(model).compiler.captured) == 3
    assert [known.shape.sizes for known in forward_of(model).known()] == [((),)] * 3


def test_buckets_are_powers_of_two_and_halfway_between():
    assert bucket_of(range(1, 14)) == (1, 2, 3, 4, 6, 6, 8, 8, 12, 12, 12, 12, 16)


def test_a_graph_at_other_sizes_keeps_all_but_the_bytes():
    graph = rg.Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (1, 2)])
    larger = graph.with_storages([type(s)(s.bytes * 3) for s in graph.storages])
    assert larger.store_all_peak_bytes == 3 * graph.store_all_peak_bytes
    assert larger.fingerprint != graph.fingerprint
    with pytest.raises(rg.GraphError, match="3 storages, 2 are given"):
        graph.with_storages(graph.storages[:2])
