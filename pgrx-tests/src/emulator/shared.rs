//! What the connections of an emulator and the handles to it share.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock};

use super::pace::{RateLimit, Window};
use super::registry::Registry;
use super::store::Store;

/// What the connections and the handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) registry: Registry,
    pub(crate) store: Store,
    pub(crate) discord_global: Option<RateLimit>,
    /// Of each address.
    pub(crate) discord_windows: Mutex<HashMap<IpAddr, Window>>,
    /// Addresses that Discord's edge turns away.
    pub(crate) banned: Mutex<HashSet<IpAddr>>,
    pub(crate) bases: OnceLock<Bases>,
}

/// The addresses of the emulator's two ports: `http://127.0.0.1:PORT`.
#[derive(Debug)]
pub(crate) struct Bases {
    pub(crate) http: String,
    pub(crate) https: String,
}

impl Shared {
    pub(crate) fn http_base(&self) -> &str {
        self.bases.get().map_or("", |bases| &bases.http)
    }

    pub(crate) fn https_base(&self) -> &str {
        self.bases.get().map_or("", |bases| &bases.https)
    }
}
