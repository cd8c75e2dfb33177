"""RM-4: beats in file and database, each on its own; a damaged source brings none."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import psycopg
import pytest

from infra.database.connection import Line
from infra.database.registers import Heartbeats
from infra.deadman.beats import BEAT_FILE, BeatReader, BeatWriter, file_source, row_source
from statemachines.deadman.beats import Beat, BeatState

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def reader(folder: Path, url: str) -> BeatReader:
    return BeatReader({"file": file_source(folder), "database": row_source(Line(url, "beats"))})


def test_a_beat_is_written_to_both_places_and_read_from_both(tmp_path: Path, database_url: str) -> None:
    writer, found = BeatWriter(tmp_path, database_url), reader(tmp_path, database_url)
    assert found.read() == {"file": None, "database": None}, "before the first one there is none"
    for number in (1, 2):
        beat = Beat(f"3:{number}", BeatState.RUNNING)
        writer.beat(beat, 5_000 + number)
        assert found.read() == {"file": beat, "database": beat}
    writer.close()
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT component, state, market_ms FROM heartbeats").fetchone()
    assert row == ("orchestrator", "RUNNING", 5_002)


def test_a_database_that_is_away_does_not_keep_the_file_from_being_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer, found = BeatWriter(tmp_path, NOWHERE), reader(tmp_path, NOWHERE)
    with caplog.at_level(logging.WARNING):
        for number in (1, 2, 3):
            beat = Beat(f"3:{number}", BeatState.RUNNING)
            writer.beat(beat, 0)
            assert found.read() == {"file": beat, "database": None}
    assert sum("cannot be written to the database" in text for text in caplog.messages) == 1, "said once, not per beat"


def test_a_file_that_cannot_be_written_does_not_keep_the_row_from_being_written(
    tmp_path: Path, database_url: str
) -> None:
    (tmp_path / BEAT_FILE).mkdir()
    writer, found = BeatWriter(tmp_path, database_url), reader(tmp_path, database_url)
    beat = Beat("3:1", BeatState.RUNNING)
    writer.beat(beat, 0)
    assert found.read() == {"file": None, "database": beat}
    (tmp_path / BEAT_FILE).rmdir()
    writer.beat(beat, 0)
    assert found.read() == {"file": beat, "database": beat}
    writer.close()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\x00", b"[" * 5_000, b'{"beat_id": "1:1", "state": "WELL"}', b"\0" * 10_000_000]
)
def test_a_damaged_file_brings_no_beat_and_hides_none_of_the_database(
    tmp_path: Path, database_url: str, content: bytes
) -> None:
    writer, found = BeatWriter(tmp_path, database_url), reader(tmp_path, database_url)
    writer.beat(Beat("3:1", BeatState.RUNNING), 0)
    (tmp_path / BEAT_FILE).write_bytes(content)
    assert found.read() == {"file": None, "database": Beat("3:1", BeatState.RUNNING)}
    writer.close()


def test_neither_a_folder_nor_a_pipe_in_its_place_keeps_the_switch_from_looking(tmp_path: Path) -> None:
    found = BeatReader({"file": file_source(tmp_path)})
    (tmp_path / BEAT_FILE).mkdir()
    assert found.read() == {"file": None}
    (tmp_path / BEAT_FILE).rmdir()
    os.mkfifo(tmp_path / BEAT_FILE)
    assert found.read() == {"file": None}


def test_a_row_of_an_earlier_version_is_no_beat(tmp_path: Path, database_url: str) -> None:
    heartbeats = Heartbeats(database_url)
    assert heartbeats.beat("orchestrator", "RUNNING", 5, {"pid": 7})
    heartbeats.close()
    assert reader(tmp_path, database_url).read()["database"] is None
