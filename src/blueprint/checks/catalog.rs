//! The catalog: passwords do not belong in a file that is committed.

use super::Subject;

pub(super) fn check(subject: &mut Subject<'_>) {
    let Some(url) = subject.text("/catalog/url") else { return };
    if has_password(url) {
        let help = "leave it out; set PGPASSWORD where you run `decouple up`, or use a .pgpass file".to_owned();
        subject.warning(&["/catalog/url"], "`catalog.url` holds a password", help);
    }
}

fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let in_authority = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    in_authority || query.split('&').any(|pair| pair.to_ascii_lowercase().starts_with("password="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_seen_wherever_it_may_stand() {
        for url in ["postgres://me:secret@host/db", "postgres://host/db?user=me&password=secret"] {
            assert!(has_password(url), "{url}");
        }
        for url in ["postgres://me@host:5432/db", "postgres://host:5432/db?user=me", "postgres", "postgres://h/a:b@c"] {
            assert!(!has_password(url), "{url}");
        }
    }
}
