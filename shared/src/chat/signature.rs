//! Whether Slack sent a request: its signature, checked over the raw bytes before anything is parsed.
//!
//! `X-Slack-Signature: v0=<hex>` is the HMAC-SHA256 of `v0:<timestamp>:<raw body>` under the app's signing secret
//! (docs.slack.dev, "Verifying requests from Slack"). A signature that is good for five minutes can be sent again
//! within them: what a request asks for must be idempotent.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use thiserror::Error;

/// The header with the signature.
pub const SIGNATURE: &str = "X-Slack-Signature";
/// The header with the time of signing, in seconds since 1970.
pub const TIMESTAMP: &str = "X-Slack-Request-Timestamp";

/// How far a request's time may be from ours, in seconds, either way.
const WINDOW: u64 = 300;
/// A SHA-256 in hex.
const DIGITS: usize = 64;

/// Why a request does not count as Slack's. Holds nothing of the request nor of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unsigned {
    /// A header is not there.
    #[error("the request has no `{0}` header")]
    Missing(&'static str),
    /// The time of signing is not a whole number of seconds.
    #[error("the request's timestamp is not a whole number")]
    NoTime,
    /// It was signed more than five minutes ago, or as far ahead: somebody sends an old request again, or a clock
    /// is wrong.
    #[error("the request was signed more than {WINDOW} seconds away from now")]
    Stale,
    /// The signature is not `v0=` and 64 lower-case hex digits.
    #[error("the request's signature is not of the form v0=<64 hex digits>")]
    Malformed,
    /// There is no secret to check against, or an empty one, which would let anybody sign.
    #[error("there is no signing secret to check the request against")]
    NoSecret,
    /// The signature is not that of this body, at this time, under any of the secrets.
    #[error("the request's signature is wrong")]
    Wrong,
}

/// Checks that a request was signed with one of the secrets: the current one, and the one before it while it is
/// being replaced.
///
/// `header` looks a header up by name; it is asked by the names above, in this case, and must not mind the case
/// itself. `body` is the body as it was sent, before any decoding but that of the transport.
///
/// # Errors
///
/// [`Unsigned`] for whatever does not fit. The comparison takes the same time wherever the signatures differ.
pub fn verify<'h>(
    secrets: &[&[u8]],
    header: impl Fn(&str) -> Option<&'h str>,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Unsigned> {
    let sent = header(TIMESTAMP).ok_or(Unsigned::Missing(TIMESTAMP))?;
    let signature = header(SIGNATURE).ok_or(Unsigned::Missing(SIGNATURE))?;
    let seconds = seconds(sent).ok_or(Unsigned::NoTime)?;
    if now.as_second().abs_diff(seconds) > WINDOW {
        return Err(Unsigned::Stale);
    }
    let expected = digest(signature).ok_or(Unsigned::Malformed)?;
    let mut secrets = secrets.iter().filter(|secret| !secret.is_empty()).peekable();
    if secrets.peek().is_none() {
        return Err(Unsigned::NoSecret);
    }
    for secret in secrets {
        // HMAC takes a key of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| Unsigned::NoSecret)?;
        for part in [b"v0:", sent.as_bytes(), b":", body] {
            mac.update(part);
        }
        if mac.verify_slice(&expected).is_ok() {
            return Ok(());
        }
    }
    Err(Unsigned::Wrong)
}

/// When Slack signed a request, to the second. The time is part of what is signed: believe it of a verified request
/// only.
pub fn signed_at<'h>(header: impl Fn(&str) -> Option<&'h str>) -> Option<Timestamp> {
    Timestamp::from_second(seconds(header(TIMESTAMP)?)?).ok()
}

/// Only digits: a parser of numbers would take a sign too.
fn seconds(sent: &str) -> Option<i64> {
    sent.bytes().all(|byte| byte.is_ascii_digit()).then(|| sent.parse().ok())?
}

