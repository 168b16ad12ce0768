//! The Runtime API, spoken to by hand, and processes.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Binary, RuntimeApi};

async fn exchange(api: &RuntimeApi, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(api.address()).await.unwrap();
    let request = format!(
        "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn request_id(next: &str) -> String {
    next.lines().find_map(|line| line.strip_prefix("lambda-runtime-aws-request-id: ")).unwrap().to_owned()
}

#[tokio::test]
async fn an_invocation_waits_for_its_response_or_error() {
    let api = RuntimeApi::start().await;
    let second = Duration::from_secs(5);
    let process = async {
        let next = exchange(&api, "GET /2018-06-01/runtime/invocation/next", "").await;
        assert!(next.contains("lambda-runtime-deadline-ms: "), "{next}");
        assert!(next.ends_with("{\"n\":1}"), "{next}");
        let path = format!("POST /2018-06-01/runtime/invocation/{}", request_id(&next));
        let accepted = exchange(&api, &format!("{path}/response"), "{\"ok\":true}").await;
        assert!(accepted.starts_with("HTTP/1.1 202"), "{accepted}");
        let late = exchange(&api, &format!("{path}/response"), "{}").await;
        assert!(late.starts_with("HTTP/1.1 400"), "{late}");
    };
    let (answer, ()) = tokio::join!(api.invoke("{\"n\":1}", second), process);
    assert_eq!(answer.unwrap()["ok"], true);
    let process = async {
        let next = exchange(&api, "GET /2018-06-01/runtime/invocation/next", "").await;
        let path = format!("POST /2018-06-01/runtime/invocation/{}", request_id(&next));
        let body = "{\"errorType\":\"Ledger\",\"errorMessage\":\"down\"}";
        exchange(&api, &format!("{path}/error"), body).await;
    };
    let (answer, ()) = tokio::join!(api.invoke("{}", second), process);
    assert_eq!(answer.unwrap_err().error_type, "Ledger");
    let nobody = api.invoke("{}", Duration::from_millis(20)).await;
    assert_eq!(nobody.unwrap_err().error_type, "Sandbox.Timedout");
    let body = "{\"errorType\":\"Settings\",\"errorMessage\":\"two mistakes\"}";
    exchange(&api, "POST /2018-06-01/runtime/init/error", body).await;
    assert_eq!(api.init_error().unwrap().message, "two mistakes");
}

#[tokio::test]
async fn a_binary_sees_its_own_environment_only() {
    let mut binary = Binary::spawn("/usr/bin/env", &[("TABLE", "ledger")]).unwrap();
    let status = binary.wait_exit(Duration::from_secs(10)).await.unwrap();
    assert!(status.success());
    let seen = binary.stdout();
    assert!(seen.contains("TABLE=ledger"));
    assert!(seen.contains("AWS_LAMBDA_FUNCTION_NAME=env"));
    assert!(!seen.contains("PATH="), "{seen}");
    assert_eq!(binary.stderr(), "");
}
