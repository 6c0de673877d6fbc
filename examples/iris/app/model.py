"""The model: loaded once, checked against its card, asked for one flower at a time."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy
import onnxruntime

MODEL = Path(__file__).parent.parent / "model"


@dataclass(frozen=True)
class Model:
    """An ONNX session and what its card says about it."""

    session: onnxruntime.InferenceSession
    labels: tuple[str, ...]
    sha256: str

    def predict(self, features: list[float]) -> tuple[int, list[float]]:
        """The class of one flower and the probability of each class."""
        flower = numpy.array([features], dtype=numpy.float32)
        (prediction,), (probability,) = self.session.run(None, {"features": flower})
        return int(prediction), [float(share) for share in probability]


def load(folder: Path = MODEL) -> Model:
    """Load the model, refuse any other bytes than the card's, and predict once so that the first user need not wait."""
    card = json.loads((folder / "iris.json").read_text())
    content = (folder / "iris.onnx").read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != card["sha256"]:
        raise ValueError(f"iris.onnx is not the model of iris.json: sha256 {found}, expected {card['sha256']}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # four features: threads would only cost
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    model = Model(session, tuple(card["labels"]), found)
    model.predict([0.0, 0.0, 0.0, 0.0])
    return model
