//! Calls to AWS: the SDK's own operations, sent by the SDK's own orchestrator, without the SDK's clients around them.
//!
//! What is sent, how an answer is read, how a call is signed, tried again and given up is the SDK's code, put together here
//! in the way in which its clients put it together. Left out is what they do besides at their start and in each call: reading
//! a table of all of AWS's partitions, once for each service, to find an address that is nearly always plain; counting what
//! they are used for, for a header; watching streams of which there are none here. Together that was a sixth of the time
//! from an alarm to its undo.
//!
//! That both send the same is held by a test, for each service.

use std::{
    borrow::Cow,
    fmt::{self, Debug},
    marker::PhantomData,
    sync::{Arc, OnceLock},
};

use aws_runtime::{
    auth::sigv4::{SCHEME_ID, SigV4AuthScheme},
    invocation_id::InvocationIdInterceptor,
    recursion_detection::RecursionDetectionInterceptor,
    request_info::RequestInfoInterceptor,
    retries::classifiers::AwsErrorCodeClassifier,
    service_clock_skew::{ServiceClockSkewClassifier, ServiceClockSkewInterceptor},
};
use aws_smithy_async::rt::sleep::default_async_sleep;
use aws_smithy_runtime::client::{
    auth::no_auth::NO_AUTH_SCHEME_ID,
    defaults::{DefaultPluginParams, default_retry_config_plugin_v2},
    http::connection_poisoning::ConnectionPoisoningInterceptor,
    identity::{IdentityCache, no_auth::NoAuthIdentityResolver},
    orchestrator::{AuthSchemeAndEndpointOrchestrationV2, invoke},
    retries::classifiers::{
        HttpStatusCodeClassifier, ModeledAsRetryableClassifier, TransientErrorClassifier,
    },
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        auth::static_resolver::StaticAuthSchemeOptionResolver,
        endpoint::{EndpointFuture, EndpointResolverParams, ResolveEndpoint},
        interceptors::{
            Intercept, SharedInterceptor,
            context::{
                BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, Error, Input,
                Output,
            },
            dyn_dispatch_hint,
        },
        orchestrator::HttpResponse,
        result::SdkError,
        runtime_components::{RuntimeComponents, RuntimeComponentsBuilder},
        runtime_plugin::{RuntimePlugin, RuntimePlugins, StaticRuntimePlugin},
    },
};
use aws_smithy_types::{
    config_bag::{ConfigBag, FrozenLayer, Layer, Storable, StoreReplace},
    endpoint::Endpoint,
    error::{metadata::ProvideErrorMetadata, operation::BuildError},
    retry::{ProvideErrorKind, RetryConfig},
    timeout::TimeoutConfig,
};
use aws_types::{
    SdkConfig, SigningName,
    region::{Region, SigningRegion},
};
use tracing::Instrument as _;

use super::connection;

/// A service, as its calls need to know it: what is the same for all of them. `service!` implements it.
pub trait Service: 'static {
    /// Its id, by which variables name it (AWS SDKs and Tools Reference Guide, "Identifiers for service-specific
    /// endpoints"): `CloudWatch Logs`.
    const ID: &'static str;
    /// How its hosts' names begin, and for which service its calls are signed: `logs`.
    const HOST: &'static str;

    /// What its operations' serializers need to find beside their input.
    fn protocol() -> FrozenLayer;

    /// What its operations bring beside what is sent, by the operation's name: what is left out of a call.
    #[cfg(test)]
    fn operations() -> Vec<(&'static str, RuntimeComponentsBuilder)>;

    /// Where it is by the SDK's own rules, which know every partition and every exception.
    ///
    /// # Errors
    /// When they give no address, with why.
    fn by_rules(config: &SdkConfig) -> Result<Endpoint, BoxError>;
}

/// A call that only needs to be sent: the builder of an operation's input. `service!` implements it.
pub trait Call: Sized {
    /// Whose operation it is.
    type Service: Service;
    /// What the SDK knows of the operation.
    type Operation: RuntimePlugin + Debug + 'static;
    /// What is answered.
    type Output: Debug + Send + Sync + 'static;
    /// What is refused.
    type Error: std::error::Error + ProvideErrorMetadata + ProvideErrorKind + Send + Sync + 'static;

    /// As the service's API names it.
    const NAME: &'static str;

    /// The operation.
    fn operation() -> Self::Operation;

    /// What is asked, once it is complete.
    ///
    /// # Errors
    /// When something is missing without which it cannot be asked.
    fn input(self) -> Result<Input, BuildError>;

