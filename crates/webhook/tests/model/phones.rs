//! Adaptive Cards' text as the phones read it, after microsoft/Teams-AdaptiveCards-Mobile: Android makes HTML of it, iOS shows it raw but for
//! two escapes where it has no markup.

#[derive(Clone, Copy, PartialEq)]
enum Behind {
    Start,
    Letter,
    Space,
    Escape,
    Punctuation,
}

fn behind(byte: u8, before: Behind) -> Behind {
    match byte {
        b'\\' => Behind::Escape,
        0x80..=0xFF | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => Behind::Letter,
        b' ' | 9..=13 => Behind::Space,
        33..=126 => Behind::Punctuation,
        _ => before,
    }
}

/// Reads it as Android does, and asserts that iOS shows the same; panics at any markup but bold. Returns the text and its bold parts.
pub(crate) fn read(raw: &str) -> (String, Vec<String>) {
    let (shown, bold) = android(raw);
    if bold.is_empty() {
        assert_eq!(
            shown,
            raw.replace("\\*", "*").replace("\\_", "_"),
            "iOS shows the source of {raw:?}"
        );
    }
    (shown, bold)
}

fn android(raw: &str) -> (String, Vec<String>) {
    assert!(!raw.contains("]("), "link in {raw:?}");
    let bytes = raw.as_bytes();
    let (mut shown, mut bold, mut bold_since) = (Vec::new(), Vec::new(), None);
    let (mut at, mut at_block, mut state) = (0, true, Behind::Start);
    while at < bytes.len() {
        let byte = bytes[at];
        let next = bytes.get(at + 1).copied();
        if at_block {
            assert!(
                !(matches!(byte, b'-' | b'+' | b'*') && next == Some(b' ')),
                "list in {raw:?}"
            );
            state = Behind::Start;
            if byte.is_ascii_digit() || matches!(byte, b'-' | b'+') {
                shown.push(byte);
                at += 1;
                at_block = true;
                continue;
            }
        }
        at_block = false;
        match byte {
            b'[' | b']' | b')' | b'\n' => {
                // The escape before it is taken away.
                if state == Behind::Escape {
                    if byte != b'\n' {
                        shown.pop();
                    }
                    state = behind(byte, state);
                } else {
                    at_block = true;
                }
                shown.push(byte);
                at += 1;
            }
            b'*' | b'_' if state == Behind::Escape => {
                shown.pop();
                shown.push(byte);
                state = Behind::Punctuation;
                at += 1;
            }
            b'*' | b'_' => {
                if at > 0 {
                    state = behind(bytes[at - 1], state);
                }
                let run = bytes[at..]
                    .iter()
                    .take_while(|other| matches!(other, b'*' | b'_'))
                    .count();
                let after = bytes.get(at + run).copied();
                let word = byte == b'_' && run == 1;
                if word
                    && state == Behind::Letter
                    && after.is_some_and(|byte| behind(byte, state) == Behind::Letter)
                {
                    shown.push(byte);
                } else {
                    assert!(raw[at..at + run] == *"**", "marks in {raw:?}");
                    let after = after.map_or(Behind::Start, |byte| behind(byte, Behind::Start));
                    match bold_since.take() {
                        None => {
                            let opens = !(matches!(after, Behind::Space | Behind::Start)
                                || state == Behind::Letter
                                    && matches!(after, Behind::Punctuation | Behind::Escape));
                            assert!(opens, "marks that open nothing in {raw:?}");
                            bold_since = Some(shown.len());
                        }
                        Some(since) => {
                            let closes = state != Behind::Space
                                && !(after == Behind::Letter && state == Behind::Punctuation);
                            assert!(closes, "marks that close nothing in {raw:?}");
                            bold.push(String::from_utf8(shown[since..].to_vec()).expect("UTF-8"));
                        }
                    }
                }
                at += run;
                // The backslash after a mark goes, whatever follows it.
                if bytes.get(at) == Some(&b'\\') {
                    at += 1;
                }
                if let Some(&byte) = bytes.get(at)
                    && !matches!(byte, b'[' | b']' | b')' | b'\n' | b'*' | b'_')
                {
                    state = behind(byte, state);
                    shown.push(byte);
                    at += 1;
                } else if let Some(&byte) = bytes.get(at)
                    && bytes[at - 1] == b'\\'
                {
                    state = behind(byte, state);
                    shown.push(byte);
                    at += 1;
                } else {
                    at_block = bytes.get(at).is_some_and(|byte| !matches!(byte, b'*' | b'_'));
                    state = Behind::Punctuation;
                }
            }
            _ => {
                state = behind(byte, state);
                shown.push(byte);
                at += 1;
            }
        }
    }
    assert_eq!(bold_since, None, "bold without an end in {raw:?}");
    (String::from_utf8(shown).expect("UTF-8"), bold)
}
