//! The texts of the five built-in events and of the test message, in each language but English. Colours, emoji and times are the same in all.
//!
//! Every message reads well without any of its keys, because a team may leave them out.

use super::builtin;
use super::event_definition::{EventDefinition, FieldDefinition};
use crate::language::Language;

/// The texts of an event: templates for its title and its text, and names and templates of its fields.
struct Entry {
    event_type: &'static str,
    title: &'static str,
    text: &'static str,
    fields: &'static [(&'static str, &'static str)],
}

impl Language {
    /// Returns the definitions of the five built-in events and of the test message in this language.
    pub fn pack(self) -> Vec<EventDefinition> {
        let entries = entries(self);
        let translated = |built_in: &EventDefinition| {
            let entry = entries.iter().find(|entry| entry.event_type == built_in.name)?;
            let field = |&(name, value): &(&str, &str)| FieldDefinition {
                name: name.into(),
                value: value.into(),
            };
            Some(EventDefinition {
                title: entry.title.into(),
                text: entry.text.into(),
                fields: entry.fields.iter().map(field).collect(),
                language: self,
                ..built_in.clone()
            })
        };
        let known = |built_in: &&EventDefinition| TYPES.contains(&built_in.name.as_str());
        builtin()
            .iter()
            .filter(known)
            .map(|built_in| translated(built_in).unwrap_or_else(|| built_in.clone()))
            .collect()
    }

    /// Returns the title of a built-in event type in this language; `None` for other event types, and in English.
    pub(crate) fn title(self, event_type: &str) -> Option<&'static str> {
        entries(self)
            .iter()
            .find(|entry| entry.event_type == event_type)
            .map(|entry| entry.title)
    }
}

/// The event types that have texts in each language.
const TYPES: [&str; 6] = [
    "task_completed",
    "badge_earned",
    "project_created",
    "milestone_reached",
    "daily_streak",
    "test",
];

fn entries(language: Language) -> &'static [Entry] {
    match language {
        Language::English => &[],
        Language::German => &GERMAN,
        Language::Spanish => &SPANISH,
        Language::French => &FRENCH,
        Language::Japanese => &JAPANESE,
        Language::Portuguese => &PORTUGUESE,
    }
}

const GERMAN: [Entry; 6] = [
    Entry {
        event_type: "task_completed",
        title: "Aufgabe erledigt",
        text: "{% if user_name %}**{{ user_name }}** hat {% if task_title %}**{{ task_title }}**{% else %}eine Aufgabe{% endif %}\
               {% if project_name %} in **{{ project_name }}**{% endif %} erledigt.\
               {% else %}{% if task_title %}**{{ task_title }}**{% else %}Eine Aufgabe{% endif %}\
               {% if project_name %} in **{{ project_name }}**{% endif %} ist erledigt.{% endif %}",
        fields: &[
            ("Projekt", "{{ project_name }}"),
            ("Punkte", "{{ points|number }}"),
        ],
    },
    Entry {
        event_type: "badge_earned",
        title: "Abzeichen verdient",
        text: "{% if user_name %}**{{ user_name }}**{% else %}Jemand{% endif %} hat \
               {% if badge_name %}das Abzeichen **{{ badge_name }}**{% else %}ein Abzeichen{% endif %} verdient.",
        fields: &[("Beschreibung", "{{ badge_description }}")],
    },
    Entry {
        event_type: "project_created",
        title: "Projekt angelegt",
        text: "{% if user_name %}**{{ user_name }}** hat {% if project_name %}das Projekt **{{ project_name }}**{% else %}ein Projekt{% endif %} angelegt.\
               {% else %}{% if project_name %}Das Projekt **{{ project_name }}**{% else %}Ein Projekt{% endif %} wurde angelegt.{% endif %}",
        fields: &[
            ("Angelegt von", "{{ user_name }}"),
            ("Beschreibung", "{{ project_description }}"),
        ],
    },
    Entry {
        event_type: "milestone_reached",
        title: "Meilenstein erreicht",
        text: "{% if project_name %}**{{ project_name }}**{% else %}Ein Projekt{% endif %} \
               {% if progress %}ist zu **{{ progress|percent }}** abgeschlossen{% else %}hat einen Meilenstein erreicht{% endif %}.",
        fields: &[
            ("Projekt", "{{ project_name }}"),
            (
                "Fortschritt",
                "{% if progress %}{{ progress|percent }}{% endif %}",
            ),
        ],
    },
    Entry {
        event_type: "daily_streak",
        title: "Tagesserie",
        text: "{% if user_name %}**{{ user_name }}**{% else %}Jemand{% endif %} \
               {% if streak_days %}ist seit **{{ streak_days|number }} {{ streak_days|plural('Tag', 'Tagen') }}** in Folge dabei{% else %}hat eine Serie{% endif %}.",
        fields: &[(
            "Art der Serie",
            "{% if streak_type == 'Daily task completion' %}Jeden Tag eine Aufgabe erledigt{% else %}{{ streak_type }}{% endif %}",
        )],
    },
    Entry {
        event_type: "test",
        title: "Webhook-Test",
        text: "{{ message }}",
        fields: &[],
    },
];

