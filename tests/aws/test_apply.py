"""What Terraform makes is what was meant: applied to moto, which imitates AWS, and looked at from outside."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError

from taskhub_local.ports import HOST, any_free
from taskhub_local.testing import wait_for
from tests.terraform.conftest import Terraform

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_REGION = "eu-central-1"
_ACCOUNT = "123456789012"  # moto's own
# moto knows no associations of EKS Pod Identity: of the identity module only what IAM has. It knows no policy of who
# may redrive either, and forgets a queue's policy when another attribute is set: the policies come at the end.
_TARGETS = (
    "module.queues.aws_kms_alias.this",
    "module.queues.aws_sqs_queue_redrive_policy.events",
    "module.queues.aws_cloudwatch_metric_alarm.this",
    "module.postgres",
    "module.identity.aws_iam_role.this",
    "module.identity.aws_iam_role.platform",
    "module.identity.aws_iam_role_policy.queues",
    "module.identity.aws_iam_role_policy.platform",
)
_AT_THE_END = ("module.queues.aws_sqs_queue_policy.tls_only",)
_KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": _REGION}

pytestmark = pytest.mark.timeout(900)


class Aws:
    """A moto of its own, in which everything is made."""

    def __init__(self, url: str) -> None:
        self.url = url

    def client(self, service: str, **credentials: str) -> Any:
        """A client of one of its services. Without credentials it may do everything."""
        credentials = credentials or {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        return boto3.client(service, endpoint_url=self.url, region_name=_REGION, **credentials)  # type: ignore[call-overload]

    def as_role(self, name: str) -> "SQSClient":
        """A client of SQS with the rights of a role."""
        arn = f"arn:aws:iam::{_ACCOUNT}:role/{name}"
        given = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        client: SQSClient = self.client(
            "sqs",
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
        return client

    def check_rights(self, after: float) -> None:
        """Refuse what a caller has no right to, after so many calls from now."""
        headers = {"Content-Type": "text/plain"}  # not a form, which is the default and not read as it is
        call = Request(f"{self.url}/moto-api/reset-auth", data=str(after).encode(), headers=headers, method="POST")
        with urlopen(call, timeout=5) as answer:
            assert answer.status == 200

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            with urlopen(f"{self.url}/moto-api/data.json", timeout=2) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


@pytest.fixture(scope="module")
def aws(terraform: Terraform) -> Iterator[Aws]:
    """AWS with what the modules make in it."""
    port = any_free()
    command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
    settings = os.environ | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}  # AWS' own policies, which RDS' role is given
    with subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        found = Aws(f"http://{HOST}:{port}")
        try:
            wait_for(found.answers, deadline_seconds=60, message="moto does not answer")
            _apply(terraform, found)
            yield found
        finally:
            server.kill()


def _apply(terraform: Terraform, aws: Aws) -> None:
    folder = terraform.sources / "envs/moto"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("moto.tf"), folder / "main.tf")
    shutil.copy(terraform.sources / "modules/queues/versions.tf", folder)
    there = replace(terraform, environment=terraform.environment | _KEYS | {"AWS_ENDPOINT_URL": aws.url})
    there.run("envs/moto", "get")
    for targets in (_TARGETS, _AT_THE_END):
        there.run("envs/moto", "apply", "-auto-approve", "-input=false", *(f"-target={name}" for name in targets))


@pytest.fixture
def rights(aws: Aws) -> Iterator[None]:
    """From now on nobody may do what no policy allows."""
    yield
    aws.check_rights(float("inf"))


def _attributes(aws: Aws, queue: str) -> dict[str, str]:
    client = aws.client("sqs")
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    attributes: dict[str, str] = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return attributes


def test_a_message_that_is_received_too_often_is_a_dead_letter(aws: Aws) -> None:
    client = aws.client("sqs")
    queue = client.get_queue_url(QueueName="taskhub-moto-events")["QueueUrl"]
    dead_letters = client.get_queue_url(QueueName="taskhub-moto-events-dlq")["QueueUrl"]
    client.send_message(QueueUrl=queue, MessageBody="poison")
    for _ in range(5):
        assert client.receive_message(QueueUrl=queue, VisibilityTimeout=0, WaitTimeSeconds=0)["Messages"]
    assert not client.receive_message(QueueUrl=queue, VisibilityTimeout=0, WaitTimeSeconds=0).get("Messages")
    (letter,) = client.receive_message(QueueUrl=dead_letters, WaitTimeSeconds=0)["Messages"]
    assert letter["Body"] == "poison"


def test_dead_letters_are_kept_for_14_days(aws: Aws) -> None:
    kept = _attributes(aws, "taskhub-moto-events-dlq")
    assert int(kept["MessageRetentionPeriod"]) == 14 * 24 * 3600


@pytest.mark.parametrize("queue", ["taskhub-moto-events", "taskhub-moto-events-dlq"])
def test_queues_are_encrypted_by_a_key_that_rotates_and_refuse_plain_connections(aws: Aws, queue: str) -> None:
    attributes = _attributes(aws, queue)
    key = attributes["KmsMasterKeyId"]
    assert aws.client("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    (statement,) = json.loads(attributes["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_queues_alarms_watch_the_queues_that_were_made(aws: Aws) -> None:
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="taskhub-moto-events")["MetricAlarms"]
    watched = {value["Value"] for alarm in alarms for value in alarm["Dimensions"]}
    assert len(alarms) >= 3
    assert watched == {"taskhub-moto-events", "taskhub-moto-events-dlq"}


@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize(("role", "may_receive"), [("worker", False), ("sqs-consumer", True)])
def test_a_role_may_do_what_its_service_needs_and_no_more(aws: Aws, role: str, *, may_receive: bool) -> None:
    client = aws.as_role(f"taskhub-moto-{role}")
    queue = aws.client("sqs").get_queue_url(QueueName="taskhub-moto-events")["QueueUrl"]
    aws.check_rights(after=0)
    assert client.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    for allowed, call in (
        (may_receive, lambda: client.receive_message(QueueUrl=queue, WaitTimeSeconds=0)),
        (not may_receive, lambda: client.send_message(QueueUrl=queue, MessageBody="an event")),
        (False, lambda: client.purge_queue(QueueUrl=queue)),
    ):
        if allowed:
            call()
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                call()


def test_only_eks_hands_out_the_roles(aws: Aws) -> None:
    roles = [each for each in aws.client("iam").list_roles()["Roles"] if "rds-mon" not in each["RoleName"]]
    assert len(roles) == 8
    for role in roles:
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}, role["RoleName"]


def _postgres(aws: Aws) -> dict[str, Any]:
    (instance,) = aws.client("rds").describe_db_instances()["DBInstances"]
    found: dict[str, Any] = instance
    return found


def test_postgresql_has_a_standby_in_another_zone_and_is_reached_by_its_clients_only(aws: Aws) -> None:
    instance = _postgres(aws)
    assert instance["MultiAZ"]
    assert not instance["PubliclyAccessible"]
    zones = {subnet["SubnetAvailabilityZone"]["Name"] for subnet in instance["DBSubnetGroup"]["Subnets"]}
    assert len(zones) == 2
    (group,) = (each["VpcSecurityGroupId"] for each in instance["VpcSecurityGroups"])
    rules = aws.client("ec2").describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    (ingress,) = (rule for rule in rules["SecurityGroupRules"] if not rule["IsEgress"])
    assert (ingress["FromPort"], ingress["ToPort"]) == (5432, 5432)
    assert ingress["ReferencedGroupInfo"]["GroupId"]


def test_postgresql_is_encrypted_backed_up_and_holds_its_own_password(aws: Aws) -> None:
    instance = _postgres(aws)
    assert instance["StorageEncrypted"]
    assert aws.client("kms").get_key_rotation_status(KeyId=instance["KmsKeyId"])["KeyRotationEnabled"]
    assert instance["BackupRetentionPeriod"] == 14
    assert instance["MasterUserSecret"]["SecretArn"]


def test_postgresql_takes_no_connection_without_tls_and_no_commit_without_its_disk(aws: Aws) -> None:
    (group,) = _postgres(aws)["DBParameterGroups"]
    pages = aws.client("rds").get_paginator("describe_db_parameters")
    found = pages.paginate(DBParameterGroupName=group["DBParameterGroupName"]).build_full_result()["Parameters"]
    parameters = {each["ParameterName"]: each["ParameterValue"] for each in found}
    assert parameters["rds.force_ssl"] == "1"
    assert parameters["synchronous_commit"] == "on"


def test_postgresql_refuses_to_be_deleted(aws: Aws) -> None:
    with pytest.raises(ClientError, match="protect"):
        aws.client("rds").delete_db_instance(DBInstanceIdentifier="taskhub-moto-postgres", SkipFinalSnapshot=True)
    assert _postgres(aws)["DBInstanceIdentifier"] == "taskhub-moto-postgres"
