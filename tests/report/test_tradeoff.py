"""Trade-off curves and measured runs."""

from __future__ import annotations

from xml.etree import ElementTree

from retrograde.report import Curve, MeasuredRun, measured_figure, tradeoff_figure


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("}text")]


def test_every_curve_is_named_and_the_bound_too() -> None:
    curves = [Curve("auto", ((1.0, 0.0), (0.5, 0.1))), Curve("sqrt", ((0.5, 0.2),)), Curve("out of reach", ())]
    words = texts(tradeoff_figure(curves, heading="A title", bound_fraction=0.4).svg())
    assert {"auto", "sqrt", "no schedule below 40 %"} <= set(words)
    assert "out of reach" not in words
    assert "A title\u2003extra time" in words


def test_a_curve_far_above_the_others_is_cut_and_says_how_far_it_goes() -> None:
    curves = [Curve("auto", ((1.0, 0.0), (0.5, 0.1))), Curve("wild", ((1.0, 0.05), (0.5, 12.0)))]
    figure = tradeoff_figure(curves)
    assert "wild (to 1,200 %)" in texts(figure.svg())
    assert "12 %" in texts(figure.svg())
    assert "1,000 %" not in texts(figure.svg())


def test_less_memory_is_to_the_right() -> None:
    root = ElementTree.fromstring(tradeoff_figure([Curve("auto", ((1.0, 0.0), (0.2, 0.1)))]).svg())
    at = {"".join(n.itertext()): float(n.get("x", "0")) for n in root.iter() if n.tag.endswith("}text")}
    assert at["100 %"] < at["60 %"] < at["20 %"]


def test_no_curves_at_all_is_a_picture_still() -> None:
    assert "extra time" in texts(tradeoff_figure([]).svg())


def test_measured_runs_are_named_with_their_peaks() -> None:
    runs = [MeasuredRun("60%", ((0.0, 0), (0.5, 2048), (1.0, 100))), MeasuredRun("nothing", ())]
    words = texts(measured_figure(runs, heading="Measured").svg())
    assert "60%: 2.00 KiB" in words
    assert not any(word.startswith("nothing") for word in words)


def test_dense_samples_keep_their_peak_and_take_little_room() -> None:
    samples = tuple((i * 1e-6, 1000 if i != 77_777 else 9999) for i in range(100_000))
    run = MeasuredRun("dense", samples)
    figure = measured_figure([run])
    assert run.peak_bytes == 9999
    assert len(figure.body) < 60_000


def test_no_runs_at_all_is_a_picture_still() -> None:
    assert "measured live memory" in texts(measured_figure([]).svg())
