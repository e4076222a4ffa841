"""Many boards of a table: a line of JSON for each, and no board stops another."""

import json

import pytest

from particle_tools.cli import main
from particle_tools.provisioning.batch import read
from particle_tools.provisioning.steps import Order


@pytest.fixture
def batch(cloud, capsys, tmp_path):
    """Give `batch(lines, *arguments)` -> (status, reports by port, what was on stderr)."""

    def run(lines, *arguments):
        path = tmp_path / "boards.csv"
        path.write_bytes(lines if isinstance(lines, bytes) else "\n".join(lines).encode())
        who = ["--cloud", cloud.url, "--user", cloud.user]
        status = main(["provision", "--batch", str(path), *who, *arguments])
        out, err = capsys.readouterr()
        reports = [json.loads(line) for line in out.splitlines()]
        return status, {report["port"]: report for report in reports}, err

    return run


def test_a_failed_board_does_not_stop_the_others(blank, batch, api, tmp_path):
    first, second, bad = blank(), blank(), blank({"/pt/config.json": '{"v": 9}'})
    nowhere = str(tmp_path / "nowhere")
    lines = [
        "port,name,ssid,password",
        f"{nowhere},,,",
        f"{first.port},first,home,Geheim77",
        f"{bad.port},,,",
        f'{second.port},"second, of two",cafe,',
        "elsewhere,,,Geheim77",
    ]
    status, reports, err = batch(lines, "--jobs", "2")
    assert status == 1 and len(reports) == 5 and "Geheim77" not in err + json.dumps(reports)
    assert {port: report["ok"] for port, report in reports.items()} == {
        nowhere: False,
        first.port: True,
        bad.port: False,
        second.port: True,
        "elsewhere": False,
    }
    assert reports[nowhere]["stage"] == "port" and "cannot be opened" in reports[nowhere]["error"]
    assert "newer version" in reports[bad.port]["error"]
    assert reports["elsewhere"]["stage"] == "arguments"
    assert reports["elsewhere"]["error"] == "line 6: a password without ssid"
    assert reports[first.port]["networks"] == [{"ssid": "home", "changed": "added"}]
    named = api.device(reports[second.port]["device_id"])
    assert named["name"] == "second, of two"
    # the good ones once more: nothing is left to do
    status, again, _ = batch([lines[0], lines[2], lines[4]])
    assert status == 0
    assert [report["changed"] for report in again.values()] == [[], []]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "no column `port`"),
        (["name", "x"], "no column `port`"),
        (["port,port", "a,b"], "one twice"),
        (["port,colour", "a,red"], "unknown column 'colour'"),
        (["port"], "no boards"),
        (["port", "a", "a"], "port a is there twice"),
        (["port,name", "a"], "line 2 has not 2 columns"),
        (["port,name", "a,b,c"], "line 2 has not 2 columns"),
        (["port,name", 'a,"b'], "unexpected end of data"),
        (b"port\n\xff\xfe\n", "no UTF-8"),
        (b"port\na\0b\n", "NUL"),
    ],
)
def test_tables_that_cannot_be_read(batch, lines, problem):
    status, reports, err = batch(lines)
    assert (status, reports) == (1, {}) and len(err.splitlines()) == 1
    assert problem in err


def test_blanks_belong_to_names_and_passwords_of_networks_only(tmp_path):
    path = tmp_path / "boards.csv"
    path.write_text('port, name ,ssid,password\n a , first ," Home "," pass word "\nb,,x,\n')
    (first, one), (second, two) = read(path, Order())
    assert (first, one.name, second) == ("a", "first", "b")
    assert one.networks == [{"ssid": b" Home ", "password": b" pass word "}]
    assert two.networks == [{"ssid": b"x", "password": None}]


def test_lines_that_cannot_be_meant(batch, tmp_path):
    lines = ["port,transport,server,product,ssid", ",,,,", "a,ftp,,,", "b,,h:x,,", "c,,,many,"]
    lines.append(f"d,,,,{'x' * 33}")
    status, reports, _ = batch(lines)
    assert status == 1 and {report["stage"] for report in reports.values()} == {"arguments"}
    problems = [reports[port]["error"] for port in ("", "a", "b", "c", "d")]
    wanted = ("no port", "ftp", "HOST:PORT", "expected a number", "1 to 32 bytes")
    assert all(part in text for part, text in zip(wanted, problems, strict=True))


def test_what_is_wrong_with_the_command(capsys, tmp_path):
    who = ["--user", "a:b"]
    for arguments, problem in (
        (["--batch", str(tmp_path)], "directory"),
        (["--batch", str(tmp_path / "none.csv")], "No such file"),
        (["--port", "x", "--jobs", "0"], "--jobs 0"),
        (["--port", "x", "--product", "65535"], "--product"),
        (["--port", "x", "--server", "host:"], "HOST:PORT"),
        (["--port", "x", "--cloud", "127.0.0.1"], "expected a URL"),
        (["--port", "x", "--cloud", "http://127.0.0.1:1"], "not reachable"),
    ):
        assert main(["provision", *who, *arguments]) == 1
        err = capsys.readouterr().err
        assert problem in err and len(err.splitlines()) == 1, err
    assert main(["provision", "--port", "x"]) == 1
    assert "--user" in capsys.readouterr().err
