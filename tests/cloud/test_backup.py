"""`particle-mp cloud backup` and `restore`: all that was committed, and no session twice."""

import hashlib
import io
import json
import sqlite3
import stat
import tarfile
import threading

import pytest

from cloud.device import ACK, CON, pack
from cloud.missed import Reader
from cloud.running import USER, Api, Running, provision, provision_ec
from cloud.test_migrations import make
from cloud.test_udp_session import wait_for
from particle_tools.cli import main
from particle_tools.cloud.backup import back_up, restore
from particle_tools.cloud.schema import MIGRATIONS
from particle_tools.cloud.settings import Settings
from particle_tools.errors import UserError


def test_what_was_committed_comes_back(restarted, tmp_path, keys, capsys):
    api = restarted.api
    device_id = provision(api, keys[0])
    api("PUT", f"/v1/devices/{device_id}", {"name": "lamp"})
    code = api("POST", "/v1/device_claims", {})[1]["claim_code"]
    server_key = restarted.cloud.server_key
    file, folder = tmp_path / "b.tar", tmp_path / "new"
    assert main(["cloud", "backup", str(tmp_path / "d"), str(file)]) == 0
    assert "Keep it secret" in capsys.readouterr().out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    api("PUT", f"/v1/devices/{device_id}", {"name": "later"})
    assert main(["cloud", "restore", str(file), str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == str(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in folder.iterdir())
    for secret in (api.token.encode(), code.encode()):
        assert secret not in file.read_bytes()
    other = Running(Settings(data=folder))
    try:
        assert other.server_key == server_key
        assert Api(other.url, api.token)("GET", "/v1/user")[0] == 401
        again = Api(other.url).login()
        assert [d["name"] for d in again("GET", "/v1/devices")[1]] == ["lamp"]
        with other.device(keys[0], device_id).connect() as device:
            device.ping()
    finally:
        other.stop()
    assert api("GET", f"/v1/devices/{device_id}")[1]["name"] == "later"


def test_a_backup_during_writes_is_of_one_moment(restarted, tmp_path):
    """The two changes of a transaction are both there or not."""
    db, done = restarted.cloud.services.db, threading.Event()
    restarted.cloud.run(db.execute("CREATE TABLE pairs (a INTEGER, b INTEGER)"))
    count = 0

    def both(n):
        def job(connection):
            connection.execute("INSERT INTO pairs (a) VALUES (?)", (n,))
            connection.execute("UPDATE pairs SET b = a WHERE a = ?", (n,))

        return job

    def work():
        nonlocal count
        while not done.is_set():
            restarted.cloud.run(db.write(both(count + 1)))
            count += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for n in range(5):
            before = count
            back_up(tmp_path / "d", tmp_path / f"{n}.tar")
            restore(tmp_path / f"{n}.tar", tmp_path / f"{n}")
            found = sqlite3.connect(tmp_path / f"{n}" / "cloud.db")
            rows = found.execute("SELECT a, b FROM pairs ORDER BY a").fetchall()
            found.close()
            assert rows == [(i, i) for i in range(1, len(rows) + 1)] and len(rows) >= before
    finally:
        done.set()
        thread.join()


def test_an_old_backup_uses_no_record_number_again(restarted, tmp_path, ec_key):
    api = restarted.api
    device_id = provision_ec(api, ec_key)
    device = restarted.cloud.udp_device(ec_key, device_id).connect()
    device.subscribe("door")
    back_up(tmp_path / "d", tmp_path / "b.tar")
    seen = set()
    for n in range(5):
        api("POST", "/v1/devices/events", {"name": "door", "data": str(n)})
        event = device.recv()
        assert event.payload == b"%d" % n
        device.acknowledge(event)
    seen.update(device.client.server_numbers)
    assert seen
    restarted.cloud.stop()
    restore(tmp_path / "b.tar", tmp_path / "old")
    restarted.start_on(tmp_path / "old")
    # It asks for its session and gets nothing under the keys of before.
    device.client.server_numbers.clear()
    device.resume(253)
    mid = device.next_mid()
    device.send(pack(CON, 0, mid))
    assert device.recv(1) is None and not device.client.server_numbers
    device.close()
    with restarted.cloud.udp_device(ec_key, device_id).connect() as device:
        device.subscribe("door")
        restarted.api("POST", "/v1/devices/events", {"name": "door", "data": "new"})
        assert device.recv().payload == b"new"


def test_readers_miss_no_event_after_a_restore(restarted, tmp_path, ec_key):
    device_id = provision_ec(restarted.api, ec_key)

    def publish(*numbers):
        with restarted.cloud.udp_device(ec_key, device_id).connect() as device:
            for number in numbers:
                answer = device.publish("p", b"%d" % number, o65000=number.to_bytes(4, "big"))
                assert answer.raw == pack(ACK, 0, device.mid)

    publish(1, 2)
    back_up(tmp_path / "d", tmp_path / "b.tar")
    publish(3, 4, 5)
    newest = restarted.cloud.call(restarted.cloud.services.persisted.newest)
    restarted.cloud.stop()
    restore(tmp_path / "b.tar", tmp_path / "old")
    restarted.start_on(tmp_path / "old")
    publish(6)
    reader = Reader(restarted.api, "/v1/devices/events/p", last=str(newest))
    wait_for(lambda: len(reader.got) >= 3)
    reader.close()
    assert [data for _, _, data, _ in reader.got] == ["1", "2", "6"]


@pytest.fixture(scope="module")
def unused(tmp_path_factory):
    """The data folder of a cloud that was never used."""
    folder = tmp_path_factory.mktemp("unused") / "d"
    Running(Settings(data=folder, user=USER)).stop()
    return folder


@pytest.fixture
def made(unused, tmp_path):
    """A backup of that folder."""
    back_up(unused, tmp_path / "b.tar")
    return tmp_path / "b.tar"


def test_no_folder_and_no_file_is_overwritten(unused, made, tmp_path, capsys):
    before = made.read_bytes()
    assert main(["cloud", "backup", str(unused), str(made)]) == 1
    assert "exists" in capsys.readouterr().err and made.read_bytes() == before
    assert main(["cloud", "restore", str(made), str(unused)]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert main(["cloud", "restore", str(made), str(made)]) == 1
    assert main(["cloud", "backup", str(tmp_path / "none"), str(tmp_path / "x")]) == 1
    assert main(["cloud", "backup", str(unused), str(tmp_path / "no" / "x")]) == 1
    capsys.readouterr()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["cloud", "restore", str(made), str(empty)]) == 0
    assert main(["cloud"]) == 1 and "--data DIR" in capsys.readouterr().err


def altered(made, change):
    """Return a backup like this one whose members, name -> bytes, were changed."""
    with tarfile.open(made) as tar:
        members = {m.name: tar.extractfile(m).read() for m in tar}
    change(members)
    path = made.with_name("altered.tar")
    path.unlink(missing_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def about(**changes):
    def change(members):
        members["backup.json"] = json.dumps(json.loads(members["backup.json"]) | changes).encode()

    return change


def flipped(members):
    data = bytearray(members["cloud.db"])
    data[len(data) // 2] ^= 1
    members["cloud.db"] = bytes(data)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (about(v=2, program="9.0"), "particle-mp 9.0, which is newer"),
        (about(schema=len(MIGRATIONS) + 1), "restore it with that version"),
        (about(files={}), "is damaged"),
        (about(files=None), "is not a backup"),
        (lambda m: m.pop("backup.json"), "is not a backup"),
        (lambda m: m.update({"backup.json": b"[]"}), "is not a backup"),
        (lambda m: m.pop("server.ec.pem"), "is damaged"),
        (lambda m: m.update({"../out": b"x"}), "it holds ../out"),
        (lambda m: m.update({"/tmp/out": b"x"}), "it holds"),
        (lambda m: m.update({"more": b"x"}), "is damaged"),
        (flipped, "is damaged"),
    ],
)
def test_a_bad_backup_is_refused(made, tmp_path, change, words):
    path = altered(made, change)
    with pytest.raises(UserError, match=words):
        restore(path, tmp_path / "new")
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"b.tar", "altered.tar"} and not (tmp_path.parent / "out").exists()


def test_a_backup_of_an_earlier_version_is_restored_and_taken_over(made, tmp_path):
    def earlier(members):
        make(tmp_path / "v2.db", 2)
        data = members["cloud.db"] = (tmp_path / "v2.db").read_bytes()
        files = json.loads(members["backup.json"])["files"]
        sums = files | {"cloud.db": hashlib.sha256(data).hexdigest()}
        about(schema=2, files=sums)(members)

    restore(altered(made, earlier), tmp_path / "new")
    running = Running(Settings(data=tmp_path / "new"))
    try:
        one = running.services.db.one
        assert running.call(one, "PRAGMA user_version")[0] == len(MIGRATIONS)
        assert running.call(one, "SELECT name FROM devices")["name"] == "lamp"
        assert running.call(one, "SELECT * FROM udp_sessions") is None
        assert running.call(one, "SELECT * FROM tokens") is None
    finally:
        running.stop()


def test_a_cut_backup_is_refused(made, tmp_path):
    whole = made.read_bytes()
    for size in (0, 1, 511, 512, 2000, len(whole) // 2, len(whole) - 10_240 - 1):
        made.write_bytes(whole[:size])
        with pytest.raises(UserError):
            restore(made, tmp_path / "new")
    assert {p.name for p in tmp_path.iterdir()} == {"b.tar"}
