//! Belay's own functions, in this process, with real SDK clients that call the simulator over HTTP.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{
    rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep, TokioSleep},
    time::SystemTimeSource,
};
use belay::{
    aws::{
        Adapters, Sources, cloudwatch::CloudWatch, codedeploy::CodeDeploy, codepipeline::CodePipeline,
        endpoint::Endpoint, lambda::Lambda, ledger::Ledger, retries, sns::Topic, timeouts,
    },
    channel::Chat,
    policy::Policy,
    settings::{ChatSettings, Settings},
    start::{Guards, Invocation as Ours, Patience},
};
use jiff::{SignedDuration, Timestamp};
use lifecycle_hooks::Pace;

use crate::{Invocation, Simulator, SlackApp, SlackChannel, stage::deployed};

/// The ledger's table in the simulator.
pub const TABLE: &str = "belay-ledger";
/// The topic in the simulator.
pub const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:belay";
/// The topic in the simulator to which pipelines tell that an approval waits.
pub const APPROVALS: &str = "arn:aws:sns:us-east-1:123456789012:belay-approvals";
/// The simulator's region.
pub const REGION: &str = "us-east-1";

/// How long a hook function waits in a rehearsal before it tries again what it could not measure. Real time:
/// the ten seconds of the deployed function would be ten real seconds here.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// How long a function waits here for another invocation that is at it. Real time: invocations come one after the
/// other here, so that most that hold a claim are dead.
const PATIENCE: Patience = Patience { look_for: Duration::from_millis(10), pause: Duration::from_millis(2) };

/// The functions. Each signs with credentials of its own, whose access key id is its name: so the simulator knows
/// which role makes a call.
pub const FUNCTIONS: [&str; 7] = [
    "alarm-transitions",
    "pipeline-events",
    "lifecycle-hooks",
    "chat-actions",
    "sweep",
    "stack-drift",
    "release-widget",
];

/// Clients that call the simulator as that function, or as anybody else whose access key id is `by`, with the retries
/// and limits of the deployed ones but shorter pauses.
pub fn sdk_config(endpoint: &str, by: &str) -> SdkConfig {
    let credentials = Credentials::new(by, "rehearsal", None, None, "rehearsal");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(
            retries()
                .with_initial_backoff(Duration::from_millis(2))
                .with_max_backoff(Duration::from_millis(10)),
        )
        .timeout_config(timeouts())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SystemTimeSource::new())
        .build()
}

/// The chat products' secret in the simulator.
pub const CHAT_SECRET: &str = "belay/chat";
/// What is in it for Slack.
pub const BOT_TOKEN: &str = "xoxb-rehearsed-token";
/// What Slack signs with.
pub const SIGNING_SECRET: &str = "rehearsed-signing-secret";
/// The workspace.
pub const TEAM: &str = "T0REHEARSE";

/// The settings of chat, for a policy that talks to Slack.
fn chat_settings(endpoint: &str, policy: &Policy) -> Option<ChatSettings> {
    policy
        .services()
        .any(|service| service.chat.slack.is_some())
        .then(|| ChatSettings { secret: CHAT_SECRET.to_owned(), slack_api: format!("{endpoint}/slack/api") })
}

/// Slack as the policy needs it: the app, and a channel for each service.
pub fn install_chat(simulator: &Simulator, policy: &Policy) {
    let channels: Vec<&str> = policy.services().filter_map(|service| service.chat.slack.as_deref()).collect();
    if channels.is_empty() {
        return;
    }
    simulator.install_slack(SlackApp {
        bot_token: BOT_TOKEN.to_owned(),
        signing_secret: SIGNING_SECRET.to_owned(),
        team: TEAM.to_owned(),
    });
    for channel in channels {
        simulator.slack_channel(channel, SlackChannel::Joined);
    }
    let secret = serde_json::json!({ "slack_bot_token": BOT_TOKEN, "slack_signing_secret": SIGNING_SECRET });
    simulator.create_secret(CHAT_SECRET, &secret.to_string());
}

/// What the roles of other accounts demand.
pub const EXTERNAL_ID: &str = "rehearsed-external-id";

