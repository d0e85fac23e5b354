//! The log of deliveries.
