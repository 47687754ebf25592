"""Journals: what was made so far, by whom, whatever happened to the writer."""

from itertools import pairwise

import pytest
from sets import frame

from vqc import journal
from vqc.errors import ManifestError
from vqc.journal import Journal
from vqc.manifest import frame_to_json


@pytest.fixture
def line(tmp_path_factory):
    root = tmp_path_factory.mktemp("frames")
    return lambda number: frame_to_json(frame(root, 2 * number))


def test_frames_and_notes_are_read_back(tmp_path, line):
    with Journal(tmp_path, "3/40") as one:
        kept = one.frame(line(0), "llvmpipe")
        one.frame(line(1), "llvmpipe")
    with Journal(tmp_path) as other:
        other.frame(line(2), "NVIDIA")
    found = journal.frames_in(tmp_path)
    assert sorted(found) == [f"images/qf/000/qf_{n:06d}.jpg" for n in (0, 2, 4)]
    assert found[kept.image] == kept
    assert journal.renderers_in(tmp_path) == ("NVIDIA", "llvmpipe")
    last = {notes[-1].shard: notes[-1] for _, notes in journal.notes_in(tmp_path)}
    assert (last["3/40"].frames, last["3/40"].end, last[None].frames) == (2, "done", 1)
    assert last["3/40"].renderer == "llvmpipe" and last["3/40"].seconds >= 0


def test_how_a_writer_left_is_told(tmp_path, line):
    with pytest.raises(RuntimeError), Journal(tmp_path, "1/2") as one:
        one.frame(line(0), "llvmpipe")
        raise RuntimeError("no more\nof this")
    ((_, notes),) = journal.notes_in(tmp_path)
    assert notes[-1].end == "no more" and notes[0].end is None


def test_a_line_that_was_cut_or_is_foreign_costs_itself_alone(tmp_path, line):
    with Journal(tmp_path) as one:
        one.frame(line(0), "llvmpipe")
        with pytest.raises(ManifestError):
            one.frame("{}", "llvmpipe")
        one.frame(line(1), "llvmpipe")
    (path,) = tmp_path.iterdir()
    path.write_bytes(
        path.read_bytes() + b'\xff\n{"vqc_journal": 99}\n[1]\n' + line(2)[:-9].encode()
    )
    assert len(journal.frames_in(tmp_path)) == 2 and len(journal.notes_in(tmp_path)) == 1


def test_lines_of_a_manifest_are_kept_with_what_drew_them(tmp_path, line):
    journal.keep(tmp_path, [line(0), "spoilt", line(1)], ("llvmpipe", "NVIDIA"))
    assert len(journal.frames_in(tmp_path)) == 2
    assert journal.renderers_in(tmp_path) == ("NVIDIA", "llvmpipe")
    assert journal.frames_in(tmp_path / "nowhere") == {}


def test_a_writer_tells_soon_how_far_it_is_and_then_ever_more_rarely(tmp_path, line, monkeypatch):
    clock, record = [100.0], line(0)
    monkeypatch.setattr(journal.time, "monotonic", lambda: clock[0])
    with Journal(tmp_path, "1/2") as one:
        for _ in range(2 * 120):  # two frames a second, two minutes long
            one.frame(record, "llvmpipe")
            clock[0] += 0.5
    ((_, notes),) = journal.notes_in(tmp_path)
    assert 0 < notes[1].seconds < 3 and notes[1].frames == 2 * notes[1].seconds + 1
    pauses = [b.seconds - a.seconds for a, b in pairwise(notes)]
    assert len(notes) < 14 and max(pauses) < 21
