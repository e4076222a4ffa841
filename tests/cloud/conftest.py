"""Fixtures: one cloud per test module, two users and a device on it."""

from __future__ import annotations

import pytest
from Crypto.PublicKey import RSA

from cloud.hook_target import Account, Target
from cloud.running import (
    OTHER,
    USER,
    Api,
    Restarted,
    Running,
    new_ec_key,
    provision,
    provision_ec,
)
from particle_tools.cloud.settings import Limits, Settings


@pytest.fixture(scope="session")
def keys():
    """Two RSA-1024 device keys."""
    return RSA.generate(1024), RSA.generate(1024)


@pytest.fixture(scope="module")
def limits():
    """Limits of the module's cloud; a module overrides this to shorten waits."""
    return Limits()


@pytest.fixture(scope="module")
def time_stands():
    """Whether the time of the module's cloud stands still; a module overrides this.

    Such a cloud repeats nothing and gives nobody up because this host is slow.
    """
    return False


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, limits, time_stands):
    """A running cloud with the users ANN and BOB."""
    running = Running(
        Settings(data=tmp_path_factory.mktemp("cloud") / "data", user=USER, limits=limits),
        held=time_stands,
    )
    running.run(running.services.accounts.create(*OTHER))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def held_cloud(tmp_path_factory):
    """Give a function that starts a cloud whose time the tests let pass."""
    started = []

    def start(**settings):
        data = tmp_path_factory.mktemp("held") / "d"
        started.append(Running(Settings(data=data, user=USER, **settings), held=True))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="module")
def held(held_cloud):
    """A cloud whose time the tests let pass."""
    return held_cloud()


@pytest.fixture(scope="module")
def rest(held):
    """REST of that cloud as ANN."""
    return Api(held.url).login()


@pytest.fixture(scope="module")
def api(cloud):
    """REST as ANN."""
    return Api(cloud.url).login()


@pytest.fixture(scope="module")
def other_api(cloud):
    """REST as BOB."""
    return Api(cloud.url).login(OTHER)


@pytest.fixture
def device_id(api, keys):
    """A device of ANN, provisioned with the first key."""
    return provision(api, keys[0])


@pytest.fixture
def anonymous(cloud):
    """REST without a token."""
    return Api(cloud.url)


@pytest.fixture(scope="session")
def ec_key():
    """A P-256 device key."""
    return new_ec_key()


@pytest.fixture
def udp_id(api, ec_key):
    """A device of ANN, provisioned with the P-256 key."""
    return provision_ec(api, ec_key)


@pytest.fixture
def target():
    """Where webhooks go; each test has its own, as the end of one test may trigger some."""
    found = Target()
    yield found
    found.close()


@pytest.fixture
def account(cloud, api):
    """ANN with her webhooks and what she hears."""
    found = Account(cloud, api, USER)
    yield found
    found.close()


@pytest.fixture
def no_errors(caplog):
    """Nothing strangers do may end in a logged exception."""
    yield
    assert [r for r in caplog.records if r.name == "particle.cloud"] == []


@pytest.fixture
def restarted(tmp_path):
    """Give a cloud that can be stopped and started."""
    found = Restarted(tmp_path / "d")
    yield found
    found.cloud.stop()
