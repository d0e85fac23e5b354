//! A name that resolves to another address the second time.

use anyhow::Result;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::preload::compile;
use zentry_e2e::site::Site;

use crate::request_forgery::*;

/// Stands between the server and the C library: a name whose answers change, as an attacker's name server would have it. Each
/// question takes the next answer; `+` joins the addresses of one.
const RESOLVER: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*resolve)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    static int asked = 0;
    resolve real = (resolve) dlsym(RTLD_NEXT, "getaddrinfo");
    if (node == NULL || strcmp(node, "rebinding.example") != 0)
        return real(node, service, hints, result);
    fprintf(stderr, "rebinding.example is asked for\n");
    char *answers = strdup(getenv("REBINDING_ANSWERS")), *rest = answers, *answer = NULL, *next;
    for (int i = 0; i <= asked && (next = strsep(&rest, ",")) != NULL; i++)
        answer = next;
    asked++;
    struct addrinfo **end = result;
    *result = NULL;
    while ((next = strsep(&answer, "+")) != NULL) {
        if (real(next, service, hints, end) != 0)
            return EAI_NONAME;
        while (*end != NULL)
            end = &(*end)->ai_next;
    }
    free(answers);
    return 0;
}
"#;

#[test]
fn a_name_that_changes_its_mind_gains_nothing() -> Result<()> {
    let (trap, port) = trap()?;
    // Of the Internet, but with nobody behind it.
    const PUBLIC: &str = "2620:4f:8000::1";
    let options = ClusterOptions::default()
        .set("zentry_notify.connect_timeout", "300ms")
        .env("LD_PRELOAD", compile(RESOLVER, "rebinding")?.display())
        .env(
            "REBINDING_ANSWERS",
            format!("{PUBLIC},127.0.0.1,{PUBLIC}+127.0.0.1,::ffff:127.0.0.1,127.0.0.1+169.254.169.254"),
        );
    let site = Site::start(options)?;
    let mut client = site.database("zentry")?;
    client.batch_execute(&format!(
        "SET zentry_notify.allowed_hosts = 'rebinding.example:{port}'; SET zentry_notify.allow_private_addresses = off"
    ))?;
    let id = register(&mut client, &format!("http://rebinding.example:{port}{DISCORD}"))?;
    let mut asked = site.logged(0, "rebinding.example is asked for")?;
    assert_eq!(asked, 0, "registering asks nobody");
    for (refused, words) in [
        (false, ""),
        (true, "rebinding.example resolves to 127.0.0.1"),
        (false, ""),
        (true, "rebinding.example resolves to ::ffff:127.0.0.1"),
        (true, "rebinding.example resolves to 127.0.0.1"),
    ] {
        let error: String = client
            .query_one("SELECT error_message FROM zentry_test_webhook($1)", &[&id])?
            .get(0);
        assert_eq!(error.starts_with("not allowed"), refused, "{error}");
        assert!(error.contains(words), "{error}");
        // What is checked is what is connected to: there is no second question that another answer could be given to.
        asked += 1;
        assert_eq!(
            site.logged(0, "rebinding.example is asked for")?,
            asked,
            "{error}"
        );
    }
    assert_untouched(&trap);
    Ok(())
}
