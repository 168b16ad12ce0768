//! The two forms in which AWS writes a moment.

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer};

use super::wire::read;

/// A moment in one of the two forms that AWS writes.
#[derive(Debug)]
pub(super) struct Stamp(pub Timestamp);

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a time as 2026-03-05T14:05:40.989+0000 or 2026-03-05T14:05:40Z";
        read(deserializer, expected, |text| moment(text).map(Self))
    }
}

/// RFC 3339, and CloudWatch's form of it without a colon in the offset (reference: CloudWatch, "One alarm,
/// three input shapes"). jiff reads more than that (a date with an hour, a zone in brackets), so the
/// outline is checked first.
fn moment(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let (start, rest) = bytes.split_at_checked(b"2026-03-05T14:05:40".len())?;
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let outline = start.iter().zip(b"0000-00-00T00:00:00").all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        mark => byte == mark,
    });
    let offset = match rest.split_first() {
        Some((b'.', fraction)) => {
            let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 {
                return None;
            }
            &fraction[length..]
        }
        Some(_) | None => rest,
    };
    let offset_fits = match offset {
        b"Z" => true,
        [b'+' | b'-', hours_and_minutes @ ..] => match hours_and_minutes {
            [h, i, b':', m, n] => digits(&[*h, *i, *m, *n]),
            [h, i, m, n] => digits(&[*h, *i, *m, *n]),
            [..] => false,
        },
        [..] => false,
    };
    if outline && offset_fits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_time_are_read() {
        let expected: Timestamp = "2026-03-05T14:05:40.989Z".parse().expect("a time");
        for text in [
            "2026-03-05T14:05:40.989+0000",
            "2026-03-05T14:05:40.989Z",
            "2026-03-05T14:05:40.989-00:00",
            "2026-03-05T16:05:40.989+02:00",
            "2026-03-05T10:35:40.989-0330",
        ] {
            assert_eq!(moment(text), Some(expected), "{text}");
        }
        assert_eq!(moment("2026-03-05T14:05:40Z"), "2026-03-05T14:05:40Z".parse().ok());
    }

    #[test]
    fn no_other_form_of_a_time_is_read() {
        for text in [
            "",
            "2026-03-05",
            "2026-03-05T14:05:40",
            "2026-03-05T14:05Z",
            "2026-03-05 14:05:40Z",
            "2026-03-05T14:05:40.Z",
            "2026-03-05T14:05:40+00",
            "2026-03-05T14:05:40+00:00[UTC]",
            "2026-03-05T14:05:40,5Z",
            "2026-02-30T14:05:40Z",
            "2026-03-05T24:05:40Z",
            "2026-03-05T14:05:40+9900",
            "2026-03-05T14:05:40.1234567890Z",
            "Thu Mar 05 14:06:28 UTC 2026",
            "1772719541",
            " 2026-03-05T14:05:40Z",
            "2026-03-05T14:05:4éZ",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