const SPANISH: [Entry; 6] = [
    Entry {
        event_type: "task_completed",
        title: "Tarea completada",
        text: "{% if user_name %}**{{ user_name }}** ha completado{% else %}Se ha completado{% endif %} \
               {% if task_title %}**{{ task_title }}**{% else %}una tarea{% endif %}\
               {% if project_name %} en **{{ project_name }}**{% endif %}.",
        fields: &[
            ("Proyecto", "{{ project_name }}"),
            ("Puntos obtenidos", "{{ points|number }}"),
        ],
    },
    Entry {
        event_type: "badge_earned",
        title: "Insignia obtenida",
        text: "{% if user_name %}**{{ user_name }}**{% else %}Alguien{% endif %} ha obtenido \
               {% if badge_name %}la insignia **{{ badge_name }}**{% else %}una insignia{% endif %}.",
        fields: &[("Descripción", "{{ badge_description }}")],
    },
    Entry {
        event_type: "project_created",
        title: "Proyecto creado",
        text: "{% if user_name %}**{{ user_name }}** ha creado{% else %}Se ha creado{% endif %} \
               {% if project_name %}el proyecto **{{ project_name }}**{% else %}un proyecto{% endif %}.",
        fields: &[
            ("Creado por", "{{ user_name }}"),
            ("Descripción", "{{ project_description }}"),
        ],
    },
    Entry {
        event_type: "milestone_reached",
        title: "Hito alcanzado",
        text: "{% if project_name %}**{{ project_name }}**{% else %}Un proyecto{% endif %} \
               {% if progress %}está completado al **{{ progress|percent }}**{% else %}ha alcanzado un hito{% endif %}.",
        fields: &[
            ("Proyecto", "{{ project_name }}"),
            ("Progreso", "{% if progress %}{{ progress|percent }}{% endif %}"),
        ],
    },
    Entry {
        event_type: "daily_streak",
        title: "Racha diaria",
        text: "{% if user_name %}**{{ user_name }}**{% else %}Alguien{% endif %} lleva una racha\
               {% if streak_days %} de **{{ streak_days|number }} {{ streak_days|plural('día', 'días') }}**{% endif %}.",
        fields: &[(
            "Tipo de racha",
            "{% if streak_type == 'Daily task completion' %}Una tarea completada cada día{% else %}{{ streak_type }}{% endif %}",
        )],
    },
    Entry {
        event_type: "test",
        title: "Prueba del webhook",
        text: "{{ message }}",
        fields: &[],
    },
];

