//! The last landed figures: a small file of YAML, one line per function, so that a change of one is a change of a line.

use std::{collections::BTreeMap, fmt};

use super::Count;

/// What each function was counted to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record(BTreeMap<String, Count>);

impl Record {
    /// Reads a file that [`fmt::Display`] wrote.
    ///
    /// # Errors
    /// Where it is no such file.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_saphyr::from_str(text).map(Self).map_err(|error| error.to_string())
    }

    /// What stands there of a function.
    pub fn of(&self, function: &str) -> Option<Count> {
        self.0.get(function).copied()
    }

    /// Puts a function's figures down, in place of what stood there.
    pub fn put(&mut self, function: &str, count: Count) {
        self.0.insert(function.to_owned(), count);
    }

    /// By function, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Count)> {
        self.0.iter().map(|(function, count)| (function.as_str(), *count))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Instructions of a cold start with its everyday event, counted by valgrind: docs/performance."
        )?;
        writeln!(f, "# Until the first event is waited for (init), and until it was answered (whole).")?;
        writeln!(f, "# Written by `cargo run --bin instructions -- --record`.")?;
        for (function, Count { init, whole }) in self.iter() {
            writeln!(f, "{function}: {{ init: {init}, whole: {whole} }}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Record};

    #[test]
    fn what_is_written_is_read() {
        let mut record = Record::default();
        record.put("sweep", Count { init: 26_422_683, whole: 40_000_001 });
        record.put("alarm-transitions", Count { init: 1, whole: 2 });
        record.put("sweep", Count { init: 3, whole: 4 });
        let text = record.to_string();
        assert!(
            text.ends_with("alarm-transitions: { init: 1, whole: 2 }\nsweep: { init: 3, whole: 4 }\n"),
            "{text}"
        );
        assert_eq!(Record::parse(&text), Ok(record));
    }

    #[test]
    fn what_is_no_figure_is_refused() {
        for wrong in
            ["sweep: { init: 3 }", "sweep: { init: 3, whole: -4 }", "sweep: { init: 3, whole: 4, more: 5 }"]
        {
            Record::parse(wrong).unwrap_err();
        }
    }
}
