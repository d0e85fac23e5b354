//! The admin pages, in headless Chromium.

mod accessibility;
mod browser;
mod integrations;
mod log;
mod pictures;
mod secrets;
mod words;

use anyhow::Result;
use zentry_e2e::scene::Scene;

use self::browser::{Browser, Look};
use crate::support::{Server, Token};

/// A server with something to show, and a browser before it.
struct Site {
    browser: Browser,
    server: Server,
    scene: Scene,
    manager: Token,
}

impl Site {
    fn start(look: Look) -> Result<Self> {
        let mut scene = Scene::start()?;
        let server = Server::start(&mut scene)?;
        let manager = server.token(&mut scene, "manager")?;
        Ok(Self {
            browser: Browser::start(look)?,
            server,
            scene,
            manager,
        })
    }

    /// With a manager signed in.
    fn entered(look: Look) -> Result<Self> {
        let site = Self::start(look)?;
        enter(&site.browser, &site.server, &site.manager)?;
        Ok(site)
    }

    fn goto(&self, path: &str) -> Result<()> {
        self.browser.goto(&format!("{}/admin{path}", self.server.url))
    }
}

fn enter(browser: &Browser, server: &Server, token: &Token) -> Result<()> {
    browser.goto(&format!("{}/admin/sign-in/", server.url))?;
    browser.fill("token", &token.text)?;
    browser.follow("form.narrow button")
}
