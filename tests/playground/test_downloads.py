"""Files are written beside each other, and never over each other."""

import itertools

import pytest

from bot.playground.downloads import Downloads
from bot.playground.loopback import Upload
from bot.playground.loopback.world import Attachment

_ids = itertools.count(1)


def attached(name="conversation.md", data=b"one"):
    return Attachment(id=next(_ids), channel_id=2, upload=Upload(filename=name, data=data))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "playground"


def test_a_file_is_written_for_its_owner_alone_and_its_path_told(folder):
    path = folder / "conversation.md"

    assert Downloads(folder).outcome(attached()) == str(path)

    assert path.read_bytes() == b"one"
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_never_overwritten(folder):
    folder.mkdir(parents=True)
    (folder / "conversation.md").write_text("mine")
    (folder / "conversation-2.md").mkdir()

    assert Downloads(folder).outcome(attached()) == str(folder / "conversation-3.md")
    assert (folder / "conversation.md").read_text() == "mine"


def test_a_file_that_comes_again_is_not_written_again(folder):
    downloads, first = Downloads(folder), attached()
    paths = [downloads.outcome(each) for each in (first, first, attached(), attached(data=b"two"))]

    assert paths == [str(folder / name) for name in ("conversation.md",) * 3 + ("conversation-2.md",)]
    assert len(list(folder.iterdir())) == 2


def test_a_file_that_was_removed_is_not_missed(folder):
    downloads, first = Downloads(folder), attached()
    (folder / downloads.outcome(first)).unlink()

    downloads.outcome(first)

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "written"),
    [("../../etc/passwd", "__.._etc_passwd"), (".bashrc", "_bashrc"), ("a\x1b b.md", "a__b.md"), ("", "file")],
)
def test_no_name_leads_out_of_the_folder(folder, name, written):
    Downloads(folder).outcome(attached(name))

    assert [each.name for each in folder.iterdir()] == [written]


def test_a_folder_that_cannot_be_made_is_told(folder):
    folder.parent.mkdir(parents=True)
    folder.write_text("a file")

    assert Downloads(folder).outcome(attached()) == "not written, File exists"
