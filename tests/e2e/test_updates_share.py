"""Which share of a slow link carries an image, on a fake clock: the goals are floors.

32 kB/s and 100 ms (shaped_world.py); what `bench.updates` measures.
"""

import pytest

from shaped_world import share

SIZE = 1_000_000
WHOLE, LOSSY = 0.9, 0.68  # with start and finish


@pytest.mark.parametrize(("loss", "least"), [(0.0, WHOLE), (0.1, LOSSY)])
def test_share_of_the_link(tmp_path, loss, least):
    assert share(tmp_path, SIZE, loss)[0] >= least


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5, 12))
def test_share_of_the_link_in_other_weather(tmp_path, seed):
    # one of them alone has less luck than the mean, which has the goal
    assert share(tmp_path, SIZE, 0.1, seed)[1] >= 0.9 * LOSSY
