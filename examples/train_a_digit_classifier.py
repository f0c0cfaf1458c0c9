"""A small convolutional network that learns to read digits: NumPy, rg.nn and a gradient, nothing else.

The digits are drawn here: a font of five by seven pixels, slanted, shifted, thickened and buried in noise at random.
"""

import numpy as np

import retrograde as rg
from retrograde import nn

FONT = (
    "01110100011001110101110011000101110 00100011000010000100001000010001110 01110100010000100010001000100011111 "
    "11111000100010000010000011000101110 00010001100101010010111110001000010 11111100001111000001000011000101110 "
    "00110010001000011110100011000101110 11111000010001000100010000100001000 01110100011000101110100011000101110 "
    "01110100011000101111000010001001100"
)
GLYPHS = [np.array(list(glyph), float).reshape(7, 5) for glyph in FONT.split()]


def draw(digit, random):
    """A digit in an image of 16 by 16 pixels, never twice the same."""
    image, slant, (top, left) = np.zeros((16, 16)), random.uniform(-0.3, 0.3), random.integers((2, 4), (8, 8))
    for row, pixels in enumerate(GLYPHS[digit]):
        start = left + round(slant * (row - 3))
        image[top + row, start : start + 5] = pixels
    if random.random() < 0.5:
        image = np.maximum(image, np.roll(image, 1, axis=1))
    return random.uniform(0.5, 1.0) * image + random.normal(0.0, 0.2, image.shape)


def data(count, random):
    labels = random.integers(10, size=count)
    return np.stack([draw(label, random) for label in labels])[:, None].astype(np.float32), labels


def layer(shape, random):
    """Weights scaled to the number of inputs (He et al. 2015), and a bias."""
    weights = random.normal(0.0, np.sqrt(2.0 / np.prod(shape[1:])), shape)
    return [weights.astype(np.float32), np.zeros(shape[0], np.float32)]


def read(p, images, random=None):
    """Logits of the ten digits. With a random generator, units are dropped."""
    h = nn.max_pool2d(nn.relu(nn.conv2d(images, *p[0:2], padding="same")), 2)
    h = nn.max_pool2d(nn.relu(nn.conv2d(h, *p[2:4], padding="same")), 2)
    h = nn.gelu(nn.linear(h.reshape(len(images), -1), *p[4:6]))
    return nn.linear(nn.dropout(h, 0.2, random, training=random is not None), *p[6:8])


def main():
    random = np.random.default_rng(0)
    (images, labels), (unseen, truth) = data(4000, random), data(1000, random)
    shapes = [(8, 1, 3, 3), (16, 8, 3, 3), (64, 256), (10, 64)]
    parameters = [part for shape in shapes for part in layer(shape, random)]
    speeds = [np.zeros_like(part) for part in parameters]
    step = rg.value_and_grad(lambda p, x, wanted: nn.cross_entropy(read(p, x, random), wanted))
    for epoch in range(8):
        for batch in np.split(random.permutation(len(images)), 100):
            value, gradients = step(parameters, images[batch], labels[batch])
            for part, speed, gradient in zip(parameters, speeds, gradients, strict=True):
                speed *= 0.9
                speed -= 0.06 * (1.0 - epoch / 8) * gradient
                part += speed
        accuracy = np.mean(np.argmax(read(parameters, unseen), axis=1) == truth)
        print(f"epoch {epoch + 1}: loss {value:.3f}, {100 * accuracy:.1f} % of unseen digits read")


if __name__ == "__main__":
    main()
