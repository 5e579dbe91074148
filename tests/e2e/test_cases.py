"""Each fault, done to a real cluster under load: recovery within its budget, and every promise in the ledger kept."""

import asyncio
import shutil
import time

import httpx
import psycopg
import pytest
import urllib3
from kubernetes.client import ApiException

from taskhub_local.errors import LocalError
from taskhub_local.faults.runner import run_case
from tests.e2e import outcome
from tests.e2e.alerting import with_alerts
from tests.e2e.argo import Argo
from tests.e2e.case import ClusterCase
from tests.e2e.cases import CASES
from tests.e2e.conftest import Cluster
from tests.e2e.evidence import keep_evidence
from tests.e2e.folder import FOLDER
from tests.e2e.ready import until_at_rest, until_well

pytestmark = pytest.mark.e2e

_TIMEOUT_SECONDS = 900


@pytest.mark.asyncio
@pytest.mark.timeout(_TIMEOUT_SECONDS)
async def test_every_promise_is_kept_through(
    case_name: str, cluster: Cluster, seed: int, request: pytest.FixtureRequest
) -> None:
    case = CASES[case_name]
    if case.nodes and not await asyncio.to_thread(cluster.kube.nodes_are_here):
        pytest.skip("its nodes are no containers of this machine, and this case reaches into one")
    folder = FOLDER / case.name
    shutil.rmtree(folder, ignore_errors=True)
    argo: Argo | None = request.getfixturevalue("argo") if case.gitops else None
    result = await _run(case, cluster, argo, seed)
    outcome.save(result, folder)
    if not result.passed:
        await asyncio.to_thread(keep_evidence, cluster.kube, folder)
        pytest.fail("\n".join((*result.failures, f"logs and events: {folder}")), pytrace=False)


async def _run(case: ClusterCase, cluster: Cluster, argo: Argo | None, seed: int) -> outcome.Outcome:
    began = time.monotonic()
    cluster.setting.say(f"{case.name}: {case.breaks}")
    try:
        await until_well(cluster.kube, cluster.setting)
        await until_at_rest(cluster.setting)
        report = await run_case(case.on(cluster.kube, cluster.helm, argo), cluster.setting, seed=seed)
    except (LocalError, ApiException, OSError, httpx.HTTPError, psycopg.Error, urllib3.exceptions.HTTPError) as error:
        return outcome.broken(
            case.name,
            case.breaks,
            case.budget_seconds,
            case.counted_from,
            why=f"the case could not be judged: {error!r}",
            seconds=time.monotonic() - began,
        )
    client, stage = cluster.seen.client, cluster.seen.stage
    assert client is not None
    assert stage is not None
    came_to = outcome.outcome_of(report, client.calls, stage.began_at, time.monotonic() - began)
    return await asyncio.to_thread(with_alerts, came_to, stage.began_at or time.time())
