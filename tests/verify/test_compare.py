from __future__ import annotations

import pytest

from dfkit.errors import UsageError
from dfkit.image.entry import Entry
from dfkit.image.flatten import Flat
from dfkit.verify.compare import compare
from dfkit.verify.noise import ALWAYS


def file(content="x", stable=None, **fields):
    return Entry("file", **{"mode": 0o644, "sha256": content, "stable_sha256": stable or content} | fields)


def flat(files=(), top=(), **config):
    return Flat({"/": Entry("directory"), **dict(files)}, {"architecture": "amd64", "os": "linux", **dict(top), "config": config})


def kinds(comparison):
    return [(one.kind, one.path) for one in comparison.differences]


def test_an_image_is_equivalent_to_itself():
    image = flat({"/a": file(), "/b": Entry("symlink", linkname="a")}, Env=["A=1"], Cmd=["sh"])
    found = compare(image, image)
    assert found.equivalent
    assert found.explained == ()


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("added", None, file()),
        ("removed", file(), None),
        ("type", file(), Entry("directory")),
        ("content", file("1"), file("2")),
        ("mode", file(mode=0o755), file(mode=0o4755)),
        ("owner", file(uid=0), file(uid=1)),
        ("owner", file(gid=0), file(gid=1)),
        ("target", Entry("symlink", linkname="a"), Entry("symlink", linkname="b")),
        ("device", Entry("char", device=(1, 3)), Entry("char", device=(1, 5))),
        ("xattrs", file(), file(xattrs=(("security.capability", b"1"),))),
        ("mode", Entry("directory"), Entry("directory", mode=0o700)),
    ],
)
def test_every_attribute_is_compared_and_can_be_declared(kind, before, after):
    original, optimized = (flat({"/p/a": entry} if entry else {}) for entry in (before, after))
    found = compare(original, optimized)
    assert not found.equivalent
    assert kinds(found) == [(kind, "/p/a")]
    assert compare(original, optimized, declared=[f"{kind}:/p/*"]).equivalent
    others = [other for other in ("added", "removed", "type", "content", "mode", "owner", "xattrs") if other != kind]
    assert not compare(original, optimized, declared=[f"{','.join(others)}:/p/*", f"{kind}:/p/other"]).equivalent


def test_hard_links_are_compared_as_groups():
    one, two = file(), file()
    linked, apart = flat({"/a": one, "/b": one}), flat({"/a": one, "/b": two})
    assert compare(linked, flat({"/a": two, "/b": two})).equivalent
    assert kinds(compare(linked, apart)) == [("links", "/a"), ("links", "/b")]
    assert kinds(compare(apart, linked)) == [("links", "/a"), ("links", "/b")]


def test_a_removed_name_does_not_mark_the_names_that_stay():
    one = file()
    found = compare(flat({"/a": one, "/cache/b": one}), flat({"/a": one}), declared=["removed:/cache/**"])
    assert found.equivalent


