"""Makes the photos of every class from the wallpapers given: DIRECTORY OUT."""

import pathlib
import sys

from PIL import Image

WALLPAPERS, OUT = map(pathlib.Path, sys.argv[1:])


def source(name):
    [found] = WALLPAPERS.glob(f"**/{name}")
    return Image.open(found).convert("RGB")


def scaled(image, width, height):
    """The middle of an image in these proportions, at this size."""
    side = min(image.width / width, image.height / height)
    left, top = (image.width - side * width) / 2, (image.height - side * height) / 2
    return image.resize((width, height), Image.LANCZOS, box=(left, top, left + side * width, top + side * height))


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    sky, wood = source("MilkyWay/contents/images/5120x2880.png"), source("nature/Wood.jpg")
    scaled(sky, 4000, 3000).save(OUT / "jpeg-12mp.jpg", quality=92, subsampling="4:2:0")
    scaled(wood, 4000, 3000).save(OUT / "jpeg-12mp-wood.jpg", quality=92, subsampling="4:2:0")
    scaled(sky, 6000, 4000).save(OUT / "jpeg-24mp.jpg", quality=92, subsampling="4:2:0")
    scaled(wood, 2048, 1536).save(OUT / "jpeg-3mp-progressive.jpg", quality=88, subsampling="4:2:0", progressive=True)
    scaled(sky, 4000, 3000).save(OUT / "jpeg-12mp-444.jpg", quality=92, subsampling="4:4:4")
    scaled(sky, 4000, 3000).save(OUT / "png-12mp.png", compress_level=6)
    scaled(sky, 4000, 3000).save(OUT / "webp-12mp.webp", quality=85)


main()
