"""Describes routes/oauth.py (rest-api 2)."""

from particle_tools.cloud.openapi import (
    DATE,
    NUMBER,
    TEXT,
    Operation,
    many,
    nullable,
    record,
)

_GRANTS = ["password", "refresh_token"]

OPERATIONS = {
    ("POST", "/oauth/token"): Operation(
        "Log in",
        {
            200: record(
                {
                    "token_type": TEXT,
                    "access_token": TEXT,
                    "expires_in": NUMBER,
                    "refresh_token": TEXT,
                }
            )
        },
        body=record(
            {"grant_type": {"type": "string", "enum": _GRANTS}},
            {
                "username": TEXT,
                "password": TEXT,
                "refresh_token": TEXT,
                "client_id": TEXT,
                "client_secret": TEXT,
                "expires_in": NUMBER,
                "expires_at": DATE,
            },
        ),
        description="An Authorization header is only ever the client's; any client is taken.",
    ),
    ("GET", "/v1/access_tokens"): Operation(
        "The user's access tokens: how each begins, never the whole",
        {200: many(record({"token": TEXT, "expires_at": nullable(DATE), "client": TEXT}))},
    ),
    ("GET", "/v1/access_tokens/current"): Operation(
        "The access token of this request",
        {
            200: record(
                {
                    "expires_at": nullable(DATE),
                    "client": TEXT,
                    "client_id": TEXT,
                    "scopes": many(TEXT),
                    "orgs": many(TEXT),
                }
            )
        },
    ),
    ("DELETE", "/v1/access_tokens/current"): Operation("Log out"),
    ("DELETE", "/v1/access_tokens/{token}"): Operation("Revoke a token: whoever knows it may"),
    ("DELETE", "/v1/access_tokens"): Operation("Revoke all tokens of the user"),
}
