from __future__ import annotations

import pytest

from dfkit.checks.labels import _is_valid


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("url", "https://example.com"),
        ("url", "mailto:jane@example.com"),
        ("rfc3339", "2024-02-29T12:00:00Z"),
        ("rfc3339", "2024-02-29T12:00:00.5+01:00"),
        ("hash", "0123456"),
        ("hash", "0" * 40),
        ("semver", "1.2.3-rc.1+build.5"),
        ("email", "jane@example.com"),
        ("spdx", "0BSD"),
        ("spdx", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("spdx", "(MIT OR Apache-2.0+) AND LicenseRef-own"),
    ],
)
def test_what_is_right(kind, value):
    assert _is_valid(value, kind)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("url", "example.com"),
        ("url", "https:"),
        ("rfc3339", "2023-02-29T12:00:00Z"),
        ("rfc3339", "2024-02-29 12:00:00Z"),
        ("rfc3339", "2024-02-29T12:00:00"),
        ("hash", "0" * 39),
        ("hash", "ABCDEF0"),
        ("semver", "v1.2.3"),
        ("semver", "1.2"),
        ("semver", "01.2.3"),
        ("email", "Jane"),
        ("spdx", ""),
        ("spdx", "mit"),
        ("spdx", "MIT OR"),
        ("spdx", "MIT Apache-2.0"),
        ("spdx", "MIT WITH Apache-2.0"),
        ("spdx", "(MIT"),
    ],
)
def test_what_is_wrong(kind, value):
    assert not _is_valid(value, kind)
