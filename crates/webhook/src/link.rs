//! URLs in messages: of what events are about, and of pictures.

use url::Url;

/// The maximum length of a URL: Discord's.
const MAX_URL: usize = 2048;

/// Returns the URL that a template has printed, relative to `base` if it begins with a slash; `None` unless it is http or https.
pub(crate) fn resolve(printed: &str, base: Option<&str>) -> Option<String> {
    let printed = printed.trim();
    let whole = if printed.starts_with('/') && !printed.starts_with("//") {
        format!("{}{printed}", base?.trim_end_matches('/'))
    } else {
        printed.to_owned()
    };
    let url = Url::parse(&whole).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https");
    let is_plain = url.username().is_empty() && url.password().is_none();
    (is_web && is_plain && url.as_str().len() <= MAX_URL).then(|| url.into())
}

/// Whether a template can print such a URL: it begins with a scheme, with a slash, or with data.
pub(crate) fn is_template(source: &str) -> bool {
    let source = source.trim_start();
    let lower = source.to_ascii_lowercase();
    (source.starts_with('/') && !source.starts_with("//"))
        || ["https://", "http://", "{{", "{%"]
            .iter()
            .any(|start| lower.starts_with(start))
}

/// Checks a URL that others are to be relative to.
///
/// # Errors
/// The reason why it cannot be used.
pub fn check_base(base: &str) -> Result<(), &'static str> {
    match Url::parse(base) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => Err("it must begin with https:// or http://"),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            Err("it must have no query and no fragment")
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err("it must have no user name and no password")
        }
        Ok(_) => Ok(()),
        Err(_) => Err("it is not a URL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_web_is_linked() {
        let base = Some("https://app.example.com/");
        assert_eq!(
            resolve("/tasks/5", base).as_deref(),
            Some("https://app.example.com/tasks/5")
        );
        assert_eq!(resolve("/tasks/5", None), None);
        assert_eq!(
            resolve("https://x.example/a b\"<", None).as_deref(),
            Some("https://x.example/a%20b%22%3C")
        );
        for printed in [
            "",
            "tasks/5",
            "//evil.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "ftp://x.example/",
            "https://u:p@x.example/",
            "https://u@x.example/",
            "https://:p@x.example/",
            "https://",
        ] {
            assert_eq!(resolve(printed, base), None, "{printed}");
        }
        let long = |length: usize| format!("https://x.example/{}", "a".repeat(length - 18));
        assert_eq!(resolve(&long(2048), None), Some(long(2048)));
        assert_eq!(resolve(&long(2049), None), None);
    }

    #[test]
    fn a_template_begins_as_an_address_does() {
        for source in [
            "/tasks/{{ task_id }}",
            " HTTPS://app.example.com/{{ x }}",
            "http://x",
            "{{ url }}",
            "{% if url %}{{ url }}{% endif %}",
        ] {
            assert!(is_template(source), "{source}");
        }
        for source in [
            "",
            "//evil.example/{{ x }}",
            "tasks/{{ x }}",
            "javascript:{{ x }}",
            "ftp://x",
        ] {
            assert!(!is_template(source), "{source}");
        }
    }

    #[test]
    fn a_base_is_something_to_write_behind() {
        assert_eq!(check_base("https://app.example.com/zentry"), Ok(()));
        for base in [
            "app.example.com",
            "ftp://x.example",
            "https://x.example/?a=",
            "https://x.example/#/",
            "https://user@x.example/",
            "https://:secret@x.example/",
            "file:///x",
        ] {
            assert!(check_base(base).is_err(), "{base}");
        }
    }
}