/// The bytes of `v0=<hex>`. Slack writes lower case; anything else is not Slack's.
fn digest(signature: &str) -> Option<Vec<u8>> {
    let digits = signature.strip_prefix("v0=")?;
    let lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != DIGITS || !digits.bytes().all(lower) {
        return None;
    }
    hex::decode(digits).ok()
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const SECRET: &[u8] = b"8f742231b10e8888abcd99yyyzzz85a5";
    const SIGNED: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const AT: i64 = 1_531_420_618;

    fn body() -> Vec<u8> {
        let sample = include_str!("../../../tests/fixtures/slack/slack-slash-command-function-url.json");
        let sample: Value = serde_json::from_str(sample).unwrap();
        STANDARD.decode(sample["body"].as_str().unwrap()).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Checks with these two headers.
    fn check(secrets: &[&[u8]], time: &str, signed: &str, body: &[u8], now: i64) -> Result<(), Unsigned> {
        let header = |name: &str| match name {
            TIMESTAMP => Some(time),
            SIGNATURE => Some(signed),
            _ => None,
        };
        verify(secrets, header, body, at(now))
    }

    #[test]
    fn slacks_own_example_is_verified() {
        assert_eq!(check(&[SECRET], "1531420618", SIGNED, &body(), AT), Ok(()));
    }

    #[test]
    fn five_minutes_either_way_and_not_a_second_more() {
        for (now, outcome) in [
            (AT - 301, Err(Unsigned::Stale)),
            (AT - 300, Ok(())),
            (AT + 300, Ok(())),
            (AT + 301, Err(Unsigned::Stale)),
        ] {
            assert_eq!(check(&[SECRET], "1531420618", SIGNED, &body(), now), outcome, "{now}");
        }
    }

    #[test]
    fn any_of_the_secrets_will_do_and_an_empty_one_never() {
        let with = |secrets: &[&[u8]]| check(secrets, "1531420618", SIGNED, &body(), AT);
        assert_eq!(with(&[b"new", SECRET]), Ok(()));
        assert_eq!(with(&[SECRET, b"old"]), Ok(()));
        assert_eq!(with(&[b"new", b"old"]), Err(Unsigned::Wrong));
        assert_eq!(with(&[]), Err(Unsigned::NoSecret));
        assert_eq!(with(&[b"", b""]), Err(Unsigned::NoSecret));
        let mut mac = Hmac::<Sha256>::new_from_slice(b"").unwrap();
        mac.update(b"v0:1531420618:x");
        let by_nobody = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
        let outcome = check(&[b"", SECRET], "1531420618", &by_nobody, b"x", AT);
        assert_eq!(outcome, Err(Unsigned::Wrong));
    }

    #[test]
    fn a_header_that_is_missing_or_odd_is_refused() {
        let none = verify(&[SECRET], |_| None, &body(), at(AT));
        assert_eq!(none, Err(Unsigned::Missing(TIMESTAMP)));
        let time = |name: &str| (name == TIMESTAMP).then_some("1531420618");
        assert_eq!(verify(&[SECRET], time, &body(), at(AT)), Err(Unsigned::Missing(SIGNATURE)));
        for time in ["", "now", "1531420618.0", "+1531420618", " 1531420618", "99999999999999999999", "-1"] {
            assert_eq!(check(&[SECRET], time, SIGNED, &body(), AT), Err(Unsigned::NoTime), "{time}");
        }
        let upper = format!("v0={}", SIGNED[3..].to_uppercase());
        let long = format!("{SIGNED}0");
        let v1 = SIGNED.replace("v0", "v1");
        for signed in ["", "v0=", &SIGNED[3..], &SIGNED[..66], &upper, &long, &v1] {
            let outcome = check(&[SECRET], "1531420618", signed, &body(), AT);
            assert_eq!(outcome, Err(Unsigned::Malformed), "{signed}");
        }
    }

    #[test]
    fn a_refusal_shows_nothing_of_secret_or_request() {
        let refused = check(&[b"hush"], "1531420618", SIGNED, &body(), AT).unwrap_err();
        let said = format!("{refused} {refused:?}");
        assert!(!said.contains("hush") && !said.contains("a2114d57"), "{said}");
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let (body, time) = (body(), b"1531420618".to_vec());
        let parts = [body, time, SIGNED.as_bytes().to_vec(), SECRET.to_vec()];
        for part in 0..parts.len() {
            for bit in 0..parts[part].len() * 8 {
                let mut parts = parts.clone();
                parts[part][bit / 8] ^= 1 << (bit % 8);
                // What is not text cannot be a header's value.
                let (Ok(time), Ok(signed)) = (str::from_utf8(&parts[1]), str::from_utf8(&parts[2])) else {
                    continue;
                };
                let outcome = check(&[&parts[3]], time, signed, &parts[0], AT);
                assert!(outcome.is_err(), "bit {bit} of part {part}");
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_else_is_taken_for_signed(
            time in "[0-9+-]{0,12}|1531420618",
            signed in "v0=[0-9a-fA-F]{64}|.{0,80}",
            body in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            prop_assert!(check(&[SECRET], &time, &signed, &body, AT).is_err());
        }
    }
}
