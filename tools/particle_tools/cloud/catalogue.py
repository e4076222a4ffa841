"""The error bodies of REST (rest-api 1.1): clients read `error_description`, scripts `error`."""

from __future__ import annotations

import math
from typing import Any


class ApiError(Exception):
    """An answer other than 2xx."""

    def __init__(
        self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(body.get("error_description") or body.get("error"))
        self.status = status
        self.headers = headers
        # With 403, 404 and 408 the clients show nothing but the description.
        text = body.get("error_description") or body.get("info") or body.get("error")
        self.body = {**body, "error_description": text or "; ".join(body.get("errors", []))}


def bad_request(text: str) -> ApiError:
    """400: the request cannot be understood or breaks a limit."""
    return ApiError(400, {"ok": False, "error": text})


def bad_credentials() -> ApiError:
    """400: wrong user name or password."""
    return ApiError(
        400, {"error": "invalid_grant", "error_description": "User credentials are invalid"}
    )


def invalid_request(text: str) -> ApiError:
    """400 in the words of OAuth."""
    return ApiError(400, {"error": "invalid_request", "error_description": text})


def no_token() -> ApiError:
    """400: neither header nor parameter holds a token."""
    return invalid_request("The access token was not found")


def invalid_token() -> ApiError:
    """401: a token that is unknown or expired."""
    return ApiError(
        401,
        {
            "error": "invalid_token",
            "error_description": "The access token provided is invalid.",
        },
    )


def unknown_device() -> ApiError:
    """403: no such device among the user's (not 404, and the CLI looks for this text)."""
    info = "I didn't recognize that device name or ID, try `particle list` to see your devices"
    return ApiError(403, {"ok": False, "error": "Permission Denied", "info": info})


def foreign_device() -> ApiError:
    """403: a device of somebody else."""
    text = "That belongs to someone else. To request a transfer add ?request_transfer=true"
    return ApiError(403, {"ok": False, "errors": [text]})


def name_taken() -> ApiError:
    """403: a second device of that name."""
    text = "You already have a device with that name"
    return ApiError(403, {"ok": False, "code": 403, "error": text, "errors": [{"error": text}]})


def not_found(text: str) -> ApiError:
    """404: a thing that is named in the path does not exist."""
    return ApiError(404, {"ok": False, "code": 404, "error": text})


def conflict(text: str) -> ApiError:
    """409: what is to be made exists already, or it is too late."""
    return ApiError(409, {"ok": False, "code": 409, "error": text})


def not_implemented(text: str) -> ApiError:
    """501: what the real cloud does and this one cannot; the text says what to do instead."""
    return ApiError(501, {"ok": False, "code": 501, "error": text})


def no_function(name: str) -> ApiError:
    """404: a function the device does not have."""
    return ApiError(404, {"ok": False, "error": f"Function {name} not found"})


def no_variable() -> ApiError:
    """404: a variable the device does not have."""
    return ApiError(404, {"ok": False, "error": "Variable not found"})


def not_served(path: str) -> ApiError:
    """404: a path this cloud does not have."""
    return ApiError(
        404,
        {
            "ok": False,
            "code": 404,
            "error": f"{path} was not found",
            "info": "not served by the local cloud",
        },
    )


def timed_out() -> ApiError:
    """408: the device is offline or did not answer."""
    return ApiError(408, {"ok": False, "error": "Timed out."})


def wrong_type(kind: str) -> ApiError:
    """415: a body that is neither JSON nor a form."""
    text = f"A body of the type {kind} is not understood: send application/json or a form"
    return ApiError(415, {"ok": False, "error": text})


def too_many_logins(seconds: float) -> ApiError:
    """429: too many wrong passwords."""
    text = f"Too many failed logins: try again in {max(1, round(seconds))} s"
    return _too_many(text, seconds)


def too_many(seconds: float) -> ApiError:
    """429: more requests than the limits allow (rest-api 14)."""
    return _too_many(f"Too many requests: try again in {math.ceil(seconds)} s", seconds)


def _too_many(text: str, seconds: float) -> ApiError:
    return ApiError(
        429,
        {"ok": False, "error": "Too many requests", "error_description": text},
        {"Retry-After": str(max(1, math.ceil(seconds)))},
    )


def paused(seconds: float) -> ApiError:
    """403: the plan is used up and its grace period over (rest-api 15.1)."""
    return ApiError(
        403,
        {
            "ok": False,
            "error": "plan_limit_reached",
            "error_description": "The data operations of this month are used up:"
            f" communication with devices is paused for {seconds:.0f} s,"
            " until the next month begins or the plan is changed",
        },
    )


def device_fault(text: str) -> ApiError:
    """502: the device answered, but with an error or with nonsense."""
    return ApiError(502, {"ok": False, "error": text})


def unavailable(text: str) -> ApiError:
    """503: something this cloud needs is missing or busy."""
    return ApiError(503, {"ok": False, "error": text})
