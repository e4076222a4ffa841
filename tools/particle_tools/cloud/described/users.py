"""Describes routes/users.py (rest-api 2)."""

from particle_tools.cloud.openapi import FLAG, NUMBER, TEXT, Operation, many, record

_EMAIL = {"type": "string", "pattern": "^[a-z]{1,20}@[a-z]{1,20}[.][a-z]{1,9}$"}
_PASSWORD = {"type": "string", "minLength": 1, "maxLength": 1024}
_INFO = record(
    {},
    {
        "first_name": TEXT,
        "last_name": TEXT,
        "business_account": FLAG,
        "company_name": TEXT,
    },
)
_DONE = {200: record({"ok": FLAG, "message": TEXT})}
_NO_MFA = Operation("Always 501: there is no multi-factor authentication", {}, errors=(501,))

OPERATIONS = {
    ("GET", "/v1/user"): Operation(
        "The user",
        {
            200: record(
                {
                    "username": TEXT,
                    "subscription_ids": many(TEXT),
                    "account_info": record(
                        {"first_name": TEXT, "last_name": TEXT, "business_account": FLAG}
                    ),
                    "mfa": record({"enabled": FLAG}),
                    "wifi_device_count": NUMBER,
                    "cellular_device_count": NUMBER,
                }
            )
        },
    ),
    ("POST", "/v1/users"): Operation(
        "Make an account; not from pages of other sites",
        errors=(403,),
        body=record({"username": _EMAIL, "password": _PASSWORD}, {"account_info": _INFO}),
    ),
    ("PUT", "/v1/user"): Operation(
        "Change the account; name and password want the password of now",
        _DONE,
        body=record(
            {},
            {
                "account_info": _INFO,
                "username": _EMAIL,
                "password": _PASSWORD,
                "current_password": TEXT,
                "invalidate_tokens": FLAG,
            },
        ),
    ),
    ("DELETE", "/v1/user"): Operation(
        "Delete the account", _DONE, body=record({"password": TEXT})
    ),
    ("POST", "/v1/user/password-reset"): Operation(
        "Always 501: the local cloud sends no e-mail",
        {},
        errors=(501,),
        body=record({"username": _EMAIL}),
    ),
    ("GET", "/v1/user/identify"): Operation(
        "Who has this token", {200: record({"id": TEXT, "email": TEXT})}
    ),
    ("GET", "/v1/user/mfa-enable"): _NO_MFA,
    ("POST", "/v1/user/mfa-enable"): _NO_MFA,
    ("PUT", "/v1/user/mfa-disable"): _NO_MFA,
}