fn settings(endpoint: &str, policy: &Policy) -> Settings {
    Settings {
        policy: "belay.yaml".into(),
        ledger_table: TABLE.to_owned(),
        topic_arn: TOPIC.to_owned(),
        region: REGION.to_owned(),
        chat: chat_settings(endpoint, policy),
        external_id: Some(EXTERNAL_ID.to_owned()),
    }
}

/// A function that is ready to work in the simulator.
pub fn guards(endpoint: &str, policy: Policy, function: &str) -> Guards {
    let settings = settings(endpoint, &policy);
    Guards::of(policy, &sdk_config(endpoint, function), &settings, PATIENCE).expect("settings for any policy")
}

/// The same, whose calls may take twenty times as long: where so many are under way that the simulator is what is slow.
pub fn unhurried(endpoint: &str, policy: Policy, function: &str) -> Guards {
    let settings = settings(endpoint, &policy);
    let config = sdk_config(endpoint, function).into_builder().sleep_impl(SharedAsyncSleep::new(Unhurried));
    Guards::of(policy, &config.build(), &settings, PATIENCE).expect("settings for any policy")
}

/// The SDK takes its timeouts by this as well as its pauses between attempts. Timeouts are a second and more.
#[derive(Debug)]
struct Unhurried;

impl AsyncSleep for Unhurried {
    fn sleep(&self, duration: Duration) -> Sleep {
        let times = if duration < TIMEOUTS { 1 } else { 20 };
        TokioSleep::new().sleep(duration * times)
    }
}

/// The least that is a timeout, and no pause.
const TIMEOUTS: Duration = Duration::from_millis(900);

/// A request id, as Lambda gives one to each invocation.
pub fn id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("request-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// An invocation at a virtual time, that begins now by the clock that only goes forward.
#[allow(clippy::disallowed_methods, reason = "the stage stands where main.rs does")]
pub fn invocation(id: &str, now: Timestamp) -> Ours<'_> {
    Ours { id, function: BELAY, now, begun: tokio::time::Instant::now() }
}

/// By which ARN the functions are invoked where that says only in which account Belay runs.
const BELAY: &str = "arn:aws:lambda:us-east-1:123456789012:function:belay";
/// By which ARN chat-actions is, to which it hands work on.
pub const CHAT_ACTIONS: &str = "arn:aws:lambda:us-east-1:123456789012:function:chat-actions";

/// By which ARN release-widget is, which a click on the dashboard calls again.
pub const RELEASE_WIDGET: &str = "arn:aws:lambda:us-east-1:123456789012:function:customWidget-belay";

/// Puts Belay's functions into the simulator, under the names that its rules deliver to.
pub fn install(simulator: &Simulator, policy: Policy) {
    install_chat(simulator, &policy);
    install_roles(simulator, &policy);
    let guards = Arc::new(guards_by_function(&simulator.endpoint(), &policy));
    install_with(simulator, RETRY_EVERY, move |function, _| guards[function].clone());
}

/// The same, with each line of metrics that a function writes into its log given to `log`.
pub fn install_logging(
    simulator: &Simulator,
    policy: Policy,
    log: impl Fn(&str) + Clone + Send + Sync + 'static,
) {
    install_chat(simulator, &policy);
    install_roles(simulator, &policy);
    let guards: BTreeMap<&'static str, Guards> = guards_by_function(&simulator.endpoint(), &policy)
        .into_iter()
        .map(|(function, guards)| (function, guards.logging(log.clone())))
        .collect();
    let guards = Arc::new(guards);
    install_with(simulator, RETRY_EVERY, move |function, _| guards[function].clone());
}

/// The roles of other accounts, as the policy needs them.
fn install_roles(simulator: &Simulator, policy: &Policy) {
    for role in policy.roles() {
        simulator.create_role(role.arn(), EXTERNAL_ID);
    }
}

fn guards_by_function(endpoint: &str, policy: &Policy) -> BTreeMap<&'static str, Guards> {
    FUNCTIONS.map(|function| (function, guards(endpoint, policy.clone(), function))).into()
}

