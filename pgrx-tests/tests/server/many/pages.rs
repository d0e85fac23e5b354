//! The admin pages of several databases behind one server.

use anyhow::Result;
use ureq::Agent;
use ureq::http::{Request, Response};

use super::serve::Two;

/// A browser that follows nothing and sends the cookies that it is given.
fn visit(url: &str, cookie: &str, form: Option<&str>) -> Result<(u16, String, Response<ureq::Body>)> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(0)
        .build()
        .new_agent();
    let mut response = match form {
        None => agent.run(Request::get(url).header("Cookie", cookie).body(())?)?,
        Some(form) => {
            let request = Request::post(url)
                .header("Cookie", cookie)
                .header("Sec-Fetch-Site", "same-origin")
                .header("Content-Type", "application/x-www-form-urlencoded");
            agent.run(request.body(form.to_owned())?)?
        }
    };
    let text = response.body_mut().read_to_string()?;
    Ok((response.status().as_u16(), text, response))
}

fn header(response: &Response<ureq::Body>, name: &str) -> String {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// Addresses of this site that a page names.
fn links(page: &str) -> Vec<&str> {
    let attributes = page.split_inclusive('"').zip(page.split('"').skip(1));
    attributes
        .filter(|(before, _)| {
            ["href=\"", "action=\"", "src=\"", "data-check=\""]
                .iter()
                .any(|end| before.ends_with(end))
        })
        .map(|(_, value)| value)
        .filter(|value| value.starts_with('/'))
        .collect()
}

#[test]
fn pages_are_below_the_name_and_who_signs_in_is_signed_in_there_alone() -> Result<()> {
    let two = Two::start()?;
    let at = |path: &str| format!("{}{path}", two.server.url);
    let (status, page, response) = visit(&at("/"), "", None)?;
    assert_eq!(status, 200);
    assert!(header(&response, "content-security-policy").contains("default-src 'none'"));
    for name in ["sales", "shop", "gone"] {
        assert!(page.contains(&format!("href=\"/{name}/admin/\"")), "{page}");
    }
    let (status, _, response) = visit(&at("/sales"), "", None)?;
    assert_eq!(
        (status, header(&response, "location")),
        (303, "/sales/admin/".to_owned())
    );
    // Who is not signed in is sent to the form, and from there to where they were going.
    let (status, _, response) = visit(&at("/sales/admin/logs/?status=failed"), "", None)?;
    let form = header(&response, "location");
    assert!(
        status == 303 && form.starts_with("/sales/admin/sign-in/?next=%2Fadmin%2Flogs%3Fstatus%3Dfailed"),
        "{form}"
    );
    let (_, page, _) = visit(&at(&form), "", None)?;
    assert!(
        page.contains("action=\"/sales/admin/sign-in/\"") && page.contains("class=\"database\""),
        "{page}"
    );
    let body = format!("token={}&next=/admin/logs/", two.sales.1.text);
    let (status, page, response) = visit(&at("/sales/admin/sign-in/"), "", Some(&body))?;
    assert_eq!(
        (status, header(&response, "location").as_str()),
        (303, "/sales/admin/logs/"),
        "{page}"
    );
    let body = format!("token={}&next=/admin/%252e./../shop/admin/", two.sales.1.text);
    let (_, _, elsewhere) = visit(&at("/sales/admin/sign-in/"), "", Some(&body))?;
    assert_eq!(header(&elsewhere, "location"), "/sales/admin/integrations/");
    let cookie = header(&response, "set-cookie");
    assert!(
        cookie.starts_with("zentry_token_sales=") && cookie.contains("Path=/sales/admin"),
        "{cookie}"
    );
    let own = cookie.split(';').next().unwrap_or_default().to_owned();

    let mut seen = 0;
    for page in [
        "integrations/",
        "integrations/new/",
        "logs/",
        "events/",
        "events/task_completed/",
        "languages/",
        "status/",
        "tokens/",
        "guide/",
    ] {
        let path = format!("/sales/admin/{page}");
        let (status, text, _) = visit(&at(&path), &own, None)?;
        assert_eq!(status, 200, "{path}");
        for link in links(&text) {
            seen += 1;
            assert!(
                link == "/" || link.starts_with("/sales/"),
                "{path} leads to {link}"
            );
        }
    }
    assert!(seen > 50, "{seen}");
    let (_, page, _) = visit(&at("/sales/admin/integrations/"), &own, None)?;
    for asset in links(&page).into_iter().filter(|link| link.contains("/assets/")) {
        assert_eq!(visit(&at(asset), "", None)?.0, 200, "{asset}");
    }
    // The same cookie is none elsewhere, under its own name or another.
    for cookie in [
        own.clone(),
        own.replace("_sales", "_shop"),
        own.replace("_sales", ""),
    ] {
        let (status, _, response) = visit(&at("/shop/admin/integrations/"), &cookie, None)?;
        assert_eq!(status, 303, "{}", header(&response, "location"));
    }
    let (status, _, response) = visit(&at("/sales/admin/sign-out/"), &own, Some(""))?;
    assert_eq!(
        (status, header(&response, "location").as_str()),
        (303, "/sales/admin/sign-in/")
    );
    assert!(
        header(&response, "set-cookie").starts_with("zentry_token_sales=;"),
        "{}",
        header(&response, "set-cookie")
    );
    let (_, page, _) = visit(&at("/shop/docs/swagger-initializer.js"), "", None)?;
    assert!(page.contains("\"/shop/openapi.json\""), "{page}");
    Ok(())
}
