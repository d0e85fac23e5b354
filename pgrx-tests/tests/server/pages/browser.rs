//! Headless Chromium, driven by chromedriver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use thirtyfour::error::WebDriverResult;
use thirtyfour::extensions::query::ElementQueryable;
use thirtyfour::{By, Capabilities, WebDriver, WebElement};
use tokio::runtime::Runtime;
use zentry_e2e::scene::SOON;
use zentry_e2e::wait::eventually;

use crate::support::{Directory, target};

/// How it shows pages.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    pub script: bool,
}

impl Look {
    pub const DESK: Self = Self {
        width: 1200,
        height: 900,
        dark: false,
        script: true,
    };
    pub const PHONE: Self = Self {
        width: 390,
        height: 844,
        ..Self::DESK
    };

    pub const fn dark(self) -> Self {
        Self { dark: true, ..self }
    }

    pub const fn without_script(self) -> Self {
        Self {
            script: false,
            ..self
        }
    }
}

/// A browser with one window. It ends when it is dropped.
pub struct Browser {
    runtime: Runtime,
    window: WebDriver,
    driver: Child,
    _profile: Directory,
}

/// Starts chromedriver on a port that it chooses; what it has chosen may be somebody else's when it listens, and then it ends.
fn start_driver() -> Result<(Child, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("no chromedriver: scripts/bootstrap browser installs it")?;
    let mut lines = BufReader::new(driver.stdout.take().context("no output")?).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("successfully on port ")?;
        port.trim_end_matches('.').parse::<u16>().ok()
    });
    let port = port.context("chromedriver does not say where it listens")?;
    // What it says later has to go somewhere.
    thread::spawn(move || lines.for_each(drop));
    Ok((driver, port))
}

impl Browser {
    pub fn start(look: Look) -> Result<Self> {
        let (driver, port) = start_driver().or_else(|_| start_driver())?;
        Self::of(driver, port, look)
    }

    fn of(mut driver: Child, port: u16, look: Look) -> Result<Self> {
        let profile = Directory::new()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let address = format!("http://127.0.0.1:{port}");
        let window = runtime.block_on(WebDriver::new(address, capabilities(look, &profile)));
        let window = window.inspect_err(|_| {
            let _ = driver.kill();
        })?;
        Ok(Self {
            runtime,
            window,
            driver,
            _profile: profile,
        })
    }

    pub fn goto(&self, url: &str) -> Result<()> {
        Ok(self.runtime.block_on(self.window.goto(url))?)
    }

    /// The path of the page that is shown, with its query.
    pub fn path(&self) -> Result<String> {
        let url = self.runtime.block_on(self.window.current_url())?;
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(format!("{}{query}", url.path()))
    }

    pub fn title(&self) -> Result<String> {
        Ok(self.runtime.block_on(self.window.title())?)
    }

    /// Do something with the element that `css` finds, as soon as there is one.
    fn with<T, F>(&self, css: &str, act: impl FnOnce(WebElement) -> F) -> Result<T>
    where
        F: Future<Output = WebDriverResult<T>>,
    {
        self.runtime
            .block_on(async {
                let query = self.window.query(By::Css(css));
                act(query.wait(SOON, Duration::from_millis(20)).first().await?).await
            })
            .with_context(|| format!("{css} on {}", self.path().unwrap_or_default()))
    }

    pub fn click(&self, css: &str) -> Result<()> {
        self.with(css, |element| async move { element.click().await })
    }

    /// Click on what leads to another page, and wait for that.
    pub fn follow(&self, css: &str) -> Result<()> {
        self.run("document.documentElement.dataset.old = 'yes'")?;
        self.click(css)?;
        eventually(SOON, format!("{css} to lead to another page"), || {
            let left = self
                .run("return document.readyState === 'complete' && !document.documentElement.dataset.old");
            left.is_ok_and(|left| left == true).then_some(())
        })
    }

    /// Follow the link, or push the button, that says this.
    pub fn follow_text(&self, text: &str) -> Result<()> {
        let mark = format!(
            "const found = [...document.querySelectorAll('main a, main button, nav a, .who button')].filter(one => one.textContent.trim() === {text:?});\
             if (found.length) found[0].dataset.target = 'yes'; return found.length"
        );
        ensure!(
            self.run(&mark)?.as_u64() >= Some(1),
            "nothing says {text}: {}",
            self.text("main")?
        );
        self.follow("[data-target=yes]")
    }

    /// Put `text` into a field, in place of what is there.
    pub fn fill(&self, name: &str, text: &str) -> Result<()> {
        self.with(&format!("[name={name}]"), |field| async move {
            field.clear().await?;
            field.send_keys(text).await
        })
    }