const FRENCH: [Entry; 6] = [
    Entry {
        event_type: "task_completed",
        title: "Tâche terminée",
        text: "{% if user_name %}**{{ user_name }}** a terminé {% if task_title %}**{{ task_title }}**{% else %}une tâche{% endif %}\
               {% if project_name %} dans **{{ project_name }}**{% endif %}.\
               {% else %}{% if task_title %}La tâche **{{ task_title }}**{% else %}Une tâche{% endif %}\
               {% if project_name %} de **{{ project_name }}**{% endif %} est terminée.{% endif %}",
        fields: &[
            ("Projet", "{{ project_name }}"),
            ("Points gagnés", "{{ points|number }}"),
        ],
    },
    Entry {
        event_type: "badge_earned",
        title: "Badge obtenu",
        text: "{% if user_name %}**{{ user_name }}**{% else %}Quelqu’un{% endif %} a obtenu \
               {% if badge_name %}le badge **{{ badge_name }}**{% else %}un badge{% endif %}.",
        fields: &[("Description", "{{ badge_description }}")],
    },
    Entry {
        event_type: "project_created",
        title: "Projet créé",
        text: "{% if user_name %}**{{ user_name }}** a créé {% if project_name %}le projet **{{ project_name }}**{% else %}un projet{% endif %}.\
               {% else %}{% if project_name %}Le projet **{{ project_name }}**{% else %}Un projet{% endif %} a été créé.{% endif %}",
        fields: &[
            ("Créé par", "{{ user_name }}"),
            ("Description", "{{ project_description }}"),
        ],
    },
    Entry {
        event_type: "milestone_reached",
        title: "Jalon atteint",
        text: "{% if project_name %}**{{ project_name }}**{% else %}Un projet{% endif %} \
               {% if progress %}est terminé à **{{ progress|percent }}**{% else %}a atteint un jalon{% endif %}.",
        fields: &[
            ("Projet", "{{ project_name }}"),
            ("Avancement", "{% if progress %}{{ progress|percent }}{% endif %}"),
        ],
    },
    Entry {
        event_type: "daily_streak",
        title: "Série quotidienne",
        text: "{% if user_name %}**{{ user_name }}**{% else %}Quelqu’un{% endif %} est sur une série\
               {% if streak_days %} de **{{ streak_days|number }} {{ streak_days|plural('jour', 'jours') }}**{% endif %}.",
        fields: &[(
            "Type de série",
            "{% if streak_type == 'Daily task completion' %}Une tâche terminée chaque jour{% else %}{{ streak_type }}{% endif %}",
        )],
    },
    Entry {
        event_type: "test",
        title: "Test du webhook",
        text: "{{ message }}",
        fields: &[],
    },
];

const JAPANESE: [Entry; 6] = [
    Entry {
        event_type: "task_completed",
        title: "タスク完了",
        text: "{% if user_name %}**{{ user_name }}**さんが{% endif %}{% if project_name %}**{{ project_name }}**の{% endif %}\
               {% if task_title %}「**{{ task_title }}**」{% else %}タスク{% endif %}{% if user_name %}を完了しました。{% else %}が完了しました。{% endif %}",
        fields: &[
            ("プロジェクト", "{{ project_name }}"),
            ("獲得ポイント", "{{ points|number }}"),
        ],
    },
    Entry {
        event_type: "badge_earned",
        title: "バッジ獲得",
        text: "{% if user_name %}**{{ user_name }}**さん{% else %}メンバー{% endif %}が\
               {% if badge_name %}バッジ「**{{ badge_name }}**」{% else %}バッジ{% endif %}を獲得しました。",
        fields: &[("バッジの説明", "{{ badge_description }}")],
    },
    Entry {
        event_type: "project_created",
        title: "プロジェクト作成",
        text: "{% if user_name %}**{{ user_name }}**さんが{% endif %}\
               {% if project_name %}プロジェクト「**{{ project_name }}**」{% else %}プロジェクト{% endif %}\
               {% if user_name %}を作成しました。{% else %}が作成されました。{% endif %}",
        fields: &[
            ("作成者", "{{ user_name }}"),
            ("説明", "{{ project_description }}"),
        ],
    },
    Entry {
        event_type: "milestone_reached",
        title: "マイルストーン達成",
        text: "{% if project_name %}**{{ project_name }}**{% else %}プロジェクト{% endif %}\
               {% if progress %}の進捗が**{{ progress|percent }}**に達しました。{% else %}がマイルストーンを達成しました。{% endif %}",
        fields: &[
            ("プロジェクト", "{{ project_name }}"),
            ("進捗", "{% if progress %}{{ progress|percent }}{% endif %}"),
        ],
    },
    Entry {
        event_type: "daily_streak",
        title: "連続達成",
        text: "{% if user_name %}**{{ user_name }}**さん{% else %}メンバー{% endif %}が\
               {% if streak_days %}**{{ streak_days|number }}日**連続で達成しています。{% else %}連続で達成しています。{% endif %}",
        fields: &[(
            "連続記録の種類",
            "{% if streak_type == 'Daily task completion' %}毎日のタスク完了{% else %}{{ streak_type }}{% endif %}",
        )],
    },
    Entry {
        event_type: "test",
        title: "Webhookのテスト",
        text: "{{ message }}",
        fields: &[],
    },
];

