//! The control: what one call to the same endpoint costs a client that does nothing else.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{Trouble, endpoint::Endpoint, samples::Samples, scene::Scene};

/// Milliseconds of single calls.
#[derive(Debug, Default)]
pub struct Calls {
    /// Each on a connection of its own, opening included.
    pub new: Samples,
    /// All on one connection.
    pub kept: Samples,
}

/// Makes so many calls of each kind, from a thread of its own with a runtime of its own, as a program does.
///
/// # Errors
/// When a call fails.
pub async fn loopback(scene: Arc<Scene>, times: usize) -> Result<Calls, Trouble> {
    let endpoint = Endpoint::start(scene, None).await?;
    let address = endpoint.address().to_owned();
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(calls(&address, times))
    })
    .await?
}

async fn calls(address: &str, times: usize) -> Result<Calls, Trouble> {
    let mut calls = Calls::default();
    let mut kept = connect(address).await?;
    call(&mut kept, address).await?;
    for _ in 0..times {
        let begun = Instant::now();
        call(&mut kept, address).await?;
        calls.kept.0.push(begun.elapsed().as_secs_f64() * 1e3);
        let begun = Instant::now();
        call(&mut connect(address).await?, address).await?;
        calls.new.0.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(calls)
}

async fn connect(address: &str) -> Result<http1::SendRequest<Full<Bytes>>, Trouble> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// The question that every program but `hello world` asks.
async fn call(sender: &mut http1::SendRequest<Full<Bytes>>, address: &str) -> Result<(), Trouble> {
    let body =
        r#"{"applicationName":"orders","deploymentGroupName":"prod","includeOnlyStatuses":["InProgress"]}"#;
    let request = Request::post("/")
        .header("host", address)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "CodeDeploy_20141006.ListDeployments")
        .body(Full::new(Bytes::from_static(body.as_bytes())))?;
    let response = sender.send_request(request).await?;
    if !response.status().is_success() {
        return Err(format!("the control's call was answered {}", response.status()).into());
    }
    response.into_body().collect().await?;
    Ok(())
}
