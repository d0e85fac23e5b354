#![allow(clippy::unwrap_used)]

use super::*;

fn said(text: &str) -> String {
    File::parse(Path::new("z.toml"), text.to_owned())
        .unwrap_err()
        .to_string()
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    const HEAD: &str = "[webhook.\"A b\"]\nwebhook_type = \"discord\"\n";
    let url = "url = { env = \"X\" }\n";
    let cases = [
        (
            format!("{HEAD}{url}evnt_types = []\n"),
            "z.toml:4:1: unknown key \"evnt_types\"\nhint: Perhaps \"event_types\" is meant.",
        ),
        (
            "[webhok.x]\n".to_owned(),
            "z.toml:1:2: unknown key \"webhok\"\nhint: Perhaps \"webhook\" is meant.",
        ),
        (
            format!("{HEAD}{url}digest = 3\n"),
            "z.toml:4:10: invalid type: integer `3`, expected a string",
        ),
        (HEAD.to_owned(), "z.toml:1:1: missing field `url`"),
        (format!("{HEAD}{url}is_active = yes\n"), "z.toml:4:13: "),
    ];
    for (text, expected) in cases {
        let said = said(&text);
        assert!(said.starts_with(expected), "{text}: {said}");
    }
    let url = said(&format!("{HEAD}url = \"https://swordfish\"\n"));
    assert!(
        url.starts_with("z.toml:3:7: a secret must not be in this file\nhint: Write { env"),
        "{url}"
    );
    for wrong in [
        "url = \"https://swordfish\"",
        "url = { env = \"x\", file = \"swordfish\" }",
        "url = \"swordfish",
        "url = { env = \"swordfish'; rm -r ~; '\" }",
        "filter = swordfish",
    ] {
        let said = said(&format!("{HEAD}{wrong}\n"));
        assert!(
            !said.contains("swordfish") && said.contains("z.toml:3:"),
            "{said}"
        );
    }
}

#[test]
fn places_are_found_by_keys() {
    let text = "[webhook.\"A b\"]\nwebhook_type = \"discord\"\nurl = { env = \"X\" }\n\n[[source]]\nevent_type = \"a\"\ntable = \"t\"\n";
    let file = File::parse(Path::new("z.toml"), text.to_owned()).unwrap();
    let place = |keys: &[&str]| file.fault(keys, String::new(), None).place;
    assert_eq!(place(&["webhook", "A b", "url"]), "z.toml:3:1");
    assert_eq!(place(&["webhook", "A b", "digest"]), "z.toml:1:10");
    assert_eq!(place(&["source", "0", "table"]), "z.toml:7:1");
    assert_eq!(place(&["other"]), "z.toml");
}
