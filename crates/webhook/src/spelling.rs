//! Corrections of misspelt names.

/// Returns the candidate that differs least from `name`, if that may be a misspelling: at most one letter in three is different.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let slips = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::osa_distance(&name.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= slips)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let names = ["title", "status", "project_id", "assignee_id"];
        assert_eq!(closest("titel", names), Some("title"));
        assert_eq!(closest("Status", names), Some("status"));
        assert_eq!(closest("projekt_id", names), Some("project_id"));
        assert_eq!(closest("description", names), None);
        assert_eq!(closest("id", names), None);
        assert_eq!(closest("", []), None);
    }
}
