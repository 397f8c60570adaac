"""A database that is away, locked, new or wrong: waited for where that helps, one sentence where it does not."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from hilbench.harness import databaseurl
from hilbench.harness.database import HEAD, Database
from hilbench.harness.errors import DatabaseUrlError, StoreError
from hilbench.harness.home import Home
from hilbench.harness.store import LAB, Store

from ..postgres_server import PostgresServer, running
from .test_store import a_trial, run_row

LOCK = """\
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("COMMIT")
"""


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server that the test may harm."""
    with running() as server:
        yield server


def test_a_server_that_is_killed_and_started_again_loses_nothing(server: PostgresServer) -> None:
    said: list[str] = []
    waits = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        waits.set()

    store = Store.open(server.url(), say=say)
    store.add_run(run_row(), [])
    store.add_trial(run_row().run_id, a_trial("before"))
    server.kill()
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(store.add_trial, run_row().run_id, a_trial("during"))
        two = pool.submit(store.add_note, run_row().run_id, "cell", "check", {"value": 1})
        assert waits.wait(60)
        server.start()
        assert one.result(60)
        two.result(60)
    assert [trial.trial_id for trial in store.trials(run_row().run_id)] == ["before", "during"]
    assert [note.facts for note in store.notes(run_row().run_id)] == [{"value": 1}]
    assert len(said) == 1
    assert "waiting up to 60 s" in said[0]
    store.close()


def test_a_server_that_stays_away_ends_in_one_sentence_without_the_password(server: PostgresServer) -> None:
    store = Store.open(server.url(), patience_s=0.3)
    server.kill()
    with pytest.raises(StoreError, match=r"has not answered for 0 s: .*what was measured stays") as caught:
        store.runs()
    assert server.password not in str(caught.value)
    assert f"postgresql://hilbench@127.0.0.1:{server.port}/test1 " in str(caught.value)
    store.close()


def test_a_server_that_refuses_is_not_asked_again(postgres: PostgresServer) -> None:
    said: list[str] = []
    with pytest.raises(StoreError, match="password authentication failed"):
        Store.open(postgres.url(password="wrong"), say=said.append)
    with pytest.raises(StoreError, match='database "nowhere" does not exist'):
        Store.open(postgres.url().rpartition("/")[0] + "/nowhere", say=said.append)
    assert said == []


