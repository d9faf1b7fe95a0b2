"""pillow-simd's and ONNX Runtime's side: the same lines in, the same answers out as worker/photo/examples/bench.rs."""

import csv
import io
import json
import os
import pathlib
import re
import sys
import time

import numpy
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[3]
WIDTHS = [2048, 1080, 480, 160]
SIDE, OF = 224, 256


def load(content, least):
    """Decodes as far as `draft` lets it be skipped, and no further."""
    image = Image.open(io.BytesIO(content))
    image.draft("RGB", least)
    return image.convert("RGB")


def resize(content):
    width, height = Image.open(io.BytesIO(content)).size
    files = {}
    image = None
    for target in (wanted for wanted in WIDTHS if wanted <= width):
        size = (target, max(1, round(height * target / width)))
        image = (image or load(content, size)).resize(size, Image.LANCZOS)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=80, subsampling="4:2:0")
        files[target] = file.getvalue()
    return files, ""


class Model:
    """The same model, one thread, loaded once."""

    def __init__(self):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = str(ROOT / "worker/model/efficientnet-lite0.onnx")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        with open(ROOT / "worker/model/labels.tsv", newline="") as table:
            self.rows = [row for row in csv.reader(table, delimiter="\t") if row and not row[0].startswith("#")]

    def tag(self, content):
        image = load(content, (OF, OF))
        width, height = image.size
        scale = OF / min(width, height)
        left, top = (width - SIDE / scale) / 2, (height - SIDE / scale) / 2
        box = (left, top, left + SIDE / scale, top + SIDE / scale)
        image = image.resize((SIDE, SIDE), Image.BICUBIC, box=box)
        pixels = (numpy.asarray(image, dtype=numpy.float32) - 127) / 128
        pixels = numpy.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
        [probabilities] = self.session.run(None, {self.input: pixels})
        return {}, int(probabilities.ravel().argmax())


def peak():
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[1])


def main():
    model = None
    for line in sys.stdin:
        task, times, photo, *directory = line.rstrip("\n").split("\t")
        content = pathlib.Path(photo).read_bytes()
        if task == "tag" and model is None:
            model = Model()
        work = resize if task == "resize" else model.tag
        cpu = []
        for _ in range(int(times)):
            begun = time.process_time()
            files, label = work(content)
            cpu.append((time.process_time() - begun) * 1000)
        for place in directory:
            os.makedirs(place, exist_ok=True)
            for width, data in files.items():
                pathlib.Path(place, f"{width}.jpg").write_bytes(data)
        print(json.dumps({"cpu": cpu, "peak": peak(), "label": label}), flush=True)


main()
