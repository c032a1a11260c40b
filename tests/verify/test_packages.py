"""Packages that are gone explain what was theirs, and nothing else."""

import pytest

from dfkit.image.entry import Entry
from dfkit.image.flatten import Flat
from dfkit.verify.compare import compare

INFO = "/var/lib/dpkg/info"
BASE = {
    "/": Entry("directory"),
    "/usr": Entry("directory"),
    "/usr/bin": Entry("directory"),
    "/lib": Entry("symlink", 0o777, linkname="usr/lib"),
    "/usr/lib": Entry("directory"),
    "/usr/bin/tar": Entry("file", sha256="t"),
    f"{INFO}/tar.list": Entry("file", kept=b"/.\n/usr\n/usr/bin\n/usr/bin/tar\n"),
}
ADDED = {
    "/usr/bin/gcc": Entry("file", sha256="g"),
    "/usr/lib/libgcc.a": Entry("file", sha256="l"),
    "/usr/lib/gcc": Entry("directory"),
    "/usr/lib/gcc/made-by-a-script": Entry("file", sha256="s"),
    "/usr/lib/libc.so": Entry("file", sha256="c"),
    "/etc/alternatives/cc": Entry("symlink", 0o777, linkname="/usr/bin/gcc"),
    "/usr/bin/cc": Entry("symlink", 0o777, linkname="/etc/alternatives/cc"),
    f"{INFO}/gcc.list": Entry("file", kept=b"/.\n/usr\n/usr/bin\n/usr/bin/gcc\n/lib/libgcc.a\n/lib/gcc\n"),
    f"{INFO}/gcc.md5sums": Entry("file", sha256="m"),
    f"{INFO}/libc6.list": Entry("file", kept=b"/.\n/usr\n/usr/lib\n/usr/lib/libc.so\n"),
    "/var/lib/dpkg/status": Entry("file", sha256="1"),
}
GCC = {path for path in ADDED if path not in ("/usr/lib/libc.so", f"{INFO}/libc6.list", "/var/lib/dpkg/status")}


def flat(files):
    return Flat(files, {}, (BASE, ADDED))


def differences(without, changed=None, declared=("packages",)):
    files = {path: entry for path, entry in {**BASE, **ADDED}.items() if path not in without}
    found = compare(flat({**BASE, **ADDED}), flat({**files, **(changed or {})}), declared=declared, base_layers=1)
    return [(one.kind, one.path) for one in found.differences]


def test_all_that_was_a_packages_is_explained():
    assert differences(GCC, {"/var/lib/dpkg/status": Entry("file", sha256="2")}) == []


def test_without_the_declaration_nothing_is():
    assert len(differences(GCC, declared=())) == len(GCC)


@pytest.mark.parametrize("path", ["/usr/lib/libc.so", "/usr/bin/tar", "/usr/bin"])
def test_what_belongs_to_a_package_that_stays_is_missed(path):
    assert differences({*GCC, path}) == [("removed", path)]


def test_a_package_of_the_base_may_not_go():
    assert ("removed", "/usr/bin/tar") in differences({*GCC, "/usr/bin/tar", f"{INFO}/tar.list"})


def test_a_changed_program_is_no_removed_one():
    assert differences(set(), {"/usr/bin/gcc": Entry("file", sha256="other", stable_sha256="other")}) == [
        ("content", "/usr/bin/gcc")
    ]


def test_a_file_that_no_package_brought_is_missed():
    files = {**BASE, **ADDED, "/usr/local/bin/app": Entry("file", sha256="a")}
    kept = {path: entry for path, entry in files.items() if path not in GCC and path != "/usr/local/bin/app"}
    found = compare(flat(files), flat(kept), declared=["packages"], base_layers=1)
    assert [one.path for one in found.differences] == ["/usr/local/bin/app"]
