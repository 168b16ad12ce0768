//! A request through a Lambda function URL, as the function gets it: payload format 2.0 (Lambda Developer Guide,
//! "Invoking Lambda function URLs"). Header names are in lower case, and a form's body is base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::{Value, json};

const ID: &str = "abcdefghijklmnopqrstuvwxyz012345";

/// The event of a POST to `/`.
pub(crate) fn event(now: Timestamp, request_id: &str, headers: &[(&str, String)], body: &[u8]) -> Vec<u8> {
    let host = format!("{ID}.lambda-url.us-east-1.on.aws");
    let user_agent = "Slackbot 1.0 (+https://api.slack.com/robots)";
    let mut all = json!({
        "content-length": body.len().to_string(),
        "x-forwarded-proto": "https",
        "x-forwarded-port": "443",
        "x-forwarded-for": "203.0.113.10",
        "host": host,
        "x-amzn-trace-id": "Root=1-69a98b4a-0123456789abcdef01234567",
        "user-agent": user_agent,
        "accept": "application/json,*/*",
    });
    for (name, value) in headers {
        all[*name] = Value::String(value.clone());
    }
    let event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": all,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": ID,
            "domainName": host,
            "domainPrefix": ID,
            "http": {
                "method": "POST",
                "path": "/",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.10",
                "userAgent": user_agent,
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.as_millisecond(),
        },
        "body": BASE64.encode(body),
        "isBase64Encoded": true,
    });
    event.to_string().into_bytes()
}
