"""A moto server whose CloudFormation also creates secrets, metric filters, alarms and keys with tags. moto's does not.

    python tests/deploy/moto_server.py PORT
"""

import json
import sys

from moto import server
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.kms.models import Key
from moto.logs.models import logs_backends
from moto.secretsmanager.models import secretsmanager_backends


MODULE = "tests.moto_server"  # moto registers models under the second part of the name


class _Resource:
    """A resource in the backend of its service."""

    TYPE = NAME = ""

    def __init__(self, physical_id, arn=None):
        self.physical_resource_id = physical_id
        self.arn = arn

    @classmethod
    def cloudformation_type(cls):
        return cls.TYPE

    @classmethod
    def cloudformation_name_type(cls):
        return cls.NAME

    @classmethod
    def has_cfn_attr(cls, attr):
        return attr == "Arn"

    def get_cfn_attribute(self, _):
        return self.arn

    @classmethod
    def put(cls, properties, account, region):
        raise NotImplementedError

    @classmethod
    def create_from_cloudformation_json(cls, _, cloudformation_json, account_id, region_name, **__):
        return cls.put(cloudformation_json["Properties"], account_id, region_name)

    @classmethod
    def update_from_cloudformation_json(cls, cloudformation_json, account_id, region_name, **_):
        return cls.put(cloudformation_json["Properties"], account_id, region_name)


# moto finds the direct subclasses of CloudFormationModel by their type.
class Secret(_Resource, CloudFormationModel):
    """Has a retention policy, so it is never deleted."""

    __module__ = MODULE
    TYPE, NAME = "AWS::SecretsManager::Secret", "Name"

    @classmethod
    def put(cls, properties, account, region):
        backend = secretsmanager_backends[account][region]
        backend.create_secret(properties["Name"], None, None, properties["Description"], properties["Tags"],
                              properties["KmsKeyId"], None, [], False)
        return cls(backend.secrets[properties["Name"]].arn)


class MetricFilter(_Resource, CloudFormationModel):
    """Of a log group."""

    __module__ = MODULE
    TYPE, NAME = "AWS::Logs::MetricFilter", "FilterName"

    @classmethod
    def put(cls, properties, account, region):
        transformations = [{name[0].lower() + name[1:]: value for name, value in row.items()}
                           for row in properties["MetricTransformations"]]
        logs_backends[account][region].put_metric_filter(properties["FilterName"], properties["FilterPattern"],
                                                         properties["LogGroupName"], transformations)
        return cls(properties["FilterName"])

    @classmethod
    def delete_from_cloudformation_json(cls, _, cloudformation_json, account_id, region_name):
        properties = cloudformation_json["Properties"]
        logs_backends[account_id][region_name].delete_metric_filter(properties["FilterName"], properties["LogGroupName"])


class Alarm(_Resource, CloudFormationModel):
    """On one metric."""

    __module__ = MODULE
    TYPE, NAME = "AWS::CloudWatch::Alarm", "AlarmName"

    @classmethod
    def put(cls, properties, account, region):
        backend = cloudwatch_backends[account][region]
        alarm = backend.put_metric_alarm(
            properties["AlarmName"], properties["Namespace"], properties["MetricName"], properties["ComparisonOperator"],
            int(properties["EvaluationPeriods"]), int(properties["Period"]), float(properties["Threshold"]),
            properties["Statistic"], properties["AlarmDescription"], [], properties.get("AlarmActions", []),
            treat_missing_data=properties["TreatMissingData"], tags=properties["Tags"])
        return cls(alarm.name, alarm.alarm_arn)

    @classmethod
    def delete_from_cloudformation_json(cls, resource_name, _, account_id, region_name):
        cloudwatch_backends[account_id][region_name].delete_alarms([resource_name])


def create_key_from_cloudformation(*arguments, **named):
    """moto's, with the names of tags in the API of KMS and the policy as text."""
    cloudformation_json = arguments[1]
    properties = cloudformation_json["Properties"]
    tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties["Tags"]]
    changed = properties | {"Tags": tags, "KeyPolicy": json.dumps(properties["KeyPolicy"])}
    return CREATE_KEY(arguments[0], cloudformation_json | {"Properties": changed}, *arguments[2:], **named)


CREATE_KEY = Key.create_from_cloudformation_json
Key.create_from_cloudformation_json = create_key_from_cloudformation

if __name__ == "__main__":
    server.main(["--port", sys.argv[1]])
