"""Rules over deploy/cloudformation, and the stack on a local moto server. O7, P7

moto does not enforce policies. `is_allowed()` evaluates the documents that the server returns: statements that allow,
with the conditions StringEquals and ArnEquals. It knows no denials; the template has none.
"""

import contextlib
import fnmatch
import functools
import json
import os
import pathlib
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
import yaml

import poll
import test_manifests

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "deploy/cloudformation/tocsin.yaml"
REGION, ACCOUNT = "eu-west-1", "123456789012"
ISSUER = f"oidc.eks.{REGION}.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
TRAIL = "cloudtrail"
PARAMETERS = {"Environment": "staging", "OidcProvider": ISSUER, "CloudTrailLogGroup": TRAIL,
              "SecretWriterArn": f"arn:aws:iam::{ACCOUNT}:role/operators"}
# Logical id of a secret -> its name below the environment.
SECRETS = {"TwilioAccount": "twilio/account", "TwilioPhoneNumbers": "twilio/phone-numbers",
           "TwilioWebhooks": "twilio/webhooks", "Keyring": "tocsin/keyring", "RedisUrl": "tocsin/redis",
           "PostgresUrl": "tocsin/postgres"}
# Kubernetes Secret -> the secrets in AWS with its content.
CONTENT = {"tocsin-twilio": {"TwilioAccount", "TwilioWebhooks"}, "tocsin-keyring": {"Keyring"},
           "tocsin-redis": {"RedisUrl"}, "tocsin-postgres": {"PostgresUrl"}}
ROLES = {"IngressRole": "ingress", "SmsWorkerRole": "sms-worker", "VoiceWorkerRole": "voice-worker",
         "AuditRole": "audit", "MigrationsRole": "migrations"}
RETAINED = {"AWS::KMS::Key", "AWS::KMS::Alias", "AWS::SecretsManager::Secret"}
# Types whose schema has no tags.
UNTAGGED = {"AWS::KMS::Alias", "AWS::IAM::Policy", "AWS::Logs::MetricFilter", "AWS::CloudWatch::Dashboard"}
# Where "*" is necessary, with the reason.
WILDCARDS = {("Key", "Administration", "Resource"): "in the policy of a key, the resource is always this key",
             ("Key", "Use", "Resource"): "in the policy of a key, the resource is always this key"}
SERVER_SECONDS = 30
VIA_SECRETS_MANAGER = f"secretsmanager.{REGION}.amazonaws.com"


