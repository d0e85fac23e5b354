//! Secrets and credentials on the pages of an integration.

use anyhow::Result;
use zentry_e2e::emulator::Kind;

use super::Site;
use super::browser::Look;

/// The form has what a program has, and its secret is shown once.
#[test]
fn a_program_gets_a_secret() -> Result<()> {
    let site = Site::entered(Look::DESK)?;
    let browser = &site.browser;
    let url = site.scene.emulator.register(Kind::Signed).url();
    site.goto("/integrations/new/")?;
    browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")?;
    browser.fill("name", "Billing")?;
    browser.fill("webhook_url", &url)?;
    let is_shown = |name: &str| {
        browser.run(&format!(
            "return document.querySelector('[name={name}]').checkVisibility()"
        ))
    };
    browser.click("[name=webhook_type][value=discord]")?;
    assert_eq!(
        (is_shown("headers")?, is_shown("digest")?),
        (false.into(), true.into())
    );
    browser.fill("digest", "1 hour")?;
    browser.click("[name=webhook_type][value=webhook]")?;
    assert_eq!(
        (is_shown("headers")?, is_shown("digest")?),
        (true.into(), false.into())
    );
    browser.fill("headers", r#"{"host": "x"}"#)?;
    browser.click("form.sheet button.primary")?;
    browser.wait_for("#headers-problem", "cannot be set")?;
    browser.fill("headers", r#"{"authorization": "Bearer swordfish"}"#)?;
    browser.click("form.sheet button.primary")?;
    browser.wait_for("main", "The integration is registered.")?;
    browser.wait_for("main", "whsec_")?;
    browser.click("main a.button")?;
    browser.wait_for("main", "authorization")?;
    let shown = browser.text("main")?;
    assert!(
        !shown.contains("whsec_") && !shown.contains("swordfish"),
        "{shown}"
    );
    browser.click("form[action$='/secret/'] button")?;
    browser.wait_for("main", "For one day")?;
    browser.wait_for("main", "whsec_")?;
    Ok(())
}

/// The form asks for credentials where a server does, and keeps none that it was sent.
#[test]
fn a_stream_is_given_credentials() -> Result<()> {
    let site = Site::entered(Look::DESK)?;
    let browser = &site.browser;
    site.goto("/integrations/new/")?;
    browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")?;
    browser.fill("name", "Stream")?;
    browser.fill("webhook_url", "nats://127.0.0.1:4222")?;
    let is_shown = || browser.run("return document.querySelector('[name=secret]').checkVisibility()");
    browser.click("[name=webhook_type][value=webhook]")?;
    assert_eq!(is_shown()?, serde_json::Value::Bool(false));
    browser.click("[name=webhook_type][value=nats]")?;
    assert_eq!(is_shown()?, serde_json::Value::Bool(true));
    browser.fill("secret", "swordfish:")?;
    browser.click("form.sheet button.primary")?;
    browser.wait_for("#secret-problem", "the credentials are empty")?;
    let page = browser.run("return document.documentElement.outerHTML")?;
    assert!(!page.to_string().contains("swordfish"), "{page}");
    Ok(())
}
