//! Clients that are made when they are first used: a function has adapters for more than one event needs, in each account
//! that it guards, and making a client costs a tenth of a millisecond of its start.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use aws_types::SdkConfig;

/// A client that can be made from a configuration alone. A trait and not a closure that is kept: the making of a client
/// is a fiftieth of a megabyte, and a program that never uses it must not have it in it.
pub(super) trait Made {
    /// Of one configuration.
    fn made(config: &SdkConfig) -> Self;
}

/// The SDK's clients are all made alike, and share no trait that says so.
macro_rules! made {
    ($client:ty) => {
        impl $crate::aws::late::Made for $client {
            fn made(config: &aws_types::SdkConfig) -> Self {
                Self::new(config)
            }
        }
    };
}
pub(super) use made;

/// A service whose address the SDK knows.
pub(super) trait Placed {
    /// By the SDK's own rules, from the region, the kind of endpoint, and what the environment says of another one; `None`
    /// if they give none.
    fn url(config: &SdkConfig) -> Option<String>;
}

/// As [`made`]: each of the SDK's crates has these types anew. `$service` is its id in the names of settings.
macro_rules! placed {
    ($sdk:ident, $service:literal) => {
        impl $crate::aws::late::Placed for $sdk::Client {
            fn url(config: &aws_types::SdkConfig) -> Option<String> {
                use $sdk::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};

                let params = Params::builder()
                    .set_region(config.region().map(ToString::to_string))
                    .set_use_fips(config.use_fips())
                    .set_use_dual_stack(config.use_dual_stack())
                    .set_endpoint($crate::aws::connection::endpoint(config, $service))
                    .build()
                    .ok()?;
                let resolver = DefaultResolver::new();
                let endpoint =
                    futures_util::FutureExt::now_or_never(resolver.resolve_endpoint(&params))?.ok()?;
                Some(endpoint.url().to_owned())
            }
        }
    };
}
pub(super) use placed;

/// A client, or what it takes to make it. Clones share it.
pub(super) struct Late<C>(Arc<(SdkConfig, OnceLock<C>)>);

impl<C: Made> Late<C> {
    /// Of one configuration.
    pub(super) fn of(config: &SdkConfig) -> Self {
        Self(Arc::new((config.clone(), OnceLock::new())))
    }

    /// Makes it now, before anybody waits for it.
    pub(super) fn ready(&self) -> &C {
        let (config, client) = &*self.0;
        client.get_or_init(|| C::made(config))
    }
}

impl<C: Placed> Late<C> {
    /// Where it calls.
    pub(super) fn url(&self) -> Option<String> {
        C::url(&self.0.0)
    }
}

impl<C: Made> Deref for Late<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.ready()
    }
}

impl<C> Clone for Late<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Late<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Late")
    }
}
