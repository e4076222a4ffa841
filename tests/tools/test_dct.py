"""Images of Device OS configuration: fields where the published table has them, both ways."""

import json
import random

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from particle.store.container import Store
from particle.store.keys_ec import EcKeys
from particle.store.networks import Networks
from particle_tools import ROOT, cli, dct
from particle_tools.errors import UserError

VECTORS = json.loads((ROOT / "tests" / "vectors" / "setup-dct.json").read_text())
GEN3 = {f["field"]: (f["offset"], f["size"]) for f in VECTORS["gen3_gen4_device_os_6_2_0"]}
GEN2 = {f["field"]: (f["offset"], f["size"]) for f in VECTORS["gen2_device_os_3_3_1"]}
ID = "e00fce68aabbccddeeff0011"


def _private(key):
    kind = form.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(form.Encoding.DER, kind, form.NoEncryption())


def _public(key):
    return key.public_key().public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def keys():
    """Give the keys of a device and a server."""
    device, server = (rsa.generate_private_key(65537, n) for n in (1024, 2048))
    a, b = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    return {
        "device_private_key": _private(device),
        "server_public_key": _public(server),
        "alt_device_private_key": _private(a),
        "alt_server_public_key": _public(b),
    }


def _image(keys, table=GEN3, **fields):
    image = bytearray(b"\xff" * dct.SIZE)
    for name, value in {**keys, **fields}.items():
        at, size = table[name]
        assert len(value) <= size
        image[at : at + len(value)] = value
    return image


def test_the_table():
    for table in (GEN2, GEN3):
        assert sum(size for _, size in table.values()) == dct.SIZE


@pytest.mark.parametrize("record", VECTORS["server_address"], ids=str)
def test_server_addresses(record):
    name = record.get("domain") or record["ip"]
    assert dct.decode_address(bytes.fromhex(record["hex"])) == (name, record["port"])
    assert dct.encode_address(name, record["port"]).hex() == record["hex"]


def test_import(keys, tmp_path):
    address = bytes.fromhex(VECTORS["server_address"][0]["hex"])
    static = (
        b"\1\0\0\0" + bytes([10, 0, 0, 9, 255, 255, 255, 0, 10, 0, 0, 1, 9, 9, 9, 9]) + bytes(4)
    )
    more = {"alt_server_address": address, "claim_code": b"c" * 63, "ip_config": static}
    more |= {"device_id": bytes.fromhex(ID), "radio_antenna": b"\2", "eap_config": b"\x19"}
    image = _image(keys, **more)
    (tmp_path / "image").write_bytes(image)
    folder = tmp_path / "pt"
    assert cli.main(["keys", "import-dct", str(tmp_path / "image"), str(folder)]) == 0
    config = json.loads((folder / "config.json").read_text())
    assert config["server"] == "device.spark.io" and config["port"] == 5683
    assert config["transport"] == "udp" and config["device_id"] == ID
    # the device reads what was written
    store = Store(str(folder))
    assert EcKeys(store, bytes(12)).server == keys["alt_server_public_key"]
    assert store.read("device.rsa.der") == keys["device_private_key"]
    assert store.get(4) == b"c" * 63
    networks = Networks(store)
    assert networks.option("antenna") == b"\2" and len(networks) == 0
    assert networks.option("static") == static[4:20]
    assert (folder / "device.ec.der").stat().st_mode & 0o77 == 0
    # and the way back gives the image
    out = tmp_path / "out"
    base = ["--base", str(tmp_path / "image")]
    assert cli.main(["keys", "export-dct", str(folder), str(out), *base]) == 0
    assert out.read_bytes() == image


def test_import_over_other_files(keys, tmp_path, capsys):
    (tmp_path / "image").write_bytes(_image(keys))
    arguments = ["keys", "import-dct", str(tmp_path / "image"), str(tmp_path / "pt"), "--json"]
    assert cli.main(arguments) == cli.main(arguments) == 0
    (tmp_path / "pt" / "device.ec.der").write_bytes(b"another")
    capsys.readouterr()
    assert cli.main(arguments) == 1
    assert "--force" in capsys.readouterr().err
    assert cli.main([*arguments, "--force"]) == 0
    assert json.loads(capsys.readouterr().out)["left_out"] == []
    assert (tmp_path / "pt" / "device.ec.der").read_bytes() == keys["alt_device_private_key"]


def test_tcp_image_of_gen2(keys):
    del (keys := dict(keys))["alt_device_private_key"]
    image = _image(keys, GEN2, antenna_selection=b"\0", cloud_transport=b"\0")
    record = bytes.fromhex(VECTORS["server_address"][1]["hex"])
    image[2466 : 2466 + 128] = record
    files = dct.read(bytes(image), "gen2").files
    config = json.loads(files["config.json"])
    assert config == {"v": 1, "transport": "tcp", "server": "192.168.1.10", "port": 5683}
    assert dct.write(files, "gen2", bytes(image)) == image
    blank = dct.write(files, "gen2")
    assert dct.read(blank, "gen2").files == files


def test_damaged_images(keys):
    image = bytes(_image(keys))
    for wrong in (b"", image[:-1], image + b"\xff"):
        with pytest.raises(UserError, match="8391"):
            dct.read(wrong)
    for at in (35, 3107):
        with pytest.raises(UserError, match="damaged"):
            dct.read(image[:at] + b"\x83\xff\xff\xff" + image[at + 4 :])
    with pytest.raises(UserError, match="damaged"):
        dct.read(image[:34] + b"x" + image[35:])
    for files in ({"claim": b"PT"}, {"config.json": b"["}, {"config.json": b"[]"}):
        with pytest.raises(UserError):
            dct.write(files)
    draw = random.Random(5)
    for _ in range(300):
        noise = bytearray(image)
        for _ in range(40):
            noise[draw.randrange(dct.SIZE)] = draw.randrange(256)
        try:
            dct.read(bytes(noise))
        except UserError as error:
            assert str(error)
