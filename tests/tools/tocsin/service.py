"""Services of the API in this process, for the commands that send requests."""

import pathlib
import sys

import grpc

sys.path.append(str(pathlib.Path(__file__).parents[2] / "system"))
import api  # noqa: E402  (the messages, from the .proto files)


class Refusal(Exception):
    """A gRPC error, with details if it has a reason."""

    def __init__(self, code, reason=None, text="refused", **metadata):
        super().__init__(text)
        self.code, self.reason, self.text, self.metadata = code, reason, text, metadata


class Service(grpc.GenericRpcHandler):
    """Serves unary methods: name -> function from the request to the response. Keeps all requests."""

    def __init__(self, service, methods):
        self.name, self.methods, self.requests = service, methods, []

    def service(self, details):
        service, method = details.method.lstrip("/").split("/")
        if service != f"tocsin.v1.{self.name}" or method not in self.methods:
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._respond(method, request, context),
            request_deserializer=api.message(f"{method}Request").FromString,
            response_serializer=lambda response: response.SerializeToString())

    def _respond(self, method, request, context):
        self.requests.append(request)
        try:
            return self.methods[method](request)
        except Refusal as refusal:
            if refusal.reason:
                status = api.message("google.rpc.Status")(code=refusal.code.value[0], message=refusal.text)
                info = api.message("google.rpc.ErrorInfo")(reason=refusal.reason, domain="tocsin",
                                                           metadata=refusal.metadata)
                status.details.add().Pack(info)
                context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(refusal.code, refusal.text)


def refuse(*arguments, **metadata):
    """A method that refuses every request."""
    def respond(_):
        raise Refusal(*arguments, **metadata)
    return respond
