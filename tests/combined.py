"""Several modules as one file, as other tools make them: ours read it and never write it."""

from particle_tools.images import modules

_COMBINED = 0x04


def combine(*parts):
    """Return one file of several modules."""
    found = []
    for data in parts[:-1]:
        module = modules.parse(data)[0]
        changed = vars(module.prefix) | {"flags": module.prefix.flags | _COMBINED}
        found.append(modules.build(modules.Prefix(**changed), module.payload, module.suffix))
    return b"".join([*found, *parts[-1:]])
