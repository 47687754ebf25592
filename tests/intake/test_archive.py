"""Archives made on the spot, sound and hostile. What is refused must leave nothing behind."""

import bz2
import gzip
import io
import lzma
import random
import shutil
import stat
import struct
import tarfile
import zipfile

import pytest

from vqc.errors import InputError, OutputError
from vqc.intake.archive import Limits, is_archive, unpack

FILES = {"images/a.jpg": b"a" * 3000, "images/größe.txt": b"", "b/c/d.bin": bytes(range(256)) * 9}
PACKERS = {"tar": bytes, "tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress}
KINDS = ["zip", *PACKERS]


def zipped(files, **options):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(files, kind="tar", form=tarfile.PAX_FORMAT):
    """files: name → bytes, or name → fields of the TarInfo."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, errors="surrogateescape") as archive:
        for name, what in files.items() if isinstance(files, dict) else files:
            info = tarfile.TarInfo(name)
            data = what if isinstance(what, bytes) else b""
            info.size = len(data)
            for field, value in what.items() if isinstance(what, dict) else ():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))
    return PACKERS[kind](out.getvalue())


def packed(files, kind):
    return zipped(files) if kind == "zip" else tarred(files, kind)


def found(folder):
    files = (path for path in sorted(folder.rglob("*")) if not path.is_dir())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def attempt(tmp_path):
    """`attempt(data)`: what came out; InputError, and then nothing may be left."""

    def run(data, **options):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        (tmp_path / "archive").write_bytes(data)
        try:
            unpack(tmp_path / "archive", tmp_path / "out", **options)
        except InputError:
            assert [path.name for path in tmp_path.iterdir()] == ["archive"]
            raise
        assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "out"]
        return found(tmp_path / "out")

    return run


@pytest.mark.parametrize("kind", KINDS)
def test_members_come_back_whatever_the_file_is_called(attempt, kind):
    assert attempt(packed(FILES, kind)) == FILES


def test_into_an_empty_folder_but_no_other(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped(FILES))
    (tmp_path / "out").mkdir()
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert found(tmp_path / "out") == FILES
    with pytest.raises(OutputError, match="empty"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert found(tmp_path / "out") == FILES


def test_dots_in_front_folders_of_their_own_and_old_tars(attempt, tmp_path):
    folder = {"type": tarfile.DIRTYPE}
    members = {"./": folder, "./x": folder, "./x/y.txt": b"1", "./empty": folder}
    for form in (tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT):
        assert attempt(tarred(members, form=form)) == {"x/y.txt": b"1"}
        assert (tmp_path / "out" / "empty").is_dir()
    assert attempt(zipped({"x/": b"", "x/y.txt": b"1"})) == {"x/y.txt": b"1"}


def test_archives_inside_stay_packed(attempt):
    inner = zipped(FILES)
    assert attempt(tarred({"inner.zip": inner}, "tar.gz")) == {"inner.zip": inner}


def test_modes_are_not_taken_over(attempt, tmp_path):
    attempt(tarred([("a", {"mode": 0o6777})]))
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "out/a").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("kind", KINDS)
def test_progress_ends_at_the_archives_size(attempt, kind):
    calls = []
    data = packed({"a": b"1" * 5_000_000, "b": b"2" * 100}, kind)
    attempt(data, on_progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (len(data), len(data))
    assert len(calls) >= 5
    assert all(0 <= done <= total == len(data) for done, total in calls)


def test_utf8_names_without_the_flag_that_says_so(attempt):
    data = zipped({"gr__e.txt": b"1"}).replace(b"gr__e", "größe".encode()[:5])
    with pytest.raises(InputError, match="not UTF-8"):
        attempt(data)
    data = zipped({"gr____e.txt": b"1"}).replace(b"gr____e", "größe".encode())
    assert attempt(data) == {"größe.txt": b"1"}


BAD_NAMES = {
    "../a": "leads out",
    "x/../../a": "leads out",
    "..": "leads out",
    "/etc/passwd": "absolute",
    "C:/a": "absolute",
    "c:a": "absolute",
    "a\\b": "backslash",
    "..\\a": "backslash",
    "a\nb": "control characters",
    "a\x1b[31m": "control characters",
    "a\x85": "control characters",
    "n" * 256: "too long",
    "ä" * 128: "too long",
    "x/" * 50 + "a": "too long",
    "/".join(["n" * 200] * 6): "too long",
}


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(("name", "fault"), BAD_NAMES.items(), ids=ascii)
def test_names_that_have_no_business_there(attempt, pack, name, fault):
    with pytest.raises(InputError, match=fault):
        attempt(pack({"good.txt": b"1", name: b"2"}))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.xz"])
def test_all_bad_members_are_named_the_first_twenty_shown(attempt, kind):
    with pytest.raises(InputError) as error:
        attempt(packed({f"../a{k:02}": b"" for k in range(25)}, kind))
    lines = str(error.value).splitlines()
    assert [line.split("'")[1] for line in lines[1:21]] == [f"../a{k:02}" for k in range(20)]
    assert lines[21:] == ["  and 5 more"]


def test_names_that_are_not_utf8(attempt):
    for data in (
        tarred({"a\udcff": b""}, form=tarfile.GNU_FORMAT),
        zipped({"aq": b""}).replace(b"aq", b"a\xff"),
    ):
        with pytest.raises(InputError, match="not UTF-8"):
            attempt(data)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (tarfile.SYMTYPE, "link"),
        (tarfile.LNKTYPE, "link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "pipe"),
        (b"Z", "unknown kind"),
    ],
)
def test_links_and_devices_in_a_tar(attempt, kind, fault):
    members = {"a.txt": b"1", "bad": {"type": kind, "linkname": "a.txt"}, "b.txt": b"2"}
    with pytest.raises(InputError, match=f"'bad': .*{fault}"):
        attempt(tarred(members))


@pytest.mark.parametrize(
    ("mode", "fault"),
    [(stat.S_IFLNK, "link"), (stat.S_IFIFO, "pipe"), (stat.S_IFCHR, "device")],
)
def test_links_and_devices_in_a_zip(attempt, mode, fault):
    info = zipfile.ZipInfo("bad")
    info.external_attr = (mode | 0o777) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(InputError, match=f"'bad': .*{fault}"):
        attempt(out.getvalue())


def test_a_link_first_and_then_a_file_behind_it(attempt, tmp_path):
    members = [("x", {"type": tarfile.SYMTYPE, "linkname": str(tmp_path)}), ("x/evil", b"1")]
    with pytest.raises(InputError, match="'x': is a link"):
        attempt(tarred(members))


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (("a", "a"), "twice"),
        (("a", "./a"), "twice"),
        (("x//a", "x/a"), "twice"),
        (("a", "a/b"), "file and a folder"),
        (("a/b", "a"), "file and a folder"),
        ((".",), "no name"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_collide(attempt, names, fault):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"1")
    for data in (out.getvalue(), tarred([(name, b"1") for name in names])):
        with pytest.raises(InputError, match=fault):
            attempt(data)


def test_names_that_differ_in_case_are_different(attempt):
    assert attempt(zipped({"a": b"1", "A": b"2"})) == {"a": b"1", "A": b"2"}


@pytest.mark.parametrize("kind", KINDS)
def test_bombs_stop_at_the_limit(attempt, kind):
    data = packed({"zeros": bytes(3_000_000)}, kind)
    with pytest.raises(InputError, match="unpacks to more"):
        attempt(data, limits=Limits(max_bytes=2_999_999))
    assert len(attempt(data, limits=Limits(max_bytes=3_100_000))["zeros"]) == 3_000_000


def test_a_bomb_is_measured_and_its_header_not_believed(attempt):
    """The directory says 10 bytes; whatever it unpacks to, it is not what it says."""
    data = zipped({"zeros": bytes(3_000_000)})
    data = data.replace(struct.pack("<I", 3_000_000), struct.pack("<I", 10))
    with pytest.raises(InputError, match="damaged"):
        attempt(data)


def test_the_default_limit_grows_with_the_archive(attempt, monkeypatch):
    usage = type("usage", (), {"free": 10**15})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    data = zipped({"zeros": bytes(3_000_000)})
    assert len(attempt(data)["zeros"]) == 3_000_000
    claims = data.replace(struct.pack("<I", 3_000_000), struct.pack("<I", 1_100_000_000))
    with pytest.raises(InputError, match="more than 1 GB"):
        attempt(claims)


def test_a_full_disk_is_a_limit(attempt, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("usage", (), {"free": 2000}))
    with pytest.raises(InputError, match="unpacks to more"):
        attempt(zipped({"a": bytes(1801)}))


def sparse(size):
    """A tar of a file that is one hole: no bytes in the archive, `size` when written."""
    header = bytearray(tarred({"hole": {"type": tarfile.GNUTYPE_SPARSE}}, form=0)[:512])
    header[257:265] = b"ustar  \0"
    header[483:495] = b"%011o\0" % size
    return sealed(header) + bytes(1024)


def sealed(header):
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def test_a_tar_of_holes_is_counted_as_it_is_written(attempt):
    assert attempt(sparse(5000)) == {"hole": bytes(5000)}
    with pytest.raises(InputError, match="unpacks to more"):
        attempt(sparse(8 * 10**9), limits=Limits(max_bytes=10**6))


def test_too_many_members(attempt):
    files = {f"x/{k}": b"" for k in range(10)}
    for kind in ("zip", "tar.gz"):
        assert len(attempt(packed(files, kind), limits=Limits(max_members=11))) == 10
        with pytest.raises(InputError, match="more than 10 files and folders"):
            attempt(packed(files, kind), limits=Limits(max_members=10))


def test_folders_count_as_members(attempt):
    with pytest.raises(InputError, match="files and folders"):
        attempt(tarred({f"{k}/" * 40 + "a": b"" for k in range(5)}), limits=Limits(None, 150))


def test_a_directory_of_very_many_members_is_not_taken_apart(attempt):
    """30 MB of directory for 500,000 members, where 1000 are allowed."""
    end = zipped({"a": b""})
    entry = end[end.index(b"PK\1\2") : end.index(b"PK\5\6")]
    start, count = end.index(b"PK\1\2"), 500_000
    tail = bytearray(end[end.index(b"PK\5\6") :])
    tail[12:16] = struct.pack("<I", count * len(entry))
    with pytest.raises(InputError, match="more than 1000 files"):
        attempt(end[:start] + entry * count + bytes(tail), limits=Limits(max_members=1000))


def test_members_that_share_their_bytes(attempt):
    """Two names in the directory, one kernel of data: what a zip bomb is made of."""
    data = zipped({"a": b"1" * 1000, "b": b"1" * 1000})
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 4)
    hurt = bytearray(data)
    hurt[second + 42 : second + 46] = bytes(4)
    with pytest.raises(InputError, match="shares its bytes"):
        attempt(bytes(hurt))


def flagged(data, flag=0, method=None):
    """The first member with another flag or method, in header and directory alike."""
    hurt = bytearray(data)
    for at, shift in ((data.index(b"PK\3\4"), 0), (data.index(b"PK\1\2"), 2)):
        hurt[at + 6 + shift] |= flag
        if method is not None:
            hurt[at + 8 + shift] = method
    return bytes(hurt)


def test_encrypted_and_foreign_methods(attempt):
    with pytest.raises(InputError, match="'secret': is encrypted"):
        attempt(flagged(zipped({"secret": b"1"}), flag=1))
    with pytest.raises(InputError, match="not read \\(number 9\\)"):
        attempt(flagged(zipped({"a": b"1"}), method=9))


def test_wrong_checksums(attempt):
    data = zipped({"a": b"hello" * 100})
    at = data.index(b"PK\1\2") + 16
    with pytest.raises(InputError, match="damaged"):
        attempt(data[:at] + b"\0\0\0\0" + data[at + 4 :])
    data = tarred({"a": b"hello" * 100}, "tar.gz")
    with pytest.raises(InputError, match="damaged"):
        attempt(data[:-8] + b"\0\0\0\0" + data[-4:])


@pytest.mark.parametrize("kind", KINDS)
def test_cut_off_anywhere(attempt, tmp_path, kind):
    noise = bytes((k * k * 7 + k // 3) % 251 for k in range(3000))
    data = packed({"a": noise, "b": noise, "c": b""}, kind)
    last = len(data.rstrip(b"\0")) // 512 * 512 + 512 if kind == "tar" else len(data) - 1
    for end in [*range(600, last, 97), last]:
        assert is_archive_bytes(tmp_path, data[:end])
        with pytest.raises(InputError, match="cut off or damaged"):
            attempt(data[:end])


def is_archive_bytes(tmp_path, data):
    (tmp_path / "archive").write_bytes(data)
    return is_archive(tmp_path / "archive")


def test_a_damaged_header_in_the_middle_is_not_the_end(attempt):
    data = bytearray(tarred({"a": b"1", "b": b"2"}))
    data[1024 + 3] ^= 1
    with pytest.raises(InputError, match="damaged"):
        attempt(bytes(data))


def test_something_behind_the_end_of_a_tar(attempt):
    data = tarred({"a": b"1"})
    with pytest.raises(InputError, match="follows behind its end"):
        attempt(data + tarred({"b": b"2"}))
    assert attempt(data + bytes(7000)) == {"a": b"1"}


def test_tar_headers_that_lead_backwards_or_never_end(attempt):
    header = bytearray(tarred({"a": b""})[:512])
    header[124:136] = b"\xff" * 10 + b"\xfe\x00"  # -512 in base 256
    with pytest.raises(InputError, match="damaged"):
        attempt(sealed(header) + bytes(1024))
    long = tarred({"a": {"pax_headers": {"comment": "x" * 3_000_000}}}, "tar.gz")
    with pytest.raises(InputError, match="header is longer"):
        attempt(long)
    chain = bytearray(tarred({"a": {"type": tarfile.GNUTYPE_LONGNAME}}, form=0)[:512])
    with pytest.raises(InputError, match="damaged"):
        attempt(sealed(chain) * 3000 + bytes(1024))


@pytest.mark.parametrize(
    ("data", "archive"),
    [
        (zipped({}), True),
        (tarred({"a": b""}), True),
        (b"\x28\xb5\x2f\xfd rest", True),
        (b"7z\xbc\xaf\x27\x1c rest", True),
        (b"Rar!\x1a\x07\x01", True),
        (gzip.compress(b"no tar but a table that is packed" * 40, mtime=0), False),
        (b"\xff\xd8\xff\xe0" + bytes(2000), False),
        (b"", False),
        (bytes(10240), False),
        (b"just text", False),
    ],
)
def test_archives_are_known_by_their_content(tmp_path, data, archive):
    assert is_archive_bytes(tmp_path, data) == archive


def test_what_is_no_archive(attempt, tmp_path):
    with pytest.raises(InputError, match="got zst; unpack it yourself"):
        attempt(b"\x28\xb5\x2f\xfd rest")
    with pytest.raises(InputError, match="got something else"):
        attempt(b"text")
    assert not is_archive(tmp_path)
    assert not is_archive(tmp_path / "none")


def test_no_damage_raises_anything_else(tmp_path):
    """Bytes changed at random: files, or an InputError."""
    draw = random.Random(5)
    for kind in ("zip", "tar", "tar.gz", "tar.xz"):
        data = packed({"a/b.txt": b"hello" * 50, "c": b"1"}, kind)
        for k in range(60):
            hurt = bytearray(data)
            for _ in range(3):
                hurt[draw.randrange(4, min(len(data), 1500))] = draw.randrange(256)
            (tmp_path / "archive").write_bytes(hurt)
            try:
                unpack(tmp_path / "archive", tmp_path / f"{kind}{k}")
            except InputError:
                assert not (tmp_path / f"{kind}{k}").exists()
