from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
import tracemalloc

import pytest

from dfkit.errors import UsageError
from dfkit.image.flatten import flatten
from dfkit.image.saved import SavedImage, base_layers


def test_both_layouts_hold_the_same_image(make):
    layers = [make.tar(make.header("a", data=b"1")), make.tar(make.header("b", data=b"2"))]
    with SavedImage.read([make.docker_archive(layers)]) as old, SavedImage.read([make.oci_archive(layers)]) as new:
        assert flatten(old) == flatten(new)
        assert (
            [layer.digest for layer in old.layers] == [layer.digest for layer in new.layers] == old.config["rootfs"]["diff_ids"]
        )
        assert [layer.created_by for layer in new.layers] == ["step 0", "step 1"]
        assert old.layers[0].size == len(layers[0])


def test_the_archive_comes_in_chunks_of_any_size(make):
    archive = make.docker_archive([make.tar(make.header("a", data=b"1" * 5000))])
    cuts = sorted(random.Random(1).sample(range(len(archive)), 40))
    chunks = [archive[start:end] for start, end in zip([0, *cuts], [*cuts, len(archive)], strict=True)]
    with SavedImage.read(iter(chunks)) as image:
        assert flatten(image).files["/a"].size == 5000


def test_a_layer_that_stands_twice_is_a_link_in_old_archives(make):
    layer = make.tar(make.header("a", data=b"1"))
    with SavedImage.read([make.docker_archive([layer, layer])]) as image:
        assert [change.path for change in image.layers[1].changes()] == ["/a"]


def test_layers_can_be_read_in_turns(make):
    image = make.image([make.header("a"), make.header("b")], [make.header("c"), make.header("d")])
    with image:
        one, other = (layer.changes() for layer in image.layers)
        assert [next(one).path, next(other).path, next(one).path, next(other).path] == ["/a", "/c", "/b", "/d"]


def test_created_by_skips_steps_without_a_layer(make):
    layers = [make.tar(make.header("a")), make.tar(make.header("b"))]
    steps = [{"created_by": "one"}, {"created_by": "ENV A=1", "empty_layer": True}, {"created_by": "two"}]
    with SavedImage.read([make.docker_archive(layers, make.configuration(layers, steps))]) as image:
        assert [layer.created_by for layer in image.layers] == ["one", "two"]


def test_an_image_without_history_has_layers_without_a_step(make):
    layers = [make.tar(make.header("a"))]
    with SavedImage.read([make.docker_archive(layers, make.configuration(layers, []))]) as image:
        assert image.layers[0].created_by == ""


def test_memory_does_not_grow_with_the_image(make):
    content = os.urandom(1 << 20) * 48
    layer = make.tar(make.header("big", data=content))
    archive = make.oci_archive([layer], compress=lambda data: gzip.compress(data, 1))
    size = len(archive)
    stream = io.BytesIO(archive)
    del content, layer, archive
    tracemalloc.start()
    with SavedImage.read(iter(lambda: stream.read(1 << 16), b"")) as image:
        assert flatten(image).files["/big"].size == 48 << 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20 < size


@pytest.mark.parametrize("archive", [b"", b"no tar", b"\0" * 10240])
def test_what_is_no_archive_is_said(archive):
    with pytest.raises(UsageError, match="save the image again"):
        SavedImage.read([archive])


def test_an_archive_that_ends_early_is_said(make):
    archive = make.docker_archive([make.tar(make.header("a", data=b"1" * 30000))])
    for end in range(0, 30000, 1500):
        with pytest.raises(UsageError, match="save the image again"):
            SavedImage.read([archive[:end]])


def test_a_damaged_layer_is_said(make):
    layer = make.tar(make.header("a", data=b"1" * 3000))[:2000]
    with SavedImage.read([make.docker_archive([layer])]) as image, pytest.raises(UsageError, match="is damaged"):
        flatten(image)
    with (
        SavedImage.read([make.oci_archive([layer], compress=lambda data: gzip.compress(data)[:-20])]) as image,
        pytest.raises(UsageError, match="is damaged"),
    ):
        flatten(image)


def test_zstd_is_refused_by_name(make):
    archive = make.oci_archive([make.tar(make.header("a"))], compress=lambda _: b"\x28\xb5\x2f\xfd rest")
    with SavedImage.read([archive]) as image, pytest.raises(UsageError, match="zstd"):
        flatten(image)


def test_two_images_in_one_archive_are_refused(make):
    manifest = b'[{"Config": "a", "Layers": []}, {"Config": "b", "Layers": []}]'
    with pytest.raises(UsageError, match="2 images"):
        SavedImage.read([make.tar(make.header("manifest.json", data=manifest))])


def test_an_image_with_two_tags_is_one_image(make):
    layer = make.tar(make.header("a"))
    archive = io.BytesIO(make.docker_archive([layer]))
    with tarfile.open(fileobj=archive) as tar:
        members = [(info, tar.extractfile(info).read() if info.isreg() else b"") for info in tar]  # type: ignore[union-attr]
    members = [(info, data) for info, data in members if info.name != "manifest.json"]
    entry = '{"Config": "config.json", "Layers": ["%s/layer.tar"]}' % ("0" * 64)
    members.append(make.header("manifest.json", data=f"[{entry}, {entry}]".encode()))
    with SavedImage.read([make.tar(*members)]) as image:
        assert len(image.layers) == 1


def test_base_layers_are_counted_only_on_that_base():
    assert base_layers(["a", "b", "c"], ["a", "b"]) == 2
    assert base_layers(["a", "b", "c"], ["b"]) == 0
    assert base_layers(["a"], ["a", "b"]) == 0
    assert base_layers(["a"], []) == 0
