"""Starts ministack, the emulator of AWS, and mends what it lacks of what our templates use, and AWS has:

- Its databases make no secret for a password that RDS is to manage: `Fn::GetAtt: [Db, MasterUserSecret.SecretArn]` fails.
- Its alarms on metric math are refused. Here they are made, and look at the first metric only.
- It has no elastic addresses and no NAT gateways in templates. Here they have ids, and do nothing.

So the emulator is given the same template as AWS. EMULATOR_FAILS is the logical id of a resource that cannot be made. GATEWAY_PORT, BIND_HOST and MINISTACK_HOST say where it listens, as for the
program `ministack` itself.
"""

import json
import os
import sys
import uuid

from ministack.app import main
from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners

database_attributes = provisioners._rds_db_instance_attrs
alarm_record = provisioners._cw_metric_alarm_record


def database_attributes_with_secret(instance):
    if "MasterUserSecret" not in instance:
        login = {"username": instance["MasterUsername"], "password": uuid.uuid4().hex}
        arn = secretsmanager.create_secret_in_process(f"rds!db-{uuid.uuid4()}", json.dumps(login), description="")
        instance["MasterUserSecret"] = {"SecretArn": arn, "SecretStatus": "active"}
    return {**database_attributes(instance), "MasterUserSecret.SecretArn": instance["MasterUserSecret"]["SecretArn"]}


def alarm_record_of_math(name, props):
    metrics = props.get("Metrics")
    if not metrics:
        return alarm_record(name, props)
    first = next(metric["MetricStat"] for metric in metrics if "MetricStat" in metric)
    plain = {key: value for key, value in props.items() if key != "Metrics"}
    return alarm_record(name, {**plain, **first["Metric"], "Period": first["Period"], "Statistic": first["Stat"]})


def created_with(prefix, attribute):
    def create(logical_id, props, stack_name):
        made = f"{prefix}-{uuid.uuid4().hex[:17]}"
        return made, {attribute: made}

    return create


def delete(physical_id, props):
    """Nothing is there."""


provisioners._RESOURCE_HANDLERS["AWS::EC2::EIP"] = {"create": created_with("eipalloc", "AllocationId"), "delete": delete}
provisioners._RESOURCE_HANDLERS["AWS::EC2::NatGateway"] = {"create": created_with("nat", "NatGatewayId"), "delete": delete}
provisioners._rds_db_instance_attrs = database_attributes_with_secret
provisioners._cw_metric_alarm_record = alarm_record_of_math



def failing(create, failing_id):
    def create_or_fail(logical_id, props, stack_name, *rest, **more):
        if logical_id == failing_id:
            raise ValueError("You have requested more instances than your current limit allows")
        return create(logical_id, props, stack_name, *rest, **more)

    return create_or_fail


if failing_id := os.environ.get("EMULATOR_FAILS"):
    for handler in provisioners._RESOURCE_HANDLERS.values():
        handler["create"] = failing(handler["create"], failing_id)

if __name__ == "__main__":
    sys.exit(main())