/// The same for a rehearsal, in which minutes pass in milliseconds: chat's clients leave a product alone for seconds of
/// real time after it failed, so that they are made anew as virtual time goes on once something `failed`.
pub fn install_in_rehearsal(simulator: &Simulator, policy: Policy, failed: &Arc<AtomicBool>) {
    let endpoint = simulator.endpoint();
    let Some(settings) = chat_settings(&endpoint, &policy) else { return install(simulator, policy) };
    install_chat(simulator, &policy);
    install_roles(simulator, &policy);
    let guards = Arc::new(guards_by_function(&endpoint, &policy));
    let made = FUNCTIONS
        .map(|function| (function, (Timestamp::MIN, Chat::new(&sdk_config(&endpoint, function), &settings))));
    let made = Arc::new(Mutex::new(BTreeMap::from(made)));
    let failed = Arc::clone(failed);
    install_with(simulator, RETRY_EVERY, move |function, call| {
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        let guards = guards[function].clone();
        let Some((at, chat)) = made.get_mut(function) else { return guards };
        if failed.load(Ordering::Relaxed) && call.now.duration_since(*at) >= ALONE {
            (*at, *chat) = (call.now, Chat::new(&sdk_config(&endpoint, function), &settings));
        }
        guards.map(|guard| guard.adapters.chat = Some(chat.clone()))
    });
}

/// How long a client of a chat product leaves it alone after it did not answer.
const ALONE: SignedDuration = SignedDuration::from_secs(5);

/// Gives the secret the address of a Teams workflow, too. Before anything reads it.
pub fn install_teams(simulator: &Simulator) {
    let address = simulator.install_teams("rehearsed-signature");
    let secret = serde_json::json!({
        "slack_bot_token": BOT_TOKEN,
        "slack_signing_secret": SIGNING_SECRET,
        "teams_webhook_url": address,
    });
    simulator.rotate_secret(CHAT_SECRET, &secret.to_string());
}

/// The same for a storm: each invocation makes its own clients for its own endpoint, as a process would that may
/// be killed at any call. Nothing waits in real time, and no retry's luck hangs on another simulation's.
pub fn install_in_storm(simulator: &Simulator, policy: Policy) {
    install_with(simulator, Duration::ZERO, stormproof(simulator, policy));
}

/// Sleeps through timeouts, which are a second and more, and not through the pauses between attempts: the SDK takes
/// tens of milliseconds for those of throttling whatever it is told, and in a storm they are what takes longest.
#[derive(Debug)]
struct NoBackoff;

impl AsyncSleep for NoBackoff {
    fn sleep(&self, duration: Duration) -> Sleep {
        if duration < TIMEOUTS {
            Sleep::new(std::future::ready(()))
        } else {
            TokioSleep::new().sleep(duration)
        }
    }
}

/// Makes the guards of one invocation in a storm, which is in one account.
pub fn stormproof(
    simulator: &Simulator,
    policy: Policy,
) -> impl Fn(&str, &Invocation) -> Guards + Clone + Send + Sync + use<> {
    // The SDK keeps its budget for retries per service and region, in the whole process.
    static SIMULATIONS: AtomicU64 = AtomicU64::new(0);
    let region = format!("{REGION}-{}", SIMULATIONS.fetch_add(1, Ordering::Relaxed));
    let configs = FUNCTIONS.map(|function| {
        let config = sdk_config(&simulator.endpoint(), function)
            .into_builder()
            .region(Region::new(region.clone()))
            .sleep_impl(SharedAsyncSleep::new(NoBackoff))
            .build();
        let settings = settings(&simulator.endpoint(), &policy);
        let patience = Patience { look_for: Duration::ZERO, pause: Duration::from_millis(1) };
        let guards =
            Guards::of(policy.clone(), &config, &settings, patience).expect("settings for any policy");
        (function, (config, guards))
    });
    let configs = Arc::new(BTreeMap::from(configs));
    let endpoint = Endpoint::default();
    move |function, call| {
        let (config, guards) = &configs[function];
        let config = config.to_builder().endpoint_url(&call.endpoint).build();
        guards.clone().map(|guard| {
            guard.adapters = Adapters {
                codedeploy: CodeDeploy::new(&config),
                cloudwatch: CloudWatch::new(&config),
                ledger: Ledger::new(&config, TABLE),
                topic: Topic::new(&config, TOPIC),
                codepipeline: CodePipeline::new(&config),
                lambda: Lambda::new(&config),
                endpoint: endpoint.clone(),
                chat: None,
                sources: Sources::new(&config),
            };
        })
    }
}

