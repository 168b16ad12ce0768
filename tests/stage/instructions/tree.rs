//! What callgrind wrote of a program, as stacks: which functions called each other down to the one that executed the
//! instructions. With `--separate-callers` callgrind keeps functions apart by their callers, and names them
//! `function'its caller'the caller's caller`; `--separate-recs` puts `'2` behind a function that was called by itself
//! (Valgrind User Manual, "Callgrind: command-line options" and "Callgrind Format Specification").

use std::collections::HashMap;

/// What callgrind is to be asked for: stacks so deep, functions that call themselves so often kept apart.
pub const STACKS: [&str; 2] = ["--separate-callers=80", "--separate-recs=4"];

/// Where a cost line belongs.
enum Next {
    /// To the function itself.
    Own,
    /// To a call that it makes, whose callee has lines of its own.
    Callee,
}

/// Gives each stack of a profile, outermost function first, and the instructions that its innermost function executed
/// itself, to `see`.
///
/// # Errors
/// The line that cannot be read.
pub(super) fn stacks(profile: &str, mut see: impl FnMut(&[&str], u64)) -> Result<(), String> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let (mut function, mut cost, mut next) = (None, 0, Next::Own);
    let mut give = |function: Option<&str>, cost: u64| {
        let Some(name) = function.filter(|_| cost > 0) else { return };
        let mut stack: Vec<&str> = name.split('\'').filter(|part| !is_number(part)).collect();
        stack.reverse();
        see(&stack, cost);
    };
    for line in profile.lines() {
        let unread = || format!("callgrind's line {line:?} cannot be read");
        if let Some(name) = line.strip_prefix("fn=") {
            give(function, cost);
            (function, cost) = (Some(named(&mut names, name).ok_or_else(unread)?), 0);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            named(&mut names, name).ok_or_else(unread)?;
        } else if line.starts_with("calls=") {
            next = Next::Callee;
        } else if line.starts_with(['+', '-', '*']) || line.starts_with(|first: char| first.is_ascii_digit())
        {
            let executed = line.split_whitespace().nth(1).and_then(|cost| cost.parse::<u64>().ok());
            match next {
                Next::Own => cost += executed.ok_or_else(unread)?,
                Next::Callee => next = Next::Own,
            }
        }
    }
    give(function, cost);
    Ok(())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A name is written once, behind its number: `(7) name`, and then `(7)`.
fn named<'a>(names: &mut HashMap<&'a str, &'a str>, text: &'a str) -> Option<&'a str> {
    let (number, name) = text.split_once(')')?;
    match name.strip_prefix(' ') {
        Some(name) => {
            names.insert(number, name);
            Some(name)
        }
        None => names.get(number).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::stacks;

    const PROFILE: &str = "# callgrind format
events: Ir
summary: 19

fl=(1) main.rs
fn=(1) main
10 2
cfn=(2) parse'main
calls=1 +3
* 17
+1 3

fn=(2)
20 4
cfn=(3) parse'2'parse'main
calls=2 20
+1 10

fn=(3)
-1 10

totals: 19
";

    #[test]
    fn a_function_has_its_own_instructions_and_not_those_of_what_it_calls() {
        let mut seen = Vec::new();
        stacks(PROFILE, |stack, cost| seen.push((stack.join(" > "), cost))).unwrap();
        let expected = [("main", 5), ("main > parse", 4), ("main > parse > parse", 10)];
        assert_eq!(seen, expected.map(|(stack, cost)| (stack.to_owned(), cost)));
    }

    #[test]
    fn a_name_that_was_never_written_is_refused() {
        stacks("fn=(7)\n1 1\n", |_, _| {}).unwrap_err();
        stacks("fn=(7) main\n1 many\n", |_, _| {}).unwrap_err();
    }
}