    pub fn choose(&self, name: &str, value: &str) -> Result<()> {
        self.click(&format!("select[name={name}] option[value={value:?}]"))
    }

    /// Keys, as the keyboard sends them to whatever has the focus.
    pub fn press(&self, keys: &str) -> Result<()> {
        Ok(self.runtime.block_on(async {
            let focused = self.window.active_element().await?;
            focused.send_keys(keys).await
        })?)
    }

    pub fn text(&self, css: &str) -> Result<String> {
        self.with(css, |element| async move { element.text().await })
    }

    pub fn attribute(&self, css: &str, name: &str) -> Result<Option<String>> {
        self.with(css, |element| async move { element.attr(name).await })
    }

    pub fn count(&self, css: &str) -> Result<usize> {
        Ok(self.runtime.block_on(self.window.find_all(By::Css(css)))?.len())
    }

    /// Wait until the page's text at `css` has this in it.
    pub fn wait_for(&self, css: &str, text: &str) -> Result<()> {
        let mut last = String::new();
        let found = eventually(SOON, format!("{css} to say {text}"), || {
            last = self.text(css).unwrap_or_default();
            last.contains(text).then_some(())
        });
        found.with_context(|| last)
    }

    /// The value that a script returns.
    pub fn run(&self, script: &str) -> Result<Value> {
        let returned = self.runtime.block_on(self.window.execute(script, Vec::new()))?;
        Ok(returned.json().clone())
    }

    /// What axe-core finds wrong with the page that is shown.
    pub fn axe(&self) -> Result<Vec<String>> {
        let file = target()?.join("tools/axe/axe_playwright_python/axe.min.js");
        let axe = fs::read_to_string(&file)
            .with_context(|| format!("{}: scripts/bootstrap browser installs it", file.display()))?;
        const RUN: &str = "const done = arguments[arguments.length - 1];\
             axe.run(document, {resultTypes: ['violations', 'incomplete']}).then(found => done(found.violations.concat(\
                 found.incomplete.filter(rule => rule.id !== 'color-contrast'))\
                 .flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html} ${node.failureSummary}`))), error => done([String(error)]))";
        let found = self.runtime.block_on(async {
            self.window.execute(axe, Vec::new()).await?;
            self.window.execute_async(RUN, Vec::new()).await
        })?;
        Ok(found.convert()?)
    }

    /// What the browser complains of: scripts that fail, what the content security policy refuses. A form that is refused is no
    /// complaint.
    pub fn complaints(&self) -> Result<Vec<String>> {
        let entries = self.runtime.block_on(self.window.browser_log())?;
        let messages = entries.into_iter().map(|entry| entry.message);
        Ok(messages
            .filter(|message| !message.contains("responded with a status of 4"))
            .collect())
    }

    /// A picture of the page's upper part, so many points high, as a PNG.
    pub fn picture(&self, height: u64) -> Result<Vec<u8>> {
        let frame = self.run("return window.outerHeight - window.innerHeight")?;
        let height = height + frame.as_u64().unwrap_or(0);
        Ok(self.runtime.block_on(async {
            let width = self.window.get_window_rect().await?.width;
            self.window
                .set_window_rect(0, 0, width as u32, height as u32)
                .await?;
            self.window.screenshot_as_png().await
        })?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its session, not with its driver.
        let _ = self.runtime.block_on(self.window.clone().quit());
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn capabilities(look: Look, profile: &Directory) -> Capabilities {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        // Its sandbox needs privileges that root in a container does not have; the pages are our own.
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        // /dev/shm is small in a container.
        "--disable-dev-shm-usage".to_owned(),
        "--hide-scrollbars".to_owned(),
        "--lang=en".to_owned(),
        format!("--user-data-dir={}", profile.0.display()),
        format!("--window-size={},{}", look.width, look.height),
    ];
    if look.dark {
        arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
    }
    let mut options = json!({"args": arguments});
    if look.width < 500 {
        // A window cannot be that narrow; a phone's screen is.
        options["mobileEmulation"] =
            json!({"deviceMetrics": {"width": look.width, "height": look.height, "pixelRatio": 2.0}});
    }
    if !look.script {
        options["prefs"] = json!({"profile.managed_default_content_settings.javascript": 2});
    }
    Map::from_iter([
        ("browserName".to_owned(), json!("chrome")),
        ("goog:chromeOptions".to_owned(), options),
        ("goog:loggingPrefs".to_owned(), json!({"browser": "WARNING"})),
    ])
    .into()
}
