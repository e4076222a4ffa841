# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.setup
    import particle.setup.softap
    import particle.setup.softap_commands
    import particle.setup.softap_configure
    import particle.setup.softap_dns
    import particle.setup.softap_http
    import particle.setup.softap_json
    import particle.setup.softap_key
    import particle.setup.softap_server
    import particle.setup.softap_tcp

    setup
    softap
    softap_commands
    softap_configure
    softap_dns
    softap_http
    softap_json
    softap_key
    softap_server
    softap_tcp