class _Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as their long forms."""


def _function(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".") if suffix == "GetAtt" else value}
    return {name: loader.construct_sequence(node, deep=True)}


_Loader.add_multi_constructor("!", _function)


def template():
    return yaml.load(TEMPLATE.read_text(), _Loader)


def resources(*types):
    return {name: row for name, row in template()["Resources"].items() if not types or row["Type"] in types}


def as_list(value):
    return value if isinstance(value, list) else [value]


def policies():
    """(logical id, document) of each policy of the template."""
    for name, row in resources().items():
        for key in ("KeyPolicy", "PolicyDocument", "AssumeRolePolicyDocument"):
            if document := row["Properties"].get(key):
                if "Fn::Sub" in document:
                    document = json.loads(document["Fn::Sub"])
                yield name, document


# --- The template -------------------------------------------------------------------------------------


def test_cfn_lint_has_no_finding():
    done = subprocess.run([pathlib.Path(test_manifests.tools_path().split(":")[0]) / "cfn-lint", "--include-checks", "I",
                           "--", TEMPLATE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr


def test_cloudformation_accepts_the_syntax():
    """It refuses aliases of YAML and bodies above 51 200 bytes, which cfn-lint does not report."""
    tokens = yaml.scan(TEMPLATE.read_text())
    assert not [token for token in tokens if isinstance(token, (yaml.AnchorToken, yaml.AliasToken))]
    assert TEMPLATE.stat().st_size <= 51_200
    for row in resources("AWS::Logs::MetricFilter").values():
        assert len(row["Properties"]["FilterPattern"]["Fn::Sub"]) <= 1024


def test_secrets_have_the_documented_names():
    names = {name: row["Properties"]["Name"]["Fn::Sub"] for name, row in resources("AWS::SecretsManager::Secret").items()}
    assert names == {name: "${Environment}/" + path for name, path in SECRETS.items()}


def test_no_secret_has_a_value_in_the_template():
    for name, row in resources("AWS::SecretsManager::Secret").items():
        assert set(row["Properties"]) == {"Name", "Description", "KmsKeyId", "Tags"}, name
        assert row["Properties"]["KmsKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}, name


def test_the_key_and_the_secrets_outlive_the_stack():
    for name, row in resources().items():
        expected = "Retain" if row["Type"] in RETAINED else "Delete"
        assert row["DeletionPolicy"] == row["UpdateReplacePolicy"] == expected, name


def test_everything_that_can_have_tags_has_them():
    tags = [{"Key": "Application", "Value": "tocsin"}, {"Key": "Environment", "Value": {"Ref": "Environment"}},
            {"Key": "Owner", "Value": {"Ref": "Owner"}}]
    tagged = {name for name, row in resources().items() if row["Type"] not in UNTAGGED}
    for name, row in resources().items():
        assert row["Properties"].get("Tags") == (tags if name in tagged else None), name
    assert len(tagged) == len(SECRETS) + len(ROLES) + 3  # key, role of writers, alarm


def test_no_statement_is_wider_than_necessary():
    found = set()
    for name, document in policies():
        for statement in document["Statement"]:
            assert statement["Effect"] == "Allow" and not {"NotAction", "NotResource", "NotPrincipal"} & set(statement)
            assert "*" not in json.dumps([statement["Action"], statement.get("Principal"), statement.get("Condition")]), name
            if "*" in json.dumps(statement.get("Resource", "")):
                found.add((name, statement["Sid"], "Resource"))
    assert found == set(WILDCARDS)


def test_the_key_rotates_and_can_be_deleted_only_after_30_days():
    (key,) = resources("AWS::KMS::Key").values()
    assert key["Properties"]["EnableKeyRotation"] is True and key["Properties"]["PendingWindowInDays"] == 30


# --- The stack ----------------------------------------------------------------------------------------


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """The URL of a moto server."""
    url = f"http://127.0.0.1:{_free_port()}"

    def answers():
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url + "/moto-api/", timeout=5):
            return True

    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, pathlib.Path(__file__).with_name("moto_server.py"),
                                    url.rsplit(":", 1)[1]], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   env=os.environ | {"MOTO_ACCOUNT_ID": ACCOUNT})
    try:
        poll.until("the server responds", answers, SERVER_SECONDS)
        yield url
    finally:
        process.kill()
        process.wait()


class Aws:
    """Clients of the server, and the stack."""

    def __init__(self, url):
        import boto3  # the import takes seconds
        session = boto3.Session("test", "test", region_name=REGION)
        self.client = functools.cache(lambda name: session.client(name, endpoint_url=url))
        self.stacks = self.client("cloudformation")
        self.name = None
        self.read = functools.cache(self._read)  # the server is slow

    def _read(self, what, name, *more):
        return getattr(self, "_" + what)(name, *more)

    def create(self, environment):
        """A stack of its own for each test."""
        self.name = environment
        self.stacks.create_stack(StackName=environment, TemplateBody=TEMPLATE.read_text(),
                                 Capabilities=["CAPABILITY_NAMED_IAM"], Parameters=self._parameters())
        self.stacks.get_waiter("stack_create_complete").wait(StackName=environment)

    def update(self, **changed):
        self.stacks.update_stack(StackName=self.name, UsePreviousTemplate=True, Capabilities=["CAPABILITY_NAMED_IAM"],
                                 Parameters=self._parameters(**changed))
        self.stacks.get_waiter("stack_update_complete").wait(StackName=self.name)
        self.read.cache_clear()

    def _parameters(self, **changed):
        values = PARAMETERS | {"Environment": self.name} | changed
        return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]

    def outputs(self):
        return self.read("outputs", self.name)

    def key_policy(self):
        return self.read("key_policy", self.name)

    def role_policy(self, role):
        return self.read("role_policy", self.name, role)

    def _outputs(self, name):
        (found,) = self.stacks.describe_stacks(StackName=name)["Stacks"]
        return {row["OutputKey"]: row["OutputValue"] for row in found["Outputs"]}

    def _key_policy(self, _):
        return json.loads(self.client("kms").get_key_policy(KeyId=self.outputs()["KeyArn"], PolicyName="default")["Policy"])

    def _role_policy(self, _, role):
        iam, name = self.client("iam"), self.outputs()[role + "Arn"].rsplit("/", 1)[1]
        (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
        return iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]

    def alarm(self):
        (found,) = self.client("cloudwatch").describe_alarms(AlarmNames=[f"tocsin-{self.name}-denied-access"])["MetricAlarms"]
        return found

    def secrets(self):
        listed = self.client("secretsmanager").list_secrets()["SecretList"]
        return {row["Name"]: row for row in listed if row["Name"].startswith(self.name + "/")}

    def trust(self, role):
        name = self.outputs()[role + "Arn"].rsplit("/", 1)[1]
        return self.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]


@pytest.fixture(scope="module")
def server(endpoint):
    aws = Aws(endpoint)
    aws.client("logs").create_log_group(logGroupName=TRAIL)
    return aws


@pytest.fixture(scope="module")
def aws(server):
    server.create("staging")
    return server


def is_allowed(document, action, resource, context):
    """Whether a statement allows the action on the resource for a request with these condition keys."""
    def matches(statement):
        conditions = [(operator, key, as_list(values)) for operator, row in statement.get("Condition", {}).items()
                      for key, values in row.items()]
        assert {operator for operator, _, _ in conditions} <= {"StringEquals", "ArnEquals"}
        return (action in as_list(statement["Action"]) and
                any(fnmatch.fnmatchcase(resource, pattern) for pattern in as_list(statement["Resource"])) and
                all(context.get(key) in values for _, key, values in conditions))

    return any(matches(statement) for statement in document["Statement"])


def can_read(aws, role, secret):
    """Whether a role can read the value: Secrets Manager allows it, and the key's and the role's policies the decryption."""
    outputs = aws.outputs()
    arn, key = outputs[secret + "Arn"], outputs["KeyArn"]
    context = {"kms:ViaService": VIA_SECRETS_MANAGER, "kms:EncryptionContext:SecretARN": arn,
               "aws:PrincipalArn": outputs[role + "Arn"]}
    allowed = is_allowed(aws.role_policy(role), "secretsmanager:GetSecretValue", arn, context)
    decrypts = (is_allowed(aws.role_policy(role), "kms:Decrypt", key, context) and
                is_allowed(aws.key_policy(), "kms:Decrypt", key, context))
    assert decrypts or not allowed, f"{role} may read {secret} but not decrypt it"
    return allowed


def test_every_resource_of_the_template_exists(aws):
    listed = {row["LogicalResourceId"]: row for row in aws.stacks.describe_stack_resources(StackName=aws.name)["StackResources"]}
    assert set(listed) == set(resources())
    assert set(aws.secrets()) == {f"staging/{path}" for path in SECRETS.values()}
    assert {row["KmsKeyId"] for row in aws.secrets().values()} == {aws.outputs()["KeyArn"]}
    kms = aws.client("kms")
    assert kms.describe_key(KeyId="alias/staging/tocsin")["KeyMetadata"]["Arn"] == aws.outputs()["KeyArn"]
    assert kms.get_key_rotation_status(KeyId=aws.outputs()["KeyArn"])["KeyRotationEnabled"]
    (metric_filter,) = aws.client("logs").describe_metric_filters(logGroupName=TRAIL)["metricFilters"]
    (transformation,) = metric_filter["metricTransformations"]
    alarm = aws.alarm()
    assert (transformation["metricNamespace"], transformation["metricName"]) == (alarm["Namespace"], alarm["MetricName"])
    assert aws.outputs()["KeyArn"].rsplit("/", 1)[1] in metric_filter["filterPattern"]


def test_the_outputs_are_those_of_the_resources(aws):
    outputs = aws.outputs()
    assert set(outputs) == set(template()["Outputs"])
    for name, path in SECRETS.items():
        assert outputs[name + "Arn"] == aws.secrets()[f"staging/{path}"]["ARN"]
    for role, service in ROLES.items():
        assert outputs[role + "Arn"] == f"arn:aws:iam::{ACCOUNT}:role/tocsin-staging-{service}"
    assert outputs["DashboardName"] == "tocsin-staging"


def test_the_dashboard_shows_the_alarm(aws):
    body = json.loads(aws.client("cloudwatch").get_dashboard(DashboardName="tocsin-staging")["DashboardBody"])
    (alarms,) = [widget["properties"]["alarms"] for widget in body["widgets"] if widget["type"] == "alarm"]
    assert alarms == [aws.alarm()["AlarmArn"]]
    assert {widget["type"] for widget in body["widgets"]} == {"text", "alarm", "metric", "log"}


def mounted(workload):
    """The Kubernetes Secrets that a workload mounts."""
    for volume in test_manifests.pod_of(workload).get("volumes", []):
        if "secret" in volume:
            yield volume["secret"]["secretName"]
        for source in volume.get("projected", {}).get("sources", []):
            if "secret" in source:
                yield source["secret"]["name"]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_what_its_service_mounts_and_nothing_else(aws, role):
    account = "tocsin-" + ROLES[role]
    found = [workload for overlay in ("production", "production/migrations") for workload in test_manifests.workloads(overlay)
             if test_manifests.pod_of(workload)["serviceAccountName"] == account]
    expected = {secret for workload in found for name in mounted(workload) for secret in CONTENT.get(name, ())}
    assert expected
    assert {secret for secret in SECRETS if can_read(aws, role, secret)} == expected


@pytest.mark.parametrize("role", ROLES)
def test_only_the_service_account_of_a_service_gets_its_role(aws, role):
    (statement,) = aws.trust(role)["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Principal"] == {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"}
    assert statement["Condition"] == {"StringEquals": {
        f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": f"system:serviceaccount:tocsin:tocsin-{ROLES[role]}"}}


def test_writers_write_every_secret_and_read_none(aws):
    policy, outputs = aws.role_policy("SecretWriterRole"), aws.outputs()
    for secret in SECRETS:
        assert is_allowed(policy, "secretsmanager:PutSecretValue", outputs[secret + "Arn"], {})
        assert not can_read(aws, "SecretWriterRole", secret)
        context = {"kms:ViaService": VIA_SECRETS_MANAGER, "aws:PrincipalArn": outputs["SecretWriterRoleArn"],
                   "kms:EncryptionContext:SecretARN": outputs[secret + "Arn"]}
        for document in (policy, aws.key_policy()):
            assert is_allowed(document, "kms:GenerateDataKey", outputs["KeyArn"], context)


@pytest.mark.parametrize("changed", [{"kms:ViaService": None}, {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/admin"}])
def test_the_key_decrypts_only_for_the_roles_and_through_secrets_manager(aws, changed):
    outputs = aws.outputs()
    context = {"kms:ViaService": VIA_SECRETS_MANAGER, "aws:PrincipalArn": outputs["IngressRoleArn"]}
    assert is_allowed(aws.key_policy(), "kms:Decrypt", outputs["KeyArn"], context)
    assert not is_allowed(aws.key_policy(), "kms:Decrypt", outputs["KeyArn"], context | changed)


def test_an_update_changes_the_alarm_only(server):
    server.create("updated")
    before, key = server.secrets(), server.outputs()["KeyArn"]
    assert server.alarm()["Threshold"] == 1 and not server.alarm()["AlarmActions"]
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call"
    server.update(DeniedAccessThreshold="3", AlarmTopicArn=topic)
    assert server.alarm()["Threshold"] == 3 and server.alarm()["AlarmActions"] == [topic]
    assert server.secrets() == before and server.outputs()["KeyArn"] == key


def test_a_deletion_keeps_the_key_and_the_secrets(server):
    server.create("deleted")
    secrets, key = server.client("secretsmanager"), server.outputs()["KeyArn"]
    secrets.put_secret_value(SecretId="deleted/tocsin/keyring", SecretString="kept")
    server.stacks.delete_stack(StackName="deleted")
    server.stacks.get_waiter("stack_delete_complete").wait(StackName="deleted")
    assert set(server.secrets()) == {f"deleted/{path}" for path in SECRETS.values()}
    assert secrets.get_secret_value(SecretId="deleted/tocsin/keyring")["SecretString"] == "kept"
    assert server.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    roles = [row["RoleName"] for row in server.client("iam").list_roles()["Roles"]]
    assert not [name for name in roles if name.startswith("tocsin-deleted-")]
    assert not server.client("cloudwatch").describe_alarms(AlarmNames=["tocsin-deleted-denied-access"])["MetricAlarms"]