@pytest.mark.parametrize(
    ("name", "before", "after", "path"),
    [
        ("Env", ["A=1"], ["A=2"], "Env.A"),
        ("Env", ["A=1"], ["A=1", "B="], "Env.B"),
        ("Env", ["A=1", "B=2"], ["B=2", "A=1"], "Env"),
        ("Cmd", ["sh"], ["sh", "-c"], "Cmd"),
        ("Cmd", ["sh"], None, "Cmd"),
        ("Entrypoint", None, ["x"], "Entrypoint"),
        ("WorkingDir", "/a", "/b", "WorkingDir"),
        ("User", "", "root", "User"),
        ("ExposedPorts", {"80/tcp": {}}, {}, "ExposedPorts.80/tcp"),
        ("Volumes", {"/v": {}}, {"/w": {}}, "Volumes./v"),
        ("Labels", {"a": "1"}, {"a": ""}, "Labels.a"),
        ("Healthcheck", {"Test": ["NONE"]}, None, "Healthcheck"),
        ("Healthcheck", {"Test": ["CMD", "x"]}, {"Test": ["CMD", "x"], "Retries": 2}, "Healthcheck"),
        ("StopSignal", "SIGTERM", "SIGINT", "StopSignal"),
        ("Shell", ["/bin/sh", "-c"], None, "Shell"),
        ("OnBuild", ["RUN a"], ["RUN b"], "OnBuild"),
        ("ArgsEscaped", True, False, "ArgsEscaped"),
        ("SomethingNew", 1, 2, "SomethingNew"),
    ],
)
def test_every_setting_is_compared_and_can_be_declared(name, before, after, path):
    original, optimized = flat(**{name: before}), flat(**{name: after})
    assert ("config", path) in kinds(compare(original, optimized))
    assert compare(original, original).equivalent
    noise = flat(**{name: after})
    assert not compare(original, optimized, noise=noise).equivalent
    assert compare(original, optimized, declared=[f"config:{name}", f"config:{name}.**"]).equivalent


@pytest.mark.parametrize("name", ["architecture", "os", "variant", "author"])
def test_platform_and_author_are_compared(name):
    original, optimized = flat(top={name: "1"}), flat(top={name: "2"})
    assert kinds(compare(original, optimized)) == [("config", name.capitalize())]
    assert compare(original, optimized, declared=[f"config:{name.capitalize()}"]).equivalent


def test_what_says_nothing_is_no_difference():
    original = flat(Env=[], Cmd=None, Labels=None, WorkingDir="", Volumes={}, Hostname="1", Image="sha256:1", ArgsEscaped=False)
    assert compare(original, flat(WorkingDir="/", Hostname="2")).equivalent
    assert compare(Flat({}, {"created": "1", "history": [1]}), Flat({}, {"created": "2", "config": None})).equivalent


def test_labels_keep_their_dots():
    original, optimized = flat(top={"author": "me"}), flat(Labels={"org.opencontainers.image.authors": "me"})
    assert compare(original, optimized, declared=["config:Author", "config:Labels.org.opencontainers.image.authors"]).equivalent


def test_what_differs_between_two_builds_of_the_original_is_noise():
    first, second = flat({"/log": file("1"), "/a": file()}), flat({"/log": file("2"), "/a": file()})
    found = compare(first, flat({"/log": file("3"), "/a": file()}), noise=second)
    assert found.equivalent
    assert [(one.path, one.reason) for one in found.explained] == [("/log", "differs between two builds of the original, too")]
    assert not compare(first, flat({"/log": file("1"), "/a": file("2")}), noise=second).equivalent


def test_noise_excuses_only_its_own_kind():
    first, second = flat({"/log": file("1")}), flat({"/log": file("2")})
    assert kinds(compare(first, flat(), noise=second)) == [("removed", "/log")]
    assert kinds(compare(first, flat({"/log": file("3", mode=0o666)}), noise=second)) == [("mode", "/log")]
    assert kinds(compare(first, flat({"/log": Entry("fifo")}), noise=second)) == [("type", "/log")]


def test_a_file_that_one_of_two_builds_lacks_may_be_absent_but_not_changed():
    first, second = flat({"/tmp/a": file()}), flat()
    assert compare(first, flat(), noise=second).equivalent
    assert kinds(compare(first, flat({"/tmp/a": file("2")}), noise=second)) == [("content", "/tmp/a")]
    assert kinds(compare(first, flat({"/tmp/b": file()}), noise=second)) == [
        ("added", "/tmp/b"),
    ]
    assert compare(second, first, noise=first).equivalent


PATHS_OF_ALWAYS = [
    "/var/log/apt/history.log",
    "/var/log/dpkg.log",
    "/var/log/lastlog",
    "/var/lib/dpkg/status-old",
    "/var/cache/debconf/config.dat-old",
    "/etc/shadow-",
    "/var/cache/ldconfig/aux-cache",
    "/var/cache/fontconfig/0c9e-le64.cache-8",
    "/etc/machine-id",
]


