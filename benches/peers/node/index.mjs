// The benchmark's peer: what alarm-transitions does at the least, as one would write it with the SDK for JavaScript.
//
// An alarm goes off: the running deployments of its group are stopped with a rollback, and a topic is told.

import { CodeDeployClient, ListDeploymentsCommand, StopDeploymentCommand } from "@aws-sdk/client-codedeploy";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";

const codeDeploy = new CodeDeployClient({});
const sns = new SNSClient({});

const groups = JSON.parse(process.env.GROUPS);
const topic = process.env.TOPIC_ARN;
const includeOnlyStatuses = ["Created", "Queued", "InProgress", "Baking", "Ready"];

export const handler = async ({ detail }) => {
  const group = groups[detail.alarmName];
  if (!group || detail.state.value !== "ALARM") return { stopped: [] };
  const { deployments = [] } = await codeDeploy.send(
    new ListDeploymentsCommand({
      applicationName: group.application,
      deploymentGroupName: group.group,
      includeOnlyStatuses,
    }),
  );
  await Promise.all(
    deployments.map((deploymentId) =>
      codeDeploy.send(new StopDeploymentCommand({ deploymentId, autoRollbackEnabled: true })),
    ),
  );
  if (deployments.length > 0) {
    await sns.send(
      new PublishCommand({
        TopicArn: topic,
        Subject: `${group.application}: taking back ${deployments[0]}`.slice(0, 100),
        Message: `The alarm ${detail.alarmName} went off: ${detail.state.reason ?? ""} Stopped: ${deployments.join(", ")}.`,
      }),
    );
  }
  return { stopped: deployments };
};
