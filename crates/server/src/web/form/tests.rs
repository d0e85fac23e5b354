#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn form(value: Value) -> Form {
    let Value::Object(values) = value else {
        panic!("{value} is no object")
    };
    Form::of(values)
}

fn html(fields: &[(&str, &str)]) -> Form {
    let fields = fields
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Value::String((*text).to_owned())));
    Form::html(fields.collect::<Vec<_>>().into_iter())
}

/// Returns the errors by field, those of one field as one text.
fn wrong(form: Form) -> Vec<(String, String)> {
    let wrong = form.wrong().into_iter();
    wrong.map(|(name, texts)| (name, texts.join(" "))).collect()
}

/// Asserts that this value is refused with this message.
#[track_caller]
fn refused<T: std::fmt::Debug>(value: Value, read: impl FnOnce(&mut Form) -> Option<T>, words: &str) {
    let mut form = form(json!({ "f": value }));
    let read = read(&mut form);
    assert!(read.is_none(), "{read:?}");
    assert_eq!(wrong(form), [("f".to_owned(), words.to_owned())]);
}

/// Returns what is read from this value, and asserts that there are no errors.
#[track_caller]
fn taken<T>(value: Value, read: impl FnOnce(&mut Form) -> T) -> T {
    let mut form = form(json!({ "f": value }));
    let read = read(&mut form);
    assert_eq!(wrong(form), []);
    read
}

#[test]
fn texts_are_trimmed_and_numbers_are_texts() {
    let text = |value| taken(value, |form| form.text("f"));
    assert_eq!(text(json!(" a b ")).as_deref(), Some("a b"));
    assert_eq!(text(json!(5)).as_deref(), Some("5"));
    for (value, words) in [
        (json!(null), "This field may not be null."),
        (json!([]), "Not a valid string."),
        (json!(true), "Not a valid string."),
        (json!("a\u{0}b"), "Null characters are not allowed."),
    ] {
        refused(value, |form| form.text("f"), words);
    }
    assert_eq!(form(json!({})).text("f"), None);
    let words = |value| taken(value, |form| form.words("f"));
    assert_eq!(words(json!(" a ")).as_deref(), Some(" a "));
    assert_eq!(words(json!(5)).as_deref(), Some("5"));
    assert_eq!(words(json!(null)), None);
    refused(
        json!("\u{0}"),
        |form| form.words("f"),
        "Null characters are not allowed.",
    );
}

#[test]
fn what_has_to_be_there_is_asked_for() {
    let mut empty = form(json!({}));
    assert_eq!(empty.required_text("f"), "");
    assert_eq!(wrong(empty)[0].1, "This field is required.");
    assert_eq!(taken(json!("x"), |form| form.required_text("f")), "x");
    let mut empty = form(json!({}));
    assert_eq!(empty.required_text_or_null("f"), None);
    assert_eq!(wrong(empty)[0].1, "This field is required.");
    let read = |value| taken(value, |form| form.required_text_or_null("f"));
    assert_eq!(read(json!("x")).as_deref(), Some("x"));
    assert_eq!(read(json!(null)), None);
    assert_eq!(read(json!("")), None);
    let read = |value| taken(value, |form| form.text_or_null("f"));
    assert_eq!(read(json!(null)).as_deref(), Some(""));
    assert_eq!(read(json!("x")).as_deref(), Some("x"));
    assert_eq!(form(json!({})).text_or_null("f"), None);
}

