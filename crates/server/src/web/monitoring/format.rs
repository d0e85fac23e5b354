//! The two formats of metrics: OpenMetrics, and the older text format of Prometheus.

/// A format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    OpenMetrics,
    /// Prometheus' text format, version 0.0.4
    Text,
}

impl Format {
    /// Returns the format that headers `Accept` prefer; OpenMetrics if they prefer neither or name neither.
    pub fn accepted<'a>(headers: impl Iterator<Item = &'a str>) -> Self {
        let (mut open, mut text) = (0.0, 0.0);
        for range in headers.flat_map(|header| header.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
            match name.as_str() {
                "application/openmetrics-text" | "application/*" | "*/*" => open = f64::max(open, quality),
                "text/plain" | "text/*" => text = f64::max(text, quality),
                _ => {}
            }
        }
        if text > open {
            Self::Text
        } else {
            Self::OpenMetrics
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Converts metrics in OpenMetrics to this format.
    pub fn of(self, metrics: String) -> String {
        match self {
            Self::OpenMetrics => metrics,
            Self::Text => as_text(&metrics),
        }
    }
}

/// Converts OpenMetrics to the text format. The samples are the same. `HELP` and `TYPE` have the name of the samples, with `_total` or `_info`,
/// instead of the family's; types that the text format does not have are replaced, and other lines with `#` are left out.
fn as_text(metrics: &str) -> String {
    let mut text = String::new();
    let mut help = "";
    for line in metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(_), said) => help = said.unwrap_or_default(),
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    other => ("", other),
                };
                text += &format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n");
            }
            (Some("#"), ..) => {}
            _ => {
                text += line;
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(header: &str) -> Format {
        Format::accepted([header].into_iter())
    }

    #[test]
    fn who_asks_says_which_format_it_reads() {
        use Format::{OpenMetrics, Text};
        assert_eq!(Format::accepted([].into_iter()), OpenMetrics);
        for (header, format) in [
            ("*/*", OpenMetrics),
            ("text/plain", Text),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", Text),
            (
                "application/openmetrics-text; version=1.0.0, text/plain; version=0.0.4;q=0.5",
                OpenMetrics,
            ),
            ("application/openmetrics-text;q=0.2, text/plain;q=0.5", Text),
            ("text/html", OpenMetrics),
        ] {
            assert_eq!(accepted(header), format, "{header}");
        }
    }

    /// A collector chooses its parser by the content type, with its version: 0.0.4 of the text format, 1.0.0 of OpenMetrics.
    #[test]
    fn each_format_is_named_with_its_version() {
        let text = "text/plain; version=0.0.4; charset=utf-8";
        let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        for (format, named) in [(Format::Text, text), (Format::OpenMetrics, open)] {
            assert_eq!(format.content_type(), named);
            assert_eq!(accepted(named), format);
        }
    }

    #[test]
    fn the_text_format_has_other_names_and_types() {
        let metrics = "# HELP sent What \"arrived\".\n# TYPE sent counter\nsent_total{a=\"# HELP\"} 1\n\
                       # HELP build Versions.\n# TYPE build info\nbuild_info{v=\"1\"} 1\n\
                       # HELP took Seconds.\n# TYPE took histogram\n# UNIT took seconds\ntook_count 1\n# EOF\n";
        assert_eq!(
            Format::Text.of(metrics.to_owned()),
            "# HELP sent_total What \"arrived\".\n# TYPE sent_total counter\nsent_total{a=\"# HELP\"} 1\n\
             # HELP build_info Versions.\n# TYPE build_info gauge\nbuild_info{v=\"1\"} 1\n\
             # HELP took Seconds.\n# TYPE took histogram\ntook_count 1\n"
        );
    }
}
