"""The benchmark's peer: what alarm-transitions does at the least, as one would write it with boto3.

An alarm goes off: the running deployments of its group are stopped with a rollback, and a topic is told.
"""

import json
import os

import boto3
from botocore.config import Config

CONFIG = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=2, read_timeout=5)
CODEDEPLOY = boto3.client("codedeploy", config=CONFIG)
SNS = boto3.client("sns", config=CONFIG)

GROUPS = json.loads(os.environ["GROUPS"])
TOPIC = os.environ["TOPIC_ARN"]
RUNNING = ["Created", "Queued", "InProgress", "Baking", "Ready"]


def handler(event, context):
    detail = event["detail"]
    alarm = detail["alarmName"]
    group = GROUPS.get(alarm)
    if group is None or detail["state"]["value"] != "ALARM":
        return {"stopped": []}
    running = CODEDEPLOY.list_deployments(
        applicationName=group["application"],
        deploymentGroupName=group["group"],
        includeOnlyStatuses=RUNNING,
    )["deployments"]
    for deployment in running:
        CODEDEPLOY.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)
    if running:
        SNS.publish(
            TopicArn=TOPIC,
            Subject=f"{group['application']}: taking back {running[0]}"[:100],
            Message=f"The alarm {alarm} went off: {detail['state'].get('reason', '')} Stopped: {', '.join(running)}.",
        )
    return {"stopped": running}
