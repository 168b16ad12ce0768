//! One HTTPS POST.

use std::{
    error::Error,
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_smithy_runtime_api::client::{
    http::HttpConnector,
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};

use crate::aws::http::{Pool, Tls};

/// Connecting, sending and the whole answer may take so long.
const WITHIN: Duration = Duration::from_secs(3);
/// An answer may have so many bytes.
const LONGEST_ANSWER: usize = 256 * 1024;

/// The client. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Http {
    /// Made at the first request.
    connections: Arc<OnceLock<Pool>>,
}

/// What to send. Not shown: its URL, its headers and its body may all be secrets.
pub(super) struct Post<'a> {
    /// Where to.
    pub(super) url: &'a str,
    /// The type of the body.
    pub(super) content_type: &'static str,
    /// The `Authorization` header.
    pub(super) authorization: Option<String>,
    /// The body.
    pub(super) body: Vec<u8>,
}

/// What came back. Not shown, since the body may have what people wrote.
pub(super) struct Answer {
    /// The HTTP status. Nothing is redirected: a 302 is a 302.
    pub(super) status: u16,
    /// The `Retry-After` header as it came.
    pub(super) retry_after: Option<String>,
    /// The body.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer: words of our own, since those of the layers below may name the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// The request could not be made, so that nothing was sent.
    NotMade(&'static str),
    /// It may have been sent, and nobody knows what came of it.
    Lost(String),
}

impl Http {
    /// Sends one request, once.
    ///
    /// # Errors
    /// When there is no whole answer within three seconds, or it is longer than 256 KiB.
    pub(super) async fn post(&self, post: Post<'_>) -> Result<Answer, NoAnswer> {
        let mut request = http::Request::post(post.url)
            .header("user-agent", concat!("belay/", env!("CARGO_PKG_VERSION")))
            .header("content-type", post.content_type)
            .header("content-length", post.body.len());
        if let Some(authorization) = post.authorization {
            request = request.header("authorization", authorization);
        }
        let request = request
            .body(SdkBody::from(post.body))
            .ok()
            .and_then(|request| HttpRequest::try_from(request).ok())
            .ok_or(NoAnswer::NotMade("the URL or the token has characters that HTTP does not allow"))?;
        match tokio::time::timeout(WITHIN, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::Lost(TOO_LATE.to_owned())),
        }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<Answer, NoAnswer> {
        // Lambda freezes us between two invocations, and the other side closes the connection meanwhile. A post that goes
        // out on such a connection has no answer, and is not sent again: so none is kept.
        let connections = self.connections.get_or_init(|| Pool::keeping(0, &Tls::default()));
        let response = connections.call(request).await.map_err(|error| NoAnswer::Lost(lost(&error)))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").map(str::to_owned);
        Ok(Answer { status, retry_after, body: whole(response).await? })
    }
}

const TOO_LATE: &str = "no answer in time";

async fn whole(response: HttpResponse) -> Result<Vec<u8>, NoAnswer> {
    let mut stream = ByteStream::new(response.into_body());
    let mut body = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|_| NoAnswer::Lost("the answer broke off".to_owned()))?;
        if body.len() + part.len() > LONGEST_ANSWER {
            return Err(NoAnswer::Lost("the answer is too long".to_owned()));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// What went wrong, by kind.
fn lost(error: &ConnectorError) -> String {
    if error.is_timeout() {
        return TOO_LATE.to_owned();
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(layer) = cause {
        if let Some(io) = layer.downcast_ref::<std::io::Error>() {
            // TLS mistakes come as `other error`, which says nothing.
            if io.kind() != std::io::ErrorKind::Other {
                return format!("the connection failed: {}", io.kind());
            }
        }
        cause = layer.source();
    }
    "the connection failed".to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn post(url: &str) -> Post<'_> {
        let authorization = Some("Bearer made-up".to_owned());
        Post { url, content_type: "application/json", authorization, body: b"{}".to_vec() }
    }

    /// Answers one request with these bytes, and gives what it was asked.
    fn answering(bytes: Vec<u8>) -> (String, std::thread::JoinHandle<String>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/made-up?sig=1&a=%20", listener.local_addr().expect("an address"));
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a call");
            let mut asked = Vec::new();
            while !asked.ends_with(b"{}") {
                let mut part = [0; 1024];
                let length = stream.read(&mut part).expect("a request");
                asked.extend_from_slice(&part[..length]);
            }
            // Who stops reading may leave first.
            let _ = stream.write_all(&bytes);
            String::from_utf8(asked).expect("text")
        });
        (url, asked)
    }

    #[tokio::test]
    async fn a_post_says_what_it_is_told_and_hears_what_it_needs() {
        let (url, asked) =
            answering(b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nslow".to_vec());
        let Ok(answer) = Http::default().post(post(&url)).await else { panic!("an answer") };
        assert_eq!((answer.status, answer.retry_after.as_deref()), (429, Some("7")));
        assert_eq!(answer.body, b"slow");
        let asked = asked.join().expect("it was asked").to_lowercase();
        assert!(asked.starts_with("post /made-up?sig=1&a=%20 http/1.1\r\n"), "{asked}");
        for header in ["authorization: bearer made-up", "content-type: application/json", "content-length: 2"]
        {
            assert_eq!(asked.matches(header).count(), 1, "{asked}");
        }
    }

    #[tokio::test]
    async fn an_answer_has_a_longest_length() {
        for (length, fits) in [(LONGEST_ANSWER, true), (LONGEST_ANSWER + 1, false)] {
            let mut bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
            bytes.resize(bytes.len() + length, b'x');
            let (url, _asked) = answering(bytes);
            let answer = Http::default().post(post(&url)).await;
            assert_eq!(answer.is_ok_and(|answer| answer.body.len() == length), fits, "{length}");
        }
    }

    #[tokio::test]
    async fn what_went_wrong_does_not_name_the_url() {
        let (url, asked) = answering(Vec::new());
        let Err(NoAnswer::Lost(why)) = Http::default().post(post(&url)).await else { panic!("no answer") };
        assert_eq!(why, "the connection failed");
        asked.join().expect("it was asked");
        // Nobody listens there any more.
        let Err(NoAnswer::Lost(why)) = Http::default().post(post(&url)).await else { panic!("no answer") };
        assert_eq!(why, "the connection failed: connection refused");
        let Err(NoAnswer::NotMade(_)) = Http::default().post(post("https://a b/")).await else {
            panic!("not a URL")
        };
    }
}