fn install_with(
    simulator: &Simulator,
    retry_every: Duration,
    guards: impl Fn(&str, &Invocation) -> Guards + Clone + Send + Sync + 'static,
) {
    simulator.create_ledger_table(TABLE);
    simulator.create_topic("belay");
    simulator.create_topic("belay-approvals");
    simulator.subscribe(APPROVALS, "pipeline-events");
    deployed::enforce(simulator);
    simulator.schedule("sweep", Duration::from_secs(60));
    register(simulator, retry_every, guards);
}

/// Deploys another policy to functions that are there: what they have written down stays.
pub fn deploy_again(simulator: &Simulator, policy: &Policy) {
    let guards = Arc::new(guards_by_function(&simulator.endpoint(), policy));
    register(simulator, RETRY_EVERY, move |function, _| guards[function].clone());
}

fn register(
    simulator: &Simulator,
    retry_every: Duration,
    guards: impl Fn(&str, &Invocation) -> Guards + Clone + Send + Sync + 'static,
) {
    let ours = guards.clone();
    simulator.register("alarm-transitions", move |call: Invocation| {
        let guards = ours("alarm-transitions", &call);
        Box::pin(async move {
            let handled =
                alarm_transitions::handle(&guards, &call.payload, invocation(&call.id, call.now)).await;
            handled.map(|answer| answer.to_string()).map_err(|failure| format!("{}: {failure}", failure.kind))
        })
    });
    let ours = guards.clone();
    simulator.register("pipeline-events", move |call: Invocation| {
        let guards = ours("pipeline-events", &call);
        Box::pin(async move {
            let handled =
                pipeline_events::handle(&guards, &call.payload, invocation(&call.id, call.now)).await;
            handled.map(|answer| answer.to_string()).map_err(|failure| format!("{}: {failure}", failure.kind))
        })
    });
    let ours = guards.clone();
    simulator.register("chat-actions", move |call: Invocation| {
        let guards = ours("chat-actions", &call);
        Box::pin(async move {
            let now = Ours { function: CHAT_ACTIONS, ..invocation(&call.id, call.now) };
            let handled = chat_actions::handle(&guards, &call.payload, now).await;
            handled.map(|answer| answer.to_string()).map_err(|failure| format!("{}: {failure}", failure.kind))
        })
    });
    let ours = guards.clone();
    simulator.register("sweep", move |call: Invocation| {
        let guards = ours("sweep", &call);
        Box::pin(async move {
            let handled = sweep::handle(&guards, &call.payload, invocation(&call.id, call.now)).await;
            handled.map(|answer| answer.to_string()).map_err(|failure| format!("{}: {failure}", failure.kind))
        })
    });
    let ours = guards.clone();
    // Its schedule rings when a script says so: a rehearsal lasts no day.
    simulator.register("stack-drift", move |call: Invocation| {
        let guards = ours("stack-drift", &call);
        Box::pin(async move {
            let handled = stack_drift::handle(&guards, &call.payload, invocation(&call.id, call.now)).await;
            handled.map(|answer| answer.to_string()).map_err(|failure| format!("{}: {failure}", failure.kind))
        })
    });
    let ours = guards.clone();
    simulator.register("release-widget", move |call: Invocation| {
        let guards = ours("release-widget", &call);
        Box::pin(async move {
            let now = Ours { function: RELEASE_WIDGET, ..invocation(&call.id, call.now) };
            let handled = release_widget::handle(&guards, &call.payload, now).await;
            handled.map(|answer| answer.to_string()).map_err(|failure| format!("{}: {failure}", failure.kind))
        })
    });
    simulator.register("lifecycle-hooks", move |call: Invocation| {
        let guards = guards("lifecycle-hooks", &call);
        Box::pin(async move {
            let pace = Pace { left: call.deadline, retry_every };
            let begins = || invocation(&call.id, call.now);
            let handled = lifecycle_hooks::handle(guards.own(), &call.payload, begins, pace).await;
            handled.map(|answer| answer.to_string()).map_err(|failure| format!("{}: {failure}", failure.kind))
        })
    });
}
