//! A Lambda function that makes the calls of `alarm-transitions` up to the stop, and nothing else: by the same clients over
//! the same connection, in the same order and as much of them side by side. Nothing is decided, and nothing is read of
//! the answers but what the next call needs. What `alarm-transitions` takes beyond this is Belay's own.
#![allow(clippy::disallowed_methods, reason = "the environment is read here, and only here")]

use aws_sdk_cloudwatch::{
    operation::describe_alarm_history::DescribeAlarmHistoryInput,
    types::{AlarmType, HistoryItemType, ScanBy},
};
use aws_sdk_codedeploy::{
    operation::{
        batch_get_deployments::BatchGetDeploymentsInput,
        get_application_revision::GetApplicationRevisionInput, get_deployment::GetDeploymentInput,
        get_deployment_group::GetDeploymentGroupInput, get_deployment_target::GetDeploymentTargetInput,
        list_deployment_targets::ListDeploymentTargetsInput, list_deployments::ListDeploymentsInput,
        stop_deployment::StopDeploymentInput,
    },
    types::{AppSpecContent, DeploymentStatus, RevisionLocation, RevisionLocationType as Kind},
};
use aws_sdk_dynamodb::{
    operation::{
        put_item::PutItemInput,
        query::{QueryInput, builders::QueryInputBuilder},
    },
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure::AllOld},
};
use belay::aws::{
    client::{Call as _, Client},
    cloudwatch, codedeploy, ledger,
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

const APPLICATION: &str = "orders";
const GROUP: &str = "prod";
const TABLE: &str = "belay-ledger";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let lookup = |name: &str| std::env::var(name).ok();
    let region = lookup("AWS_REGION").unwrap_or_default();
    let connection = belay::aws::connect(&region, belay::aws::Http::default().client(), lookup);
    let clients = Clients {
        codedeploy: Client::of(&connection),
        cloudwatch: Client::of(&connection),
        dynamodb: Client::of(&connection),
    };
    for made in [clients.codedeploy.ready(), clients.cloudwatch.ready(), clients.dynamodb.ready()] {
        made.ok_or("no address")?;
    }
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        Box::pin(clients.stop(&event.payload)).await?;
        Ok::<_, Error>(json!({}))
    }))
    .await
}

struct Clients {
    codedeploy: Client<codedeploy::Api>,
    cloudwatch: Client<cloudwatch::Api>,
    dynamodb: Client<ledger::Api>,
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// The hash of a revision's AppSpec, which is all that a deployment says of it.
fn hash(revision: Option<&RevisionLocation>) -> Result<&str, Error> {
    let spec = revision.and_then(RevisionLocation::app_spec_content);
    Ok(spec.and_then(AppSpecContent::sha256).ok_or("a revision without its hash")?)
}

fn everything_in(partition: &str) -> QueryInputBuilder {
    QueryInput::builder()
        .table_name(TABLE)
        .consistent_read(true)
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", text(partition))
}

impl Clients {
    async fn stop(&self, event: &Value) -> Result<(), Error> {
        let alarm = event["detail"]["alarmName"].as_str().ok_or("no alarm")?;
        let signal = format!(
            "signal/alarm/{}/ALARM/{}",
            event["resources"][0].as_str().ok_or("no ARN")?,
            event["detail"]["state"]["timestamp"].as_str().ok_or("no time")?
        );
        everything_in(&signal).sent_by(&self.dynamodb).await?;

        let (running, last_good, budget) = tokio::join!(
            self.running(),
            self.last_good(),
            everything_in("service/orders")
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                .expression_attribute_values(":from", text("taken-back/2026-01-01T00:00:00Z"))
                .expression_attribute_values(":to", text("taken-back/~"))
                .sent_by(&self.dynamodb)
        );
        budget?;
        let ((release, revision), good) = (running?, last_good?);

        let (back, standing, revision, traffic) = tokio::join!(
            self.way_back(&good),
            self.standing(&release, alarm),
            self.revision(&revision),
            self.traffic(&release)
        );
        back.and(standing).and(revision).and(traffic)?;

        self.claim(&release, event).await?;
        let stop = StopDeploymentInput::builder().deployment_id(release).auto_rollback_enabled(true);
        stop.sent_by(&self.codedeploy).await?;
        Ok(())
    }

