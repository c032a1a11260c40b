from __future__ import annotations

import tarfile

import pytest

from dfkit.image.flatten import flatten
from dfkit.image.waste import waste

DIR, LINK = tarfile.DIRTYPE, tarfile.LNKTYPE


@pytest.fixture
def measure(make):
    def measured(*layers, base_layers=0):
        with make.image(*layers) as image:
            return waste(flatten(image), image.layers, base_layers=base_layers)

    return measured


def test_a_file_made_and_deleted_is_shadowed_whole(make, measure):
    h = make.header
    found = measure([h("a", data=b"1")], [h("big", data=bytes(20 << 20))], [h(".wh.big")])
    assert found.shadowed == found.wasted == found.layers[1].shadowed == 20 << 20
    assert found.layers[1].created_by == "step 1"
    assert (found.bytes, found.layers[2].shadowed) == ((20 << 20) + 1, 0)


def test_a_removed_directory_and_an_opaque_one_shadow_all_they_held(make, measure):
    h = make.header
    base = [h("d", DIR), h("d/x", data=b"12345"), h("d/e", DIR), h("d/e/y", data=b"123")]
    assert measure(base, [h(".wh.d")]).shadowed == 8
    assert measure(base, [h("d", DIR), h("d/.wh..wh..opq")]).shadowed == 8


def test_waste_in_the_base_is_not_counted(make, measure):
    h = make.header
    found = measure([h("a", data=b"12345")], [h(".wh.a"), h("b", data=b"1")], base_layers=1)
    assert (found.shadowed, found.bytes) == (0, 1)
    assert (found.layers[0].base, found.layers[0].bytes, found.layers[0].shadowed) == (True, 5, 0)


def test_a_file_with_several_names_counts_once(make, measure):
    h = make.header
    layer = [h("a", data=b"12345"), h("b", LINK, linkname="a")]
    assert measure(layer, [h(".wh.a")]).shadowed == 0
    assert measure(layer, [h(".wh.a"), h(".wh.b")]).shadowed == 5
    found = measure(layer, [h("c", LINK, linkname="a")])
    assert [one.bytes for one in found.layers] == [5, 0]


def test_a_chown_copy_is_told_from_both_sides_and_wasted_once(make, measure):
    h = make.header
    found = measure([h("base")], [h("app", data=b"12345")], [h("app", data=b"12345", uid=7)], base_layers=1)
    assert (found.layers[1].shadowed, found.layers[2].dup) == (5, 5)
    assert found.wasted == 5


def test_a_copy_of_a_base_file_is_wasted_though_nothing_above_the_base_is_shadowed(make, measure):
    h = make.header
    found = measure([h("app", data=b"12345")], [h("app", data=b"12345", mode=0o755)], base_layers=1)
    assert (found.shadowed, found.dup, found.wasted) == (0, 5, 5)


def test_other_content_at_the_same_path_is_no_copy(make, measure):
    h = make.header
    found = measure([h("app", data=b"12345")], [h("app", data=b"54321")], base_layers=1)
    assert (found.dup, found.wasted) == (0, 0)


@pytest.mark.parametrize(
    "path",
    [
        "var/lib/apt/lists/x",
        "var/cache/apt/archives/a.deb",
        "var/cache/apk/x",
        "root/.cache/pip/x",
        "home/me/.cache/x",
        "root/.npm/_cacache/x",
        "usr/local/lib/ruby/gems/3.1.0/cache/x.gem",
        "go/pkg/mod/cache/x",
    ],
)
def test_files_in_a_package_cache_are_counted(make, measure, path):
    found = measure([make.header(path, data=b"12345")], [make.header(path + ".gone/.wh.x")])
    assert (found.cache, found.shadowed, found.wasted) == (5, 0, 5)


@pytest.mark.parametrize("path", ["var/lib/apt/extended_states", "srv/root/.cache/x", "usr/share/cache/x"])
def test_other_files_are_no_cache(make, measure, path):
    assert measure([make.header(path, data=b"12345")]).cache == 0


def test_a_deleted_cache_is_shadowed_and_not_cache(make, measure):
    found = measure([make.header("root/.cache/x", data=b"12345")], [make.header("root/.wh..cache")])
    assert (found.cache, found.shadowed, found.wasted) == (0, 5, 5)
