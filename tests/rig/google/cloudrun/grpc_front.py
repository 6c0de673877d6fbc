"""The methods of api.py over gRPC, by generic handlers; refusals with their details as google.rpc.Status."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2  # noqa: F401 - ParseDict finds the types of details in the pool by this
from google.rpc.status_pb2 import Status

from tests.rig.google.cloudrun.api import Api, Method
from tests.rig.google.cloudrun.errors import ApiError


def serve(api: Api, address: str) -> grpc.Server:
    """A started server on `address`, such as "unix:/…" or "127.0.0.1:0"."""
    server = grpc.server(futures.ThreadPoolExecutor(64, "grpc"), options=[("grpc.max_receive_message_length", 2**25)])
    by_service = dict[str, dict[str, grpc.RpcMethodHandler]]()
    for method in api.methods.values():
        by_service.setdefault(method.service, {})[method.name] = _handler(api, method)
    for service, handlers in by_service.items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(address)
    server.start()
    return server


def _handler(api: Api, method: Method) -> grpc.RpcMethodHandler:
    def work(request: Any, context: grpc.ServicerContext) -> Any:
        headers = {str(key): str(value) for key, value in context.invocation_metadata()}
        try:
            return api.call(method, request, api.access.principal(headers))
        except ApiError as error:
            status = Status(code=error.number, message=error.message)
            json_format.ParseDict({"details": error.details}, status, ignore_unknown_fields=True)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(grpc.StatusCode[error.code], error.message)

    return grpc.unary_unary_rpc_method_handler(
        work, request_deserializer=reader(method.request), response_serializer=written
    )


def reader(kind: Any) -> Callable[[bytes], Any]:
    """From bytes to a message, for proto-plus types and plain ones."""
    return kind.deserialize if hasattr(kind, "deserialize") else kind.FromString  # type: ignore[no-any-return]


def raw(message: Any) -> Any:
    """The plain protobuf message of a proto-plus one."""
    return type(message).pb(message) if hasattr(type(message), "pb") else message


def written(message: Any) -> bytes:
    return bytes(raw(message).SerializeToString())
