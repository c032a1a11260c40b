"""Files whose content says when or in what order a build ran: it differs between two builds of one Dockerfile."""

from __future__ import annotations

import re

_DATABASE_BACKUP = "the package database as it was before the last step"
_ACCOUNT_BACKUP = "the accounts as they were before the last change"
_LOG = "a log: times of this build, and one part for each run of the package manager"
_MACHINE = "a random name for the machine"

ALWAYS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"/var/log/apt/(history\.log|term\.log|eipp\.log\.xz)", _LOG),
        (r"/var/log/(dpkg|alternatives|dnf|dnf\.librepo|dnf\.rpm|hawkey|yum|apk|pacman)\.log", _LOG),
        (r"/var/log/(faillog|lastlog)", "logins; grows with the highest user number"),
        (r"/var/lib/dpkg/(status|diversions|statoverride|available)-old", _DATABASE_BACKUP),
        (r"/var/cache/debconf/(config|templates|passwords)\.dat-old", _DATABASE_BACKUP),
        (r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-", _ACCOUNT_BACKUP),
        (r"/var/cache/ldconfig/aux-cache", "inode numbers and times of the libraries"),
        (r"/var/cache/fontconfig/[^/]+\.cache-\d+", "times of the font directories"),
        (r"/etc/machine-id|/var/lib/dbus/machine-id", _MACHINE),
    )
)
"""Patterns of whole paths, each with its reason. Only content is excused: the file must be there with its mode and owner."""


BY_TIME: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(/root|/home/[^/]+)/\.npm/_logs/[^/]+\.log"), "a log whose name is the time of the build"),
)
"""Patterns of files that have another name in each build: they may come and go."""


def reason_to_come_or_go(path: str) -> str:
    """Why a file may be in one build and not in another; "" if it may not."""
    return next((why for pattern, why in BY_TIME if pattern.fullmatch(path)), "")


def reason(path: str) -> str:
    """Why the content of a file may differ between two builds; "" if it may not."""
    return next((why for pattern, why in ALWAYS if pattern.fullmatch(path)), "")
