//! Which integrations a list has, and in which order.

use tokio_postgres::types::ToSql;

/// Filters for integrations; `None`: all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub id: Option<i64>,
    pub webhook_type: Option<String>,
    pub project: Option<i64>,
    pub is_active: Option<bool>,
    /// `active`, `failing`, `gone` or `off`
    pub state: Option<String>,
    pub notices: Option<bool>,
    pub notify_webhook_id: Option<i64>,
    pub rate_group: Option<String>,
    /// A part of its name.
    pub name: Option<String>,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Newest,
    Name,
    /// Failing ones first, then those that are off.
    State,
    /// Most waiting deliveries first.
    Waiting,
    /// Most recent delivery first.
    LastDelivery,
}

impl Order {
    /// Returns the sort key for ORDER BY; `what`: the alias of the view.
    pub(super) fn sql(self, what: &str) -> String {
        let first = match self {
            Self::Newest => String::new(),
            Self::Name => format!("lower({what}.name), "),
            Self::State => format!(
                "array_position('{{gone,failing,off,active}}'::text[], {what}.state), lower({what}.name), "
            ),
            Self::Waiting => format!("{what}.pending DESC, "),
            Self::LastDelivery => format!("{what}.last_delivery_at DESC NULLS LAST, "),
        };
        format!("{first}{what}.created_at DESC, {what}.id DESC")
    }
}

impl Filter {
    pub(super) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        let Self {
            id,
            webhook_type,
            project,
            is_active,
            state,
            notices,
            notify_webhook_id,
            rate_group,
            name,
        } = self;
        vec![
            id,
            webhook_type,
            project,
            is_active,
            state,
            notices,
            notify_webhook_id,
            rate_group,
            name,
        ]
    }

    /// Returns the integration with this id.
    pub(super) fn of(id: i64) -> Self {
        Self {
            id: Some(id),
            ..Self::default()
        }
    }
}
