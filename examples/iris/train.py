"""Train the iris model and write it as ONNX, with a card that says what it is.

Needs `requirements-train.txt`, which the service itself does not:

    python3 -m venv .train && .train/bin/pip install --require-hashes -r requirements-train.txt
    .train/bin/python train.py

The seed is fixed and the graph has a fixed name, so that the same libraries write the same bytes.
"""

import hashlib
import json
from pathlib import Path

import onnx
import skl2onnx
import sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 7
OPSET = {"": 17, "ai.onnx.ml": 3}
MODEL = Path(__file__).parent / "model"


def train() -> tuple[Pipeline, float]:
    """A scaled logistic regression, and its accuracy on a quarter of the flowers that it has not seen."""
    flowers = load_iris()
    known, unknown, answers, questions = train_test_split(
        flowers.data, flowers.target, test_size=0.25, random_state=SEED, stratify=flowers.target
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(random_state=SEED, max_iter=500))
    model.fit(known, answers)
    return model, float(model.score(unknown, questions))


def export(model: Pipeline) -> bytes:
    """The pipeline as ONNX: float features [n, 4] in, labels [n] and probabilities [n, 3] out."""
    graph = skl2onnx.to_onnx(
        model,
        initial_types=[("features", FloatTensorType([None, 4]))],
        options={id(model): {"zipmap": False}},
        target_opset=OPSET,
        name="iris",
    )
    onnx.checker.check_model(graph)
    return graph.SerializeToString(deterministic=True)


def main() -> None:
    model, accuracy = train()
    content = export(model)
    (MODEL / "iris.onnx").write_bytes(content)
    card = {
        "name": "iris",
        "sha256": hashlib.sha256(content).hexdigest(),
        "labels": [str(name) for name in load_iris().target_names],
        "features": ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"],
        "accuracy": round(accuracy, 4),
        "seed": SEED,
        "made_with": {"scikit-learn": sklearn.__version__, "skl2onnx": skl2onnx.__version__, "onnx": onnx.__version__},
    }
    (MODEL / "iris.json").write_text(json.dumps(card, indent=2) + "\n")
    print(f"{len(content)} bytes, accuracy {accuracy:.3f}, sha256 {card['sha256']}")


if __name__ == "__main__":
    main()
