"""The types of webhooks, made of the extension's table: what each is called, and what it has a place for."""

TYPES = [
    ("discord", "Discord"),
    ("teams", "Microsoft Teams"),
    ("slack", "Slack"),
    ("google_chat", "Google Chat"),
    ("mattermost", "Mattermost"),
    ("ntfy", "ntfy"),
    ("webhook", "A program, signed"),
    ("nats", "NATS"),
]
SETTINGS = {
    "discord": ["mention", "username", "avatar_url", "announce", "thread_name", "applied_tags", "digest", "max_events_per_message"],
    "teams": ["mention", "digest", "max_events_per_message"],
    "slack": ["mention", "digest", "max_events_per_message"],
    "google_chat": ["mention", "announce", "thread_by", "digest", "max_events_per_message"],
    "mattermost": ["mention", "username", "avatar_url", "announce", "digest", "max_events_per_message"],
    "ntfy": ["headers", "digest", "max_events_per_message"],
    "webhook": ["headers", "secret"],
    "nats": ["credentials"],
}
