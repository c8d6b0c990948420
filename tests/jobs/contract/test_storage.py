import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.contract.disk import storage, syscalls
from jobs.contract.errors import DiskFull, NotWritable, UnsafePath


@pytest.fixture
def other_device(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system (tmpfs)."""
    base = Path("/dev/shm")
    if not base.is_dir() or base.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    folder = base / f"caudal-{os.getpid()}-{tmp_path.name}"
    folder.mkdir()
    yield folder
    storage.remove_tree(base, folder)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_write_new_never_overwrites_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    storage.write_new(tmp_path / "a", b"one")
    with pytest.raises(FileExistsError):
        storage.write_new(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert names(tmp_path) == ["a"]


def test_replace_swaps_the_whole_file_and_keeps_the_old_one_when_the_target_is_a_folder(
    tmp_path: Path,
) -> None:
    storage.replace(tmp_path / "a", b"one")
    storage.replace(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    (tmp_path / "d").mkdir()
    with pytest.raises(OSError):
        storage.replace(tmp_path / "d", b"x")
    assert names(tmp_path) == ["a", "d"]


def test_move_new_moves_the_inode_and_refuses_a_taken_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    inode = (tmp_path / "a").stat().st_ino
    storage.move_new(tmp_path / "a", tmp_path / "b")
    assert ((tmp_path / "b").stat().st_ino, names(tmp_path)) == (inode, ["b"])
    (tmp_path / "c").write_bytes(b"two")
    with pytest.raises(FileExistsError):
        storage.move_new(tmp_path / "c", tmp_path / "b")
    assert ((tmp_path / "b").read_bytes(), (tmp_path / "c").read_bytes()) == (b"one", b"two")


def test_move_new_across_devices_copies_whole_with_the_mtime_and_never_overwrites(
    tmp_path: Path, other_device: Path
) -> None:
    source = other_device / "a"
    source.write_bytes(b"x" * 3_000_000)
    os.utime(source, ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789))
    storage.move_new(source, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"x" * 3_000_000
    assert (tmp_path / "a").stat().st_mtime_ns == 1_700_000_000_123_456_789
    assert (names(other_device), names(tmp_path)) == ([], ["a"])
    source.write_bytes(b"other")
    with pytest.raises(FileExistsError):
        storage.move_new(source, tmp_path / "a")
    assert (names(other_device), names(tmp_path)) == (["a"], ["a"])


def test_a_link_is_moved_as_a_link_and_its_target_stays(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"t")
    (tmp_path / "link").symlink_to("target")
    storage.move_new(tmp_path / "link", tmp_path / "moved")
    assert (tmp_path / "moved").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"t"


@pytest.mark.parametrize("taken", ["file", "empty folder", "full folder", "dangling link"])
def test_rename_dir_new_refuses_a_name_taken_in_any_form(tmp_path: Path, taken: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "f").write_bytes(b"1")
    if taken == "file":
        target.write_bytes(b"")
    elif taken == "dangling link":
        target.symlink_to("nowhere")
    else:
        target.mkdir()
        if taken == "full folder":
            (target / "g").write_bytes(b"")
    for by_kernel in (False, True):
        with pytest.raises(FileExistsError):
            (storage.rename_noreplace if by_kernel else storage.rename_dir_new)(source, target)
    assert (source / "f").read_bytes() == b"1"


def test_rename_dir_new_moves_the_folder_also_without_renameat2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "x").mkdir()
    storage.rename_dir_new(tmp_path / "a", tmp_path / "x" / "b")
    monkeypatch.setattr(syscalls, "_libc", lambda: None)
    storage.rename_dir_new(tmp_path / "x" / "b", tmp_path / "c")
    assert (names(tmp_path), names(tmp_path / "x")) == (["c", "x"], [])


def test_confine_accepts_what_lies_below_and_refuses_dots_and_links(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (root / "out").symlink_to(tmp_path)
    assert storage.confine(root, "in/new/file") == root / "in/new/file"
    assert storage.confine(root, root / "in") == root / "in"
    for bad in ("../x", "in/../../x", str(tmp_path / "x"), "out/x", "out"):
        with pytest.raises(UnsafePath):
            storage.confine(root, bad)


def test_remove_tree_removes_links_but_not_what_they_point_to(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "d" / "e").mkdir(parents=True)
    outside.mkdir()
    (outside / "keep").write_bytes(b"k")
    (root / "d" / "link").symlink_to(outside)
    storage.remove_tree(root, root / "d")
    storage.remove_tree(root, root / "d")
    assert (names(root), names(outside)) == ([], ["keep"])
    (root / "link").symlink_to(outside)
    for bad in (root, outside, root / "link", root / "link" / "keep"):
        with pytest.raises(UnsafePath):
            storage.remove_tree(root, bad)
    assert names(outside) == ["keep"]


def test_make_dirs_makes_every_level_and_is_content_with_existing_ones(tmp_path: Path) -> None:
    storage.make_dirs(tmp_path / "a/b/c")
    storage.make_dirs(tmp_path / "a/b/c")
    assert (tmp_path / "a/b/c").is_dir()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EROFS, NotWritable),
        (errno.EACCES, NotWritable),
        (errno.EIO, OSError),
    ],
)
def test_disk_errors_become_one_clear_error(code: int, error: type[Exception]) -> None:
    with pytest.raises(error) as caught, storage.disk_errors("/home/x"):
        raise OSError(code, os.strerror(code))
    assert code == errno.EIO or "/home/x" in str(caught.value)


def test_a_full_disk_leaves_neither_target_nor_temporary_file(tmp_path: Path) -> None:
    """A real ENOSPC-like failure: the process may write files of at most 1,000 bytes (EFBIG), so the
    temporary file cannot be finished."""
    code = (
        "import resource, signal, sys; from pathlib import Path; from jobs.contract.disk import "
        "storage\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, "
        "(1000, 1000))\ntry: storage.write_new(Path(sys.argv[1]) / 'a', b'x' * 5000)\nexcept OSError as e: "
        "print(e.errno)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert (done.stdout, names(tmp_path)) == (f"{errno.EFBIG}\n", [])


def test_fsync_files_flushes_few_and_many(tmp_path: Path) -> None:
    paths = [tmp_path / str(i) for i in range(storage.SYNCFS_FROM)]
    for path in paths:
        path.write_bytes(b"x")
    storage.fsync_files(paths)
    storage.fsync_files(paths[:2])
    assert storage.syncfs(tmp_path) is (sys.platform == "linux")


def test_without_renameat2_a_new_file_that_took_the_name_in_between_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """link + unlink: the producer renames its next delivery onto the name between the two."""
    source, real = tmp_path / "a", os.link
    source.write_bytes(b"first")

    def link(src: Path, dst: Path, *, follow_symlinks: bool) -> None:
        real(src, dst, follow_symlinks=follow_symlinks)
        (tmp_path / "next").write_bytes(b"second")
        (tmp_path / "next").replace(src)

    monkeypatch.setattr(syscalls, "_libc", lambda: None)
    monkeypatch.setattr(os, "link", link)
    storage.move_new(source, tmp_path / "b")
    assert ((tmp_path / "b").read_bytes(), source.read_bytes()) == (b"first", b"second")


def test_without_renameat2_a_file_that_grows_while_it_is_moved_stays_whole_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, real = tmp_path / "a", os.link
    source.write_bytes(b"first")

    def link(src: Path, dst: Path, *, follow_symlinks: bool) -> None:
        real(src, dst, follow_symlinks=follow_symlinks)
        with Path(src).open("ab") as file:
            file.write(b" line")

    monkeypatch.setattr(syscalls, "_libc", lambda: None)
    monkeypatch.setattr(os, "link", link)
    with pytest.raises(BlockingIOError, match="changed while it was moved"):
        storage.move_new(source, tmp_path / "b")
    assert (names(tmp_path), source.read_bytes()) == (["a"], b"first line")


def test_own_copies_take_the_place_of_the_files_with_content_and_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    os.utime(tmp_path / "a", ns=(5, 1_700_000_000_123_456_789))
    (tmp_path / "other name").hardlink_to(tmp_path / "a")
    storage.own_copies([tmp_path / "a"])
    assert not (tmp_path / "a").samefile(tmp_path / "other name")
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "a").stat().st_mtime_ns) == (
        b"one",
        1_700_000_000_123_456_789,
    )
    assert names(tmp_path) == ["a", "other name"]
