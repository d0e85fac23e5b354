//! The Message object that Discord gives back.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::emulator::address::Address;
use crate::emulator::hook::Hook;

/// Discord's snowflakes count milliseconds from 2015-01-01, above 22 bits of sequence.
const DISCORD_EPOCH_MS: i64 = 1_420_070_400_000;

static SEQUENCE: AtomicU64 = AtomicU64::new(0);

fn snowflake(now: Timestamp) -> u64 {
    let since_epoch = u64::try_from(now.as_millisecond() - DISCORD_EPOCH_MS).unwrap_or_default();
    (since_epoch << 22) | (SEQUENCE.fetch_add(1, Ordering::Relaxed) & 0x3f_ffff)
}

/// The name of every webhook in Discord itself, unless somebody changes it.
const OWN_NAME: &str = "Captain Hook";

/// Whom readers see as the sender.
pub(crate) fn sender(body: &Value) -> &str {
    body["username"].as_str().unwrap_or(OWN_NAME)
}

/// The message as saved from a valid body.
pub(super) fn saved(body: &Value, hook: &Hook) -> Value {
    let now = Timestamp::now();
    let webhook = match &hook.address {
        Address::Discord { id, .. } => id.as_str(),
        Address::Connector { .. } | Address::Workflow { .. } | Address::Path { .. } => "0",
    };
    let embeds = body["embeds"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .map(|embed| {
            let mut embed = embed.clone();
            embed["type"] = json!("rich");
            embed
        });
    json!({
        "id": snowflake(now).to_string(),
        "type": 0,
        "content": body["content"].as_str().unwrap_or_default().trim(),
        "channel_id": "1000000000000000000",
        "author": {
            "bot": true,
            "id": webhook,
            "username": sender(body),
            "avatar": null,
            "discriminator": "0000",
        },
        "attachments": [],
        "embeds": embeds.collect::<Vec<Value>>(),
        "mentions": [],
        "mention_roles": [],
        "mention_everyone": false,
        "pinned": false,
        "tts": false,
        "timestamp": now.to_string(),
        "edited_timestamp": null,
        "flags": 0,
        "components": [],
        "webhook_id": webhook,
    })
}