#[test]
fn whole_numbers_are_whole_however_they_are_written() {
    for value in [json!(5), json!(5.0), json!("5"), json!(" 5.00 ")] {
        assert_eq!(taken(value, |form| form.whole("f")), Some(5));
    }
    for value in [
        json!(5.5),
        json!("5.01"),
        json!("five"),
        json!(true),
        json!(3_000_000_000_i64),
    ] {
        refused(value, |form| form.whole("f"), "A valid integer is required.");
    }
    refused(json!(null), |form| form.whole("f"), "This field may not be null.");
    assert_eq!(taken(json!(null), |form| form.whole_or_null("f")), Some(0));
    assert_eq!(taken(json!(-7), |form| form.whole_or_null("f")), Some(-7));
    let numbers = |value| taken(value, |form| form.numbers_or_null("f"));
    assert_eq!(numbers(json!([1, "2"])), Some(vec![1, 2]));
    assert_eq!(numbers(json!(null)), Some(vec![]));
    refused(
        json!({}),
        |form| form.numbers_or_null("f"),
        "Expected a list of whole numbers.",
    );
    refused(
        json!([1, "x"]),
        |form| form.numbers_or_null("f"),
        "A valid integer is required.",
    );
}

#[test]
fn an_id_is_positive_or_null() {
    assert_eq!(taken(json!(1), |form| form.id("f")), Some(Some(1)));
    assert_eq!(taken(json!(null), |form| form.id("f")), Some(None));
    for value in [json!(0), json!(-1), json!("x")] {
        refused(value, |form| form.id("f"), "A valid id, or null, is required.");
    }
}

#[test]
fn a_flag_has_many_words() {
    let flag = |value| taken(value, |form| form.flag("f"));
    for value in [
        json!(true),
        json!(1),
        json!(1.0),
        json!("1"),
        json!("T"),
        json!("y"),
        json!("Yes"),
        json!("true"),
        json!(" on "),
    ] {
        assert_eq!(flag(value.clone()), Some(true), "{value}");
    }
    for value in [
        json!(false),
        json!(0),
        json!("0"),
        json!("f"),
        json!("N"),
        json!("no"),
        json!("False"),
        json!("off"),
    ] {
        assert_eq!(flag(value.clone()), Some(false), "{value}");
    }
    for value in [json!(2), json!("perhaps"), json!(""), json!([])] {
        refused(value, |form| form.flag("f"), "Must be a valid boolean.");
    }
    refused(json!(null), |form| form.flag("f"), "This field may not be null.");
}

#[test]
fn lists_and_objects_hold_texts() {
    let names = |value| taken(value, |form| form.names("f"));
    assert_eq!(names(json!(["a ", 5])).unwrap(), ["a", "5"]);
    for value in [
        json!("a"),
        json!(null),
        json!({}),
        json!([true]),
        json!(["a", null]),
    ] {
        refused(value, |form| form.names("f"), "Expected a list of strings.");
    }
    refused(
        json!(["\u{0}"]),
        |form| form.names("f"),
        "Null characters are not allowed.",
    );
    let texts = |value| taken(value, |form| form.texts_or_null("f"));
    assert_eq!(texts(json!({"a": "b"})), Some(json!({"a": "b"})));
    assert_eq!(texts(json!(null)), Some(json!({})));
    for value in [json!({"a": 1}), json!([]), json!("x")] {
        refused(
            value,
            |form| form.texts_or_null("f"),
            "Expected an object of strings.",
        );
    }
    for value in [json!({"a": "\u{0}"}), json!({"\u{0}": "a"})] {
        refused(
            value,
            |form| form.texts_or_null("f"),
            "Null characters are not allowed.",
        );
    }
    let pairs = |value| taken(value, |form| form.pairs("f"));
    assert_eq!(pairs(json!({"a": "b"})), Some(json!({"a": "b"})));
    assert_eq!(pairs(json!([{"name": "a"}])), Some(json!([{"name": "a"}])));
    assert_eq!(pairs(json!(null)), None);
    // This is a backslash, and no null character.
    assert_eq!(pairs(json!({"a": "\\u0000"})), Some(json!({"a": "\\u0000"})));
    for value in [
        json!("x"),
        json!({"a": "\u{0}"}),
        json!({"\u{0}": "a"}),
        json!([{"name": "a", "value": "\u{0}"}]),
    ] {
        refused(value, |form| form.pairs("f"), "Expected an object of strings.");
    }
}

