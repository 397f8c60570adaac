"""The frame around a command, taken apart in pieces of any size."""

from __future__ import annotations

import pytest
from hilbench.targets.shell import FrameReader, shown

BEGIN, END = b"hil-tok-begin\n", b"\x1ehil-tok-end "
OUTPUT = b"one\n\x1etwo\x1ehil-\x1ehil-tok-en no end\n\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_output_is_found_between_the_markers_whatever_the_pieces(size: int) -> None:
    stream = b"Welcome\nhil-tok" + BEGIN + OUTPUT + END + b"17\nGood bye\n"
    reader = FrameReader("tok")
    got = b"".join(reader.feed(stream[at : at + size]) for at in range(0, len(stream), size))
    assert (got, reader.status, reader.noise) == (OUTPUT, 17, b"Welcome\nhil-tok")


def test_a_line_is_given_out_as_soon_as_it_is_there() -> None:
    reader = FrameReader("tok")
    assert reader.feed(BEGIN + b"line\n") == b"line\n"


def test_what_may_be_a_marker_is_held_until_it_is_known() -> None:
    reader = FrameReader("tok")
    assert reader.feed(BEGIN + b"a\x1ehil") == b"a"
    assert reader.feed(b"x") == b"\x1ehilx"
    assert reader.feed(END + b"2") == b""
    assert reader.status is None
    assert reader.feed(b"5\nrest") == b""
    assert reader.status == 25


def test_a_stream_without_a_marker_is_all_noise_and_no_output() -> None:
    reader = FrameReader("tok")
    assert b"".join(reader.feed(b"no such account\n") for _ in range(1000)) == b""
    assert not reader.begun
    assert reader.all_noise().startswith(b"no such account\n")
    assert len(reader.all_noise()) < 5000


def test_a_command_is_shown_in_one_short_line() -> None:
    assert shown("a\n  b") == "a b"
    assert len(shown("x" * 500)) == 60