    /// The deployment that runs, and the hash of its AppSpec.
    async fn running(&self) -> Result<(String, String), Error> {
        let (created, queued) = (DeploymentStatus::Created, DeploymentStatus::Queued);
        let (baking, ready) = (DeploymentStatus::Baking, DeploymentStatus::Ready);
        let listed = ListDeploymentsInput::builder().application_name(APPLICATION);
        let listed = listed.deployment_group_name(GROUP).include_only_statuses(created);
        let listed = listed.include_only_statuses(queued).include_only_statuses(DeploymentStatus::InProgress);
        let listed = listed
            .include_only_statuses(baking)
            .include_only_statuses(ready)
            .sent_by(&self.codedeploy)
            .await?;
        let ids = Some(listed.deployments().to_vec());
        let described =
            BatchGetDeploymentsInput::builder().set_deployment_ids(ids).sent_by(&self.codedeploy).await?;
        let running = described.deployments_info().first().ok_or("nothing runs")?;
        Ok((running.deployment_id().unwrap_or_default().to_owned(), hash(running.revision())?.to_owned()))
    }

    async fn last_good(&self) -> Result<String, Error> {
        let group = GetDeploymentGroupInput::builder().application_name(APPLICATION);
        let group = group.deployment_group_name(GROUP).sent_by(&self.codedeploy).await?;
        let good =
            group.deployment_group_info().and_then(|info| info.last_successful_deployment()?.deployment_id());
        Ok(good.ok_or("nothing to go back to")?.to_owned())
    }

    async fn way_back(&self, good: &str) -> Result<(), Error> {
        let deployment = GetDeploymentInput::builder().deployment_id(good).sent_by(&self.codedeploy);
        let records = format!("release/{good}");
        let (deployment, records) = tokio::join!(deployment, everything_in(&records).sent_by(&self.dynamodb));
        records?;
        let deployment = deployment?;
        let revision = deployment.deployment_info().and_then(|info| info.revision());
        self.revision(hash(revision)?).await
    }

    async fn standing(&self, release: &str, alarm: &str) -> Result<(), Error> {
        everything_in(&format!("release/{release}")).sent_by(&self.dynamodb).await?;
        let history = DescribeAlarmHistoryInput::builder().alarm_name(alarm);
        let history = history.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm);
        let history = history.alarm_types(AlarmType::LogAlarm);
        let history = history.history_item_type(HistoryItemType::StateUpdate).max_records(100);
        history.scan_by(ScanBy::TimestampDescending).sent_by(&self.cloudwatch).await?;
        Ok(())
    }

    async fn revision(&self, sha256: &str) -> Result<(), Error> {
        let asked = RevisionLocation::builder()
            .revision_type(Kind::AppSpecContent)
            .app_spec_content(AppSpecContent::builder().sha256(sha256).build())
            .build();
        let revision = GetApplicationRevisionInput::builder().application_name(APPLICATION);
        revision.revision(asked).sent_by(&self.codedeploy).await?;
        Ok(())
    }

    async fn traffic(&self, release: &str) -> Result<(), Error> {
        let listed =
            ListDeploymentTargetsInput::builder().deployment_id(release).sent_by(&self.codedeploy).await?;
        let target = listed.target_ids().first().ok_or("no target")?;
        GetDeploymentTargetInput::builder()
            .deployment_id(release)
            .target_id(target)
            .sent_by(&self.codedeploy)
            .await?;
        Ok(())
    }

    /// With the event in place of why: about as long.
    async fn claim(&self, release: &str, event: &Value) -> Result<(), Error> {
        PutItemInput::builder()
            .table_name(TABLE)
            .item("pk", text(&format!("release/{release}")))
            .item("sk", text("effect/undo"))
            .item("v", AttributeValue::N("1".to_owned()))
            .item("body", text(&event["detail"]["state"].to_string()))
            .item("expires_at", AttributeValue::N("1803088193".to_owned()))
            .item("state", text("claimed"))
            .item("until", AttributeValue::N("1795312193810".to_owned()))
            .item("owner", text("8476a536-e9f4-11e8-9739-000000000001"))
            .item("claimed_at", text("2026-11-22T01:49:53.81Z"))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(AllOld)
            .sent_by(&self.dynamodb)
            .await?;
        Ok(())
    }
}
