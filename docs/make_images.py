"""Draw the pictures of the documentation with the report room: `.venv/bin/python docs/make_images.py` (PyTorch needed).

Costs are measured on the machine that this runs on, so a picture drawn again differs a little.
"""

from pathlib import Path

import torch

from retrograde.planning import plan
from retrograde.planning.loops import plan_loop
from retrograde.report import Curve, timeline_figure, tradeoff_figure
from retrograde.report.loops import loop_figure
from retrograde.torch import capture_graph
from retrograde.torch.demo import BATCH, GPT, LENGTH

IMAGES = Path(__file__).parent / "images"
VOCABULARY = 100
BUDGET = "35%"
PERCENTS = (100, 90, 80, 70, 60, 50, 40, 35, 30, 25, 20)


def main() -> None:
    torch.manual_seed(0)
    tokens = torch.randint(0, VOCABULARY, (2, BATCH, LENGTH))
    graph = capture_graph(GPT(VOCABULARY), (tokens[0], tokens[1]))
    IMAGES.mkdir(exist_ok=True)

    curve: list[tuple[float, float]] = []
    for percent in PERCENTS:
        found = plan(graph, f"{percent}%")
        curve.append((found.peak_bytes / graph.store_all_peak_bytes, found.overhead))
    figure = tradeoff_figure([Curve("auto", tuple(sorted(curve)))])
    (IMAGES / "tradeoff.svg").write_text(figure.svg(), encoding="utf-8")

    heading = "A training step of a GPT with 6 layers"
    figure = timeline_figure(graph, plan(graph, BUDGET), heading=heading)
    (IMAGES / "timeline.svg").write_text(figure.svg(), encoding="utf-8")

    figure = loop_figure(plan_loop(40, state_bytes=8, budget_bytes=32), heading="40 steps, room for 4 states")
    (IMAGES / "loop.svg").write_text(figure.svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
