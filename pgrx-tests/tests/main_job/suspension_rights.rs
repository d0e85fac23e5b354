//! The owner of the tables loses a right that look-ups need: names of badges are left out, and mended with it.

use zentry_e2e::scene::Scene;
use zentry_e2e::zentry;

use crate::suspension::World;

/// Tables of an owner who is no superuser; `lookup` is a role that has the look-up table.
fn with_owner(roles: &[&str]) -> (Scene, Vec<String>) {
    let mut scene = Scene::empty().unwrap();
    let number = scene.database.name().split('_').next().unwrap().to_owned();
    let roles: Vec<String> = roles.iter().map(|role| format!("{role}_{number}")).collect();
    zentry::load(&mut scene.client).unwrap();
    for role in &roles {
        scene
            .client
            .batch_execute(&format!("CREATE ROLE {role}"))
            .unwrap();
    }
    for table in [
        "users_user",
        "tasks_project",
        "tasks_project_members",
        "tasks_task",
        "achievements_userbadge",
    ] {
        let alter = format!("ALTER TABLE {table} OWNER TO {}", roles[0]);
        scene.client.batch_execute(&alter).unwrap();
    }
    (scene, roles)
}

/// The owner could read badges when the table was attached, and may not any more.
fn with_a_revoked_privilege() -> (World, String) {
    let (mut scene, mut roles) = with_owner(&["owner"]);
    let owner = roles.remove(0);
    let grant = format!("GRANT SELECT ON achievements_badge TO {owner}");
    scene.client.batch_execute(&grant).unwrap();
    scene.install().unwrap();
    let mut world = World::of(scene);
    world.execute(&format!("REVOKE SELECT ON achievements_badge FROM {owner}"));
    world.assert_badge_names_are_left_out("permission denied for table achievements_badge");
    (world, owner)
}

#[test]
fn a_revoked_privilege_of_the_tables_owner() {
    let (mut world, owner) = with_a_revoked_privilege();
    world.execute(&format!("GRANT SELECT ON achievements_badge TO {owner}"));
    world.assert_badges_are_mended();
}

/// The owner may read the look-up table as a member of another role only, and then is no member any more.
#[test]
fn a_revoked_membership_of_the_tables_owner() {
    let (mut scene, roles) = with_owner(&["owner", "readers"]);
    let (owner, readers) = (&roles[0], &roles[1]);
    let grant = format!("GRANT {readers} TO {owner}");
    scene
        .client
        .batch_execute(&format!(
            "GRANT SELECT ON achievements_badge TO {readers}; {grant}"
        ))
        .unwrap();
    scene.install().unwrap();
    let mut world = World::of(scene);
    world.execute(&format!("REVOKE {readers} FROM {owner}"));
    world.assert_badge_names_are_left_out("permission denied for table achievements_badge");
    world.execute(&grant);
    world.assert_badges_are_mended();
}

/// No relation changes by that, either.
#[test]
fn a_revoked_schema_of_the_tables_owner() {
    let (mut scene, roles) = with_owner(&["owner"]);
    let grant = format!("GRANT SELECT ON achievements_badge TO {}", roles[0]);
    scene.client.batch_execute(&grant).unwrap();
    // Foreign keys are checked with the owner's rights, too: they would refuse the write.
    scene
        .client
        .batch_execute(
            "ALTER TABLE achievements_userbadge DROP CONSTRAINT achievements_userbadge_user_id_fk, \
                                                DROP CONSTRAINT achievements_userbadge_badge_id_fk",
        )
        .unwrap();
    scene.install().unwrap();
    let mut world = World::of(scene);
    world.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC");
    world.assert_badges_are_suspended("permission denied for schema public");
    world.execute("GRANT USAGE ON SCHEMA public TO PUBLIC");
    world.assert_badges_are_mended();
}

