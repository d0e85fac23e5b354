//! What formats and digests say themselves, in each language.

#[derive(Debug)]
pub(crate) struct Words {
    /// A link to the thing, where it needs a name.
    pub open: &'static str,
    /// A card that is of no event.
    pub sample: &'static str,
    /// The same within a line of a digest.
    pub sample_of: &'static str,
    /// A card without a title.
    pub no_title: &'static str,
    /// What a picture is.
    pub picture: &'static str,
    /// The number of other cards, after the title of the first.
    pub(super) more: [&'static str; 2],
    pub(super) events: [&'static str; 2],
    pub(super) last: [&'static str; 2],
    pub(super) samples: [&'static str; 2],
    /// All other types of a digest.
    pub others: &'static str,
}

/// In the order of [`Language`](super::Language).
pub(super) const WORDS: [Words; 6] = [
    Words {
        open: "Open",
        sample: "A sample, not an event",
        sample_of: "Sample",
        no_title: "Notification",
        picture: "Picture",
        more: [" (and {} more)", " (and {} more)"],
        events: ["{} event", "{} events"],
        last: ["The last {} of them:", "The last {} of them:"],
        samples: [
            "{} of them is a sample, not an event.",
            "{} of them are samples, not events.",
        ],
        others: "Others",
    },
    Words {
        open: "Öffnen",
        sample: "Ein Beispiel, kein Ereignis",
        sample_of: "Beispiel",
        no_title: "Benachrichtigung",
        picture: "Bild",
        more: [" (und {} weiteres)", " (und {} weitere)"],
        events: ["{} Ereignis", "{} Ereignisse"],
        last: ["Das letzte davon:", "Die letzten {} davon:"],
        samples: [
            "{} davon ist ein Beispiel, kein Ereignis.",
            "{} davon sind Beispiele, keine Ereignisse.",
        ],
        others: "Sonstige",
    },
    Words {
        open: "Abrir",
        sample: "Un ejemplo, no un evento real",
        sample_of: "Ejemplo",
        no_title: "Notificación",
        picture: "Imagen",
        more: [" (y {} más)", " (y {} más)"],
        events: ["{} evento", "{} eventos"],
        last: ["El último:", "Los últimos {}:"],
        samples: [
            "{} de ellos es un ejemplo, no un evento real.",
            "{} de ellos son ejemplos, no eventos reales.",
        ],
        others: "Otros",
    },
    Words {
        open: "Ouvrir",
        sample: "Un exemple, pas un événement réel",
        sample_of: "Exemple",
        no_title: "Notification",
        picture: "Image",
        more: [" (et {} autre)", " (et {} autres)"],
        events: ["{} événement", "{} événements"],
        last: ["Le dernier\u{a0}:", "Les {} derniers\u{a0}:"],
        samples: [
            "{} d’entre eux est un exemple, pas un événement réel.",
            "{} d’entre eux sont des exemples, pas des événements réels.",
        ],
        others: "Autres",
    },
    Words {
        open: "開く",
        sample: "これはサンプルです(実際のイベントではありません)",
        sample_of: "サンプル",
        no_title: "通知",
        picture: "画像",
        more: ["(ほか{}件)", "(ほか{}件)"],
        events: ["{}件のイベント", "{}件のイベント"],
        last: ["最新の{}件:", "最新の{}件:"],
        samples: [
            "うち{}件はサンプルで、実際のイベントではありません。",
            "うち{}件はサンプルで、実際のイベントではありません。",
        ],
        others: "その他",
    },
    Words {
        open: "Abrir",
        sample: "Um exemplo, não um evento real",
        sample_of: "Exemplo",
        no_title: "Notificação",
        picture: "Imagem",
        more: [" (e mais {})", " (e mais {})"],
        events: ["{} evento", "{} eventos"],
        last: ["O último:", "Os últimos {}:"],
        samples: [
            "{} deles é um exemplo, não um evento real.",
            "{} deles são exemplos, não eventos reais.",
        ],
        others: "Outros",
    },
];
