//! `token`: tokens of the REST API and the admin pages.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Output, time};
use super::since::Until;
use super::target::Target;
use crate::database::{Access, explain, explain_begin};
use crate::queries::tokens::{self, Listed};

/// Create, list and revoke tokens of the REST API and the admin pages
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify token create 'front end' --role team_lead --expires '90 days'
  zentry-notify token list
  zentry-notify token revoke 'front end'")]
pub struct Token {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Create a token and print it: it is not shown again
    #[command(after_help = "\
Example:
  zentry-notify token create 'front end' --role team_lead --expires '90 days'

Who asks with the token does so as the role: CREATE ROLE team_lead NOLOGIN; SELECT zentry_grant('team_lead', 'manager'). The server's own \
role has to be a member of it.")]
    Create {
        /// Name of the token, which says what it is for
        name: String,
        /// Role that requests with the token run as
        #[arg(long, value_name = "ROLE")]
        role: String,
        /// When it expires: '90 days', or a date [default: never, until it is revoked]
        #[arg(long, value_name = "TIME")]
        expires: Option<Until>,
    },
    /// List the tokens, without their secrets
    #[command(after_help = "\
Example:
  zentry-notify token list --json")]
    List,
    /// Revoke a token: the next request with it is refused
    #[command(after_help = "\
Example:
  zentry-notify token revoke 'front end'")]
    Revoke {
        /// Name of the token
        name: String,
    },
}

#[derive(Serialize)]
struct Made {
    name: String,
    role: String,
    token: String,
}

impl Token {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let mut connection = target.connect().await?;
        match self.deed {
            Deed::Create { name, role, expires } => {
                let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
                let until = expires.map(|until| until.0);
                let token = tokens::create(&session, &name, &role, until)
                    .await
                    .map_err(explain)?;
                session.commit().await.map_err(explain)?;
                if output.is_json() {
                    output.rows(&[Made { name, role, token }], &[], |_| Vec::new())?;
                } else {
                    // Only the token, for $(...).
                    writeln!(io::stdout(), "{token}")?;
                }
            }
            Deed::List => {
                let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
                let all = tokens::list(&session).await.map_err(explain)?;
                let header = ["NAME", "ROLE", "STATE", "CREATED", "EXPIRES", "LAST USED"];
                output.rows(&all, &header, |one: &Listed| {
                    vec![
                        one.name.clone(),
                        one.role.clone(),
                        one.state.clone(),
                        time(one.created_at),
                        one.expires_at.map_or_else(|| "never".to_owned(), time),
                        one.last_used_at.map_or_else(|| "never".to_owned(), time),
                    ]
                })?;
            }
            Deed::Revoke { name } => {
                let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
                tokens::revoke(&session, &name).await.map_err(explain)?;
                session.commit().await.map_err(explain)?;
                output.say(&format!("The token {name:?} is revoked."))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