@pytest.mark.parametrize("path", PATHS_OF_ALWAYS)
def test_files_that_are_always_noise_may_differ_in_content_only(path):
    original = flat({path: file("1")})
    found = compare(original, flat({path: file("2")}))
    assert found.equivalent
    assert found.explained[0].reason
    assert kinds(compare(original, flat())) == [("removed", path)]
    assert kinds(compare(flat(), original)) == [("added", path)]
    assert kinds(compare(original, flat({path: file("1", uid=1)}))) == [("owner", path)]


def test_every_pattern_of_the_list_is_tried_above():
    assert all(any(pattern.fullmatch(path) for path in PATHS_OF_ALWAYS) for pattern, _ in ALWAYS)


@pytest.mark.parametrize(
    "path", ["/var/log/apt/evil", "/etc/passwd", "/srv/var/log/dpkg.log", "/var/lib/dpkg/status", "/etc/shadow"]
)
def test_their_neighbours_are_not(path):
    assert not compare(flat({path: file("1")}), flat({path: file("2")})).equivalent


def test_a_pyc_may_differ_in_the_time_of_its_source():
    found = compare(flat({"/a.pyc": file("1", "same")}), flat({"/a.pyc": file("2", "same")}))
    assert found.equivalent
    assert "modification time" in found.explained[0].reason
    assert not compare(flat({"/a.pyc": file("1", "one")}), flat({"/a.pyc": file("2", "other")})).equivalent


@pytest.mark.parametrize(
    ("pattern", "path", "allowed"),
    [
        ("/var/lib/apt/lists/**", "/var/lib/apt/lists/a", True),
        ("/var/lib/apt/lists/**", "/var/lib/apt/lists/a/b\nc", True),
        ("/var/lib/apt/lists/**", "/var/lib/apt/lists", False),
        ("/var/lib/apt/lists/**", "/var/lib/apt/listsx/a", False),
        ("/tmp/*", "/tmp/a/b", False),
        ("/tmp/a?.txt", "/tmp/ab.txt", True),
        ("/tmp/a?.txt", "/tmp/a/xtxt", False),
        ("/**/__pycache__/**", "/usr/lib/__pycache__/a.pyc", True),
        ("/**/__pycache__/**", "/__pycache__/a.pyc", True),
        ("/usr/Foo::Bar", "/usr/Foo::Bar", True),
        ("/a.b", "/axb", False),
    ],
)
def test_a_bare_pattern_declares_a_removal(pattern, path, allowed):
    assert compare(flat({path: file()}), flat(), declared=[pattern]).equivalent is allowed
    assert not compare(flat(), flat({path: file()}), declared=[pattern]).equivalent


def test_changed_means_any_change_that_keeps_the_type():
    before, after = flat({"/a": file("1")}), flat({"/a": file("2", uid=1, mode=0o600)})
    assert compare(before, after, declared=["changed:/a"]).equivalent
    assert not compare(before, flat(), declared=["changed:/a"]).equivalent
    assert not compare(before, flat({"/a": Entry("fifo")}), declared=["changed:/a"]).equivalent


@pytest.mark.parametrize("text", ["renamed:/a", "tmp/*", ":/a", ""])
def test_an_unknown_declaration_is_said(text):
    with pytest.raises(UsageError, match="declares"):
        compare(flat(), flat(), declared=[text])


def test_a_log_that_is_named_by_the_time_may_come_and_go():
    log = Entry("file", sha256="x", stable_sha256="x")
    before, after = ({f"/root/.npm/_logs/2026-01-01T00_00_0{second}_000Z-debug-0.log": log} for second in (1, 2))
    assert compare(Flat(before, {}), Flat(after, {})).equivalent
    assert not compare(Flat({"/root/.npm/_logs/other": log}, {}), Flat({}, {})).equivalent
