"""The file send service, with the engine's side played over HTTP/2."""

from __future__ import annotations

import io
import os
import pty
import stat
import tarfile
import threading

import pytest

from dfkit.build.buildkit.filesend import FileSend, OutputFailed
from dfkit.build.buildkit.grpc import ALREADY_EXISTS, UNKNOWN
from dfkit.build.buildkit.wire import encode
from dfkit.build.events import Exported
from dfkit.build.request import Output
from dfkit.errors import UsageError

SEND = "/moby.filesync.v1.FileSend/DiffCopy"


def a_tar(**files):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return raw.getvalue()


def send(peer, data, step=4096):
    """Send a whole output; the call's status."""
    stream = peer.start(SEND)
    for at in range(0, len(data), step):
        peer.send_bytes(stream, data[at : at + step])
    peer.end(stream)
    return peer.status(stream)


@pytest.fixture
def receive():
    """The service for an output, closed at the end."""
    opened = []

    def start(*output, warn=lambda _: None):
        service = FileSend(Output(*output), warn)
        opened.append(service)
        return service

    yield start
    for service in opened:
        service.close()


def test_a_file_gets_its_name_when_the_build_is_over(serve, receive, tmp_path):
    path = tmp_path / "out.tar"
    path.write_bytes(b"old")
    service = receive("tar", str(path))
    data = os.urandom(300_000)
    assert send(serve(service.handlers()), data) == (0, "")
    assert path.read_bytes() == b"old"
    assert service.finish() == Exported("tar", str(path), 300_000)
    service.close()
    assert path.read_bytes() == data
    assert os.listdir(tmp_path) == ["out.tar"]


def test_a_new_file_has_the_mode_that_the_user_s_files_have(serve, receive, tmp_path):
    old = os.umask(0o027)
    try:
        service = receive("tar", str(tmp_path / "out.tar"))
    finally:
        os.umask(old)
    send(serve(service.handlers()), b"x")
    service.finish()
    assert stat.S_IMODE((tmp_path / "out.tar").stat().st_mode) == 0o640


def test_a_build_that_fails_leaves_the_old_file_alone(serve, receive, tmp_path):
    path = tmp_path / "out.tar"
    path.write_bytes(b"old")
    service = receive("tar", str(path))
    send(serve(service.handlers()), b"new")
    service.close()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.tar"]


def test_an_output_that_breaks_off_is_none(serve, receive, tmp_path):
    service = receive("tar", str(tmp_path / "out.tar"))
    peer = serve(service.handlers())
    stream = peer.start(SEND)
    peer.send_bytes(stream, b"half")
    peer.http.reset_stream(stream)
    peer.flush()
    assert peer.call("/grpc.health.v1.Health/Check")[0]  # any answer: the reset was taken in
    with pytest.raises(OutputFailed, match="ended the build without the output"):
        service.finish()
    service.close()
    assert os.listdir(tmp_path) == []


def test_a_link_s_target_is_what_is_replaced(serve, receive, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "out.tar").symlink_to("real/file")
    service = receive("tar", str(tmp_path / "out.tar"))
    send(serve(service.handlers()), b"x")
    service.finish()
    assert (tmp_path / "out.tar").is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"x"


def test_a_pipe_is_written_to_and_stays(serve, receive, tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    service = receive("tar", str(path))
    assert send(serve(service.handlers()), b"x" * 200_000)[0] == 0
    service.finish()
    service.close()
    reader.join(10)
    assert read == [b"x" * 200_000]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_folder_is_filled(serve, receive, tmp_path):
    service = receive("local", str(tmp_path / "out"))
    data = a_tar(a=b"1" * 70_000, b=b"2")
    assert send(serve(service.handlers()), data) == (0, "")
    assert service.finish() == Exported("local", str(tmp_path / "out"), len(data))
    assert {path.name: path.stat().st_size for path in (tmp_path / "out").iterdir()} == {"a": 70_000, "b": 1}


def test_devices_that_are_left_out_of_a_folder_are_a_warning(serve, receive, tmp_path):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        member = tarfile.TarInfo("null")
        member.type = tarfile.CHRTYPE
        tar.addfile(member)
    warnings = []
    service = receive("local", str(tmp_path / "out"), warn=warnings.append)
    assert send(serve(service.handlers()), raw.getvalue())[0] == 0
    assert warnings == ["devices and pipes are not made in a folder (1 left out): type=tar keeps them"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no tar", "it is cut off"),
        (a_tar(**{"../evil": b"x"}), "the path '../evil'"),
        (a_tar(a=b"x" * 5000)[:2000], "it is cut off"),
    ],
)
def test_a_tar_that_is_none_or_leads_elsewhere_is_one_sentence(serve, receive, tmp_path, data, words):
    service = receive("local", str(tmp_path / "out"))
    code, text = send(serve(service.handlers()), data)
    assert code == UNKNOWN
    assert isinstance(service.error, OutputFailed)
    assert str(service.error).startswith(f"the output for {tmp_path / 'out'} is refused")
    assert words in str(service.error)
    assert "\n" not in str(service.error) + text
    assert not any(path.name.startswith(".dfkit") for path in tmp_path.rglob("*"))


