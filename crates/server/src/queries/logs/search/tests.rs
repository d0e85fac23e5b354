use super::*;

#[test]
fn what_is_looked_for_is_no_pattern() {
    assert_eq!(pattern(r"50 %_\x"), r"%50 \%\_\\x%");
}