    /// Sends it, as often as the client's configuration wants it tried.
    ///
    /// # Errors
    /// The SDK's own: that of the last attempt.
    fn sent_by(
        self,
        client: &Client<Self::Service>,
    ) -> impl Future<Output = Result<Self::Output, SdkError<Self::Error, HttpResponse>>> + Send {
        let operation = Operation::<_, Self::Error>(Self::operation(), PhantomData);
        let plugins = client.plugins().clone().with_operation_plugin(operation);
        let input = self.input();
        async move {
            let input = input.map_err(SdkError::construction_failure)?;
            let answer = answered(Self::Service::ID, Self::NAME, input, plugins).await;
            let answer = answer.map_err(|error| error.map_service_error(|error| named(error.downcast())))?;
            Ok(named(answer.downcast()))
        }
    }
}

/// The same for all operations, so that it is in a program once.
async fn answered(
    service: &'static str,
    operation: &'static str,
    input: Input,
    plugins: RuntimePlugins,
) -> Result<Output, SdkError<Error, HttpResponse>> {
    let span = tracing::debug_span!("call", rpc.service = service, rpc.method = operation);
    invoke(service, operation, input, &plugins).instrument(span).await
}

/// An operation's own deserializer makes its own type, so there is no other one in the box.
#[allow(clippy::expect_used, reason = "as the SDK's own clients: the type is the operation's")]
fn named<T>(downcast: Result<T, impl Debug>) -> T {
    downcast.expect("the type that the operation makes")
}

/// The operation's part: how it is written and read, and which of its failures are worth another try.
#[derive(Debug)]
struct Operation<O, E>(O, PhantomData<E>);

impl<O, E> RuntimePlugin for Operation<O, E>
where
    O: RuntimePlugin + Debug,
    E: std::error::Error + ProvideErrorMetadata + ProvideErrorKind + Send + Sync + 'static,
{
    fn config(&self) -> Option<FrozenLayer> {
        self.0.config()
    }

    fn runtime_components(&self, _: &RuntimeComponentsBuilder) -> Cow<'_, RuntimeComponentsBuilder> {
        Cow::Owned(
            RuntimeComponentsBuilder::new("Operation")
                .with_retry_classifier(TransientErrorClassifier::<E>::new())
                .with_retry_classifier(ModeledAsRetryableClassifier::<E>::new())
                .with_retry_classifier(
                    AwsErrorCodeClassifier::<E>::builder().transient_errors(&TRANSIENT[..]).build(),
                )
                .with_retry_classifier(ServiceClockSkewClassifier::<E>::new()),
        )
    }
}

/// Error codes that are worth another try, whatever the status: the SDK's own and that which it adds for STS, and which no
/// other service has.
const TRANSIENT: [&str; 3] = ["RequestTimeout", "RequestTimeoutException", "IDPCommunicationError"];

/// What sends the calls of one service. Clones share it.
///
/// Nothing is made before it is first used: a function has adapters for more than one event needs, in each account that it
/// guards.
pub struct Client<S>(Arc<(SdkConfig, OnceLock<RuntimePlugins>)>, PhantomData<S>);

impl<S: Service> Client<S> {
    /// Of one configuration.
    pub fn of(config: &SdkConfig) -> Self {
        Self(Arc::new((config.clone(), OnceLock::new())), PhantomData)
    }

    /// The same one, that tries nothing twice, and gives its one attempt all the time that a call has: what is slow today
    /// may be done, and must not pass for failed.
    #[must_use]
    pub fn once(&self) -> Self {
        let once = self.trying(RetryConfig::disabled());
        match self.0.0.timeout_config() {
            Some(limits) => {
                let mut patient = limits.to_builder();
                patient.set_operation_attempt_timeout(limits.operation_timeout());
                once.within(patient.build())
            }
            None => once,
        }
    }

    /// The same one, that tries calls again in another way.
    #[must_use]
    pub fn trying(&self, retries: RetryConfig) -> Self {
        self.with(retries)
    }

    /// The same one, with other limits of how long calls may take.
    #[must_use]
    pub fn within(&self, limits: TimeoutConfig) -> Self {
        self.with(limits)
    }

    fn with<T: Storable<Storer = StoreReplace<T>>>(&self, setting: T) -> Self {
        let mut layer = Layer::new("Setting");
        layer.store_put(setting);
        let changed = StaticRuntimePlugin::new().with_config(layer.freeze());
        let plugins = self.plugins().clone().with_client_plugin(changed);
        Self(Arc::new((self.0.0.clone(), OnceLock::from(plugins))), PhantomData)
    }

    /// Makes now what the first call would make, before anybody waits for it, and says where calls will go; `None` if that
    /// cannot be told, of which each call will say why.
    pub fn ready(&self) -> Option<String> {
        self.plugins();
        endpoint::<S>(&self.0.0).ok().map(|endpoint| endpoint.url().to_owned())
    }

