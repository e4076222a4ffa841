from collections.abc import Callable, Generator

def generate(
    rng: Callable[[int], bytes], seen: list[int]
) -> Generator[None, None, tuple[int, int, int, int, int, int, int, int]]: ...
