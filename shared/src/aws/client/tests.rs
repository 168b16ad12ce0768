//! What is sent, beside what the SDK's own clients send.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion,
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
    retries::classifiers::ClassifyRetry as _,
};
use aws_smithy_types::{body::SdkBody, retry::RetryConfig};

use super::*;
use crate::aws::{
    AwsError, builds, cloudwatch, codedeploy, codepipeline, lambda, ledger, logs, secrets, sns, stacks, sts,
    targets, tasks,
};

/// Keeps what is sent, and answers each with the next of its answers, or the last one again; never, if it has none.
#[derive(Clone, Debug)]
struct Wire(Arc<Mutex<Vec<Sent>>>, &'static [(u16, &'static str)]);

/// Without what is another one in each call.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    uri: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let headers = request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut sent = self.0.lock().expect("nobody panicked");
        sent.push(Sent {
            uri: format!("{} {}", request.method(), request.uri()),
            headers: headers.collect(),
            body: String::from_utf8_lossy(request.body().bytes().expect("a body in memory")).into_owned(),
        });
        let Some(&(status, body)) = self.1.get(sent.len() - 1).or(self.1.last()) else {
            return HttpConnectorFuture::new(std::future::pending());
        };
        HttpConnectorFuture::ready(Ok(HttpResponse::new(
            status.try_into().expect("a status"),
            SdkBody::from(body),
        )))
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl Wire {
    fn answering(answers: &'static [(u16, &'static str)]) -> Self {
        Self(Arc::default(), answers)
    }

    /// Each request, without what no two of them have in common, and the parts of its signature.
    fn sent(&self) -> Vec<Sent> {
        let mut all = self.0.lock().expect("nobody panicked").clone();
        for sent in &mut all {
            sent.headers.remove("amz-sdk-invocation-id").expect("each call has its own");
            sent.headers.remove("user-agent").expect("who asks");
            sent.headers.remove("x-amz-user-agent");
            let signed = sent.headers.remove("authorization").expect("a signature");
            let (scope, rest) = signed.split_once(", ").expect("what it is for");
            sent.headers.insert("scope".to_owned(), scope.to_owned());
            // The SDK's clients sign their second header of who asks as well.
            let names = rest.split_once(", ").expect("which headers").0.replace(";x-amz-user-agent", "");
            sent.headers.insert("signed".to_owned(), names);
        }
        all
    }
}

fn in_region(region: &str) -> aws_types::sdk_config::Builder {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_312_193);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "id",
            "made-up",
            Some("session".to_owned()),
            None,
            "test",
        )))
        .identity_cache(IdentityCache::no_cache())
        .time_source(SharedTimeSource::new(aws_smithy_async::time::StaticTimeSource::new(now)))
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        ))
        .retry_config(
            connection::retries()
                .with_max_attempts(4)
                .with_initial_backoff(Duration::from_millis(1))
                .with_max_backoff(Duration::from_millis(1)),
        )
        .timeout_config(connection::timeouts())
}

fn answered_by(config: &SdkConfig, wire: &Wire) -> SdkConfig {
    config.clone().into_builder().http_client(wire.clone()).build()
}

