"""The system Describe in its two forms (cloud-protocol 4.2), whole, cut and nonsensical."""

import json

import pytest

from particle_tools.cloud.system_description import PROTOBUF, to_json

# vector describe_system_post of the specification: boot loader, system part, user part
BODY = bytes.fromhex(
    "0a17080218fe1128808003351e0000003d1e00000058b0e7020a200804100118b83028808029351e0000003d1e"
    "0000004a05080218fe115890d6270a4208051001180628808010351e0000003d1e0000004220a172cedcae47474b"
    "615c54d510a5d84a8dea3032e958587430b413538be3f3334a070804100118b83058e05d"
)
CHECKED = {"l": "m", "vc": 30, "vv": 30}


def test_protobuf():
    loader, system, user = to_json(BODY, PROTOBUF, 13)["m"]
    assert loader == CHECKED | {"s": 49152, "f": "b", "n": "0", "v": 2302, "d": []}
    needs = [{"f": "b", "n": "0", "v": 2302}]
    assert system == CHECKED | {"s": 671744, "f": "s", "n": "1", "v": 6200, "d": needs}
    assert user["u"] == "a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333"
    assert user["d"] == [{"f": "s", "n": "1", "v": 6200}]
    assert to_json(b"\x12\x03123", PROTOBUF, 13) == {"p": 13, "m": [], "imei": "123"}


def test_json():
    body = {"p": 6, "m": []}
    assert to_json(json.dumps(body).encode(), 0, None) == body


@pytest.mark.parametrize("end", range(1, len(BODY)))
def test_cut_anywhere_it_is_read_or_refused(end):
    try:
        found = to_json(BODY[:end], PROTOBUF, 13)
    except ValueError:
        return
    assert len(found["m"]) < 3


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"\xff" * 11, PROTOBUF),
        (b"\x0b", PROTOBUF),
        (b"[]", 0),
        (b"{", 0),
        (b"\x0d\x01", PROTOBUF),
    ],
)
def test_nonsense(body, form):
    with pytest.raises(ValueError):
        to_json(body, form, 13)
