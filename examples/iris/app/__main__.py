"""`python -m app`: listen on every address, on the port that the platform gives."""

import os

import uvicorn

uvicorn.run("app.main:app", host="0.0.0.0", port=int(os.environ.get("PORT", "8000")), access_log=False)
