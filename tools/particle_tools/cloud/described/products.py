"""Describes routes/products.py (rest-api 11)."""

from particle_tools.cloud.openapi import (
    DATE,
    FLAG,
    NUMBER,
    TEXT,
    Operation,
    many,
    nullable,
    record,
    ref,
)

_PRODUCT = record(
    {
        "id": NUMBER,
        "platform_id": NUMBER,
        "name": TEXT,
        "slug": TEXT,
        "description": TEXT,
        "device_count": NUMBER,
        "groups": many(TEXT),
        "settings": {"type": "object"},
        "created_at": nullable(DATE),
    }
)
_PRODUCTS = {200: record({"products": many(ref("Product"))})}
_IMPORT = record(
    {
        "ok": FLAG,
        "updated": NUMBER,
        "updatedDeviceIds": many(TEXT),
        "invalidDeviceIds": many(TEXT),
        "nonmemberDeviceIds": many(TEXT),
        "protectedDeviceIds": many(TEXT),
    }
)
_DEVICES = "/v1/products/{product}/devices"
_COUNT = {"type": "integer", "minimum": 1, "maximum": 1000}

SCHEMAS = {"Product": _PRODUCT}

OPERATIONS = {
    ("GET", "/v1/products"): Operation("List my products", _PRODUCTS),
    ("GET", "/v1/user/products"): Operation("List my products", _PRODUCTS),
    ("GET", "/v1/products/{product}"): Operation(
        "Show a product, by number or slug", {200: record({"product": ref("Product")})}
    ),
    ("POST", "/local/v1/products"): Operation(
        "Make a product",
        {200: record({"ok": FLAG, "product": ref("Product")})},
        errors=(409,),
        body=record(
            {
                "name": {"type": "string", "minLength": 1, "maxLength": 64},
                "platform_id": {"type": "integer", "minimum": 0, "maximum": 255},
            },
            {"description": {"type": "string", "maxLength": 1024}, "id": NUMBER},
        ),
    ),
    ("DELETE", "/local/v1/products/{product}"): Operation("Delete a product"),
    ("GET", _DEVICES): Operation(
        "List the devices of a product",
        {
            200: record(
                {
                    "devices": many(ref("Device")),
                    "customers": many(TEXT),
                    "meta": record({"total_pages": NUMBER, "total_records": NUMBER}),
                }
            )
        },
        query={
            "page": _COUNT,
            "per_page": _COUNT,
            "perPage": _COUNT,
            "groups": TEXT,
            "deviceName": TEXT,
            "deviceId": TEXT,
            "serialNumber": TEXT,
        },
    ),
    ("POST", _DEVICES): Operation(
        "Add devices to a product, by id or serial number",
        {200: _IMPORT},
        body=record({}, {"id": TEXT, "ids": many(TEXT)}),
        description="A file with one device in each line may be sent as multipart/form-data.",
    ),
    ("DELETE", _DEVICES + "/{device}"): Operation(
        "Take a device out of a product", {204: None}, errors=(403,)
    ),
    ("DELETE", _DEVICES + "/{device}/owner"): Operation(
        "Take a device from its owner", {204: None}, errors=(403,)
    ),
    ("GET", "/v1/sims"): Operation("SIM cards: none", {200: many(TEXT)}),
    ("GET", "/v1/products/{product}/sims"): Operation(
        "SIM cards of a product: none",
        {200: record({"sims": many(TEXT), "meta": record({"total_pages": NUMBER})})},
    ),
    ("GET", "/v1/orgs"): Operation(
        "Organizations: none", {200: record({"organizations": many(TEXT)})}
    ),
    ("GET", "/v1/orgs/{organization}"): Operation("Always 404", {}),
    ("GET", "/v1/orgs/{organization}/{rest:.*}"): Operation("Always 404", {}),
    ("POST", "/v1/orgs/{organization}/{rest:.*}"): Operation("Always 404", {}),
}