#[test]
fn a_form_of_html_has_texts_alone() {
    // Of a repeated field, the last value counts.
    assert_eq!(html(&[("f", "a"), ("f", "b")]).text("f").as_deref(), Some("b"));
    // An empty text is null where null is allowed.
    assert_eq!(html(&[("f", "")]).whole_or_null("f"), Some(0));
    assert_eq!(html(&[("f", "")]).id("f"), Some(None));
    assert_eq!(html(&[("f", "7")]).id("f"), Some(Some(7)));
    assert_eq!(html(&[("f", "")]).names("f"), Some(vec![]));
    assert_eq!(form(json!({"f": ""})).whole_or_null("f"), None);
    // A list is written as JSON or as a repeated field.
    for fields in [
        [("f", "a"), ("f", "b"), ("f", "c")].as_slice(),
        &[("f", r#" ["a", "b", "c"] "#)],
    ] {
        assert_eq!(html(fields).names("f").unwrap(), ["a", "b", "c"]);
    }
    assert_eq!(html(&[("f", "a")]).names("f").unwrap(), ["a"]);
    assert_eq!(html(&[("f", "5")]).names("f").unwrap(), ["5"]);
    assert_eq!(html(&[("f", "null")]).names("f"), Some(vec![]));
    let object = html(&[("f", r#"{"a": "b"}"#)]).texts_or_null("f");
    assert_eq!(object, Some(json!({"a": "b"})));
    assert_eq!(html(&[("f", "")]).texts_or_null("f"), Some(json!({})));
    // In a JSON body, a text is not parsed as a list.
    assert_eq!(form(json!({"f": "[1]"})).numbers_or_null("f"), None);
}

#[test]
fn what_nobody_knows_is_wrong() {
    let mut form = form(json!({"nme": "x", "id": 5, "b": 1}));
    form.text("name");
    form.ignore(&["id"]);
    assert_eq!(form.complain_of::<()>("b", "Not so."), None);
    assert_eq!(
        wrong(form),
        [
            ("b".to_owned(), "Not so. There is no such field.".to_owned()),
            (
                "nme".to_owned(),
                "There is no such field. Perhaps \"name\" is meant.".to_owned()
            ),
        ]
    );
    assert!(super::tests::form(json!({"x": 1})).finish().is_err());
    assert!(super::tests::form(json!({})).finish().is_ok());
}

/// A field that was sent as a file is neither taken as something else nor as missing, whatever the file contains.
#[test]
fn no_field_is_a_file() {
    let refuses = |takes: fn(&mut Form) -> bool| {
        let mut form = Form {
            files: BTreeSet::from(["f".to_owned()]),
            ..html(&[("f", "{}")])
        };
        let is_taken = takes(&mut form);
        let words = "The submitted data was a file, which this field cannot take.";
        assert!(!is_taken);
        assert_eq!(wrong(form), [("f".to_owned(), words.to_owned())]);
    };
    refuses(|form| !form.required_text("f").is_empty());
    refuses(|form| form.text("f").is_some());
    refuses(|form| form.text_or_null("f").is_some());
    refuses(|form| form.words("f").is_some());
    refuses(|form| form.required_text_or_null("f").is_some());
    refuses(|form| form.pairs("f").is_some());
    refuses(|form| form.whole("f").is_some());
    refuses(|form| form.whole_or_null("f").is_some());
    refuses(|form| form.texts_or_null("f").is_some());
    refuses(|form| form.numbers_or_null("f").is_some());
    refuses(|form| form.id("f").is_some());
    refuses(|form| form.flag("f").is_some());
    refuses(|form| form.names("f").is_some());
    let mut ignored = Form {
        files: BTreeSet::from(["f".to_owned()]),
        ..html(&[("f", "")])
    };
    ignored.ignore(&["f"]);
    assert_eq!(wrong(ignored), []);
}
