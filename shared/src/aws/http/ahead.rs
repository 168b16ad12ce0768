//! Connections that are begun before anybody asks for them: at a function's start, while Lambda's event is on its way.
//! A name, a connection and a TLS session are three or four round trips and a millisecond of work, for each host.

use std::{
    pin::Pin,
    sync::Mutex,
    task::{Context, Waker},
};

use http::{
    Uri,
    uri::{Authority, Scheme},
};
use hyper::rt::{Read as _, ReadBuf};
use tokio::sync::oneshot;

use super::{Connect, Connected, locked};

/// Those that nobody has asked for yet.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    host: (Option<Scheme>, Option<Authority>),
    /// Whether it is waited for while it is not there yet.
    first: bool,
    begun: Begun,
}

/// One that was begun.
#[derive(Debug)]
pub(super) struct Begun(oneshot::Receiver<Connected>);

impl Ahead {
    /// Begins so many, one after the other: it is the first that somebody will wait for.
    pub(super) fn begin(&self, connect: &Connect, url: &Uri, count: usize) {
        let mut givers = Vec::new();
        let mut entries = locked(&self.0);
        for number in 0..count {
            let (giver, begun) = oneshot::channel();
            givers.push(giver);
            entries.push(Entry { host: host(url), first: number == 0, begun: Begun(begun) });
        }
        let (mut connect, url) = (connect.clone(), url.clone());
        tokio::spawn(async move {
            for giver in givers {
                // Whoever asks connects then, and says why that fails.
                let Ok(connection) = connect.anew(url.clone()).await else { return };
                // Nobody may want it any more.
                let _ = giver.send(connection);
            }
        });
    }

    /// One to a URL's host that is there, or the first if that is still to come: who comes second does not wait for what
    /// hangs.
    pub(super) fn take(&self, url: &Uri) -> Option<Begun> {
        let (host, mut entries) = (host(url), locked(&self.0));
        let place = entries
            .iter()
            .position(|entry| entry.host == host && (entry.first || !entry.begun.0.is_empty()))?;
        Some(entries.remove(place).begun)
    }

    /// Leaves them all to themselves.
    pub(super) fn forget(&self) {
        locked(&self.0).clear();
    }
}

impl Begun {
    /// The connection, if it came about and is still open.
    pub(super) async fn open(self) -> Option<Connected> {
        let mut connection = self.0.await.ok()?;
        is_open(&mut connection).then_some(connection)
    }
}

fn host(url: &Uri) -> (Option<Scheme>, Option<Authority>) {
    (url.scheme().cloned(), url.authority().cloned())
}

/// Nobody has asked anything, so there is nothing to be read but its end. What TLS itself has sent is taken in.
fn is_open(connection: &mut Connected) -> bool {
    let mut space = [0; 1];
    let mut buffer = ReadBuf::new(&mut space);
    Pin::new(connection).poll_read(&mut Context::from_waker(Waker::noop()), buffer.unfilled()).is_pending()
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::{net::TcpListener, task::yield_now, time::sleep};

    use super::*;

    async fn listening() -> (TcpListener, Uri) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        (listener, url.parse().expect("a URL"))
    }

    fn begun(url: &Uri, count: usize) -> Ahead {
        let ahead = Ahead::default();
        let connect = Connect::within(Some(Duration::from_secs(20)), Arc::default(), Arc::default());
        ahead.begin(&connect, url, count);
        ahead
    }

    #[tokio::test]
    async fn what_was_begun_is_there_for_its_host() {
        let (listener, url) = listening().await;
        let ahead = begun(&url, 2);
        assert!(ahead.take(&"http://127.0.0.1:1/".parse().expect("a URL")).is_none());
        assert!(
            ahead
                .take(&Uri::from_maybe_shared(url.to_string().replace("http", "https")).expect("a URL"))
                .is_none()
        );
        // In whatever path a request goes on.
        let same = format!("{url}service/operation").parse().expect("a URL");
        let first = ahead.take(&same).expect("the first").open().await.expect("a connection");
        let _other = (listener.accept().await.expect("asked"), listener.accept().await.expect("asked"));
        while ahead.0.lock().expect("a list").iter().any(|entry| entry.begun.0.is_empty()) {
            yield_now().await;
        }
        assert!(ahead.take(&url).expect("the second").open().await.is_some());
        assert!(ahead.take(&url).is_none());
        drop(first);
    }

    #[tokio::test]
    async fn what_has_ended_is_not_used() {
        let (listener, url) = listening().await;
        let ahead = begun(&url, 1);
        let begun = ahead.take(&url).expect("one that is begun");
        let (connection, _) = listener.accept().await.expect("asked");
        drop(connection);
        // Until the end has arrived.
        sleep(Duration::from_millis(50)).await;
        assert!(begun.open().await.is_none());
    }

    /// The first of a host is waited for, since it comes soon; who comes second would wait for what hangs.
    #[tokio::test]
    async fn one_waits_and_the_others_do_not() {
        let (_listener, url) = listening().await;
        let ahead = begun(&url, 3);
        // Nothing has run yet, so that none is there.
        assert!(ahead.take(&url).is_some());
        assert!(ahead.take(&url).is_none());
        ahead.forget();
        sleep(Duration::from_millis(50)).await;
        assert!(ahead.take(&url).is_none());
    }

    #[tokio::test]
    async fn where_nobody_listens_there_is_none() {
        let (listener, url) = listening().await;
        drop(listener);
        let ahead = begun(&url, 2);
        assert!(ahead.take(&url).expect("one that is begun").open().await.is_none());
        assert!(ahead.take(&url).is_none());
    }
}
