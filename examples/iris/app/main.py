"""The service: POST /predict, and what a platform asks it (/healthz, /livez)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.model import Model, load

VERSION = "1.0"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the model before the first request."""
    app.state.model = load()
    yield
    app.state.model = None


app = FastAPI(title="iris", version=VERSION, lifespan=lifespan)
app.state.model = None

Centimetres = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class Flower(BaseModel):
    """Sepal length, sepal width, petal length, petal width in centimetres."""

    model_config = ConfigDict(extra="forbid")
    features: list[Centimetres] = Field(min_length=4, max_length=4, examples=[[5.1, 3.5, 1.4, 0.2]])


class Prediction(BaseModel):
    """The class, its name, and the probability of each class."""

    prediction: int
    label: str
    probability: list[float]


@app.get("/")
def about() -> dict[str, str]:
    """Who answers."""
    return {"service": "iris", "version": VERSION}


@app.get("/livez")
def alive() -> dict[str, str]:
    """The process answers. A platform restarts it when this fails."""
    return {"status": "alive"}


@app.get("/healthz")
def ready(request: Request, response: Response) -> dict[str, str]:
    """The model is loaded. A platform sends no traffic before this is 200."""
    model: Model | None = request.app.state.model
    if model is None:
        response.status_code = 503
        return {"status": "loading"}
    return {"status": "ready", "model": model.sha256[:12]}


@app.post("/predict")
def predict(flower: Flower, request: Request) -> Prediction:
    """Which iris it is."""
    model: Model = request.app.state.model
    prediction, probability = model.predict(flower.features)
    return Prediction(prediction=prediction, label=model.labels[prediction], probability=probability)