/// Two faults, then throttled as those say it that speak JSON, then refused: four tries where that is understood.
const BAD: &[(u16, &str)] = &[
    (500, "{}"),
    (500, "{}"),
    (400, r#"{"__type":"ThrottlingException","message":"slower"}"#),
    (400, r#"{"__type":"ValidationException","message":"no"}"#),
];
const REFUSED: &[(u16, &str)] = &[(400, r#"{"__type":"ValidationException","message":"no"}"#)];

/// What both make of the same call is the same, also elsewhere and to other addresses.
macro_rules! alike {
    ($($api:path, $sdk:ident, $call:ident, $input:path, |$made:ident| $with:expr;)*) => {
        $({
            let mut cases = vec![(BAD, in_region("eu-central-1"))];
            for region in ["us-east-1", "cn-north-1", "us-gov-west-1", "aws-global", "us-isob-east-1"] {
                for (fips, dual) in [(false, false), (true, false), (false, true)] {
                    cases.push((REFUSED, in_region(region).use_fips(fips).use_dual_stack(dual)));
                }
            }
            cases.push((REFUSED, in_region("eu-central-1").endpoint_url("http://127.0.0.1:9/")));
            for (answers, config) in cases {
                let config = config.build();
                let (ours, theirs) = (Wire::answering(answers), Wire::answering(answers));
                let $made = <$input>::builder();
                let client = Client::<$api>::of(&answered_by(&config, &ours));
                let our_error = $with.sent_by(&client).await.expect_err("a bad day");
                let $made = $sdk::Client::new(&answered_by(&config, &theirs)).$call();
                let their_error = $with.send().await.expect_err("a bad day");
                let (ours, theirs) = (ours.sent(), theirs.sent());
                assert_eq!(ours, theirs, "{}", <$api as Service>::ID);
                let why = |error: &_| AwsError::from_sdk("test", "test", error).why;
                assert_eq!(why(&our_error), why(&their_error));
                assert!(answers.len() == 1 || ours.len() >= 3, "{} is tried again", <$api as Service>::ID);
            }
        })*
    };
}

#[tokio::test]
async fn what_is_sent_is_what_the_sdks_own_clients_send() {
    use aws_sdk_cloudformation::operation::describe_stacks::DescribeStacksInput;
    use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsInput;
    use aws_sdk_cloudwatchlogs::operation::get_log_events::GetLogEventsInput;
    use aws_sdk_codebuild::operation::batch_get_builds::BatchGetBuildsInput;
    use aws_sdk_codedeploy::operation::stop_deployment::StopDeploymentInput;
    use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateInput;
    use aws_sdk_dynamodb::operation::query::QueryInput;
    use aws_sdk_ecs::operation::describe_services::DescribeServicesInput;
    use aws_sdk_elasticloadbalancingv2::operation::describe_target_health::DescribeTargetHealthInput;
    use aws_sdk_lambda::operation::invoke::InvokeInput;
    use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueInput;
    use aws_sdk_sns::operation::publish::PublishInput;
    use aws_sdk_sts::operation::assume_role::AssumeRoleInput;

    alike! {
        codedeploy::Api, aws_sdk_codedeploy, stop_deployment, StopDeploymentInput,
            |call| call.deployment_id("d-75I7MBT7C").auto_rollback_enabled(true);
        codepipeline::Api, aws_sdk_codepipeline, get_pipeline_state, GetPipelineStateInput,
            |call| call.name("release");
        cloudwatch::Api, aws_sdk_cloudwatch, describe_alarms, DescribeAlarmsInput,
            |call| call.alarm_names("orders-5xx").max_records(1);
        ledger::Api, aws_sdk_dynamodb, query, QueryInput,
            |call| call.table_name("belay").consistent_read(true).key_condition_expression("pk = :pk");
        sns::Api, aws_sdk_sns, publish, PublishInput,
            |call| call.topic_arn("arn:aws:sns:us-east-1:123456789012:belay").message("two words & more");
        lambda::Api, aws_sdk_lambda, invoke, InvokeInput,
            |call| call.function_name("arn:aws:lambda:us-east-1:123456789012:function:probe")
                .payload(aws_sdk_lambda::primitives::Blob::new("{}"));
        sts::Api, aws_sdk_sts, assume_role, AssumeRoleInput,
            |call| call.role_arn("arn:aws:iam::123456789012:role/belay").role_session_name("belay");
        secrets::Api, aws_sdk_secretsmanager, get_secret_value, GetSecretValueInput,
            |call| call.secret_id("belay/slack");
        builds::Api, aws_sdk_codebuild, batch_get_builds, BatchGetBuildsInput,
            |call| call.ids("build:1");
        logs::Api, aws_sdk_cloudwatchlogs, get_log_events, GetLogEventsInput,
            |call| call.log_group_name("g").log_stream_name("s");
        tasks::Api, aws_sdk_ecs, describe_services, DescribeServicesInput,
            |call| call.cluster("prod").services("checkout");
        targets::Api, aws_sdk_elasticloadbalancingv2, describe_target_health, DescribeTargetHealthInput,
            |call| call.target_group_arn("arn");
        stacks::Api, aws_sdk_cloudformation, describe_stacks, DescribeStacksInput,
            |call| call.stack_name("orders");
    }
}

/// A plain address is only taken where the SDK's rules come to the same one.
#[test]
fn addresses_are_those_of_the_sdks_rules() {
    // Of each partition some, new ones, and what is none.
    const REGIONS: [&str; 21] = [
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ca-west-1",
        "eu-central-2",
        "eu-south-1",
        "ap-southeast-7",
        "sa-east-1",
        "me-central-1",
        "af-south-1",
        "il-central-1",
        "mx-central-1",
        "eu-north-99",
        "cn-north-1",
        "us-gov-west-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eusc-de-east-1",
        "local",
        "aws-global",
    ];
    fn alike<S: Service>() {
        for region in REGIONS {
            for (fips, dual) in [(false, false), (true, false), (false, true)] {
                let config = in_region(region).use_fips(fips).use_dual_stack(dual).build();
                // Of a plain address the rules say nothing but the address, of some others how they are signed for.
                let said = |found: Result<Endpoint, BoxError>| found.map_err(|error| error.to_string());
                let rules = said(S::by_rules(&config));
                assert_eq!(said(endpoint::<S>(&config)), rules, "{} in {region}", S::ID);
            }
        }
        let elsewhere = in_region("us-east-1").endpoint_url("http://127.0.0.1:9").build();
        let found = endpoint::<S>(&elsewhere).expect("an endpoint");
        assert_eq!(found.url(), S::by_rules(&elsewhere).expect("the same").url());
    }
    assert!(commercial("eu-north-99") && !commercial("us-gov-west-1") && !commercial("eu-central-1 "));
    alike::<builds::Api>();
    alike::<cloudwatch::Api>();
    alike::<codedeploy::Api>();
    alike::<codepipeline::Api>();
    alike::<lambda::Api>();
    alike::<ledger::Api>();
    alike::<logs::Api>();
    alike::<secrets::Api>();
    alike::<sns::Api>();
    alike::<stacks::Api>();
    alike::<sts::Api>();
    alike::<targets::Api>();
    alike::<tasks::Api>();
}

#[tokio::test]
async fn what_is_said_of_one_call_is_true_of_it_alone() {
    use aws_sdk_codedeploy::operation::stop_deployment::StopDeploymentInput;

    let asked = |wire: &Wire| {
        Client::<codedeploy::Api>::of(&in_region("us-east-1").http_client(wire.clone()).build())
    };
    let stop = || StopDeploymentInput::builder().deployment_id("d-75I7MBT7C");
    let wire = Wire::answering(&[(500, "{}")]);
    let client = asked(&wire);
    for (client, tries) in [(client.once(), 1), (client.clone(), 4)] {
        let before = wire.sent().len();
        stop().sent_by(&client).await.expect_err("a fault");
        assert_eq!(wire.sent().len() - before, tries);
    }
    assert!(wire.0.lock().expect("nobody panicked").iter().all(|sent| sent.headers["user-agent"] == AGENT));

    let wire = Wire::answering(&[(500, "{}"), (500, "{}"), (200, r#"{"status":"Succeeded"}"#)]);
    let other = RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(1));
    let answer = stop().sent_by(&asked(&wire).once().trying(other)).await.expect("an answer");
    assert_eq!(answer.status().map(AsRef::as_ref), Some("Succeeded"));
}

#[test]
fn who_tries_once_waits_as_long_as_the_others_with_all_their_tries() {
    fn limits(client: &Client<codedeploy::Api>) -> (Option<Duration>, Option<Duration>, Option<Duration>) {
        let mut all = ConfigBag::base();
        client.plugins().apply_client_configuration(&mut all).expect("a configuration");
        let limits = all.load::<TimeoutConfig>().expect("limits");
        (limits.connect_timeout(), limits.operation_attempt_timeout(), limits.operation_timeout())
    }
    let [connect, attempt, call] = [2, 3, 10].map(|seconds| Some(Duration::from_secs(seconds)));
    let client = Client::of(&in_region("us-east-1").timeout_config(connection::timeouts()).build());
    assert_eq!(limits(&client), (connect, attempt, call));
    assert_eq!(limits(&client.once()), (connect, call, call));
}

#[tokio::test]
async fn a_call_is_given_up_after_its_time() {
    use aws_sdk_codedeploy::operation::stop_deployment::StopDeploymentInput;

    let soon = || {
        let soon = Duration::from_millis(20);
        TimeoutConfig::builder().operation_attempt_timeout(soon).operation_timeout(soon).build()
    };
    let silent = in_region("us-east-1").http_client(Wire::answering(&[])).build();
    let by_configuration = silent.clone().into_builder().timeout_config(soon()).build();
    let by_configuration = Client::<codedeploy::Api>::of(&by_configuration);
    let for_one_call = Client::of(&silent).once().within(soon());
    for client in [by_configuration, for_one_call] {
        let stop = StopDeploymentInput::builder().deployment_id("d-75I7MBT7C").sent_by(&client);
        let error = stop.await.expect_err("nobody answers");
        assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    }
}

/// What else an operation brings would be missing from its calls: an update of the SDK is looked at when it does.
#[test]
fn operations_bring_nothing_else() {
    fn of<S: Service>() -> usize {
        let operations = S::operations();
        for (name, brings) in &operations {
            for interceptor in brings.interceptors() {
                let known = ["TelemetryInputCaptureInterceptor", "EndpointParamsInterceptor"]
                    .map(|known| format!("{name}{known}"));
                let told = interceptor.name();
                assert!(
                    known.iter().any(|known| known == told) || told == "StalledStreamProtectionInterceptor",
                    "{}: {name} brings {told}",
                    S::ID
                );
            }
            let retried: Vec<_> =
                brings.retry_classifiers().map(|classifier| classifier.name().to_owned()).collect();
            assert_eq!(
                retried,
                [
                    "Retryable Smithy Errors",
                    "Errors Modeled As Retryable",
                    "AWS Error Code",
                    "ServiceClockSkew"
                ]
            );
        }
        operations.len()
    }
    let of_each = [
        of::<builds::Api>(),
        of::<cloudwatch::Api>(),
        of::<codedeploy::Api>(),
        of::<codepipeline::Api>(),
        of::<lambda::Api>(),
        of::<ledger::Api>(),
        of::<logs::Api>(),
        of::<secrets::Api>(),
        of::<sns::Api>(),
        of::<stacks::Api>(),
        of::<sts::Api>(),
        of::<targets::Api>(),
        of::<tasks::Api>(),
    ];
    assert!(of_each.iter().all(|&count| count > 0), "{of_each:?}");
}

#[tokio::test]
async fn why_nothing_can_be_sent_is_said() {
    use aws_sdk_codedeploy::operation::stop_deployment::StopDeploymentInput;

    let stop = || StopDeploymentInput::builder().deployment_id("d-75I7MBT7C");
    let wire = Wire::answering(REFUSED);
    let nowhere = in_region("us-east-1").http_client(wire.clone()).region(None).build();
    let lost = Client::<codedeploy::Api>::of(&nowhere);
    assert_eq!(lost.ready(), None);
    let error = stop().sent_by(&lost).await.expect_err("nowhere to go");
    assert!(super::super::deepest(&error).contains("Missing Region"), "{error:?}");
    // As the SDK's own client says it.
    let mut nobody = in_region("us-east-1").http_client(wire.clone());
    nobody.set_credentials_provider(None);
    let nobody = nobody.build();
    let ours = stop().sent_by(&Client::<codedeploy::Api>::of(&nobody)).await.expect_err("no credentials");
    let theirs = aws_sdk_codedeploy::Client::new(&nobody).stop_deployment().deployment_id("d-75I7MBT7C");
    let theirs = theirs.send().await.expect_err("no credentials");
    let why = |error: &_| AwsError::from_sdk("test", "test", error).why;
    assert_eq!(why(&ours), why(&theirs));
    assert!(wire.0.lock().expect("nobody panicked").is_empty());
}
