"""Describes routes/users.py (rest-api 2)."""

from particle_tools.cloud.openapi import FLAG, NUMBER, TEXT, Operation, many, record

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
}