    fn plugins(&self) -> &RuntimePlugins {
        let (config, plugins) = &*self.0;
        plugins.get_or_init(|| assembled::<S>(config))
    }
}

impl<S> Clone for Client<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl<S> Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// The service's part, as the SDK's clients have it (`ServiceRuntimePlugin` in each of its crates).
fn assembled<S: Service>(config: &SdkConfig) -> RuntimePlugins {
    let region = config.region().cloned();
    // By service and region the SDK shares out how many tries there are (`default_retry_partition`): one that is down is
    // not asked ever more often.
    let tries = format!("{}-{}", S::ID, region.as_ref().map_or("", Region::as_ref));
    let mut retries = DefaultPluginParams::new().with_retry_partition_name(tries).with_is_aws_sdk(true);
    if let Some(version) = config.behavior_version() {
        retries = retries.with_behavior_version(version);
    }
    let mut layer = Layer::new("Client");
    layer.store_put(AuthSchemeAndEndpointOrchestrationV2);
    layer.store_put(SigningName::from_static(S::HOST));
    layer.store_or_unset(region.clone().map(SigningRegion::from));
    layer.store_or_unset(region);
    // What a configuration that was made by hand leaves out is what `connect` says of it.
    layer.store_put(config.timeout_config().cloned().unwrap_or_else(connection::timeouts));
    layer.store_put(config.retry_config().cloned().unwrap_or_else(connection::retries));
    let mut components = RuntimeComponentsBuilder::new("Client")
        .with_http_client(config.http_client())
        .with_sleep_impl(config.sleep_impl().or_else(default_async_sleep))
        .with_time_source(Some(config.time_source().unwrap_or_default()))
        .with_identity_cache(Some(config.identity_cache().unwrap_or_else(|| IdentityCache::lazy().build())))
        .with_auth_scheme(SigV4AuthScheme::new())
        // Without credentials a call is to fail by their name, and not because nobody could have any.
        .with_identity_resolver(NO_AUTH_SCHEME_ID, NoAuthIdentityResolver::new())
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
        .with_endpoint_resolver(Some(At(endpoint::<S>(config).map_err(|error| error.to_string()))))
        .with_interceptor(SharedInterceptor::permanent(Begun))
        .with_interceptor(SharedInterceptor::permanent(ConnectionPoisoningInterceptor::new()))
        .with_interceptor(SharedInterceptor::permanent(RecursionDetectionInterceptor::new()))
        .with_interceptor(ServiceClockSkewInterceptor::new())
        .with_interceptor(RequestInfoInterceptor::new())
        .with_interceptor(InvocationIdInterceptor::new())
        .with_retry_classifier(HttpStatusCodeClassifier::default());
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(SCHEME_ID, credentials);
    }
    RuntimePlugins::new()
        .with_client_plugins(default_retry_config_plugin_v2(&retries))
        .with_client_plugin(StaticRuntimePlugin::new().with_config(S::protocol()))
        .with_client_plugin(
            StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components),
        )
}

/// Where a service is called: where the environment says, or at its plain address where it has one, or else by the SDK's
/// rules.
fn endpoint<S: Service>(config: &SdkConfig) -> Result<Endpoint, BoxError> {
    // Whether such an endpoint is there at all is for the rules to say, also about another address.
    if config.use_fips() == Some(true) || config.use_dual_stack() == Some(true) {
        return S::by_rules(config);
    }
    if let Some(url) = connection::endpoint(config, S::ID) {
        return Ok(Endpoint::builder().url(url).build());
    }
    match config.region().map(Region::as_ref).filter(|region| commercial(region)) {
        Some(region) => {
            Ok(Endpoint::builder().url(format!("https://{}.{region}.amazonaws.com", S::HOST)).build())
        }
        None => S::by_rules(config),
    }
}

/// Whether a region is one of the partition `aws`, by its name alone: `^(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+$` is how the
/// SDK knows one that it does not know yet (`partitions.json` in each of its crates).
fn commercial(region: &str) -> bool {
    const AREAS: [&str; 9] = ["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"];
    let parts: Vec<&str> = region.split('-').collect();
    let [area, place, number] = parts[..] else { return false };
    AREAS.contains(&area)
        && !place.is_empty()
        && place.bytes().all(|letter| letter.is_ascii_lowercase())
        && !number.is_empty()
        && number.bytes().all(|digit| digit.is_ascii_digit())
}

/// An address that was found before, or why there is none.
#[derive(Debug)]
struct At(Result<Endpoint, String>);

