"""Cameras that are not there, that do not answer, and windows without a display."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from vqc.errors import InputError
from vqc.predict import live
from vqc.predict.live import frames_from, has_display
from vqc.predict.source import find


def camera(text):
    found = find([text]).live
    assert found is not None
    return found


def test_a_camera_that_is_not_there():
    if Path("/dev/video987").exists():
        pytest.skip("there is a camera 987")
    with pytest.raises(InputError, match=r"^camera 987: (there is no such camera|does not open)"):
        next(frames_from(camera("987")))


def test_an_address_where_nobody_listens():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(InputError) as caught:
        next(frames_from(camera(f"rtsp://me:secret@127.0.0.1:{port}/door?key=secret")))
    message = str(caught.value)
    assert message.startswith(f"rtsp://127.0.0.1:{port}/door: does not open: ")
    assert "secret" not in message and "\n" not in message


def test_an_address_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(live, "SILENCE_S", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        with pytest.raises(InputError, match=f"rtsp://127.0.0.1:{port}/door: does not open: "):
            next(frames_from(camera(f"rtsp://127.0.0.1:{port}/door")))


@pytest.mark.parametrize("name", ["", "nonsense", ":", ":x", ":31999", "localhost:31999"])
def test_no_display(monkeypatch, name):
    monkeypatch.setenv("DISPLAY", name)
    assert not has_display()


def test_a_display_that_answers(monkeypatch):
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.bind("\0/tmp/.X11-unix/X31998")
        except OSError:
            pytest.skip("this system has no abstract sockets")
        server.listen()
        monkeypatch.setenv("DISPLAY", ":31998.0")
        assert has_display()