def test_what_was_committed_before_its_answer_was_lost_is_not_stored_twice(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(url)
    # Where the answer to a commit is lost, the same is asked for a second time.
    monkeypatch.setattr(Database, "_patiently", lambda _, attempt: (attempt(False), attempt(True))[1])
    store.add_run(run_row(), [("cell", "board", {})], notes=[("cell", "a", {})])
    store.add_notes(run_row().run_id, [("cell", "b", {}), ("cell", "c", {})])
    assert store.add_trial(run_row().run_id, a_trial())
    assert [note.kind for note in store.notes(run_row().run_id)] == ["a", "b", "c"]
    assert len(store.trials(run_row().run_id)) == len(store.cells(run_row().run_id)) == 1
    store.close()


def test_a_file_that_another_process_locks_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    said: list[str] = []
    store = Store.open(f"sqlite:///{path}", say=said.append)
    store.add_run(run_row(), [])
    other = subprocess.Popen(
        [sys.executable, "-c", LOCK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(store.add_trial, run_row().run_id, a_trial())
        with pytest.raises(TimeoutError):
            adding.result(1)
        other.communicate("", timeout=60)
        assert adding.result(60)
    assert len(store.trials(run_row().run_id)) == 1
    assert said == []  # a short lock is no event
    store.close()


def test_a_file_that_stays_locked_ends_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilbench.harness.database._BUSY_TIMEOUT_MS", 50)
    path = tmp_path / "runs.sqlite"
    said: list[str] = []
    store = Store.open(f"sqlite:///{path}", say=said.append, patience_s=0.3)
    other = subprocess.Popen(
        [sys.executable, "-c", LOCK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    with pytest.raises(StoreError, match=r"runs\.sqlite has not answered for 0 s: database is locked"):
        store.add_run(run_row(), [])
    other.communicate("", timeout=60)
    assert len(said) == 1
    store.close()


def test_processes_that_open_a_new_database_at_once_make_its_tables_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, all_have_looked, waited = Database._is_current, threading.Barrier(4), set[Database]()

    def look_together(self: Database, connection: sa.Connection) -> bool:
        found = look(self, connection)
        if self not in waited:  # on a slow machine it may have to look again
            waited.add(self)
            all_have_looked.wait(60)
        return found

    monkeypatch.setattr(Database, "_is_current", look_together)
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: Store.open(url), range(4)))
    assert [store.runs() for store in stores] == [[]] * 4
    for store in stores:
        store.close()


def test_notes_of_an_older_store_are_kept_and_those_of_the_lab_need_no_run(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("hilbench.harness.database.HEAD", "0001")
        store = Store.open(url)
        store.add_run(run_row(), [], notes=[("board", "board", {"cores": 2}), ("board", "board", {"cores": 4})])
        assert _version(url) == "0001"
        store.close()
    store = Store.open(url)
    assert _version(url) == HEAD
    assert [note.facts for note in store.notes(run_row().run_id)] == [{"cores": 2}, {"cores": 4}]
    store.add_note(LAB, "board", "board", {"cores": 8})
    assert store.newest_facts("board") == {"board": {"cores": 8}}
    assert [note.seq for note in store.notes(LAB)] > [note.seq for note in store.notes(run_row().run_id)]
    store.close()


def test_a_file_of_an_older_version_is_copied_before_it_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, said = f"sqlite:///{tmp_path}/runs.sqlite", list[str]()
    with monkeypatch.context() as older:
        older.setattr("hilbench.harness.database.HEAD", "0002")
        store = Store.open(url, say=said.append)
        store.add_run(run_row(), [], notes=[("board", "board", {"cores": 2})])
        store.close()
    assert said == []  # a new file is no older one
    Store.open(url, say=said.append).close()
    copy = tmp_path / "runs.sqlite.schema-0002.bak"
    file = tmp_path / "runs.sqlite"
    assert said == [f"the store {file} was brought to this version of hilbench; as it was before: {copy}"]
    assert (_version(url), _version(f"sqlite:///{copy}")) == (HEAD, "0002")
    with monkeypatch.context() as older:
        older.setattr("hilbench.harness.database.HEAD", "0002")
        store = Store.open(f"sqlite:///{copy}")
        assert [note.facts for note in store.notes(run_row().run_id)] == [{"cores": 2}]
        store.close()
    Store.open(url, say=said.append).close()
    assert len(said) == 1


def test_a_file_that_cannot_be_copied_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/runs.sqlite"
    with monkeypatch.context() as older:
        older.setattr("hilbench.harness.database.HEAD", "0002")
        Store.open(url).close()
    (tmp_path / "runs.sqlite.schema-0002.bak.part").mkdir()
    with pytest.raises(StoreError, match="is left as it is: no copy of it could be made"):
        Store.open(url)
    assert _version(url) == "0002"


def _set_back(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the store as the release before made it, with a note."""
    with monkeypatch.context() as older:
        older.setattr("hilbench.harness.database.HEAD", "0002")
        store = Store.open(url)
        store.add_run(run_row(), [], notes=[("board", "board", {"cores": 2})])
        store.close()


def test_tables_of_an_older_version_are_copied_inside_postgresql_before_they_are_changed(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, said = postgres.url(), list[str]()
    _set_back(url, monkeypatch)
    Store.open(url, say=said.append).close()
    name = databaseurl.shown(url)
    where = "schema hilbench_backup_0002 of the same database"
    assert said == [f"the store {name} was brought to this version of hilbench; as it was before: {where}"]
    copy = f"{url}?options=-csearch_path%3Dhilbench_backup_0002"
    assert (_version(url), _version(copy)) == (HEAD, "0002")
    with monkeypatch.context() as older:
        older.setattr("hilbench.harness.database.HEAD", "0002")
        store = Store.open(copy)  # the earlier release reads it and goes on with it
        store.add_note(run_row().run_id, "board", "board", {"cores": 4})
        assert [note.facts for note in store.notes(run_row().run_id)] == [{"cores": 2}, {"cores": 4}]
        store.close()
    store = Store.open(url, say=said.append)
    assert [note.facts for note in store.notes(run_row().run_id)] == [{"cores": 2}]
    store.close()
    assert len(said) == 1


def test_a_copy_inside_postgresql_is_never_overwritten(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, said = postgres.url(), list[str]()
    _set_back(url, monkeypatch)
    _execute(url, "CREATE SCHEMA hilbench_backup_0002")
    Store.open(url, say=said.append).close()
    assert said[0].endswith("as it was before: schema hilbench_backup_0002_1 of the same database")


def test_tables_that_may_not_be_copied_are_left_as_they_are(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.url()
    name = url.rpartition("/")[2]
    _execute(url, f"CREATE ROLE {name}_clerk LOGIN PASSWORD 'word'", f"GRANT ALL ON SCHEMA public TO {name}_clerk")
    clerk = f"postgresql://{name}_clerk:word@127.0.0.1:{postgres.port}/{name}"
    _set_back(clerk, monkeypatch)
    with pytest.raises(
        StoreError, match=r"left as it is: no copy of it could be made: permission denied .*GRANT CREATE"
    ):
        Store.open(clerk)
    assert _version(clerk) == "0002"
    _execute(url, f"GRANT CREATE ON DATABASE {name} TO {name}_clerk")
    Store.open(clerk).close()
    assert _version(clerk) == HEAD


def _execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(databaseurl.driver_url(url))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


def _version(url: str) -> str:
    engine = sa.create_engine(databaseurl.driver_url(url))
    with engine.connect() as connection:
        version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    engine.dispose()
    return str(version)


def test_a_store_of_a_newer_hilbench_is_left_alone(url: str) -> None:
    Store.open(url).close()
    _execute(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=rf"newer hilbench \(its schema is 9999, this one knows {HEAD}\)"):
        Store.open(url)


def test_the_newest_migration_is_the_head() -> None:
    folder = Path(databaseurl.__file__).parent / "migrations" / "versions"
    assert max(path.name for path in folder.glob("v*.py"))[1:5] == HEAD


def test_the_setting_names_the_database_of_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HILBENCH_DATABASE", raising=False)
    home = Home(folder=tmp_path)
    assert home.database_url == f"sqlite:///{tmp_path}/runs.sqlite"
    assert home.keeps_database
    monkeypatch.setenv("HILBENCH_DATABASE", "postgres://ada@db/lab")
    assert home.database_url == "postgres://ada@db/lab"
    assert not home.keeps_database


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_usual_names_of_postgresql_are_taken(scheme: str) -> None:
    assert databaseurl.driver_url(f"{scheme}://a:s@h:5433/d?x=1") == "postgresql+psycopg://a:s@h:5433/d?x=1"
    assert databaseurl.shown(f"{scheme}://a:s@h:5433/d?password=s") == "postgresql://a@h:5433/d"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://u:secret@h/d", '"mysql" is no database that hilbench knows; allowed is postgresql://'),
        ("runs.sqlite", "it is no URL"),
        ("postgresql://u:secret@h", "postgresql://u@h names no database"),
        ("postgresql://u:sec/ret@h/d", "is no URL of the form .* is written as %2F"),
    ],
)
def test_words_that_name_no_database_get_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(DatabaseUrlError, match=sentence) as caught:
        Store.open(url)
    assert "sec" not in str(caught.value)
    assert caught.value.exit_code == 2
