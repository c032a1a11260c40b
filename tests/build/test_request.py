from __future__ import annotations

import json

from dfkit.build.request import BuildRequest, Resources, query


def test_a_plain_request_says_only_what_it_must():
    assert query(BuildRequest()) == [("version", "2"), ("dockerfile", "Dockerfile")]


def test_every_field_reaches_the_query():
    request = BuildRequest(
        dockerfile="docker/app.Dockerfile",
        tags=("a:1", "b"),
        build_args={"V": "1", "UNSET": None},
        target="final",
        labels={"k": "v"},
        network="host",
        platform="linux/arm64",
        no_cache=True,
        pull=True,
        cache_from=("reg/x",),
        extra_hosts=("db:10.0.0.1",),
        shm_size=1024,
        ulimits={"nofile": (10, 20)},
        resources=Resources(1, -1, 3, 4, 5, "0-1", "0", "/up"),
        squash=True,
        security_opt=("credentialspec=file://x",),
        isolation="process",
    )
    pairs = query(request)
    assert [value for name, value in pairs if name == "t"] == ["a:1", "b"]
    said = dict(pairs)
    assert json.loads(said["buildargs"]) == {"V": "1", "UNSET": None}
    assert json.loads(said["labels"]) == {"k": "v"}
    assert json.loads(said["cachefrom"]) == ["reg/x"]
    assert json.loads(said["ulimits"]) == [{"Name": "nofile", "Soft": 10, "Hard": 20}]
    assert {
        name: said[name]
        for name in (
            *("dockerfile", "target", "networkmode", "platform", "nocache", "pull", "extrahosts", "shmsize"),
            *("memory", "memswap", "cpushares", "cpuperiod", "cpuquota", "cpusetcpus", "cpusetmems", "cgroupparent"),
            *("squash", "securityopt", "isolation"),
        )
    } == {
        "dockerfile": "docker/app.Dockerfile",
        "target": "final",
        "networkmode": "host",
        "platform": "linux/arm64",
        "nocache": "1",
        "pull": "1",
        "extrahosts": "db:10.0.0.1",
        "shmsize": "1024",
        "memory": "1",
        "memswap": "-1",
        "cpushares": "3",
        "cpuperiod": "4",
        "cpuquota": "5",
        "cpusetcpus": "0-1",
        "cpusetmems": "0",
        "cgroupparent": "/up",
        "squash": "1",
        "securityopt": '["credentialspec=file://x"]',
        "isolation": "process",
    }
