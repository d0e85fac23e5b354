//! The variables that hold the values of the settings in this process.

use pgrx::guc::GucSetting;

use super::rules;
use crate::pg::guc::TextSetting;

// `settings::define` sets the defaults.
pub static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(false);
pub static SENDING: GucSetting<bool> = GucSetting::<bool>::new(false);
pub static SENDERS: TextSetting<rules::SendersRule> = TextSetting::new();
pub static LOG_PAYLOADS: GucSetting<bool> = GucSetting::<bool>::new(false);
pub static ALLOWED_HOSTS: TextSetting<rules::AllowedHosts> = TextSetting::new();
pub static ALLOW_HTTP: GucSetting<bool> = GucSetting::<bool>::new(false);
pub static ALLOW_PRIVATE_ADDRESSES: GucSetting<bool> = GucSetting::<bool>::new(false);
pub static CA_FILE: TextSetting<rules::CaFile> = TextSetting::new();
pub static PROXY: TextSetting<rules::Proxies> = TextSetting::new();
pub static REQUEST_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(0);
pub static CONNECT_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(0);
pub static MAX_ATTEMPTS: GucSetting<i32> = GucSetting::<i32>::new(0);
pub static MAX_AGE: GucSetting<i32> = GucSetting::<i32>::new(0);
pub static MAX_WEBHOOKS: GucSetting<i32> = GucSetting::<i32>::new(0);
pub static MAX_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(0);
pub static IDLE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(0);
pub static LOG_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(0);
pub static MILESTONES: TextSetting<rules::Milestones> = TextSetting::new();
pub static DISCORD_RATE: GucSetting<i32> = GucSetting::<i32>::new(0);
pub static USERNAME: TextSetting<rules::Username> = TextSetting::new();
pub static AVATAR_URL: TextSetting<rules::AvatarUrl> = TextSetting::new();
pub static LINK_BASE: TextSetting<rules::LinkBase> = TextSetting::new();
pub static TEAMS_RATE: TextSetting<rules::RequestRate> = TextSetting::new();
pub static TRACEPARENT: TextSetting<rules::TraceParent> = TextSetting::new();
pub static API_TOKEN_KEY: TextSetting<rules::TokenKey> = TextSetting::new();
