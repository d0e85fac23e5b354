//! What was probably meant.

/// The name that somebody who has misspelt it probably meant: it differs by a letter in three at most.
pub fn closest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let slips = (name.chars().count() / 3).max(1);
    names
        .map(|known| (strsim::osa_distance(&name.to_lowercase(), known), known))
        .filter(|(distance, _)| *distance <= slips)
        .min()
        .map(|(_, known)| known)
}