impl ResolveEndpoint for At {
    fn resolve_endpoint<'a>(&'a self, _: &'a EndpointResolverParams) -> EndpointFuture<'a> {
        EndpointFuture::ready(self.0.clone().map_err(Into::into))
    }
}

/// What each call begins with.
#[derive(Debug)]
struct Begun;

/// Who calls, as it is in CloudTrail.
const AGENT: &str = concat!("belay/", env!("CARGO_PKG_VERSION"));

#[dyn_dispatch_hint]
impl Intercept for Begun {
    fn name(&self) -> &'static str {
        "Begun"
    }

    /// The orchestrator wants parameters of the endpoint; this one needs none.
    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        cfg.interceptor_state().store_put(EndpointResolverParams::new(()));
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert("user-agent", AGENT);
        Ok(())
    }
}

/// A service and those of its operations that are called: of one crate of the SDK, with its id and how its hosts' names
/// begin. The crates share no traits for what they have in common.
///
/// `json` says which services are written by a protocol that the operations find in the configuration, and how they are
/// named in it; the operations of the others bring theirs.
macro_rules! service {
    (
        $service:ident = $sdk:ident, $id:literal, $host:literal $(, json $shape:literal $version:literal)?;
        $($module:ident: $operation:ident $builder:ident $output:ident $error:ident;)*
    ) => {
        /// The service, by its name in types.
        #[derive(Debug)]
        pub enum $service {}

        impl $crate::aws::client::Service for $service {
            const ID: &'static str = $id;
            const HOST: &'static str = $host;

            fn protocol() -> aws_smithy_types::config_bag::FrozenLayer {
                #[allow(unused_mut, reason = "for those that bring their protocol it stays empty")]
                let mut layer = aws_smithy_types::config_bag::Layer::new("Protocol");
                $($crate::aws::client::json(&mut layer, $host, $shape, $version);)?
                layer.freeze()
            }

            #[cfg(test)]
            fn operations()
            -> Vec<(&'static str, aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder)> {
                use aws_smithy_runtime_api::client::{
                    runtime_components::RuntimeComponentsBuilder, runtime_plugin::RuntimePlugin as _,
                };

                let none = RuntimeComponentsBuilder::new("none");
                vec![$((
                    stringify!($operation),
                    $sdk::operation::$module::$operation::new().runtime_components(&none).into_owned(),
                )),*]
            }

            fn by_rules(
                config: &aws_types::SdkConfig,
            ) -> Result<
                aws_smithy_types::endpoint::Endpoint,
                aws_smithy_runtime_api::box_error::BoxError,
            > {
                use $sdk::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};

                let params = Params::builder()
                    .set_region(config.region().map(ToString::to_string))
                    .set_use_fips(config.use_fips())
                    .set_use_dual_stack(config.use_dual_stack())
                    .set_endpoint($crate::aws::connection::endpoint(config, $id))
                    .build()?;
                let resolver = DefaultResolver::new();
                let found = futures_util::FutureExt::now_or_never(resolver.resolve_endpoint(&params));
                found.unwrap_or_else(|| Err("the rules wait for something".into()))
            }
        }

        $(
            impl $crate::aws::client::Call for $sdk::operation::$module::builders::$builder {
                type Service = $service;
                type Operation = $sdk::operation::$module::$operation;
                type Output = $sdk::operation::$module::$output;
                type Error = $sdk::operation::$module::$error;

                const NAME: &'static str = stringify!($operation);

                fn operation() -> Self::Operation {
                    Self::Operation::new()
                }

                fn input(
                    self,
                ) -> Result<
                    aws_smithy_runtime_api::client::interceptors::context::Input,
                    aws_smithy_types::error::operation::BuildError,
                > {
                    self.build().map(aws_smithy_runtime_api::client::interceptors::context::Input::erase)
                }
            }
        )*
    };
}
pub(super) use service;

/// AWS JSON 1.1, as the SDK's clients put it into the configuration.
pub(super) fn json(layer: &mut Layer, host: &str, shape: &'static str, version: &'static str) {
    use aws_smithy_json::protocol::aws_json_rpc::AwsJsonRpcProtocol;
    use aws_smithy_schema::protocol::{
        ServiceShapeName, ServiceShapeNamespace, ServiceVersion, SharedClientProtocol,
    };

    let namespace = format!("com.amazonaws.{host}");
    layer.store_put(ServiceShapeName::new(shape));
    layer.store_put(ServiceShapeNamespace::new(namespace.clone()));
    layer.store_put(ServiceVersion::new(version));
    layer.store_put(SharedClientProtocol::new(
        AwsJsonRpcProtocol::aws_json_1_1().with_default_namespace(namespace),
    ));
}

#[cfg(test)]
mod tests;
