"""Runs ours and the peers in turns over every photo, checks quality, and prints tables of ratios.

Each side is a process that takes a task a line. Times are CPU time, so that neighbours on the machine matter little.
"""

import argparse
import csv
import ctypes
import ctypes.util
import json
import os
import pathlib
import statistics
import subprocess
import sys

import numpy
from PIL import Image
from skimage.metrics import structural_similarity

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
# How the worker starts what decodes photos (worker/src/compute).
MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=67108864"
}


class Side:
    """A process that does tasks."""

    def __init__(self, *command, environment):
        self.command, self.environment, self.process = command, environment, None

    def ask(self, *words):
        if self.process is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            self.process = subprocess.Popen(self.command, env={**os.environ, **self.environment}, **pipes)
        print(*words, sep="\t", file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.command[-1]} ended over {words}")
        return json.loads(answer)

    def end(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process = None


def turns(rounds, asks):
    """Asks every side in turns, once to warm up, and returns the times of each."""
    times = {name: [] for name in asks}
    for turn in range(rounds + 1):
        for name, ask in asks.items():
            cpu = ask()["cpu"]
            if turn:
                times[name] += cpu
    return times


def shown(times):
    low, high = min(times), max(times)
    return f"{statistics.median(times):.1f} ({low:.1f}-{high:.1f})"


def ratio(peer, ours):
    return f"{statistics.median(peer) / statistics.median(ours):.2f}"


def planes_of_webp(content):
    """Brightness of a lossy WebP as it is stored, from 16 to 235, which no Python library gives."""
    decode = ctypes.CDLL(ctypes.util.find_library("webp")).WebPDecodeYUV
    decode.restype = ctypes.POINTER(ctypes.c_uint8)
    width, height, stride, coarse_stride = (ctypes.c_int() for _ in range(4))
    cb, cr = ctypes.c_void_p(), ctypes.c_void_p()
    parts = map(ctypes.byref, (width, height, cb, cr, stride, coarse_stride))
    luma = decode(content, ctypes.c_size_t(len(content)), *parts)
    return numpy.ctypeslib.as_array(luma, (height.value, stride.value))[:, : width.value]


def brightness(photo):
    """Brightness as the file holds it. Bytes of red, green and blue are rounded: what looks at them would find those best
    that rounded in the same way."""
    if photo.suffix == ".webp":
        return (planes_of_webp(photo.read_bytes()).astype(numpy.float32) - 16) * (255 / 219)
    image = Image.open(photo)
    if photo.suffix == ".jpg":
        image.draft("L", None)
        return numpy.asarray(image, dtype=numpy.float32)
    return numpy.asarray(image.convert("RGB"), dtype=numpy.float32) @ numpy.float32([0.299, 0.587, 0.114])


def similarity(photo, directory):
    """SSIM of each rendition, in brightness, against Lanczos over the whole photo, which is rounded nowhere."""
    whole = Image.fromarray(brightness(photo))
    found = {}
    for file in sorted(pathlib.Path(directory).glob("*.jpg"), key=lambda file: -int(file.stem)):
        made = brightness(file)
        reference = numpy.asarray(whole.resize(made.shape[::-1], Image.LANCZOS)).clip(0, 255)
        found[int(file.stem)] = (float(structural_similarity(reference, made, data_range=255)), file.stat().st_size)
    return found


def table(title, head, rows):
    print(f"\n### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def formats(ours, photos, rounds):
    rows = []
    for photo in photos:
        for task in ("resize", "resize-webp", "resize-avif"):
            fresh = Side(*ours.command, environment=ours.environment)
            answers = [fresh.ask(task, 1, photo) for _ in range(rounds)]
            fresh.end()
            times = [time for answer in answers for time in answer["cpu"]]
            name = task.removeprefix("resize").removeprefix("-") or "jpeg"
            rows.append([photo.stem, name, shown(times), f"{answers[0]['bytes'] / 1000:.0f}", f"{answers[0]['peak'] / 1024:.0f}"])
    table("Ours in other formats: four renditions", ["photo", "format", "CPU time, ms", "kB", "peak, MB"], rows)


def resizing(sides, photos, rounds, work):
    """Returns the renditions that are less like their photo than sharp's."""
    ours, sharp, pillow = sides["ours"], sides["sharp"], sides["pillow-simd"]
    speed, quality, memory, worse = [], [], [], []
    for photo in photos:
        asks = {
            "ours": lambda: ours.ask("resize", 1, photo),
            "sharp": lambda: sharp.ask("resize", 1, photo),
            "clone": lambda: sharp.ask("resize-clone", 1, photo),
            "pillow": lambda: pillow.ask("resize", 1, photo),
        }
        if photo.suffix == ".jpg" and "444" not in photo.stem:
            asks["floor"] = lambda: ours.ask("floor-resize", 1, photo)
        times = turns(rounds, asks)
        row = [photo.stem] + [shown(times[name]) for name in ("ours", "sharp", "clone", "pillow")]
        row += [ratio(times[name], times["ours"]) for name in ("sharp", "clone", "pillow")]
        row += [ratio(times["ours"], times["floor"]) if "floor" in times else "-"]
        speed.append(row)
        seen = {}
        for name, side in sides.items():
            directory = work / name / photo.stem
            directory.mkdir(parents=True, exist_ok=True)
            fresh = Side(*side.command, environment=side.environment)
            peak = fresh.ask("resize", 1, photo, directory)["peak"]
            fresh.end()
            seen[name] = similarity(photo, directory)
            memory.append((photo.stem, name, f"{peak / 1024:.0f}"))
        for width in seen["ours"]:
            cells = [f"{seen[name][width][0]:.4f}, {seen[name][width][1] / 1000:.0f} kB" for name in sides]
            quality.append([photo.stem, width, *cells])
            if seen["ours"][width][0] < seen["sharp"][width][0]:
                worse.append(f"{photo.stem} at {width}")
    head = ["photo", "ours, ms", "sharp cascade, ms", "sharp clone, ms", "pillow-simd, ms", "x sharp cascade", "x sharp clone"]
    table("Four renditions: CPU time, median (least-most)", [*head, "x pillow-simd", "ours / floor"], speed)
    table("SSIM against full decode and Lanczos, and size", ["photo", "width", *sides], quality)
    peaks = {}
    for photo, name, peak in memory:
        peaks.setdefault(photo, {})[name] = peak
    table("Peak memory of a process for one photo, MB", ["photo", *sides], [[p, *(m[n] for n in sides)] for p, m in peaks.items()])
    return worse


def tagging(sides, photos, rounds):
    with open(ROOT / "worker/model/labels.tsv", newline="") as labels:
        rows = list(csv.DictReader(labels, delimiter="\t"))
    ours, pillow = sides["ours"], sides["pillow-simd"]
    found = []
    for photo in photos:
        asks = {
            "ours": lambda: ours.ask("tag", 1, photo),
            "python": lambda: pillow.ask("tag", 1, photo),
        }
        if photo.suffix == ".jpg":
            asks["floor"] = lambda: ours.ask("floor-tag", 1, photo)
        times = turns(rounds, asks)
        label, row = ours.ask("tag", 1, photo)["label"], rows[pillow.ask("tag", 1, photo)["label"]]
        terms = ", ".join((row["label"], row["synonyms"], row["broader"])).split(", ")
        same = "same" if label in terms else f"{row['label']}!"
        cells = [shown(times["ours"]), shown(times["python"]), ratio(times["python"], times["ours"])]
        found.append([photo.stem, *cells, ratio(times["ours"], times["floor"]) if "floor" in times else "-", label or "-", same])
    head = ["photo", "ours, ms", "Python, ms", "x Python", "ours / floor", "first label", "Python's"]
    table("Tags: CPU time, median (least-most)", head, found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runner", required=True, help="our side's program")
    parser.add_argument("--sharp", required=True, help="sharp's side, beside its node_modules")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="directory of photos and of what is made")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--same-memory", action="store_true", help="ask for memory for the peers as for ours")
    asked = parser.parse_args()
    theirs = MEMORY if asked.same_memory else {}
    sides = {
        "ours": Side(asked.runner, environment=MEMORY),
        "sharp": Side("node", asked.sharp, environment=theirs),
        "pillow-simd": Side(sys.executable, HERE / "peers/pillow.py", environment=theirs),
    }
    photos = sorted((asked.work / "photos").iterdir())
    worse = resizing(sides, photos, asked.rounds, asked.work / "made")
    formats(sides["ours"], [photo for photo in photos if photo.stem in ("jpeg-12mp", "jpeg-12mp-wood")], asked.rounds)
    small = [ROOT / "tests/photos" / name for name in ("cat.png", "coffee.png", "rocket.jpg")]
    tagging(sides, [*photos, *small], asked.rounds)
    for side in sides.values():
        side.end()
    if worse:
        sys.exit(f"less like the photo than sharp's, by SSIM: {', '.join(worse)}")


main()
