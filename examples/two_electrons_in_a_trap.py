"""Variational Monte Carlo: two electrons in a trap, by the forward Laplacian and Newton's method.

Where a wave function is exact, its local energy is the same everywhere. Two electrons in a harmonic trap of strength
1/4 that repel each other have the energy 2 and a wave function in closed form (Taut 1993). Here its two parameters are
found by making the local energies of a sample of positions equal: a loss that has a Laplacian in it, differentiated
twice more.
"""

import numpy as np

import retrograde as rg


def log_wave(x, parameters):
    """The logarithm of the wave function, of positions of shape (..., 6): three coordinates for each electron."""
    confinement, repulsion = parameters
    apart = x[..., :3] - x[..., 3:]
    distance = np.sqrt(np.sum(apart * apart, axis=-1))
    return -confinement * np.sum(x * x, axis=-1) + np.log(1.0 + repulsion * distance)


def potential(x):
    """The trap, and the repulsion of the electrons."""
    apart = x[..., :3] - x[..., 3:]
    return 0.125 * np.sum(x * x, axis=-1) + 1.0 / np.sqrt(np.sum(apart * apart, axis=-1))


def local_energy(x, parameters):
    """At one position, from one pass of the forward Laplacian."""
    _, slope, laplacian = rg.value_grad_and_laplacian(log_wave)(x, parameters)
    return -0.5 * (laplacian + np.sum(slope * slope)) + potential(x)


def local_energies(xs, parameters):
    """At many positions at once: of each coordinate the first two derivatives along it, at all positions."""
    kinetic = 0.0
    for axis in np.eye(6):
        along = np.broadcast_to(axis, xs.shape)
        _, first, half_second = rg.taylor(lambda x: log_wave(x, parameters), (xs,), (along,), 2)
        kinetic = kinetic - 0.5 * (2.0 * half_second + first * first)
    return kinetic + potential(xs)


def unevenness(parameters, xs):
    """The variance of the local energies."""
    energies = local_energies(xs, parameters)
    return np.mean((energies - np.mean(energies)) ** 2)


def main() -> None:
    xs = np.random.default_rng(0).normal(scale=1.5, size=(200, 6))
    parameters = np.array([0.3, 0.3])
    one, many = local_energy(xs[0], parameters), local_energies(xs, parameters)
    print("the two Laplacians agree:", np.isclose(one, many[0], rtol=1e-12))
    step_to_take = rg.newton_direction(unevenness, radius=0.1)
    for turn in range(7):
        energies = local_energies(xs, parameters)
        spread = f"{np.mean(energies):.6f} ± {np.std(energies):.1e}"
        print(f"step {turn}: parameters {parameters.round(6)}, local energies {spread}")
        parameters = parameters + step_to_take(parameters, xs)
    print("exact:", np.allclose(parameters, [0.25, 0.5], atol=1e-6), np.allclose(energies, 2.0, atol=1e-4))


if __name__ == "__main__":
    main()
