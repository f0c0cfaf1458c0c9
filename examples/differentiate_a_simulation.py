"""A nonlinear simulation in NumPy, differentiated three ways: on the tape, as a reversed program, and forward."""

import numpy as np

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.program import Program, ProgramBuilder

STEPS = 50


def step(state, conductivity):
    """Diffusion with a source, the ends held fast: a slice of the new state is written."""
    new = state.copy()
    flow = state[2:] - 2.0 * state[1:-1] + state[:-2]
    new[1:-1] += 0.2 * conductivity[1:-1] * flow + 0.01 * np.sin(state[1:-1])
    return new


def misfit(state, conductivity, wanted):
    """How far the simulation ends from what is wanted."""
    for _ in range(STEPS):
        state = step(state, conductivity)
    return np.sum((state - wanted) * (state - wanted))


def as_program() -> Program:
    """The same as a program: the loop is one statement, and its trip count an input."""
    builder = ProgramBuilder("misfit")
    state, conductivity, wanted = (
        builder.input(name, "float64", ("n",)) for name in ("state", "conductivity", "wanted")
    )
    last = builder.loop(builder.input("steps", "int64"), lambda _, state: step(state, conductivity), state)
    return builder.finish(misfit=np.sum((last - wanted) * (last - wanted)))


def main() -> None:
    state, conductivity = np.linspace(-1.0, 1.0, 30) ** 3, np.linspace(0.5, 1.5, 30)
    wanted = np.zeros(30)

    with rg.GradientTape() as tape:
        tracked = tape.watch(state)
        value = misfit(tracked, conductivity, wanted)
    gradient = tape.gradient(value, tracked)

    reversed_program = reverse(as_program(), wrt=["state"], of=["misfit"])
    print(reversed_program)
    _, by_program = reversed_program(state, conductivity, wanted, STEPS, 1.0)
    print("tape and program agree:", np.allclose(by_program, gradient, rtol=1e-12))

    direction = np.cos(np.arange(30.0))
    _, slope = rg.jvp(lambda s: misfit(s, conductivity, wanted), (state,), (direction,))
    ahead, behind = (misfit(state + h * direction, conductivity, wanted) for h in (1e-6, -1e-6))
    print("forward and reverse agree:", np.isclose(gradient @ direction, slope, rtol=1e-12))
    print("finite differences agree:", np.isclose(slope, (ahead - behind) / 2e-6, rtol=1e-6))

    (curvature,) = rg.hvp(lambda s: misfit(s, conductivity, wanted), (state,), (direction,))
    twice = reverse(reversed_program, wrt=["state"], of=["d_state"], keep_outputs=False)
    (by_program,) = twice(state, conductivity, wanted, STEPS, 1.0, direction)
    print("second derivatives agree:", np.allclose(by_program, curvature, rtol=1e-10))


if __name__ == "__main__":
    main()
