"""Migrations run while the old release serves traffic: a lint over them, and the tests of the lint itself."""

import ast
import re
from pathlib import Path

import pytest

from taskhub_core import migrations

VERSIONS = sorted((Path(migrations.__file__).parent / "versions").glob("*.py"))

_NAME = r"(?:IF (?:NOT )?EXISTS )?(?:ONLY )?\"?(\w+)\"?"
_CREATED = re.compile(rf"CREATE TABLE {_NAME}", re.IGNORECASE)
_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?.*? ON (?:ONLY )?\"?(\w+)", re.IGNORECASE)
_ALTER = re.compile(rf"ALTER TABLE {_NAME} (.*)", re.IGNORECASE)
_NOTE = re.compile(r"^Contract: .{20,}", re.MULTILINE)


def _statements(source: str) -> list[str]:
    """The SQL that the revision executes, each statement on one line. Only text handed to op.execute counts as SQL."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    found = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "execute"]
    texts = [ast.literal_eval(call.args[0]) for call in found]
    return [" ".join(statement.split()) for text in texts for statement in text.split(";") if statement.strip()]


def faults(source: str) -> list[str]:
    """What would block traffic, or break the release that still runs."""
    statements = _statements(source)
    new_tables = {match[1] for statement in statements for match in [_CREATED.match(statement)] if match}
    explained = bool(_NOTE.search(ast.get_docstring(ast.parse(source)) or ""))
    found = []
    if re.search(r"\bop\.(?!execute\b|get_context\b)\w+\(", source):
        found.append("write SQL in op.execute, so that this lint can read it")
    for statement in statements:
        if index := _INDEX.match(statement):
            if index[2] not in new_tables and not index[1]:
                found.append(f"CREATE INDEX on {index[2]} blocks its writes: CONCURRENTLY")
            if index[1] and "autocommit_block()" not in source:
                found.append("CREATE INDEX CONCURRENTLY cannot run in a transaction: autocommit_block()")
        elif alter := _ALTER.match(statement):
            if alter[1] not in new_tables:
                found += _faults_of_alter(alter[1], alter[2], explained=explained)
        elif re.match(r"(DROP (TABLE|VIEW|TYPE)|TRUNCATE)\b", statement, re.IGNORECASE) and not explained:
            found.append(f"{statement!r} without a note on what stopped using it (Contract: ...)")
    return found


def _faults_of_alter(table: str, change: str, *, explained: bool) -> list[str]:
    rules = (
        (r"ADD COLUMN (?!.*\bDEFAULT\b).*\bNOT NULL\b", "ADD COLUMN NOT NULL without DEFAULT fails where rows are"),
        (
            r"ALTER (COLUMN )?\w+ SET NOT NULL",
            "SET NOT NULL reads the whole table under a lock: a CHECK NOT VALID first",
        ),
        (r"ALTER (COLUMN )?\w+ (SET DATA )?TYPE", "changing a type rewrites the table: a new column instead"),
        (
            r"ADD (CONSTRAINT \w+ )?(CHECK|FOREIGN KEY)(?!.*NOT VALID)",
            "ADD CONSTRAINT checks every row under a lock: NOT VALID",
        ),
        (
            r"ADD (CONSTRAINT \w+ )?(UNIQUE|PRIMARY KEY)(?!.*USING INDEX)",
            "ADD UNIQUE builds an index under a lock: USING INDEX",
        ),
    )
    found = [f"{table}: {why}" for pattern, why in rules if re.search(pattern, change, re.IGNORECASE)]
    if re.search(r"\b(DROP|RENAME)\b", change, re.IGNORECASE) and not explained:
        found.append(f"{table}: DROP or RENAME without a note on what stopped using it (Contract: ...)")
    return found


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_a_migration_can_run_while_the_old_release_serves(path: Path) -> None:
    assert faults(path.read_text()) == []


def test_the_history_is_one_line(tmp_path: Path) -> None:
    names = [path.stem.partition("_")[0] for path in VERSIONS]
    assert names == [f"{number:04}" for number in range(1, len(names) + 1)]


def _revision(sql: str, *, note: str = "", more: str = "") -> str:
    return f'"""A change.\n\n{note}\n"""\n\ndef upgrade():\n    {more}\n    op.execute("""{sql}""")\n'


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX ix ON tasks (id)",
        "CREATE UNIQUE INDEX ix ON tasks (id)",
        "CREATE INDEX CONCURRENTLY ix ON tasks (id)",
        "ALTER TABLE tasks ADD COLUMN a int NOT NULL",
        "ALTER TABLE ONLY tasks ADD COLUMN a int NOT NULL",
        "ALTER TABLE tasks ALTER COLUMN a SET NOT NULL",
        "ALTER TABLE tasks ALTER COLUMN a TYPE bigint",
        "ALTER TABLE tasks ADD CONSTRAINT c CHECK (a > 0)",
        "ALTER TABLE tasks ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES b (id)",
        "ALTER TABLE tasks ADD CONSTRAINT c UNIQUE (a)",
        "ALTER TABLE tasks DROP COLUMN a",
        "ALTER TABLE tasks RENAME COLUMN a TO b",
        "ALTER TABLE tasks RENAME TO jobs",
        "DROP TABLE tasks",
        "SELECT 1; DROP TABLE tasks",
        "TRUNCATE tasks",
    ],
)
def test_the_lint_finds_what_blocks_or_breaks(sql: str) -> None:
    assert faults(_revision(sql)) != []


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE new (id int NOT NULL); CREATE INDEX ix ON new (id); ALTER TABLE new ADD CONSTRAINT c UNIQUE (id)",
        "ALTER TABLE tasks ADD COLUMN a int",
        "ALTER TABLE tasks ADD COLUMN a int NOT NULL DEFAULT 0",
        "ALTER TABLE tasks ADD COLUMN a int DEFAULT 0 NOT NULL",
        "ALTER TABLE tasks ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
        "ALTER TABLE tasks VALIDATE CONSTRAINT c",
        "ALTER TABLE tasks ADD CONSTRAINT c UNIQUE USING INDEX ix",
        "COMMENT ON COLUMN tasks.a IS 'DROP TABLE is only a text here'",
    ],
)
def test_the_lint_lets_pass_what_is_safe(sql: str) -> None:
    assert faults(_revision(sql)) == []


def test_the_lint_takes_a_note_for_what_contracts_and_a_block_for_what_cannot_be_in_a_transaction() -> None:
    note = "Contract: nothing has read this column since release 1.4."
    assert faults(_revision("ALTER TABLE tasks DROP COLUMN a", note=note)) == []
    block = "with op.get_context().autocommit_block(): pass"
    assert faults(_revision("CREATE INDEX CONCURRENTLY ix ON tasks (id)", more=block)) == []


def test_the_lint_wants_sql_and_not_alembics_helpers() -> None:
    assert faults('"""A change."""\n\ndef upgrade():\n    op.create_index("ix", "tasks", ["id"])\n') != []
