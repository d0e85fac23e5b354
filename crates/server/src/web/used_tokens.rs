//! When the use of tokens was last recorded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When the use of each token was last recorded, so that it is recorded once a minute.
#[derive(Debug, Default)]
pub struct UsedTokens(Mutex<HashMap<String, Instant>>);

impl UsedTokens {
    /// Returns whether the use is to be recorded now.
    pub fn is_news(&self, key: &str, now: Instant) -> bool {
        const PAUSE: Duration = Duration::from_secs(60);
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = noted.get(key).is_none_or(|last| now >= *last + PAUSE);
        if news {
            noted.insert(key.to_owned(), now);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_news_once_a_minute() {
        let (used, start) = (UsedTokens::default(), Instant::now());
        assert!(used.is_news("a", start));
        assert!(!used.is_news("a", start + Duration::from_secs(59)));
        assert!(used.is_news("a", start + Duration::from_secs(60)));
        assert!(used.is_news("b", start));
    }
}
