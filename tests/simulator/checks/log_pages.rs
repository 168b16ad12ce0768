//! CloudWatch Logs: pages, tokens, filter patterns, and logs of a hundred megabytes.

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;

use super::clients::config;
use super::{minutes, thursday};
use crate::{LogLine, Simulator};

const GROUP: &str = "/aws/codebuild/checkout-build";

async fn written(lines: &[LogLine]) -> (Simulator, Client) {
    let simulator = Simulator::start(thursday()).await;
    simulator.advance(minutes(10)).await;
    simulator.write_log(GROUP, "one", thursday(), lines);
    let client = Client::new(&config(&simulator).await);
    (simulator, client)
}

#[tokio::test]
async fn pages_go_both_ways_and_end_with_the_token_they_were_asked_with() {
    let lines: Vec<LogLine> = (0..25).map(|number| LogLine::of(&format!("line {number}"))).collect();
    let (_simulator, client) = written(&lines).await;
    let page = || client.get_log_events().log_group_name(GROUP).log_stream_name("one").limit(10);
    let texts = |page: &aws_sdk_cloudwatchlogs::operation::get_log_events::GetLogEventsOutput| {
        let events = page.events().iter();
        events.map(|event| event.message().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = page().start_from_head(true).send().await.unwrap();
    assert_eq!((texts(&first).len(), texts(&first)[0].as_str()), (10, "line 0"));
    let mut token = first.next_forward_token().unwrap().to_owned();
    let mut seen = 10;
    loop {
        let next = page().start_from_head(true).next_token(&token).send().await.unwrap();
        seen += next.events().len();
        let after = next.next_forward_token().unwrap();
        if after == token {
            assert!(next.events().is_empty());
            break;
        }
        after.clone_into(&mut token);
    }
    assert_eq!(seen, 25);
    // Without a word the newest come, and the way leads back.
    let newest = page().send().await.unwrap();
    assert_eq!(texts(&newest)[9], "line 24");
    let before = page().next_token(newest.next_backward_token().unwrap()).send().await.unwrap();
    assert_eq!(texts(&before)[0], "line 5");
    let oldest = page().next_token(before.next_backward_token().unwrap()).send().await.unwrap();
    assert_eq!(texts(&oldest).len(), 5);
    let end = page().next_token(oldest.next_backward_token().unwrap()).send().await.unwrap();
    assert_eq!(end.next_backward_token(), oldest.next_backward_token());
    let refused = page().next_token(&token).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidParameterException"));
    let half = thursday().as_millisecond() + 5 * 60_000;
    let late = page().start_from_head(true).start_time(half).send().await.unwrap();
    assert_eq!(texts(&late)[0], "line 13");
    let early = page().limit(100).start_from_head(true).end_time(half).send().await.unwrap();
    assert_eq!(texts(&early).len(), 13);
    assert_eq!(page().limit(10_001).send().await.unwrap_err().code(), Some("InvalidParameterException"));
    for (group, stream, what) in [(GROUP, "two", "stream"), ("/aws/none", "one", "group")] {
        let missing = client.get_log_events().log_group_name(group).log_stream_name(stream);
        let missing = missing.send().await.unwrap_err();
        assert_eq!(missing.message(), Some(format!("The specified log {what} does not exist.").as_str()));
        assert!(missing.into_service_error().is_resource_not_found_exception());
    }
}

#[tokio::test]
async fn a_hundred_megabytes_are_read_by_the_megabyte_and_searched_in_empty_pages() {
    let noise = "npm http fetch GET 200 https://registry.npmjs.org/left-pad 12ms";
    let (_simulator, client) = written(&[
        LogLine::repeated(noise, 120_000),
        LogLine::of("npm ERR! code ETIMEDOUT"),
        LogLine::repeated(noise, 1_880_000),
    ])
    .await;
    let page = client.get_log_events().log_group_name(GROUP).log_stream_name("one").send().await.unwrap();
    let bytes: usize = page.events().iter().map(|event| event.message().unwrap().len()).sum();
    assert!(page.events().len() <= 10_000 && (500_000..=1_048_576).contains(&bytes), "{bytes}");
    let search = || {
        let search = client.filter_log_events().log_group_name(GROUP).log_stream_names("one");
        search.filter_pattern("?ETIMEDOUT ?\"Killed process\"").limit(5)
    };
    let first = search().send().await.unwrap();
    assert!(first.events().is_empty() && first.searched_log_streams().is_empty());
    let second = search().next_token(first.next_token().unwrap()).send().await.unwrap();
    assert!(second.events().is_empty());
    let third = search().next_token(second.next_token().unwrap()).send().await.unwrap();
    assert_eq!(third.events()[0].message(), Some("npm ERR! code ETIMEDOUT"));
    assert_eq!(third.events()[0].log_stream_name(), Some("one"));
    assert!(third.next_token().is_some());
}

#[tokio::test]
async fn a_filter_pattern_is_read_as_documented() {
    let (simulator, client) = written(&[
        LogLine::of("[ERROR 400] BAD REQUEST"),
        LogLine::of("error: two files"),
        LogLine::of("[ERROR 419] MISSING ARGUMENTS"),
    ])
    .await;
    simulator.write_log(
        GROUP,
        "two",
        thursday() + jiff::SignedDuration::from_mins(5),
        &[LogLine::of("exit status 1")],
    );
    let found = |pattern: &'static str| {
        let search = client.filter_log_events().log_group_name(GROUP).filter_pattern(pattern);
        async move {
            let page = search.send().await.map_err(|error| error.code().unwrap().to_owned())?;
            let texts = page.events().iter().map(|event| event.message().unwrap().to_owned());
            Ok::<Vec<String>, String>(texts.collect())
        }
    };
    assert_eq!(found("ERROR").await.unwrap().len(), 2);
    assert_eq!(found("ERROR ARGUMENTS").await.unwrap(), ["[ERROR 419] MISSING ARGUMENTS"]);
    assert_eq!(found("?ARGUMENTS ?error").await.unwrap().len(), 2);
    assert_eq!(found("\"BAD REQUEST\"").await.unwrap().len(), 1);
    assert_eq!(found("ERROR -ARGUMENTS").await.unwrap(), ["[ERROR 400] BAD REQUEST"]);
    // Of all streams in the order of time.
    let all = found("").await.unwrap();
    assert_eq!((all.len(), all[2].as_str()), (4, "exit status 1"));
    assert_eq!(found("ERR!").await.unwrap_err(), "InvalidParameterException");
    assert_eq!(found("\"open").await.unwrap_err(), "InvalidParameterException");
    let named = client.filter_log_events().log_group_name(GROUP).log_stream_names("three");
    assert_eq!(named.send().await.unwrap_err().code(), Some("ResourceNotFoundException"));
    let prefixed = client.filter_log_events().log_group_name(GROUP).log_stream_name_prefix("tw");
    assert_eq!(prefixed.send().await.unwrap().events().len(), 1);
    assert_eq!(found("{ $.level = 1 }").await.unwrap_err(), "NotModelled");
    assert_eq!(found("?a -b").await.unwrap_err(), "NotModelled");
    assert_eq!(simulator.acknowledge_unmodelled().len(), 2);
}
