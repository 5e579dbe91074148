"""Documents, and the checksum that both sides must compute alike."""

import uuid

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from taskhub_core.search.document import BUCKET_SQL, CHECKSUM_SQL, bucket, checksum

_SQL = text(
    f"""
    SELECT {CHECKSUM_SQL} AS checksum, {BUCKET_SQL} AS bucket
    FROM (SELECT CAST(:id AS uuid), CAST(:version AS bigint)) AS tasks (id, version)
    """
)


@given(st.lists(st.tuples(st.uuids(), st.integers(1, 2**63 - 1)), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_python_and_postgresql_compute_the_same_checksum_and_range(
    engine: Engine, pairs: list[tuple[uuid.UUID, int]]
) -> None:
    with engine.connect() as connection:
        for task_id, version in pairs:
            row = connection.execute(_SQL, {"id": task_id, "version": version}).one()
            assert (row.checksum, row.bucket) == (checksum(task_id, version), bucket(task_id))
