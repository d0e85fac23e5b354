//! Attaches and detaches event sources, and omits keys of their data, as the file says.

use std::collections::BTreeSet;

use anyhow::Result;

use super::Work;
use crate::cli::code::document::Source;
use crate::queries::sources::{self, Attachment};

impl Work<'_> {
    /// Attaches the event sources of the file, and detaches the others, or lists them as left if [`Wishes::prune`](super::Wishes::prune) is not set.
    pub(super) async fn sources(&mut self) -> Result<()> {
        let file = self.file;
        // The built-in event sources that are not attached, or not as built-in ones.
        let mut missing = Vec::new();
        let mut named = BTreeSet::new();
        for (number, one) in file.content.source.iter().enumerate() {
            let number = number.to_string();
            let keys = ["source", &number];
            // PostgreSQL raises an error for a name that it cannot parse, and returns null for a table that does not exist.
            self.begin().await?;
            let relation = sources::relation(self.session, &one.table).await;
            let Some(relation) = self.end(relation, &["source", &number, "table"]).await? else {
                continue;
            };
            let Some(relation) = relation else {
                self.complain(
                    &["source", &number, "table"],
                    format!("there is no table {:?}", one.table),
                    Some("Name it with its schema, such as \"public.task\".".to_owned()),
                );
                continue;
            };
            if !named.insert((one.event_type.clone(), relation)) {
                self.complain(
                    &keys,
                    format!("{} of {} is in the file twice", one.event_type, one.table),
                    None,
                );
                continue;
            }
            if one.built_in {
                if one.says_more() {
                    self.complain(
                        &["source", &number, "built_in"],
                        "a built-in source cannot have a mapping".to_owned(),
                        Some("Leave out built_in, or everything but event_type, table and omit.".to_owned()),
                    );
                } else if !self
                    .state
                    .source(&one.event_type, relation)
                    .is_some_and(|there| there.built_in)
                {
                    missing.push((number, one, relation));
                } else {
                    self.omit(&keys, one, relation).await?;
                }
            } else {
                self.attach(&keys, one, relation).await?;
            }
        }
        if !missing.is_empty() {
            self.attach_built_in(&missing, &named).await?;
        }
        if self.wishes.prune {
            for there in self.not_named(&named) {
                self.begin().await?;
                let done = sources::detach(self.session, &there.0, there.1).await;
                self.end(done, &[]).await?;
            }
        } else {
            let left: Vec<String> = self
                .state
                .sources
                .iter()
                .filter(|there| !named.contains(&(there.event_type.clone(), there.relation)))
                .map(|there| format!("event source {} of {}", there.event_type, there.table))
                .collect();
            self.outcome.left.extend(left);
        }
        Ok(())
    }

    /// Returns event type and table of the attached event sources that are not among `named`.
    fn not_named(&self, named: &BTreeSet<(String, u32)>) -> Vec<(String, u32)> {
        let there = self.state.sources.iter();
        there
            .map(|there| (there.event_type.clone(), there.relation))
            .filter(|there| !named.contains(there))
            .collect()
    }

    /// Attaches an event source with a mapping of its own, and omits its keys. One whose arguments are literally the same is not attached again,
    /// because that would lock the table.
    async fn attach(&mut self, keys: &[&str], one: &Source, relation: u32) -> Result<()> {
        let given = Attachment {
            columns: one.columns(),
            condition: one.condition.clone(),
            operation: one.operation.clone(),
            audience: one.audience(),
            done: one.done.clone(),
        };
        let same = self.state.source(&one.event_type, relation).is_some_and(|there| {
            !there.built_in
                && there.columns == given.columns
                && there.condition == given.condition
                && there.operation == given.operation
                && Some(&there.audience) == given.audience.as_ref()
                && there.done == given.done
        });
        if !same {
            self.begin().await?;
            let done = sources::attach(self.session, &one.event_type, relation, &given).await;
            if self.end(done, keys).await?.is_none() {
                return Ok(());
            }
        }
        self.omit(keys, one, relation).await
    }

    /// Sets the omitted keys of an event source, if they are not the same.
    async fn omit(&mut self, keys: &[&str], one: &Source, relation: u32) -> Result<()> {
        let there = self.state.source(&one.event_type, relation);
        if there.map_or(&[][..], |there| &there.omit) == one.omit {
            return Ok(());
        }
        self.begin().await?;
        let done = sources::omit(self.session, &one.event_type, relation, &one.omit).await;
        self.end(done, keys).await?;
        Ok(())
    }

    /// Attaches the `missing` built-in event sources: each with its index in the file, and the OID of its table. `zentry_attach()` attaches all
    /// five that are built in; those that were not attached before, and are not among `named`, are detached again.
    async fn attach_built_in(
        &mut self,
        missing: &[(String, &Source, u32)],
        named: &BTreeSet<(String, u32)>,
    ) -> Result<()> {
        self.begin().await?;
        let done = async {
            for (_, one, relation) in missing {
                if self.state.source(&one.event_type, *relation).is_some() {
                    sources::detach(self.session, &one.event_type, *relation).await?;
                }
            }
            let states = sources::attach_all(self.session).await?;
            let now = sources::list(self.session).await?;
            for there in &now {
                let is_new = self.state.source(&there.event_type, there.relation).is_none();
                if is_new && !named.contains(&(there.event_type.clone(), there.relation)) {
                    sources::detach(self.session, &there.event_type, there.relation).await?;
                }
            }
            Ok((states, now))
        };
        let done = done.await;
        let Some((states, now)) = self.end(done, &["source", &missing[0].0]).await? else {
            return Ok(());
        };
        for (number, one, relation) in missing {
            let keys = ["source", number.as_str()];
            let is_there = now.iter().any(|there| {
                there.event_type == one.event_type && there.relation == *relation && there.built_in
            });
            if is_there {
                self.omit(&keys, one, *relation).await?;
            } else {
                let state = states.iter().find(|(event, ..)| *event == one.event_type);
                let state = state.map_or("no table of Zentry fires it", |(.., state)| state);
                self.complain(
                    &keys,
                    format!("{} of {} is not attached: {state}", one.event_type, one.table),
                    Some("Leave out built_in, and add the mapping.".to_owned()),
                );
            }
        }
        Ok(())
    }
}