def test_what_the_disk_refuses_is_one_sentence(serve, receive, tmp_path):
    service = receive("tar", "/dev/full")
    code, text = send(serve(service.handlers()), b"x")
    assert code == UNKNOWN
    assert str(service.error) == text == "/dev/full cannot be written: no space left on device"


def test_a_file_in_the_way_of_a_folder_is_named_with_its_path(serve, receive, tmp_path):
    (tmp_path / "out" / "src").mkdir(parents=True)
    (tmp_path / "out" / "src" / "precious").write_text("1")
    service = receive("local", str(tmp_path / "out"))
    assert send(serve(service.handlers()), a_tar(src=b"x"))[0] == UNKNOWN
    assert str(service.error) == f"{tmp_path / 'out' / 'src'} cannot be written: directory not empty"


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (("tar", "."), "the output . is a folder: name a file, or give a folder of files with type=local"),
        (("tar", "nosuch/out.tar"), "the output nosuch/out.tar cannot be written: no such file or directory"),
        (("tar", ""), "the output has no destination"),
        (("local", "file"), "the output file is no folder: name a folder, or take a tar with type=tar,dest=file"),
        (("local", ""), "the output has no destination"),
    ],
)
def test_a_place_that_cannot_be_is_said_before_the_build(tmp_path, monkeypatch, output, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError) as error:
        FileSend(Output(*output))
    assert str(error.value).startswith(words)
    assert os.listdir(tmp_path) == ["file"]


def test_one_output_is_taken_and_no_more(serve, receive, tmp_path):
    service = receive("tar", str(tmp_path / "out.tar"))
    peer = serve(service.handlers())
    assert send(peer, b"first")[0] == 0
    assert send(peer, b"second")[0] == ALREADY_EXISTS
    service.finish()
    assert (tmp_path / "out.tar").read_bytes() == b"first"


def test_standard_output_gets_the_tar_as_it_comes(serve, receive, capfdbinary):
    service = receive("tar", "-")
    data = os.urandom(30_000)
    assert send(serve(service.handlers()), data)[0] == 0
    assert service.finish() == Exported("tar", "-", 30_000)
    assert not service.spoiled
    assert capfdbinary.readouterr().out == data


def test_a_part_on_standard_output_is_known(serve, receive, capfdbinary):
    service = receive("tar", "-")
    peer = serve(service.handlers())
    stream = peer.start(SEND)
    peer.send_bytes(stream, b"half")
    peer.send(stream, b"\xff")
    assert peer.status(stream)[0] == UNKNOWN
    assert service.spoiled
    assert isinstance(service.error, OutputFailed)


def test_a_terminal_is_not_written_to(monkeypatch):
    ours, theirs = pty.openpty()
    kept = os.dup(1)
    try:
        os.dup2(theirs, 1)
        with pytest.raises(UsageError, match="which a terminal cannot show"):
            FileSend(Output("tar", "-"))
    finally:
        os.dup2(kept, 1)
        for each in (kept, ours, theirs):
            os.close(each)


def test_a_reader_that_has_enough_is_a_closed_pipe(serve, receive):
    ours, theirs = os.pipe()
    os.close(ours)
    kept = os.dup(1)
    os.dup2(theirs, 1)
    try:
        service = receive("tar", "-")
        assert send(serve(service.handlers()), b"x")[0] == UNKNOWN
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(theirs)
    assert isinstance(service.error, BrokenPipeError)


def test_messages_without_data_are_nothing(serve, receive, tmp_path):
    service = receive("tar", str(tmp_path / "out.tar"))
    peer = serve(service.handlers())
    stream = peer.start(SEND)
    for message in (b"", encode((2, b"x")), encode((1, b"a")), encode((1, 5))):
        peer.send(stream, message)
    peer.end(stream)
    assert peer.status(stream)[0] == 0
    assert service.finish().size == 1
