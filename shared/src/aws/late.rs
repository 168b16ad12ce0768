//! Clients that are made when they are first used: a function has adapters for more than one event needs, in each account
//! that it guards, and making a client costs a tenth of a millisecond of its start.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, LazyLock},
};

use aws_types::SdkConfig;

/// How it is made.
type Make<C> = Box<dyn FnOnce() -> C + Send>;

/// A client, or what it takes to make it. Clones share it.
pub(super) struct Late<C>(Arc<LazyLock<C, Make<C>>>);

impl<C> Late<C> {
    /// Of one configuration.
    pub(super) fn of(config: &SdkConfig, make: impl FnOnce(&SdkConfig) -> C + Send + 'static) -> Self {
        let config = config.clone();
        Self(Arc::new(LazyLock::new(Box::new(move || make(&config)))))
    }

    /// Makes it now, before anybody waits for it.
    pub(super) fn ready(&self) {
        LazyLock::force(&self.0);
    }
}

impl<C> Deref for Late<C> {
    type Target = C;

    fn deref(&self) -> &C {
        LazyLock::force(&self.0)
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
