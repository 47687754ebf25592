import numpy as np

from vqc.phash import phash


def picture(seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (12, 16, 3)).astype(np.uint8)
    return coarse.repeat(20, axis=0).repeat(20, axis=1)


def distance(a, b):
    return (int(phash(a), 16) ^ int(phash(b), 16)).bit_count()


def test_sixteen_hex_digits_that_stay_the_same():
    assert len(phash(picture())) == 16
    assert phash(picture()) == phash(picture().copy())


def test_brightness_size_and_noise_hardly_matter():
    image = picture()
    darker = (image * 0.8).astype(np.uint8)
    noisy = np.clip(image + np.random.default_rng(1).normal(0, 5, image.shape), 0, 255).astype(
        np.uint8
    )
    assert distance(image, darker) <= 4
    assert distance(image, image[::2, ::2]) <= 4
    assert distance(image, noisy) <= 4


def test_other_pictures_are_far():
    assert min(distance(picture(a), picture(b)) for a in range(5) for b in range(a)) > 12
