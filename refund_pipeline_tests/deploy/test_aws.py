"""The AWS settings: they load as an instance, and a run becomes a task of moto's ECS.

moto starts no container, so what a task does is not tried here.
"""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest
import yaml
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.test_utils import in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from moto import mock_aws

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "deploy" / "aws"
REGION = "eu-central-1"
IMAGE = "refund-pipeline:1"
SETTINGS = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "DAGSTER_HOME": "/var/lib/refund-pipeline",
    "REFUNDS_TENANT": "demo",
    "REFUNDS_START_DATE": "2026-11-01",
    "REFUNDS_MAPPING": "s3://settings/mapping.yaml",
    "REFUNDS_LANDING_URL": "s3://landing/events",
    "REFUNDS_REPORTS": "s3://reports/refunds",
    "REFUNDS_LOG_GROUP": "/refund-pipeline",
    "REFUNDS_RUN_ROLE": "arn:aws:iam::123456789012:role/run",
    "REFUNDS_EXECUTION_ROLE": "arn:aws:iam::123456789012:role/execution",
    "REFUNDS_COMPUTE_LOGS_BUCKET": "refund-logs",
    "NEWSTORE_BASE_URL": "https://demo.example.com",
    "NEWSTORE_TOKEN_URL": "https://id.example.com/token",
    "NEWSTORE_CLIENT_ID": "client",
    "NETSUITE_ACCOUNT": "1234567",
    "NETSUITE_CLIENT_ID": "client",
    "NETSUITE_CERTIFICATE_ID": "certificate",
}


def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PLACE / "dagster.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield


@pytest.fixture
def daemon_task(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The task the daemon runs in, and the address that tells it so."""
    ec2, ecs = boto3.client("ec2"), boto3.client("ecs")
    network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=network, EnableDnsHostnames={"Value": True})
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=network)["GroupId"]
    ecs.create_cluster(clusterName="refunds")
    ecs.register_task_definition(
        family="daemon",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="512",
        memory="1024",
        containerDefinitions=[{"name": "daemon", "image": IMAGE, "memory": 512}],
    )
    task = ecs.run_task(
        cluster="refunds",
        taskDefinition="daemon",
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}
        },
    )["tasks"][0]
    with metadata_of(task) as address:
        monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", address)
        yield subnet


class metadata_of:  # noqa: N801  (reads as a sentence)
    """ECS's metadata endpoint for one task, on loopback."""

    def __init__(self, task: dict[str, Any]) -> None:
        body = json.dumps({"Cluster": "refunds", "TaskARN": task["taskArn"]}).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of deploy/aws, but with SQLite for PostgreSQL."""
    settings = document()
    del settings["storage"]
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(settings))
    with dg.DagsterInstance.from_config(str(tmp_path)) as one:
        yield one


def with_memory(params: dict[str, Any], **_: object) -> dict[str, Any]:
    """Add what moto wants of every container, and Fargate of the task alone."""
    containers = [{"memory": 512, **one} for one in params["containerDefinitions"]]
    return {**params, "containerDefinitions": containers}


def test_a_run_becomes_a_task_with_its_roles_settings_and_secrets(
    daemon_task: str, instance: dg.DagsterInstance
) -> None:
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(
        Name="NEWSTORE_CLIENT_SECRET",
        SecretString="never shown",
        Tags=[{"Key": "refund-pipeline", "Value": ""}],
    )
    events = instance.run_launcher.ecs.meta.events
    events.register("provide-client-params.ecs.RegisterTaskDefinition", with_memory)
    origin = LoadableTargetOrigin(module_name="refund_pipeline.definitions")
    with in_process_test_workspace(instance, origin, container_image=IMAGE) as workspace:
        location = workspace.get_code_location(workspace.code_location_names[0])
        job = next(iter(location.get_repositories().values())).get_full_job("sync_refunds")
        run = instance.create_run_for_job(
            dg.GraphDefinition(name="sync_refunds").to_job(),
            remote_job_origin=job.get_remote_origin(),
            job_code_origin=job.get_python_origin(),
            tags={"dagster/partition": "2026-11-20"},
        )
        instance.launch_run(run.run_id, workspace)
    ecs = boto3.client("ecs")
    tasks = ecs.list_tasks(cluster="refunds")["taskArns"]
    described = ecs.describe_tasks(cluster="refunds", tasks=tasks)["tasks"]
    (task,) = [one for one in described if "daemon" not in one["taskDefinitionArn"]]
    definition = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])
    made = definition["taskDefinition"]
    assert made["taskRoleArn"] == SETTINGS["REFUNDS_RUN_ROLE"]
    assert made["executionRoleArn"] == SETTINGS["REFUNDS_EXECUTION_ROLE"]
    (container,) = made["containerDefinitions"]
    assert (container["name"], container["image"]) == ("run", IMAGE)
    assert [secret["name"] for secret in container["secrets"]] == ["NEWSTORE_CLIENT_SECRET"]
    assert "never shown" not in json.dumps(definition, default=str)
    (override,) = task["overrides"]["containerOverrides"]
    assert override["command"][:3] == ["dagster", "api", "execute_run"]
    given = {item["name"]: item["value"] for item in container["environment"]}
    assert given["REFUNDS_LANDING_URL"] == SETTINGS["REFUNDS_LANDING_URL"]


def test_output_of_runs_goes_to_the_bucket(aws: None, instance: dg.DagsterInstance) -> None:
    boto3.client("s3").create_bucket(
        Bucket="refund-logs", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    with instance.compute_log_manager.open_log_stream(
        ["run", "step"], ComputeIOType.STDOUT
    ) as stream:
        assert stream is not None
        stream.write("said")
    keys = [
        item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket="refund-logs")["Contents"]
    ]
    assert all(key.startswith("compute-logs/") for key in keys)


def test_the_settings_differ_from_the_projects_by_storage_launcher_and_logs_only() -> None:
    own = document()
    for name in ("storage", "run_launcher", "compute_logs"):
        del own[name]
    assert own == yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["run-role", "execution-role", "daemon-role"])
def test_no_role_may_do_everything(name: str) -> None:
    policy = json.loads((PLACE / f"{name}.json").read_text(encoding="utf-8"))
    for statement in policy["Statement"]:
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            assert "*" not in action
            assert not action.startswith(("s3:Delete", "iam:Create"))
