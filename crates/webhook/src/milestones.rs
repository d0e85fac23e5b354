//! Milestones: the percentages of a project's completed tasks that fire an event.

/// The error for a text that is not a list of milestones, with the part at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a whole number from 1 to 100")]
pub struct MilestonesError(String);

/// Reads a comma-separated list of percentages, and returns them ascending, each once. An empty text is an empty list.
///
/// # Errors
/// The first part that is not a percentage.
pub fn parse_milestones(text: &str) -> Result<Vec<u8>, MilestonesError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut milestones = text
        .split(',')
        .map(|part| {
            let part = part.trim();
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            let percent = part
                .parse()
                .ok()
                .filter(|percent| digits && (1..=100).contains(percent));
            percent.ok_or_else(|| MilestonesError(part.to_owned()))
        })
        .collect::<Result<Vec<u8>, _>>()?;
    milestones.sort_unstable();
    milestones.dedup();
    Ok(milestones)
}

#[cfg(test)]
mod tests {
    use super::{MilestonesError, parse_milestones};

    #[test]
    fn milestones_are_ascending_and_each_is_there_once() {
        assert_eq!(parse_milestones("100,25 ,50, 25"), Ok(vec![25, 50, 100]));
        assert_eq!(parse_milestones(" 007 "), Ok(vec![7]));
        assert_eq!(parse_milestones(" "), Ok(vec![]));
    }

    #[test]
    fn what_is_no_percentage_is_named() {
        for (text, culprit) in [
            ("10; x", "10; x"),
            ("0", "0"),
            ("50, 101", "101"),
            ("50,,75", ""),
            ("50,", ""),
            ("+5", "+5"),
            ("50%", "50%"),
            ("12.5", "12.5"),
            ("-1", "-1"),
            ("٥٠", "٥٠"),
        ] {
            assert_eq!(
                parse_milestones(text),
                Err(MilestonesError(culprit.to_owned())),
                "{text}"
            );
        }
    }
}
