"""Everything that reads images and bundles, with what was changed at random: `images_fuzz.py SEED
ROUNDS`; for the long run. The short one is a part of the tests of each.
"""

import sys

from ota import test_mutated_bundles
from wire import test_module


def main(seed, rounds):
    """Run all of it with seeds from `seed` on."""
    for i in range(seed, seed + 10):
        test_module.fuzz(i, rounds * 20)
        taken = test_mutated_bundles.signed_nonsense(i, rounds)
        test_mutated_bundles.unsigned_nonsense(i, rounds)
        test_mutated_bundles.lines_of_nonsense(i, rounds * 10)
        test_mutated_bundles.records_of_nonsense(i, rounds * 10)
        print("seed", i, "taken", taken)
    print("done")


main(int(sys.argv[1]), int(sys.argv[2]))