const PORTUGUESE: [Entry; 6] = [
    Entry {
        event_type: "task_completed",
        title: "Tarefa concluída",
        text: "{% if user_name %}**{{ user_name }}** concluiu {% if task_title %}**{{ task_title }}**{% else %}uma tarefa{% endif %}\
               {% if project_name %} em **{{ project_name }}**{% endif %}.\
               {% else %}{% if task_title %}A tarefa **{{ task_title }}**{% else %}Uma tarefa{% endif %}\
               {% if project_name %} de **{{ project_name }}**{% endif %} foi concluída.{% endif %}",
        fields: &[
            ("Projeto", "{{ project_name }}"),
            ("Pontos ganhos", "{{ points|number }}"),
        ],
    },
    Entry {
        event_type: "badge_earned",
        title: "Emblema conquistado",
        text: "{% if user_name %}**{{ user_name }}**{% else %}Alguém{% endif %} conquistou \
               {% if badge_name %}o emblema **{{ badge_name }}**{% else %}um emblema{% endif %}.",
        fields: &[("Descrição", "{{ badge_description }}")],
    },
    Entry {
        event_type: "project_created",
        title: "Projeto criado",
        text: "{% if user_name %}**{{ user_name }}** criou {% if project_name %}o projeto **{{ project_name }}**{% else %}um projeto{% endif %}.\
               {% else %}{% if project_name %}O projeto **{{ project_name }}**{% else %}Um projeto{% endif %} foi criado.{% endif %}",
        fields: &[
            ("Criado por", "{{ user_name }}"),
            ("Descrição", "{{ project_description }}"),
        ],
    },
    Entry {
        event_type: "milestone_reached",
        title: "Marco alcançado",
        text: "{% if project_name %}**{{ project_name }}**{% else %}Um projeto{% endif %} \
               {% if progress %}está **{{ progress|percent }}** concluído{% else %}alcançou um marco{% endif %}.",
        fields: &[
            ("Projeto", "{{ project_name }}"),
            ("Progresso", "{% if progress %}{{ progress|percent }}{% endif %}"),
        ],
    },
    Entry {
        event_type: "daily_streak",
        title: "Sequência diária",
        text: "{% if user_name %}**{{ user_name }}**{% else %}Alguém{% endif %} está em uma sequência\
               {% if streak_days %} de **{{ streak_days|number }} {{ streak_days|plural('dia', 'dias') }}**{% endif %}.",
        fields: &[(
            "Tipo de sequência",
            "{% if streak_type == 'Daily task completion' %}Uma tarefa concluída por dia{% else %}{{ streak_type }}{% endif %}",
        )],
    },
    Entry {
        event_type: "test",
        title: "Teste do webhook",
        text: "{{ message }}",
        fields: &[],
    },
];