#[test]
fn an_owner_who_was_a_superuser() {
    let (mut scene, roles) = with_owner(&["owner"]);
    let owner = &roles[0];
    scene
        .client
        .batch_execute(&format!("ALTER ROLE {owner} SUPERUSER"))
        .unwrap();
    scene.install().unwrap();
    let mut world = World::of(scene);
    world.execute(&format!("ALTER ROLE {owner} NOSUPERUSER"));
    world.assert_badge_names_are_left_out("permission denied for table achievements_badge");
}

/// The remedy is run as it stands, and mends more than the line.
fn mended_by_the_remedy(world: &mut World, remedy: &str) {
    let told = world.remedy();
    assert!(
        told.starts_with(remedy) && told.ends_with(" SELECT * FROM public.zentry_attach();"),
        "{told}"
    );
    world.execute(&told);
    world.assert_badges_are_mended();
}

/// It is for people to say whether the owner may.
#[test]
fn what_the_tables_owner_may_not_read_is_named_by_the_remedy() {
    let (mut world, owner) = with_a_revoked_privilege();
    let told = world.remedy();
    // As PostgreSQL says it with lc_messages = de_DE.
    world.execute(
        "UPDATE zentry_notify.event_source SET suspended_reason = 'keine Berechtigung für Tabelle achievements_badge' \
          WHERE suspended_reason = 'permission denied for table achievements_badge'",
    );
    assert_eq!(world.remedy(), told);
    let condition = format!("-- if {owner} may read public.achievements_badge: ");
    let grant = told.strip_prefix(&condition).unwrap_or_else(|| panic!("{told}"));
    assert_eq!(
        grant,
        format!(
            "GRANT SELECT ON public.achievements_badge TO {owner}; SELECT * FROM public.zentry_attach();"
        )
    );
    world.execute(grant);
    world.assert_badges_are_mended();
}

#[test]
fn policies_of_a_table_that_is_looked_into() {
    let (mut scene, roles) = with_owner(&["owner"]);
    let owner = &roles[0];
    scene
        .client
        .batch_execute(&format!("ALTER TABLE achievements_badge OWNER TO {owner}"))
        .unwrap();
    scene.install().unwrap();
    let mut world = World::of(scene);
    world.execute(
        "ALTER TABLE achievements_badge ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; \
         CREATE POLICY all_of_them ON achievements_badge USING (true)",
    );
    world.assert_badge_names_are_left_out(
        "row-level security that applies to the owner of the attached table",
    );
    mended_by_the_remedy(
        &mut world,
        "ALTER TABLE public.achievements_badge NO FORCE ROW LEVEL SECURITY;",
    );
    // Of somebody else's table it is for people to choose.
    world.execute(&format!(
        "ALTER TABLE achievements_badge OWNER TO postgres; GRANT SELECT ON achievements_badge TO {owner}; \
         DELETE FROM achievements_userbadge WHERE badge_id IN (2, 3)"
    ));
    world.assert_badge_names_are_left_out(
        "row-level security that applies to the owner of the attached table",
    );
    let told = world.remedy();
    let said = format!(
        "-- policies of public.achievements_badge hold for {owner}: make it the table's owner, or ALTER ROLE {owner} BYPASSRLS"
    );
    assert!(told.starts_with(&said), "{told}");
    world.execute(&format!("ALTER ROLE {owner} BYPASSRLS"));
    world.assert_badges_are_mended();
}

/// Who belongs to a project is not known then: its webhooks hear nothing, and that is said.
#[test]
fn policies_of_a_table_of_memberships() {
    let (mut scene, roles) = with_owner(&["owner"]);
    scene
        .client
        .batch_execute(&format!("GRANT SELECT ON achievements_badge TO {}", roles[0]))
        .unwrap();
    scene.install().unwrap();
    let mut world = World::of(scene);
    world.execute("ALTER TABLE tasks_project_members ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY");
    world.tell_of_badge(2);
    mended_by_the_remedy(
        &mut world,
        "ALTER TABLE public.tasks_project_members NO FORCE ROW LEVEL SECURITY;",
    );
}
